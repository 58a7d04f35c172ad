"""Addresses in tasks: what kind of address each is, and what it means. Pure functions that fetch nothing."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from urllib.parse import parse_qs, unquote, unquote_to_bytes, urlsplit

import httpx

from ..errors import MediaError, one_line
from .names import shown

_CLOUD = re.compile(r"(s3|gs|azure-blob)://", re.IGNORECASE)
_HTTP = re.compile(r"https?:", re.IGNORECASE)
_INLINE = re.compile(r"data:", re.IGNORECASE)
_MEDIA_PATHS = re.compile(r"/data/|/storage-data/|/(tasks|projects)/\d+/(presign|resolve)/")
_RESOLVED = re.compile(r"/(tasks|projects)/(\d+)/(?:presign|resolve)/?\?fileuri=([A-Za-z0-9_=-]+)")
_BACKSLASH = re.compile(r"%5c|\\", re.IGNORECASE)
_UPLOAD = re.compile(r"/data/upload/(\d+)/([^/?#]+)")

Token = str | Callable[[], str | None] | None


@dataclass(frozen=True)
class LabelStudio:
    """Where an address is meant: one Label Studio, seen with one token, and perhaps one task of it."""

    hostname: str = ""
    """Its address, as in `http://localhost:8080`; empty when it is not known."""
    token: Token = None
    """For it, or a function that gives it."""
    account: str = ""
    """Tells what was fetched with one token from what was fetched with another."""
    project_id: str = ""
    """The project; a cloud address means something in a project only."""
    task_id: int | str | None = None
    """The task."""


@dataclass(frozen=True)
class Origin:
    """Label Studio: the only place that gets its token."""

    base: httpx.URL
    """Its address."""
    authorization: Callable[[], str | None]
    """Makes the header; may ask Label Studio to exchange a personal access token first."""

    def covers(self, url: httpx.URL) -> bool:
        """Whether an address is of the same scheme, host and port."""
        return _origin(url) == _origin(self.base)

    def serves(self, url: httpx.URL) -> bool:
        """Whether the path is one of Label Studio's media, wherever it is."""
        base = self.base.path.rstrip("/")
        inside = url.path.startswith(base + "/") and _MEDIA_PATHS.match(url.path[len(base) :])
        return bool(inside) and not climbs(url.raw_path.decode("ascii"))

    def header_for(self, url: httpx.URL) -> str | None:
        """The token, for addresses of media only.

        Whoever writes task data writes addresses, and is not to have us read Label Studio's API with our rights.
        """
        return self.authorization() if self.covers(url) and self.serves(url) else None


def is_inline(address: str) -> bool:
    """Whether an address is a data URI, which holds the file itself."""
    return _INLINE.match(address) is not None


def is_http(address: str) -> bool:
    """Whether an address begins as one of the web does."""
    return _HTTP.match(address) is not None


def is_cloud(address: str) -> bool:
    """Whether an address is of a bucket, to which Label Studio has the credentials."""
    return _CLOUD.match(address) is not None


def is_path(value: str) -> bool:
    """Whether a value that may be a file can only be one of this machine."""
    elsewhere = (_INLINE, _CLOUD, _HTTP, _RESOLVED)
    return inside_label_studio(value, None) is None and not any(kind.match(value) for kind in elsewhere)


