"""Under WSGI a body is read only as far as its limit allows."""

from __future__ import annotations

import io

import pytest

from label_studio_ml.server.wsgi import _body


@pytest.mark.parametrize(
    ("announced", "read"),
    [
        ("5", b"abcde"),
        ("0", b""),
        ("10", b"abcdefghij"),
        ("11", b""),
        ("-1", b""),
        ("\u00b2", b""),
        ("9" * 5000, b""),
    ],
    ids=lambda value: str(value)[:10],
)
def test_only_a_length_within_the_limit_is_read_whatever_is_announced(announced: str, read: bytes) -> None:
    environ = {"CONTENT_LENGTH": announced, "wsgi.input": io.BytesIO(b"abcdefghijklmno")}
    assert _body(environ, 10) == read
