"""A picture of a task as an annotator sees it: `python -m scripts.screenshot demo/screenshot.png`.

Drives a headless Chromium through the WebDriver protocol (Debian package `chromium-driver`): logs in through
the form and opens the first task of the first project, while `make demo` runs.
"""

# ruff: noqa: T201 - it talks to a person

from __future__ import annotations

import argparse
import base64
import contextlib
import json
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scripts.label_studio import Account, LabelStudio
from scripts.processes import free_port, wait_until


class Browser:
    """One window of a headless browser, by the few WebDriver commands needed here."""

    def __init__(self, driver_url: str) -> None:
        """Open the window."""
        self._base = driver_url
        arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1400,900"]
        wanted = {"alwaysMatch": {"goog:chromeOptions": {"args": arguments}}}
        self._base += "/session/" + self._command("POST", "/session", {"capabilities": wanted})["sessionId"]

    def _command(self, method: str, path: str, body: object = None) -> Any:
        request = urllib.request.Request(  # noqa: S310 - the address is the one we started
            self._base + path,
            method=method,
            data=None if method == "GET" else json.dumps(body or {}).encode(),
        )
        with urllib.request.urlopen(request, timeout=120) as reply:  # noqa: S310
            return json.load(reply)["value"]

    def open(self, url: str) -> None:
        """Go to an address and wait until it is loaded."""
        self._command("POST", "/url", {"url": url})

    def run(self, script: str, *arguments: object) -> Any:
        """Run JavaScript in the page and return what it returns."""
        return self._command("POST", "/execute/sync", {"script": script, "args": arguments})

    def picture(self) -> bytes:
        """The window as a PNG."""
        return base64.b64decode(self._command("GET", "/screenshot"))

    def close(self) -> None:
        """Close the window and end the browser."""
        self._command("DELETE", "")


@contextlib.contextmanager
def browser() -> Iterator[Browser]:
    """A browser window that is gone afterwards."""
    driver = shutil.which("chromedriver")
    if driver is None:
        raise SystemExit("chromedriver is missing: apt-get install chromium-driver")
    port = free_port()
    process = subprocess.Popen([driver, f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        window = wait_until(lambda: _connect(f"http://localhost:{port}"), 30, "the browser")
        with contextlib.closing(window):
            yield window
    finally:
        process.terminate()
        process.wait()


def _connect(driver_url: str) -> Browser | None:
    try:
        return Browser(driver_url)
    except OSError:
        return None


LOG_IN = """
document.querySelector("input[name=email]").value = arguments[0];
document.querySelector("input[name=password]").value = arguments[1];
document.querySelector("input[name=email]").form.submit();
"""


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

    with browser() as window:
        window.open(f"{label_studio.url}/user/login/")
        window.run(LOG_IN, account.user, account.password)
        wait_until(lambda: "/user/login" not in window.run("return location.pathname"), 30, "the login")
        window.open(f"{label_studio.url}/projects/{project}/data?task={task['id']}")
        shown = "return document.body.innerText.includes(arguments[0])"
        try:
            wait_until(lambda: window.run(shown, version), 60, f"the prediction of version {version} on the page")
        except TimeoutError as error:
            sys.exit(str(error))
        finally:
            options.file.write_bytes(window.picture())
    print(f"{options.file}: task {task['id']} with the prediction of version {version}")


if __name__ == "__main__":
    main()
