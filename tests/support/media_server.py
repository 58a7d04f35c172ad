"""A server of files on a real socket that can be told to misbehave, and notes what it is asked."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class File:
    """What a path leads to, and how badly."""

    content: bytes = b""
    content_type: str = ""
    statuses: list[int] = field(default_factory=list)  # answered first, one after the other
    cuts: list[int] = field(default_factory=list)  # bytes after which the connection ends, one after the other
    redirect: str = ""
    redirect_status: int = 302
    etag: bool = True
    ranges: bool = True
    longest_range: int = 0  # as Label Studio's proxy of cloud storages has it
    announced: bool = True  # whether there is a Content-Length
    headers: dict[str, str] = field(default_factory=dict)
    before: Callable[[], object] = lambda: None  # called before the answer, and between its halves


@dataclass(frozen=True)
class Request:
    """A request that came."""

    path: str
    headers: dict[str, str]


class MediaServer:
    """Files by path."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.files: dict[str, File] = {}
        self.asked: list[Request] = []
        self.busy = self.most_busy = 0
        self.lock = threading.Lock()

    def paths(self) -> list[str]:
        """The paths that were asked for, in order."""
        return [request.path for request in self.asked]

    def tokens(self) -> list[str | None]:
        """The credentials that came, in order."""
        return [request.headers.get("authorization") for request in self.asked]

    def ranges(self) -> list[str | None]:
        """The ranges that were asked for, in order."""
        return [request.headers.get("range") for request in self.asked]


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    media: MediaServer

    def do_GET(self) -> None:
        media = self.media
        with media.lock:
            media.busy += 1
            media.most_busy = max(media.most_busy, media.busy)
            media.asked.append(Request(self.path, {name.lower(): value for name, value in self.headers.items()}))
        try:
            self.answer(media.files.get(self.path.partition("?")[0]))
        except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
            self.close_connection = True
        finally:
            with media.lock:
                media.busy -= 1

    def answer(self, file: File | None) -> None:
        if file is None:
            self.reply(404, {}, b"")
            return
        file.before()
        if file.statuses:
            self.reply(file.statuses.pop(0), {"Retry-After": "0"}, b"")
        elif file.redirect:
            self.reply(file.redirect_status, {"Location": file.redirect}, b"")
        else:
            self.send_file(file)

    def send_file(self, file: File) -> None:
        etag = f'"{hashlib.sha256(file.content).hexdigest()[:16]}"'
        headers = dict(file.headers)
        if file.etag:
            headers["ETag"] = etag
        if file.content_type:
            headers["Content-Type"] = file.content_type
        status, start, end = 200, 0, len(file.content)
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if wanted and file.ranges and self.headers.get("If-Range") == etag:
            status, start = 206, int(wanted[1])
            if file.longest_range:
                end = min(end, start + file.longest_range)
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{len(file.content)}"
            if start >= len(file.content):
                self.reply(416, {"Content-Range": f"bytes */{len(file.content)}"}, b"")
                return
        self.reply(status, headers, file.content[start:end], file)

    def reply(self, status: int, headers: dict[str, str], body: bytes, file: File | None = None) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if file is None or file.announced:
            self.send_header("Content-Length", str(len(body)))
        else:
            self.close_connection = True
        self.end_headers()
        if file is None:
            self.wfile.write(body)
            return
        if file.cuts:
            self.wfile.write(body[: file.cuts.pop(0)])
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
            return
        half = len(body) // 2
        self.wfile.write(body[:half])
        self.wfile.flush()
        file.before()
        self.wfile.write(body[half:])

    def log_message(self, *args: object) -> None:
        """Be quiet."""


@contextlib.contextmanager
def media_server(host: str = "127.0.0.1", certificate: Path | None = None) -> Iterator[MediaServer]:
    """A server on a free port of this machine; with a certificate (and its key in one file) it speaks https."""
    handler = type("Handler", (_Handler,), {})
    with http.server.ThreadingHTTPServer((host, 0), handler) as server:
        server.daemon_threads = True
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        scheme = "https" if certificate else "http"
        media = MediaServer(f"{scheme}://{host}:{server.server_address[1]}")
        handler.media = media  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield media
        finally:
            server.shutdown()
            thread.join()
