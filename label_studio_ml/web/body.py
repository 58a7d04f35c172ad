"""Reading a request body within limits, compressed or not."""

from __future__ import annotations

import asyncio
import zlib

from starlette.requests import ClientDisconnect, Request

from ..errors import BodyTooLarge, RequestError

_STEP = 1 << 20
_DIGITS = 18


async def read(request: Request, limit: int) -> bytes:
    """The body, decompressed.

    Args:
        request: whose body to read.
        limit: most bytes, both as sent and after decompression.

    Raises:
        BodyTooLarge: it is larger; what is sent beyond the limit is not kept.
        RequestError: it is compressed in a way that is not understood, or damaged, or cut short.
    """
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and (len(announced) > _DIGITS or int(announced) > limit):
        raise _too_large(limit)
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    parts, size = [], 0
    try:
        async for part in request.stream():
            size += len(part)
            if size > limit:
                raise _too_large(limit)
            parts.append(part)
    except ClientDisconnect:
        raise RequestError("The connection ended before the body did.") from None
    body = b"".join(parts)
    if encoding in ("", "identity"):
        return body
    if encoding in ("gzip", "x-gzip", "deflate"):
        return await asyncio.to_thread(_inflate, body, limit)  # a bomb takes a second, in which others are served
    raise RequestError(f"Content-Encoding {encoding!r} is not understood; send gzip, deflate or nothing.")


def _inflate(body: bytes, limit: int) -> bytes:
    decoder = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)  # gzip or zlib, told by the header
    parts, size = [], 0
    try:
        while body and not decoder.eof:
            part = decoder.decompress(body, _STEP)
            size += len(part)
            if size > limit:
                raise _too_large(limit)
            parts.append(part)
            body = decoder.unconsumed_tail
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
