"""Who is let in, what browsers are refused, and the header that every reply carries."""

from __future__ import annotations

import base64
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from label_studio_ml import settings
from label_studio_ml.server.security import Security

pytestmark = pytest.mark.anyio
USER, PASSWORD = "label", "stüdio:1"
WITH_AUTH = {"basic_auth_user": USER, "basic_auth_pass": PASSWORD}


async def who(scope: Scope, receive: Receive, send: Send) -> int:
    """Answers everything with what it knows about the caller."""
    await JSONResponse({"authenticated": scope["authenticated"]})(scope, receive, send)
    return 200


async def call(
    path: str, options: dict[str, Any], headers: dict[str, str | bytes] | None = None, app: ASGIApp | None = None
) -> httpx.Response:
    app = app or make(options)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://server") as client:
        given = {
            name.encode(): value if isinstance(value, bytes) else value.encode()
            for name, value in (headers or {}).items()
        }
        return await client.post(path, headers=given)


def make(options: dict[str, Any]) -> ASGIApp:
    security = Security(who, settings.load({}, **options))

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await security(scope, receive, send)

    return app


def basic(text: str | bytes, scheme: str = "Basic") -> dict[str, str | bytes]:
    raw = text if isinstance(text, bytes) else text.encode()
    return {"authorization": f"{scheme} {base64.b64encode(raw).decode()}"}


async def test_without_a_password_everyone_may_call() -> None:
    for headers in ({}, basic("any:body")):
        reply = await call("/predict", {}, headers)
        assert (reply.status_code, reply.json()) == (200, {"authenticated": True})


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
@pytest.mark.parametrize("scheme", ["Basic", "basic", "BASIC"])
async def test_the_right_user_and_password_may_call(scheme: str, encoding: str) -> None:
    reply = await call("/predict", WITH_AUTH, basic(f"{USER}:{PASSWORD}".encode(encoding), scheme))
    assert (reply.status_code, reply.json()) == (200, {"authenticated": True})


async def test_a_password_beyond_latin_1_works_too() -> None:
    options = {"basic_auth_user": USER, "basic_auth_pass": "日本"}
    assert (await call("/predict", options, basic(f"{USER}:日本"))).status_code == 200
    assert (await call("/predict", options, basic(f"{USER}:??"))).status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {},
        basic(f"{USER}:wrong"),
        basic(f"other:{PASSWORD}"),
        basic(f"{USER}:{PASSWORD} "),
        basic(f"{USER}:"),
        basic(USER),
        basic(""),
        basic(b"\xff\xfe"),
        basic(f"{USER}:{PASSWORD}", "Bearer"),
        {"authorization": f"{USER}:{PASSWORD}"},
        {"authorization": "Basic"},
        {"authorization": "Basic "},
        {"authorization": "Basic !!!not base64!!!"},
        {"authorization": "Basic a"},
        {"authorization": b"Basic \xe4\xf6"},
        {"authorization": ""},
        {"x-webhook-secret": "hook"},
    ],
    ids=str,
)
@pytest.mark.parametrize("path", ["/", "/predict", "/setup", "/metrics", "/health/", "/webhook/x", "/unknown"])
async def test_whoever_does_not_show_them_is_refused_everywhere(path: str, headers: dict[str, str | bytes]) -> None:
    reply = await call(path, {**WITH_AUTH, "webhook_secret": "hook"}, headers)
    assert (reply.status_code, reply.json()) == (401, {"error": "Wrong or missing user and password."})
    assert reply.headers["www-authenticate"] == 'Basic realm="label-studio-ml"'


async def test_health_is_open_and_knows_who_asks() -> None:
    assert (await call("/health", WITH_AUTH)).json() == {"authenticated": False}
    assert (await call("/health", WITH_AUTH, basic("a:b"))).json() == {"authenticated": False}
    assert (await call("/health", WITH_AUTH, basic(f"{USER}:{PASSWORD}"))).json() == {"authenticated": True}


async def test_a_webhook_may_show_the_secret_or_the_password() -> None:
    options = {**WITH_AUTH, "webhook_secret": "hook-ä"}
    secret: dict[str, str | bytes] = {"x-webhook-secret": "hook-ä".encode("latin-1")}
    for headers in (secret, basic(f"{USER}:{PASSWORD}")):
        assert (await call("/webhook", options, headers)).json() == {"authenticated": True}
    for wrong in ("", "hook", "hook-ä ä"):
        assert (await call("/webhook", options, {"x-webhook-secret": wrong})).status_code == 401


async def test_without_a_secret_an_empty_header_opens_nothing() -> None:
    assert (await call("/webhook", WITH_AUTH, {"x-webhook-secret": ""})).status_code == 401


