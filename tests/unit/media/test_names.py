"""File names that are safe on every system, and addresses as people may see them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from label_studio_ml.media.names import file_name, name_in, shown


@pytest.mark.parametrize(
    ("name", "content_type", "first_bytes", "expected"),
    [
        ("cat.png", "", b"", "cat.png"),
        ("Cat.JPG", "text/plain", b"", "Cat.jpg"),
        ("scan.nii.gz", "", b"", "scan.nii.gz"),
        ("image.php", "image/png", b"", "image.png"),
        ("image", "image/jpeg; charset=x", b"", "image.jpg"),
        ("image", "IMAGE/WEBP", b"", "image.webp"),
        ("sound", "audio/mpeg", b"", "sound.mp3"),
        ("image", "application/octet-stream", b"\x89PNG\r\n\x1a\n", "image.png"),
        ("image", "", b"\xff\xd8\xff\xe0", "image.jpg"),
        ("sound", "", b"RIFF\x00\x00\x00\x00WAVEfmt ", "sound.wav"),
        ("film", "binary/octet-stream", b"\0\0\0\x20ftypisom", "film.mp4"),
        ("paper", "nonsense", b"%PDF-1.7", "paper.pdf"),
        ("something", "", b"hello", "something"),
        ("data.unknownkind", "", b"hello", "data_unknownkind"),
        ("data.xyzw", "", b"hello", "data.xyzw"),
        ("", "image/gif", b"", ".gif"),
        ("../../etc/passwd", "", b"", "etc_passwd"),
        ("..\\..\\a.png", "", b"", "a.png"),
        ("CON", "", b"", "CON"),
        ("a\0b.png", "", b"", "a_b.png"),
        ("猫.png", "", b"", ".png"),
        ("x" * 300 + ".png", "", b"", "x" * 40 + ".png"),
        ("a.png ", "image/png", b"", "a_png.png"),
    ],
)
def test_names(name: str, content_type: str, first_bytes: bytes, expected: str) -> None:
    assert file_name(name, content_type, first_bytes) == expected


@given(st.text(), st.text(), st.binary(max_size=64))
def test_names_are_safe_whatever_comes(name: str, content_type: str, first_bytes: bytes) -> None:
    found = file_name(name, content_type, first_bytes)
    assert re.fullmatch(r"[A-Za-z0-9_-]{0,40}(\.[a-z0-9-]+)*", found)
    assert len(found) < 80


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("https://example.org/a/my%20cat.png?size=2#x", "my cat.png"),
        ("https://example.org", ""),
        ("https://example.org/", ""),
        ("/data/upload/1/ab-cat.png", "ab-cat.png"),
        ("/data/local-files/?d=dogs/1.jpg", "1.jpg"),
        ("/data/local-files/?d=dogs%2F1.jpg", "1.jpg"),
        ("/storage-data/uploaded/?filepath=upload/1/b.png", "b.png"),
        ("s3://bucket/deep/key.wav", "key.wav"),
        ("https://example.org/view?d=x.png", "view"),
    ],
)
def test_the_name_in_an_address(address: str, expected: str) -> None:
    assert name_in(address) == expected


@given(st.text())
def test_addresses_are_shown_in_one_line_without_secrets(text: str) -> None:
    said = shown(f"https://me:secret@example.org/{text}?signature=secret")
    assert said.isprintable()
    assert len(said) < 500
    assert "signature=secret" not in said
    assert "me:secret" not in said


def test_what_is_no_secret_is_shown() -> None:
    assert shown("/data/local-files/?d=dogs/1.jpg") == "/data/local-files/?d=dogs/1.jpg"
    assert shown("s3://bucket/key.png") == "s3://bucket/key.png"
    assert shown("https://x.org/a?X-Amz-Signature=1") == "https://x.org/a?…"
    assert shown("data:image/png;base64," + "A" * 10_000) == "data:image/png… (10022 characters)"
