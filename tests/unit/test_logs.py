from __future__ import annotations

import io
import logging
import sys
from collections.abc import Iterator

import pytest

from label_studio_ml import logs

TOKEN = "0123456789abcdef0123456789abcdef01234567"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjE3OTU0MDIwNDJ9.c2lnbmF0dXJl"
BASIC = "dXNlcjpwYXNzd29yZA=="


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        (f"Authorization: Token {TOKEN}", TOKEN),
        (f"authorization: bearer {JWT}", JWT),
        (f"Authorization: Basic {BASIC}", BASIC),
        ("Authorization: Basic dXNlcjpwYXNz", "dXNlcjpwYXNz"),
        ("Authorization: opaque-value", "opaque-value"),
        (f"{{'Authorization': 'Token {TOKEN}', 'Accept': '*/*'}}", TOKEN),
        (f'{{"Authorization": "Basic {BASIC}"}}', BASIC),
        (f'"{{\\"Authorization\\": \\"Token {TOKEN}\\"}}"', TOKEN),
        (f"[('Authorization', 'Basic {BASIC}')]", BASIC),
        (f"[(b'authorization', b'Basic {BASIC}')]", BASIC),
        (f"{{b'authorization': b'Basic {BASIC}'}}", BASIC),
        (f"Headers({{'proxy-authorization': 'Basic {BASIC}'}})", BASIC),
        ("X-Webhook-Secret: hunter2", "hunter2"),
        ("(b'x-webhook-secret', b'hunter2')", "hunter2"),
        (f"sent Token {TOKEN} to", TOKEN),
        (f"Bearer {JWT}", JWT),
        (f"got {JWT} back", JWT),
        (f"access_token={TOKEN}&x=1", TOKEN),
        (f'"access_token": "{TOKEN}"', TOKEN),
        (f"'refresh': '{JWT}'", JWT),
        (f'{{"access": "{JWT}"}}', JWT),
        (f"LABEL_STUDIO_API_KEY={TOKEN}", TOKEN),
        (f"LABEL_STUDIO_ACCESS_TOKEN='{TOKEN}'", TOKEN),
        (f"LABEL_STUDIO_USER_TOKEN={TOKEN}", TOKEN),
        (f"api_key='{TOKEN}'", TOKEN),
        (f"apikey: {TOKEN}", TOKEN),
        (f'"token": "{TOKEN}"', TOKEN),
        (f"https://host/path?token={TOKEN}", TOKEN),
        ("password=hunter2", "hunter2"),
        ("password='pass word!{1}'", "pass word!{1}"),
        ('"password": "p@ss"', "p@ss"),
        ("basic_auth_pass='p'", "'p'"),
        ("webhook_secret=s3cr$t", "s3cr$t"),
        ("postgresql://user:hunter2@host/name", "hunter2"),
        ("redis://:hunter2@host", "hunter2"),
        ("https://bucket/x?X-Amz-Signature=abcdef12&x=1", "abcdef12"),
        ("Cookie: sessionid=abcdef", "abcdef"),
    ],
)
def test_no_credential_gets_through(text: str, secret: str) -> None:
    shown = logs.redact(text)
    assert secret not in shown
    assert "***" in shown
    assert logs.redact(shown) == shown


def test_what_surrounds_a_credential_stays() -> None:
    text = f"POST http://host/setup {{'Authorization': 'Token {TOKEN}', 'Accept': '*/*'}} -> 200"
    assert logs.redact(text) == "POST http://host/setup {'Authorization': 'Token ***', 'Accept': '*/*'} -> 200"
    assert logs.redact("password=one, user=two") == "password=***, user=two"
    assert logs.redact("postgresql://user:one@host/name") == "postgresql://user:***@host/name"


@pytest.mark.parametrize(
    "text",
    [
        "Label Studio refused the token because it has expired",
        "The token expired: get another one",
        "pad_token='[PAD]', max_tokens=512",
        '{"token": "running", "pos": "VERB"}',
        "Basic authentication is off",
        "http://localhost:9090/predict answered 200",
        "http://[::1]:9090/ a@b.co",
        "'password': None, 'login': None",
        '"access_token": null',
        "Task 7 got no prediction: the control `mood` has no choice 'Ugly'",
        "the authorization, which is missing",
        "",
    ],
)
def test_ordinary_sentences_are_left_alone(text: str) -> None:
    assert logs.redact(text) == text


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What a process writes to stderr after `logs.configure`."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    chatty = [
        logging.getLogger(name) for name in ("httpx", "httpcore", "urllib3", "asyncio", "alembic", "sqlalchemy")
    ]
    levels = [logger.level for logger in chatty]
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    logs.configure("INFO", "worker 3")
    yield stream
    root.handlers[:], root.level = before
    for logger, level in zip(chatty, levels, strict=True):
        logger.setLevel(level)


def test_a_line_says_when_how_grave_which_process_and_who(configured: io.StringIO) -> None:
    logging.getLogger("some.where").info("hello")
    date, time, *rest = configured.getvalue().split()
    assert len(date) == 10
    assert len(time) == 8
    assert rest == ["INFO", "[worker", "3]", "some.where:", "hello"]


def test_messages_arguments_and_tracebacks_are_redacted(configured: io.StringIO) -> None:
    logger = logging.getLogger("some.where")
    logger.warning("headers %s", {"Authorization": f"Token {TOKEN}"})
    try:
        raise ValueError(f"refused api_key={TOKEN}")
    except ValueError:
        logger.exception("It failed")
    logger.info("stack", stack_info=True)
    written = configured.getvalue()
    assert TOKEN not in written
    assert "ValueError: refused api_key=***" in written
    assert "Traceback (most recent call last)" in written


def test_levels_below_the_one_asked_for_and_the_chatter_of_libraries_are_left_out(configured: io.StringIO) -> None:
    logging.getLogger("some.where").debug("too much")
    logging.getLogger("httpx").info("HTTP Request")
    logging.getLogger("httpx").warning("but this")
    assert "but this" in configured.getvalue()
    assert len(configured.getvalue().splitlines()) == 1


def test_configuring_again_does_not_say_everything_twice(configured: io.StringIO) -> None:
    logs.configure("INFO", "worker 3")
    assert len(logging.getLogger().handlers) == 1
