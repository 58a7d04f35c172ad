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
from scripts.examples import LEARNED, Server, published, samples
from scripts.label_studio import Account, LabelStudio, running
from scripts.processes import free_port, wait_until

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "gallery.md"
PICTURE = "prediction.png"
SHOWN = 6
"""Tasks that the project of a picture has beside those that were learned from."""


class Project:
    """An example's project in Label Studio, with its samples, connected to it."""

    def __init__(self, label_studio: LabelStudio, example: Example, url: str, learned: int, shown: int) -> None:
        """Make it. `learned` tasks are annotated with their answers before anything is predicted."""
        self.api, self.example = label_studio, example
        self.id = label_studio.create_project(example.title, (example.folder / "label_config.xml").read_text())
        with tempfile.TemporaryDirectory() as name:
            every = samples(example, Path(name))
            known = [task for task in every if task.get("answer")][:learned] if example.learns else []
            rest = [task for task in every if task not in known][:shown]
            data = published(label_studio, self.id, [*known, *rest], Path(name))
        ids = label_studio.import_tasks(self.id, data)
        self.learned = list(zip(ids, known, strict=False))
        self.rest = list(zip(ids[len(known) :], rest, strict=True))
        self.backend = label_studio.connect(self.id, url, is_interactive=True)["id"]

    def teach(self) -> None:
        """Annotate what is to be learned from, press Start training, and wait for the version."""
        before = self.version
        for task, known in self.learned:
            self.api.annotate(task, known["answer"])
        self.api.start_training(self.backend)
        wait_until(lambda: self.version != before, 900, f"{self.example.name} to have learned")

    @property
    def version(self) -> str:
        """The version that predicts."""
        return str(self.api.backend(self.backend)["model_version"])

    def predict(self) -> None:
        """Let Label Studio store a prediction for each task that nothing was learned from."""
        contexts = {task: sample["context"] for task, sample in self.rest if sample.get("context")}
        for task, context in contexts.items():
            answer = self.api.interact(self.backend, task, context["result"][0])["data"]
            prediction = {"task": task, "result": answer["result"], "model_version": self.version}
            self.api.call("POST", "/api/predictions/", {**prediction, "score": answer.get("score", 0.0)})
        if not contexts:
            self.api.retrieve_predictions(self.id)


def picture(window: Browser, label_studio: LabelStudio, project: Project) -> bytes:
    """The first task with a prediction, as an annotator sees it."""
    stored = {one["task"] for one in label_studio.predictions(project.id) if one["result"]}
    task = next((task for task, _ in project.rest if task in stored), None)
    if task is None:
        raise SystemExit(f"{project.example.name} predicts nothing for its samples.")
    window.open(f"{label_studio.url}/projects/{project.id}/data?task={task}&labeling=1")
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
            project = Project(label_studio, example, server.url, LEARNED, SHOWN)
            if project.learned:
                project.teach()
            project.predict()
            (example.folder / PICTURE).write_bytes(small(picture(window, label_studio, project)))
        except BaseException:
            print(server.process.log[-3000:], file=sys.stderr)
            raise
        finally:
            server.process.stop()
    print(f"{example.name}: {(example.folder / PICTURE).relative_to(ROOT)}", flush=True)


def take(chosen: list[Example]) -> None:
    """Take pictures, all in one Label Studio and one window."""
    with running() as label_studio, browser() as window:
        window.log_in(label_studio.url, Account())
        for example in chosen:
            show(label_studio, window, example)


def main() -> None:
    """Take the pictures, then write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="examples; all of them if left out")
    parser.add_argument("--page", action="store_true", help="only write the page anew")
    options = parser.parse_args()
    if not options.page:
        chosen = [examples.find(name) for name in options.names] or examples.catalogue()
        take([one for one in chosen if (one.folder / "sample_data.py").exists()])
    PAGE.write_text(page())
    print(PAGE.relative_to(ROOT))


if __name__ == "__main__":
    main()
