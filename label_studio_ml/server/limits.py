"""What a request may weigh: its body is read within a limit, compressed or not."""

from __future__ import annotations

import asyncio
import zlib

from starlette.types import Receive, Scope

from ..errors import BodyTooLarge, RequestError

_STEP = 1 << 20
_TAKEN = 1 << 12
"""Bytes that are decompressed at once: what is left of them after the end of a member is copied."""

_GZIP_OR_ZLIB = zlib.MAX_WBITS | 32

_DIGITS = 18


async def read_body(scope: Scope, receive: Receive, limit: int) -> bytes:
    """The body of a request, decompressed.

    Args:
        scope: of the request.
        receive: its messages, of which none has been taken yet.
        limit: most bytes, both as sent and after decompression.

    Raises:
        BodyTooLarge: it is larger; what is sent beyond the limit is not kept.
        RequestError: it is compressed in a way that is not understood, or damaged, or cut short.
    """
    announced = encoding = b""
    for name, value in scope["headers"]:
        if name == b"content-length":
            announced = value
        elif name == b"content-encoding":
            encoding = value.strip().lower()
    if announced.isdigit() and (len(announced) > _DIGITS or int(announced) > limit):
        raise _too_large(limit)
    parts, size, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise RequestError("The connection ended before the body did.")
        part = message.get("body", b"")
        more = message.get("more_body", False)
        size += len(part)
        if size > limit:
            raise _too_large(limit)
        parts.append(part)
    body = b"".join(parts) if len(parts) > 1 else parts[0]
    if encoding in (b"", b"identity"):
        return body
    if encoding in (b"gzip", b"x-gzip", b"deflate"):
        return await asyncio.to_thread(_inflate, body, limit)  # a bomb takes a second, in which others are served
    raise RequestError(
        f"Content-Encoding {encoding.decode('latin-1')!r} is not understood; send gzip, deflate or nothing."
    )


def _inflate(body: bytes, limit: int) -> bytes:
    """All members of a compressed body: gzip allows several, and zeros between and after them."""
    decoder = zlib.decompressobj(_GZIP_OR_ZLIB)
    parts, size = [], 0
    try:
        for start in range(0, len(body), _TAKEN):
            rest = body[start : start + _TAKEN]
            while rest:
                if decoder.eof:
                    if not (rest := rest.lstrip(b"\0")):
                        break
                    decoder = zlib.decompressobj(_GZIP_OR_ZLIB)
                parts.append(decoder.decompress(rest, _STEP))
                size += len(parts[-1])
                if size > limit:
                    raise _too_large(limit)
                rest = decoder.unused_data or decoder.unconsumed_tail
        parts.append(decoder.flush())
    except zlib.error as error:
        raise RequestError(f"The compressed body is damaged: {error}.") from None
    if not decoder.eof:
        raise RequestError("The compressed body is cut short.")
    if size + len(parts[-1]) > limit:
        raise _too_large(limit)
    return b"".join(parts)


def _too_large(limit: int) -> BodyTooLarge:
    return BodyTooLarge(f"The body is larger than the {limit} bytes this server accepts (--max-body-size).")
