"""A picture of a task as an annotator sees it: `python -m scripts.screenshot demo/screenshot.png`.

Logs in through the form and opens the first task of the first project, while `make demo` runs.
"""

# ruff: noqa: T201 - it talks to a person

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from scripts.browser import browser
from scripts.label_studio import Account, LabelStudio
from scripts.processes import wait_until


def main() -> None:
    """Log in, open the task, wait until its prediction is on the page, and keep the picture."""
    parser = argparse.ArgumentParser(description="A picture of the demo's first task.")
    parser.add_argument("file", type=Path)
    parser.add_argument("--label-studio-port", type=int, default=8080)
    options = parser.parse_args()
    account = Account()
    label_studio = LabelStudio(f"http://localhost:{options.label_studio_port}", account.token)
    project = label_studio.call("GET", "/api/projects/")["results"][0]["id"]
    task = label_studio.next_task(project)
    version = task["predictions"][0]["model_version"]

    try:
        with browser() as window:
            window.log_in(label_studio.url, account)
            window.open(f"{label_studio.url}/projects/{project}/data?task={task['id']}")
            shown = "return document.body.innerText.includes(arguments[0])"
            try:
                wait_until(
                    lambda: window.run(shown, version), 60, f"the prediction of version {version} on the page"
                )
            finally:
                options.file.write_bytes(window.picture())
    except (FileNotFoundError, TimeoutError) as error:
        sys.exit(str(error))
    print(f"{options.file}: task {task['id']} with the prediction of version {version}")


if __name__ == "__main__":
    main()
