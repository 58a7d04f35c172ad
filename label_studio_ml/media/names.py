"""Names of media: what a file is called on disk, and how an address is shown to people. Pure functions."""

from __future__ import annotations

import mimetypes
import re
from pathlib import PurePosixPath
from urllib.parse import parse_qs, unquote

_SHOWN = 200
_BY_TYPE = {  # what the standard library says differs between systems, or is unusual
    "application/gzip": ".gz",
    "application/json": ".json",
    "application/octet-stream": "",
    "application/pdf": ".pdf",
    "application/xml": ".xml",
    "audio/flac": ".flac",
    "audio/mp4": ".m4a",
    "audio/mpeg": ".mp3",
    "audio/ogg": ".ogg",
    "audio/wav": ".wav",
    "audio/wave": ".wav",
    "audio/x-wav": ".wav",
    "binary/octet-stream": "",
    "image/bmp": ".bmp",
    "image/jpeg": ".jpg",
    "image/jpg": ".jpg",
    "image/tiff": ".tif",
    "image/webp": ".webp",
    "text/csv": ".csv",
    "text/html": ".html",
    "text/plain": ".txt",
    "video/mp4": ".mp4",
    "video/webm": ".webm",
}
_BY_FIRST_BYTES = [
    (re.compile(pattern, re.DOTALL), extension)
    for pattern, extension in (
        (rb"\xff\xd8\xff", ".jpg"),
        (rb"\x89PNG\r\n\x1a\n", ".png"),
        (rb"GIF8[79]a", ".gif"),
        (rb"RIFF....WEBP", ".webp"),
        (rb"RIFF....WAVE", ".wav"),
        (rb"RIFF....AVI ", ".avi"),
        (rb"II\*\0|MM\0\*", ".tif"),
        (rb"BM....\0\0\0\0", ".bmp"),
        (rb"%PDF-", ".pdf"),
        (rb"ID3|\xff[\xfb\xf3\xf2]", ".mp3"),
        (rb"OggS", ".ogg"),
        (rb"fLaC", ".flac"),
        (rb"....ftypM4A", ".m4a"),
        (rb"....ftypqt", ".mov"),
        (rb"....ftyp", ".mp4"),
        (rb"\x1a\x45\xdf\xa3", ".webm"),
        (rb"PK\x03\x04", ".zip"),
        (rb"\x1f\x8b", ".gz"),
    )
]
_COMPRESSED = {".gz", ".bz2", ".xz", ".zst"}


def name_in(address: str) -> str:
    """The file name that an address speaks of, percent-decoded; empty when it speaks of none.

    >>> name_in("https://example.org/a/my%20cat.png?size=2"), name_in("/data/local-files/?d=dogs/1.jpg")
    ('my cat.png', '1.jpg')
    """
    path, _, query = address.partition("#")[0].partition("?")
    fields = parse_qs(query)
    for field in ("d", "filepath"):
        if field in fields and path.startswith(("/data/", "/storage-data/")):
            return fields[field][-1].rpartition("/")[2]
    if "://" in path:
        path = path.split("://", 1)[1].partition("/")[2]
    return unquote(path.rpartition("/")[2])


def file_name(name: str, content_type: str, first_bytes: bytes) -> str:
    """A name that is safe on every system, with the right extension.

    The extension of the name if it is that of a kind of file, else that of the Content-Type, else that of the
    first bytes.

    Args:
        name: of `name_in`.
        content_type: the header; may be empty.
        first_bytes: of the content, 16 or more.

    >>> file_name("my cat.PNG", "", b""), file_name("image.php", "image/png; x=y", b"")
    ('my_cat.png', 'image.png')
    """
    stem, extension = _split(name)
    known = mimetypes.guess_type(f"x{extension}", strict=False)
    if not extension or (known[0] is None and known[1] is None):
        kind = content_type.partition(";")[0].strip().lower()
        found = _BY_TYPE.get(kind)
        if found is None:
            found = mimetypes.guess_extension(kind, strict=False) or ""
        extension = found or _by_first_bytes(first_bytes) or extension
    stem = re.sub(r"[^A-Za-z0-9-]+", "_", stem).strip("_-")[:40]
    return stem + extension


def _split(name: str) -> tuple[str, str]:
    """Stem and extension, in lower case; `.nii.gz` is one extension; what is no plain extension is none."""
    suffixes = PurePosixPath(name.replace("\\", "_").replace("\0", "_")).suffixes
    taken = suffixes[-2:] if suffixes and suffixes[-1].lower() in _COMPRESSED else suffixes[-1:]
    while taken and not all(re.fullmatch(r"\.[A-Za-z0-9]{1,8}", suffix) for suffix in taken):
        taken = taken[1:]
    extension = "".join(taken)
    return (name[: -len(extension)] if extension else name), extension.lower()


def _by_first_bytes(first_bytes: bytes) -> str:
    return next((extension for pattern, extension in _BY_FIRST_BYTES if pattern.match(first_bytes)), "")


def shown(address: str) -> str:
    """An address as messages show it: without what may be secret, in one line, not endless.

    >>> shown("https://me:pass@example.org/a.png?X-Amz-Signature=1f"), shown("data:image/png;base64,iVBOR")
    ('https://***@example.org/a.png?…', 'data:image/png… (27 characters)')
    """
    if address[:5].lower() == "data:":
        kind = address[5:60].partition(",")[0].partition(";")[0]
        return f"data:{kind}… ({len(address)} characters)"
    text = address.partition("#")[0]
    path, question_mark, query = text.partition("?")
    if question_mark and not (
        path.startswith(("/data/", "/storage-data/")) and query.startswith(("d=", "filepath="))
    ):
        text = path + "?…"
    text = re.sub(r"(?<=://)[^/@]*@", "***@", text)
    text = "".join(letter if letter.isprintable() else f"\\x{ord(letter):02x}" for letter in text)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