async def test_a_refused_webhook_is_explained_in_the_log_once(caplog: pytest.LogCaptureFixture) -> None:
    app = make(WITH_AUTH)
    for _ in range(3):
        assert (await call("/webhook", {}, basic(f"{USER}:wrong"), app)).status_code == 401
    (record,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert "add the header `X-Webhook-Secret`" in record.getMessage()
    assert "wrong" not in record.getMessage()


async def test_wrong_credentials_are_logged_now_and_then_and_never_shown(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make(WITH_AUTH)
    now = 1000.0
    monkeypatch.setattr("label_studio_ml.server.security.time.monotonic", lambda: now)
    for attempt in range(500):
        await call("/predict", {}, basic(f"{USER}:guess-{attempt}"), app)
    now += 61
    await call("/no/such%0Apath", {}, basic(f"{USER}:guess-500"), app)
    assert [record.getMessage() for record in caplog.records] == [
        "Refused 1 request with wrong or missing credentials, the last one from 127.0.0.1",
        "Refused 500 requests with wrong or missing credentials, the last one from 127.0.0.1",
    ]
    assert "guess" not in caplog.text


async def test_of_two_authorization_headers_none_counts() -> None:
    right = basic(f"{USER}:{PASSWORD}")["authorization"]
    assert isinstance(right, str)
    for pair in ((right, right), (right, "Basic eDp5"), ("Basic eDp5", right)):
        reply = await call_raw([(b"authorization", value.encode()) for value in pair])
        assert reply.status_code == 401
    secrets = [(b"x-webhook-secret", b"hook"), (b"x-webhook-secret", b"hook")]
    assert (await call_raw(secrets, "/webhook")).status_code == 401
    assert (await call_raw(secrets[:1], "/webhook")).status_code == 200


async def call_raw(headers: list[tuple[bytes, bytes]], path: str = "/predict") -> httpx.Response:
    app = make({**WITH_AUTH, "webhook_secret": "hook"})
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://server") as client:
        return await client.post(path, headers=headers)


@given(st.binary(max_size=300))
async def test_no_header_whatsoever_is_let_in_or_breaks_anything(value: bytes) -> None:
    assert (await call_raw([(b"authorization", value)])).status_code == 401
    assert (await call_raw([(b"authorization", b"Basic " + base64.b64encode(value))])).status_code == 401
    reply = await call_raw([(b"x-webhook-secret", value)], "/webhook")
    assert reply.status_code == (200 if value == b"hook" else 401)


async def test_a_very_long_header_is_refused_like_any_other() -> None:
    for value in (b"Basic " + b"YQ==" * 100_000, b"B" * 400_000, b"Basic " + b" " * 400_000):
        assert (await call_raw([(b"authorization", value)])).status_code == 401


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE", "BREW"])
async def test_no_method_gets_round_it(method: str) -> None:
    transport = httpx.ASGITransport(app=make(WITH_AUTH))
    async with httpx.AsyncClient(transport=transport, base_url="http://server") as client:
        for path in (
            "/predict",
            "/",
            "//health",
            "/health/../predict",
            "/HEALTH",
            "/health%2f",
            "/health;/predict",
        ):
            assert (await client.request(method, path)).status_code == 401


async def test_a_websocket_is_closed_and_never_reaches_the_application() -> None:
    sent: list[Any] = []

    async def forbidden(_scope: Any, _receive: Any, _send: Any) -> int:
        raise AssertionError("it was let through")

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    guarded = Security(forbidden, settings.load({}, basic_auth_user=USER, basic_auth_pass=PASSWORD))
    await guarded({"type": "websocket", "path": "/predict", "headers": []}, receive, send)
    assert sent == [{"type": "websocket.close", "code": 1008}]


async def test_a_secret_beyond_ascii_is_taken_in_every_encoding_that_clients_use() -> None:
    for encoding in ("utf-8", "latin-1"):
        options = {**WITH_AUTH, "webhook_secret": "hook-ä"}
        assert (await call("/webhook", options, {"x-webhook-secret": "hook-ä".encode(encoding)})).status_code == 200


@pytest.mark.parametrize("path", ["/predict", "/setup", "/health", "/unknown"])
async def test_a_page_of_another_site_is_refused_everywhere(path: str) -> None:
    reply = await call(path, {}, {"origin": "https://evil.example"})
    assert (reply.status_code, reply.json()) == (
        403,
        {"error": "Web pages of other sites must not call this server."},
    )
    for origin in ("http://server", "https://server"):
        assert (await call(path, {}, {"origin": origin})).status_code == 200


@pytest.mark.parametrize("headers", [{}, {"origin": "https://evil.example"}], ids=["taken", "refused"])
@pytest.mark.parametrize("options", [{}, WITH_AUTH], ids=["open", "guarded"])
async def test_every_reply_tells_browsers_not_to_guess(options: dict[str, Any], headers: dict[str, Any]) -> None:
    for path in ("/predict", "/health", "/unknown"):
        reply = await call(path, options, headers)
        assert reply.headers.get_list("x-content-type-options") == ["nosniff"]


async def test_a_websocket_is_closed_also_where_everyone_may_call() -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    await Security(who, settings.load({}))({"type": "websocket", "path": "/", "headers": []}, receive, send)
    assert sent == [{"type": "websocket.close", "code": 1008}]
