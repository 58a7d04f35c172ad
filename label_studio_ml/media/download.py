"""One address on its way into a file: redirects, retries that continue where it broke off, limits, the token.

Runs wherever media are fetched. Knows nothing of kinds of addresses or of the cache.
"""

from __future__ import annotations

import functools
import re
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import BinaryIO

import httpcore
import httpx

from .. import __version__
from ..errors import MediaError, one_line
from .addresses import Origin, parse
from .names import shown
from .network import AddressRefused, CheckedBackend, Policy

MAX_REDIRECTS = 5
_ATTEMPTS = 4
_FIRST_PAUSE = 0.25
_READ_TIMEOUT = 20.0
_TRY_AGAIN = {408, 425, 429, 502, 503, 504}
_HEADERS = {
    "User-Agent": f"label-studio-ml/{__version__} (+https://labelstud.io/guide/ml)",
    "Accept": "*/*",
    "Accept-Encoding": "identity",  # sizes and ranges are those of the file
}
_INTERRUPTIONS = (
    httpcore.TimeoutException,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpx.DecodingError,
)


class Answered(MediaError):
    """The server answered with an error status."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class _Interrupted(Exception):
    """This attempt got not all of it; another may."""

    def __init__(self, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.wait = wait


@dataclass(frozen=True)
class Limits:
    """How large a file may be, and how long it may take."""

    size: int
    """Bytes."""
    seconds: float


def download(
    url: httpx.URL,
    file: BinaryIO,
    policy: Callable[[bool], Policy],
    own: Origin | None,
    limits: Limits,
    *,
    title: str = "",
    verify: bool = True,
) -> str:
    """Write what is at an address into an empty file and return its Content-Type.

    Args:
        url: of `parse`.
        file: open for writing, empty.
        policy: says where to connect; told whether that is Label Studio's own origin.
        own: Label Studio, if it is known.
        limits: of size and time.
        title: what messages call it; the address by default.
        verify: whether to check certificates.

    Raises:
        MediaError: it cannot be had; the message says why and what to do.
    """
    return _Download(url, file, policy, own, limits, title or shown(str(url)), verify).run()


class _Download:
    def __init__(
        self,
        url: httpx.URL,
        file: BinaryIO,
        policy: Callable[[bool], Policy],
        own: Origin | None,
        limits: Limits,
        title: str,
        verify: bool,
    ) -> None:
        self._url, self._file, self._own, self._limits = url, file, own, limits
        self._policy, self._title, self._verify = policy, title, verify
        self._deadline = time.monotonic() + limits.seconds
        self._etag = ""
        self._content_type = ""

    def run(self) -> str:
        """Try until it is all there."""
        failures = 0
        while True:
            before = self._file.tell()
            try:
                while not self._attempt():
                    failures = 0
            except _Interrupted as interruption:
                continues = self._etag and self._file.tell() > before
                failures = 1 if continues else failures + 1
                if not self._etag:
                    self._start_over()
                if failures >= _ATTEMPTS:
                    raise MediaError(
                        f"{self._title} could not be fetched in {failures} attempts: {interruption}. "
                        "Is it reachable from here?"
                    ) from interruption
                self._pause(_FIRST_PAUSE * 2 ** (failures - 1) if interruption.wait is None else interruption.wait)
                continue
            return self._content_type

    def _pause(self, seconds: float) -> None:
        if time.monotonic() + seconds > self._deadline:
            raise self._too_slow()
        time.sleep(seconds)

    def _attempt(self) -> bool:
        """Ask for what is missing; true when that was the rest."""
        offset = self._file.tell()
        headers = {"Range": f"bytes={offset}-", "If-Range": self._etag} if offset else {}
        try:
            with self._answer(headers) as response:
                return self._receive(response, offset)
        except AddressRefused as error:
            raise MediaError(f"{self._title} is not fetched: {error}.") from error
        except _INTERRUPTIONS as error:
            if "CERTIFICATE_VERIFY_FAILED" in str(error):
                raise MediaError(
                    f"{self._title} is not fetched: the certificate of its server is not trusted. "
                    "Set SSL_CERT_FILE to that of your authority, or VERIFY_SSL to false."
                ) from error
            raise _Interrupted(one_line(error)) from error

    @contextmanager
    def _answer(self, headers: dict[str, str]) -> Iterator[httpx.Response]:
        """The response at the end of all redirects."""
        url, at_home = self._url, True
        for _ in range(MAX_REDIRECTS + 1):
            at_home = at_home and self._own is not None and self._own.covers(url)
            token = self._own.header_for(url) if at_home and self._own else None
            sent = {**_HEADERS, **headers, **({"Authorization": token} if token else {})}
            with self._request(url, sent, at_home) as response:
                location = response.headers.get("location")
                if not response.has_redirect_location or location is None:
                    self._check_status(response, at_home)
                    yield response
                    return
            url = self._next(url, location, at_home)
        raise MediaError(f"{self._title} redirects more than {MAX_REDIRECTS} times. Correct the address.")

    def _next(self, url: httpx.URL, location: str, at_home: bool) -> httpx.URL:
        """Where a redirect leads."""
        if at_home and "/user/login" in location:
            raise self._token_refused("it wants a login")
        try:
            found = parse(str(url.join(location)))
        except (MediaError, httpx.InvalidURL, ValueError) as error:
            raise MediaError(f"{self._title} redirects to {shown(location)}, which is not followed.") from error
        more_secure = (url.scheme, found.scheme) == ("http", "https")
        if at_home and more_secure and (url.raw_host, url.raw_path) == (found.raw_host, found.raw_path):
            raise MediaError(
                f"{self._title} redirects to {_shown_origin(found)}: set LABEL_STUDIO_URL to that, "
                "because the token goes to no other place than the one that is set."
            )
        return found

    @contextmanager
    def _request(self, url: httpx.URL, headers: dict[str, str], at_home: bool) -> Iterator[httpx.Response]:
        """One request on a connection of its own, so that no rule is got round by an open one."""
        remaining = self._remaining()
        timeout = {
            "connect": min(remaining, 10.0),
            "read": min(remaining, _READ_TIMEOUT),
            "write": 10.0,
            "pool": 1.0,
        }
        request = httpx.Request("GET", url, headers=headers, extensions={"timeout": timeout})
        with httpcore.ConnectionPool(
            ssl_context=_ssl_context(self._verify), network_backend=CheckedBackend(self._policy(at_home))
        ) as pool:
            answer = pool.handle_request(
                httpcore.Request(
                    "GET",
                    httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
                    headers=request.headers.raw,
                    extensions=request.extensions,
                )
            )
            stream = _Body(answer)
            with closing(stream):
                yield httpx.Response(answer.status, headers=answer.headers, stream=stream, request=request)

    def _check_status(self, response: httpx.Response, at_home: bool) -> None:
        status = response.status_code
        if status in (200, 206, 416):
            return
        if status in _TRY_AGAIN:
            after = response.headers.get("retry-after", "")
            raise _Interrupted(f"status {status}", float(after) if after.isdigit() else None)
        if status in (401, 403) and at_home:
            raise self._token_refused(f"status {status}")
        hint = "Is the file still in Label Studio?" if at_home else "Does the address still hold, without a login?"
        raise Answered(f"{self._title} was answered with status {status}. {hint}", status)

    def _receive(self, response: httpx.Response, offset: int) -> bool:
        """Write a body where it belongs; true when the file is complete."""
        end = total = None
        if response.status_code == 416:
            if offset and response.headers.get("content-range", "") == f"bytes */{offset}":
                return True
            self._start_over()
            raise _Interrupted("the server has another file now")
        if response.status_code == 206:
            found = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+|\*)", response.headers.get("content-range", ""))
            if not offset or found is None or int(found[1]) != offset:
                self._start_over()
                self._etag = ""
                raise _Interrupted("the server sent another part than it was asked for")
            end, total = int(found[2]) + 1, int(found[3]) if found[3] != "*" else None
        else:
            self._start_over()
            tag = response.headers.get("etag", "")
            encoded = response.headers.get("content-encoding", "identity") != "identity"
            self._etag = tag if tag.startswith('"') and not encoded else ""
            self._content_type = response.headers.get("content-type", "")
            length = response.headers.get("content-length", "")
            total = int(length) if length.isdigit() and not encoded else None
        if total is not None and total > self._limits.size:
            raise self._too_large(total)
        self._write(response)
        if end is not None and self._file.tell() != end:
            raise _Interrupted("the server sent less than it announced")
        return total is None or self._file.tell() >= total

    def _write(self, response: httpx.Response) -> None:
        written = self._file.tell()
        for chunk in response.iter_bytes():
            written += len(chunk)
            if written > self._limits.size:
                raise self._too_large(written)
            self._file.write(chunk)
            self._remaining()

    def _start_over(self) -> None:
        self._file.seek(0)
        self._file.truncate()

    def _remaining(self) -> float:
        remaining = self._deadline - time.monotonic()
        if remaining <= 0:
            raise self._too_slow()
        return remaining

    def _too_slow(self) -> MediaError:
        return MediaError(
            f"{self._title} could not be fetched within {self._limits.seconds:g} s. "
            "Raise --media-timeout if it needs longer."
        )

    def _too_large(self, size: int) -> MediaError:
        return MediaError(
            f"{self._title} has {size:,} bytes or more, and --max-media-size allows {self._limits.size:,}. "
            "Raise it if the file is wanted."
        )

    def _token_refused(self, why: str) -> Answered:
        return Answered(
            f"{self._title} is not given to us by Label Studio ({why}). "
            "Set LABEL_STUDIO_API_KEY to the token of a user who may see the project.",
            403,
        )


class _Body(httpx.SyncByteStream):
    """httpcore's response body under httpx's name for it."""

    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        yield from self._answer.iter_stream()

    def close(self) -> None:
        self._answer.close()


@functools.cache
def _ssl_context(verify: bool) -> ssl.SSLContext:
    return httpx.create_ssl_context(verify=verify)  # minds SSL_CERT_FILE


def _shown_origin(url: httpx.URL) -> str:
    return f"{url.scheme}://{url.netloc.decode()}"