def parse(address: str) -> httpx.URL:
    """Read an http(s) address, strictly: what two programs could read in two ways is refused.

    Raises:
        MediaError: it is none, or has a user name, control characters or backslashes in it.
    """
    if re.search(r"[\x00-\x1f\x7f\\]", address):
        raise MediaError(f"{shown(address)} has a backslash or a control character in it. Correct the task's data.")
    try:
        url = httpx.URL(address)
    except (httpx.InvalidURL, ValueError) as error:
        raise MediaError(f"{shown(address)} is no address: {one_line(error)}. Correct the task's data.") from error
    host = url.raw_host.decode("ascii")
    if url.scheme not in ("http", "https") or not re.fullmatch(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+", host):
        raise MediaError(f"{shown(address)} is no http or https address with a host. Correct the task's data.")
    if url.userinfo:
        raise MediaError(
            f"{shown(address)} has a user name or password in it, which is not sent. "
            "Remove it from the task's data."
        )
    return url


def host_and_port(url: httpx.URL) -> tuple[str, int]:
    """Where an address connects to, its port said or not."""
    return url.raw_host.decode("ascii").rstrip(".").lower(), url.port or {"http": 80, "https": 443}[url.scheme]


def _origin(url: httpx.URL) -> tuple[str, str, int]:
    return (url.scheme, *host_and_port(url))


def climbs(path: str) -> bool:
    r"""Whether a path has `..`, a backslash or a control character in it, however often it is percent-encoded.

    >>> climbs("a/%252e%252e/b"), climbs("a%5c..%5cb"), climbs("a/b..c.png")
    (True, True, False)
    """
    for _ in range(8):
        if re.search(r"(^|/)\.\.(/|$)|[\x00-\x1f\x7f\\]", path):
            return True
        decoded = unquote(path)
        if decoded == path:
            return False
        path = decoded
    return True


def inline_content(address: str) -> tuple[str, bytes]:
    """The Content-Type and the content of a data URI.

    Raises:
        MediaError: it cannot be decoded.
    """
    head, comma, body = address[5:].partition(",")
    kind, *options = head.split(";")
    try:
        if not comma:
            raise ValueError("it has no comma")
        content = unquote_to_bytes(body)
        if "base64" in (option.strip().lower() for option in options):
            content = base64.b64decode(b"".join(content.split()), validate=True)
    except (ValueError, binascii.Error) as error:
        raise MediaError(
            f"{shown(address)} cannot be decoded: {one_line(error)}. Correct the task's data."
        ) from error
    return kind, content


def _path_at_home(address: str, own: Origin | None) -> str:
    """The path of an address of Label Studio, relative to where Label Studio is; other addresses as they are."""
    if _HTTP.match(address):
        if own is None or not own.covers(parse(address)):
            return address
        parts = urlsplit(address)
        address = parts.path + (f"?{parts.query}" if parts.query else "")
    base = own.base.path.rstrip("/") if own else ""
    return address[len(base) :] if base and address.startswith(base + "/") else address


def unresolved(address: str, own: Origin | None, where: LabelStudio) -> tuple[str, LabelStudio]:
    """The cloud address inside one of Label Studio's own for it, which its API puts into tasks."""
    found = _RESOLVED.fullmatch(_path_at_home(address, own))
    if found is None:
        return address, where
    try:
        cloud = base64.urlsafe_b64decode(found[3]).decode()
    except (binascii.Error, UnicodeDecodeError):
        return address, where
    known = {"task_id": found[2]} if found[1] == "tasks" else {"task_id": None, "project_id": found[2]}
    return cloud, replace(where, **known)


def inside_label_studio(address: str, own: Origin | None) -> str | None:
    """The path of an upload or a local file in Label Studio, in any of the ways in which tasks spell it."""
    path = _path_at_home(address, own)
    if re.match(r"/?upload/", path):
        path = "/data/" + path.lstrip("/")
    elif path.startswith(("data/upload/", "storage-data/uploaded")):
        path = "/" + path
    if path.startswith("/data/local-files"):
        path = _BACKSLASH.sub("%2F", path)  # Label Studio on Windows writes them between folders
    known = path.startswith(("/data/upload/", "/storage-data/uploaded")) or (
        path.startswith("/data/") and "?" in path
    )
    return path if known else None


def paths_of(inside: str) -> list[str]:
    """Where Label Studio has an upload depends on its own storage."""
    if not inside.startswith("/data/upload/"):
        return [inside]
    return [inside, "/storage-data/uploaded/?filepath=" + inside.removeprefix("/data/")]


def presign_path(address: str, where: LabelStudio) -> str:
    """Where Label Studio hands out what is in cloud storage: it has the credentials, this program has not."""
    coded = base64.urlsafe_b64encode(address.encode()).decode()
    for kind, number in (("tasks", where.task_id), ("projects", where.project_id.partition(".")[0])):
        if str(number or "").isdecimal():
            return f"/{kind}/{number}/presign/?fileuri={coded}"
    raise MediaError(
        f"{shown(address)} is found through its task, which is not known. "
        "Pass its id, as in get_local_path(address, task_id=task['id'])."
    )


def local_file(inside: str) -> str | None:
    """What `/data/local-files/?d=…` names, decoded once, as Label Studio does."""
    path, _, query = inside.partition("?")
    values = parse_qs(query.partition("#")[0]).get("d")
    return values[-1] if values and path.startswith("/data/") else None


def upload(inside: str) -> tuple[str, str] | None:
    """The project and the file name of an upload; None for what is none."""
    found = _UPLOAD.fullmatch(inside)
    return None if found is None else (found[1], found[2])
