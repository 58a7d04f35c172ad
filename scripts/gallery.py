"""Pictures of the examples at work, and their page: `python -m scripts.gallery [NAME …]`, `… --page`.

Each example predicts in a real Label Studio for its own sample data; a headless Chromium opens one of the tasks.
Those that learn have learned from some others before. The picture is `prediction.png` in the example's folder.
"""

# ruff: noqa: T201 - it talks to a person

from __future__ import annotations

import argparse
import io
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

from label_studio_ml.scaffold import examples
from label_studio_ml.scaffold.examples import Example
from scripts.browser import Browser, browser
from scripts.examples import LEARNED, Server
from scripts.label_studio import Account, LabelStudio, running
from scripts.processes import free_port, wait_until
from scripts.project import Project

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "gallery.md"
PICTURE = "prediction.png"
SHOWN = 6
"""Tasks that the project of a picture has beside those that were learned from."""


def picture(window: Browser, project: Project) -> bytes:
    """The first task with a prediction, as an annotator sees it."""
    task = next((task for task, result in project.predict().items() if result), None)
    if task is None:
        raise ValueError("it predicts nothing for its samples")
    window.open(f"{project.api.url}/projects/{project.id}/data?task={task}&labeling=1")
    wait_until(lambda: window.run("return document.body.innerText.includes('Submit')"), 60, "the task on the page")
    return still(window)


def still(window: Browser) -> bytes:
    """The window when nothing in it has changed for a while: media and waveforms have been drawn."""
    last, since, end = window.picture(), time.monotonic(), time.monotonic() + 40
    while time.monotonic() < end:
        time.sleep(0.5)
        now = window.picture()
        if now != last:
            last, since = now, time.monotonic()
        elif time.monotonic() - since > 4:
            break
    return last


def small(png: bytes) -> bytes:
    """The same picture in fewer colours."""
    out = io.BytesIO()
    Image.open(io.BytesIO(png)).convert("RGB").quantize(128, dither=Image.Dither.NONE).save(
        out, "PNG", optimize=True
    )
    return out.getvalue()


def page() -> str:
    """The page of all examples."""
    found = [one for one in examples.catalogue() if (one.folder / PICTURE).exists()]
    lines = [
        "# Gallery",
        "",
        "Backends to start from. Each does real inference with a real model whose weights come with its packages,",
        "is one readable `model.py`, and has tests, sample data and measured speed in its folder.",
        "",
        "    label-studio-ml examples",
        "    label-studio-ml init my_backend --example ocr",
        "",
        "`make demo EXAMPLE=ocr`, in a checkout, shows one in a real Label Studio with its sample data. The",
        "pictures are of predictions there (`make gallery`); tasks a second are those of one worker on two cores.",
        "",
        "| example | labels | learns | install | tasks/s one by one | in a batch |",
        "|---|---|---|---|---|---|",
        *(_row(one) for one in found),
    ]
    for one in found:
        folder = f"../label_studio_ml/examples/{one.name}"
        lines += ["", f"## {one.title}", "", f"{one.tasks}: {one.model}. [{one.name}]({folder}/README.md)"]
        lines += ["", f"![{one.title} in Label Studio]({folder}/{PICTURE})"]
    return "\n".join(lines) + "\n"


def _row(one: Example) -> str:
    speeds = ["" if speed is None else f"{speed:.3g}" for speed in (one.single, one.batch)]
    anchor = one.title.lower().replace(" ", "-")
    cells = [f"[{one.name}](#{anchor})", one.tasks, "yes" if one.learns else "", f"{one.install_mb} MB", *speeds]
    return f"| {' | '.join(cells)} |"


def show(label_studio: LabelStudio, window: Browser, example: Example) -> None:
    """Take an example's picture."""
    with tempfile.TemporaryDirectory() as name:
        server = Server(example, Path(name) / "backend", free_port(), Path(name) / "log")
        try:
            project = Project(label_studio, example, server, LEARNED, SHOWN)
            if project.learned:
                project.teach()
            (example.folder / PICTURE).write_bytes(small(picture(window, project)))
        except BaseException:
            print(server.process.log[-3000:], file=sys.stderr)
            raise
        finally:
            server.stop()
    print(f"{example.name}: {(example.folder / PICTURE).relative_to(ROOT)}", flush=True)


def take(chosen: list[Example]) -> list[str]:
    """Take pictures, all in one Label Studio and one window; the names of those that cannot be shown."""
    failed = []
    with running() as label_studio, browser() as window:
        window.log_in(label_studio.url, Account())
        for example in chosen:
            try:
                show(label_studio, window, example)
            except Exception as error:  # noqa: BLE001 - the others are worth a picture all the same
                print(f"{example.name}: {error}", file=sys.stderr)
                failed.append(example.name)
    return failed


def main() -> str | None:
    """Take the pictures, then write the page; what is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="examples; all of them if left out")
    parser.add_argument("--page", action="store_true", help="only write the page anew")
    options = parser.parse_args()
    if not options.page:
        chosen = [examples.find(name) for name in options.names] or examples.catalogue()
        failed = take([one for one in chosen if (one.folder / "sample_data.py").exists()])
        if failed:
            return f"No picture of {', '.join(failed)}."
    PAGE.write_text(page())
    print(PAGE.relative_to(ROOT))
    return None


if __name__ == "__main__":
    sys.exit(main())
