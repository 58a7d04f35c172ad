"""A headless Chromium that looks at Label Studio, driven by WebDriver (Debian: `chromium-driver`)."""

from __future__ import annotations

import base64
import contextlib
import json
import shutil
import subprocess
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

from scripts.label_studio import Account
from scripts.processes import free_port, wait_until

ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",  # it may run as root, and sees only what we started
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1400,900",
)

LOG_IN = """
document.querySelector("input[name=email]").value = arguments[0];
document.querySelector("input[name=password]").value = arguments[1];
document.querySelector("input[name=email]").form.submit();
"""


class Browser:
    """One window of a headless browser, by the few WebDriver commands needed here."""

    def __init__(self, driver_url: str, profile: str) -> None:
        """Open the window; `profile` is an empty folder."""
        options = {"args": [*ARGUMENTS, f"--user-data-dir={profile}"]}
        wanted = {"alwaysMatch": {"goog:chromeOptions": options}}
        self._base = driver_url
        self._base += "/session/" + self._command("POST", "/session", {"capabilities": wanted})["sessionId"]

    def _command(self, method: str, path: str, body: object = None) -> Any:
        request = urllib.request.Request(  # noqa: S310 - the address is the one we started
            self._base + path,
            method=method,
            data=None if method == "GET" else json.dumps(body or {}).encode(),
        )
        try:
            with urllib.request.urlopen(request, timeout=120) as reply:  # noqa: S310
                return json.load(reply)["value"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"the browser refused: {json.load(error)['value']['message']}") from None

    def open(self, url: str) -> None:
        """Go to an address and wait until it is loaded."""
        self._command("POST", "/url", {"url": url})

    def run(self, script: str, *arguments: object) -> Any:
        """Run JavaScript in the page and return what it returns."""
        return self._command("POST", "/execute/sync", {"script": script, "args": arguments})

    def picture(self) -> bytes:
        """The window as a PNG."""
        return base64.b64decode(self._command("GET", "/screenshot"))

    def log_in(self, label_studio_url: str, account: Account) -> None:
        """Log in through Label Studio's form."""
        self.open(f"{label_studio_url}/user/login/")
        self.run(LOG_IN, account.user, account.password)
        wait_until(lambda: "/user/login" not in self.run("return location.pathname"), 30, "the login")

    def close(self) -> None:
        """Close the window and end the browser."""
        self._command("DELETE", "")


@contextlib.contextmanager
def browser() -> Iterator[Browser]:
    """A browser window that is gone afterwards.

    Raises:
        FileNotFoundError: there is no `chromedriver`.
    """
    driver = shutil.which("chromedriver")
    if driver is None:
        raise FileNotFoundError("chromedriver is missing: apt-get install chromium-driver")
    port = free_port()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen([driver, f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            window = wait_until(lambda: _connect(f"http://localhost:{port}", profile), 30, "the browser")
            with contextlib.closing(window):
                yield window
        finally:
            process.terminate()
            process.wait()


def _connect(driver_url: str, profile: str) -> Browser | None:
    try:
        return Browser(driver_url, profile)
    except OSError:
        return None
