"""Log lines: readable, and without a secret."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

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
        # what httpx and httpcore log at DEBUG
        ("return_value=(b'HTTP/1.1', 200, b'OK', [(b'Set-Cookie', b'x=abcdef; HttpOnly')])", "abcdef"),
        (f"<Request [b'GET'], headers=[(b'Authorization', b'Token {TOKEN}')]>", TOKEN),
        ("Headers([('host', 'x'), ('x-api-key', 'k3y'), ('cookie', 'a=abcdef; b=c')])", "abcdef"),
        ("[('x-api-key', 'k3y')]", "k3y"),
        ("AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG", "wJalrXUtnFEMI"),
        ("'aws_session_token': None, 'AccountKey=abc+def=='", "abc+def"),
        ("https://x.blob.core.windows.net/c/b?sv=2022&sig=a%2Fb%3D&se=1", "a%2Fb%3D"),
        ("https://s3/b/k?AWSAccessKeyId=A&Signature=abc%3D&Expires=1", "abc%3D"),
        ("AWS4-HMAC-SHA256 Credential=A/b, SignedHeaders=host, Signature=deadbeef", "deadbeef"),
        ("client_secret: 'abc'", "abc"),
        ('{"refresh_token": "abc"}', "abc"),
        ("https://user:pa@ss@host/x", "pa@ss"),
        ("https://ghx0123456789abcdefXYZ@host/x.git", "ghx0123456789abcdefXYZ"),
        ("Incorrect API key provided: sk-proj-0123456789abcdefghij", "sk-proj-0123456789abcdefghij"),
        ("hf_abcdefghijklmnopqrstuvwxyz", "hf_abcdefghijklmnopqrstuvwxyz"),
        ("ghp_abcdefghijklmnopqrstuvwxyz0123456789", "ghp_abcdefghijklmnopqrstuvwxyz0123456789"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\nabc\n-----END RSA PRIVATE KEY-----", "MIIE"),
        ("-----BEGIN PRIVATE KEY-----\nMIIE", "MIIE"),
        ("{'password': b'hunter2'}", "hunter2"),
        ('{\\"password\\": \\"hunter2\\"}', "hunter2"),
        ("Authorization: Digest username=u", "username=u"),
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
        "The cookie banner, a design=nice signature(x) and the key question",
        "postgresql://host/name?user=a git@host:repo.git",
        "Task 7: eyJ is how a JWT begins; task sk-1, hf_hub 0.3, ghost",
        "compass=north, bypass = true",
    ],
)
def test_ordinary_sentences_are_left_alone(text: str) -> None:
    assert logs.redact(text) == text


@pytest.fixture(autouse=True)
def _nothing_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    """What other tests made known is none of ours."""
    monkeypatch.setattr(logs, "_hidden", ())
    monkeypatch.setattr(logs, "_known", {})


@given(
    st.text(st.characters(exclude_characters="*", exclude_categories=["Cs"]), min_size=6, max_size=60),
    st.text(),
    st.text(),
)
def test_a_known_value_gets_through_in_no_form(secret: str, before: str, after: str) -> None:
    logs.hide(secret)
    raw = secret.encode()
    for written in (
        secret,
        repr(secret)[1:-1],
        repr(raw)[2:-1],
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        quote(secret),
        quote(secret, safe=""),
        quote_plus(secret),
    ):
        assert written not in logs.redact(before.replace("*", "") + written + after.replace("*", ""))


def test_the_token_of_a_project_is_blanked_out_where_nothing_tells_what_it_is() -> None:
    assert logs.redact(f"[parameters: ('7', '{TOKEN}')] {TOKEN}") == f"[parameters: ('7', '{TOKEN}')] {TOKEN}"
    logs.hide(TOKEN, None, "", "short")
    assert logs.redact(f"[parameters: ('7', '{TOKEN}')] {TOKEN} short") == "[parameters: ('7', '***')] *** short"


def test_a_value_within_another_does_not_leave_the_rest_behind() -> None:
    logs.hide("abcdef")
    logs.hide("abcdef-ghijkl")
    assert logs.redact("it is abcdef-ghijkl") == "it is ***"


def test_a_value_that_is_an_ordinary_word_does_not_blind_us_to_others() -> None:
    logs.hide("secret", "password")
    assert "hunter2" not in logs.redact("webhook_secret=hunter2 password=hunter2")


def test_of_very_many_values_the_newest_are_known() -> None:
    for number in range(3000):
        logs.hide(f"value-{number:05}")
    assert logs.redact("value-02999") == "***"
    assert logs.redact("value-00000") == "value-00000"


def test_however_many_tokens_come_the_servers_own_secrets_stay_hidden_and_those_in_use() -> None:
    logs.hide("the-servers-own-secret", own=True)
    logs.hide("a-projects-token")
    for number in range(3000):
        logs.hide(f"another-{number:05}")
        logs.hide("a-projects-token")
    assert logs.redact("the-servers-own-secret, a-projects-token") == "***, ***"
    assert logs.redact("another-00000") == "another-00000"
    logs.hide("the-servers-own-secret")
    assert logs.redact("the-servers-own-secret") == "***"


@given(
    st.lists(
        st.sampled_from([*"'\"\\=: ,{}[]()@/.-_\n*", "token", "Authorization", "password", "eyJ", "://", "b'"])
    )
)
def test_whatever_comes_redacting_ends_and_redacting_again_changes_nothing(pieces: list[str]) -> None:
    once = logs.redact("".join(pieces))
    assert logs.redact(once) == once


@pytest.mark.timeout(60)  # what backtracks without end would take hours
@pytest.mark.parametrize(
    "piece",
    [
        "a",
        " ",
        "\\",
        "'",
        '"',
        "eyJ",
        "eyJ-",
        "eyJaaaaaaaa.",
        "eyJaaaaaaaa.a.",
        "token ",
        "token=",
        "token \t",
        "token",
        "authorization",
        "authorization:",
        "authorization: basic ",
        "authorization\\",
        "password\\\\",
        "password = ",
        "://",
        "://a:",
        "://a:b",
        "://a@",
        "a:b@",
        "://:",
        "sk-",
        "hf_",
        "-----BEGIN PRIVATE KEY-----",
        "-----BEGIN ",
        "PRIVATE KEY",
        "cookie:",
        "set-",
        "refresh",
        "access_token",
        "signature",
        "aA1",
        "=",
    ],
    ids=repr,
)
def test_a_long_line_made_to_take_for_ever_does_not(piece: str) -> None:
    logs.hide(TOKEN)
    for head in ("", "authorization: ", "token ", "password=", "://a:", "eyJ"):
        logs.redact(head + piece * (300_000 // len(piece)))


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


def test_a_record_cannot_be_forged_and_steers_no_terminal(configured: io.StringIO) -> None:
    forged = "Task 1\n2026-01-01 00:00:00 ERROR   [web] all is lost\r\x1b[2J\x85\u2028end"
    logging.getLogger("some.where").info(forged)
    first, *others = configured.getvalue().splitlines()
    assert first.endswith("Task 1")
    assert others == ["    2026-01-01 00:00:00 ERROR   [web] all is lost\\r\\x1b[2J\\x85\\u2028end"]


@pytest.mark.parametrize("level", ["DEBUG", "INFO", "WARNING", "ERROR"])
def test_no_level_shows_a_credential(configured: io.StringIO, level: str) -> None:
    logging.getLogger().setLevel("DEBUG")
    request = httpx.Request("GET", "http://host/x?token=" + TOKEN, headers={"Authorization": f"Token {TOKEN}"})
    for said in (
        request.headers,
        request.headers.raw,
        dict(request.headers),
        str(request.url),
        request.headers.items(),
    ):
        logging.getLogger("author").log(logging.getLevelName(level), "sent %s", said)
    written = configured.getvalue()
    assert len(written.splitlines()) == 5
    assert TOKEN not in written


def printed(code: str, *hidden: str) -> tuple[str, str]:
    """What a child process writes whose code is the author's: its standard output and error."""
    setting_up = f"from label_studio_ml import logs; logs.hide(*{hidden!r}); logs.guard_output()"
    done = subprocess.run(
        [sys.executable, "-c", f"{setting_up}; logs.configure('INFO', 'worker 1')\n{code}"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.stdout, done.stderr


def test_what_the_author_prints_is_redacted_too() -> None:
    code = f"""
import logging, sys
print("token:", {TOKEN!r}, "and", {JWT!r}, "password", "=", "x")
print("no end of line, then some", end="")
print("secret" + "-value", end="", flush=True)
sys.stderr.write("Authorization: Token {TOKEN}\\n")
print({{"Authorization": "Token {TOKEN}"}}, file=sys.stderr)
logging.StreamHandler().emit(logging.makeLogRecord({{"msg": "password=hunter2"}}))
logging.getLogger("author").warning("password=hunter2")
raise ValueError("password=hunter2")
"""
    out, err = printed(code, TOKEN, "secret-value")
    assert out == "token: *** and *** password = ***\nno end of line, then some***"
    assert "Authorization: Token ***\n" in err
    assert "{'Authorization': 'Token ***'}" in err
    assert err.rstrip().endswith("ValueError: password=***")
    assert TOKEN not in err
    assert "hunter2" not in err.replace('"password=hunter2"', "")  # Python shows the source of the line


def test_guarded_output_is_a_file_like_any_other() -> None:
    code = """
import os, sys
assert sys.stdout.fileno() == 1 and not sys.stdout.isatty() and sys.stdout.encoding
sys.stdout.reconfigure(line_buffering=True)
sys.stdout.buffer.write(b"bytes\\n"); sys.stdout.buffer.flush()
print("l\u00f6ng" * 5000)
print("a"); print("\\ud800")
sys.stdout.writelines(["x", "y"]); sys.stdout.flush()
if os.fork() == 0:
    print("child"); sys.stdout.flush(); os._exit(0)
os.wait(); print("parent")
"""
    out, err = printed(code)
    assert err == ""
    assert out.splitlines() == ["bytes", "l\u00f6ng" * 5000, "a", "\\ud800", "xychild", "parent"]


def test_configuring_again_does_not_say_everything_twice(configured: io.StringIO) -> None:
    logs.configure("INFO", "worker 3")
    assert len(logging.getLogger().handlers) == 1
