"""A handler's decorator and signature are all that router and document know of it."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from label_studio_ml.errors import BackendError, NotFound
from label_studio_ml.server import asgi, errors, operations
from label_studio_ml.server.asgi import Answered
from label_studio_ml.server.operations import NAME, get, post

pytestmark = pytest.mark.anyio


class Question(msgspec.Struct):
    """What a caller sends."""

    text: str


class Reply(msgspec.Struct):
    """What it gets."""

    said: str


class Handlers:
    """Some calls."""

    @post("/things/{thing}", "Say something about a thing.", success=201, raises=(NotFound,))
    async def say(self, thing: str, message: Question) -> Reply:
        return Reply(f"{thing}: {message.text}")

    @post("/raw", "Say how long it is.", body=Question)
    async def measure(self, raw: bytes) -> Reply:
        return Reply(str(len(raw)))

    @get("/query", "Say it.", query={"word": NAME})
    async def repeat(self, word: str = "nothing") -> Reply:
        return Reply(word)

    @get("/page", "A page or a struct.", also={"text/plain": {"type": "string"}})
    async def page(self, request: Request) -> Reply | Response:
        return PlainTextResponse("a page") if request.headers.get("accept") == "text/plain" else Reply("a struct")

    async def no_call(self) -> None:
        """Not marked."""


async def ask(method: str, path: str, body: Any = None, **headers: str) -> Answered:
    app = Starlette(
        routes=list(operations.routes(Handlers(), limit=100)), exception_handlers={BackendError: errors.on_error}
    )
    raw = b"" if body is None else json.dumps(body).encode()
    place, _, query = path.partition("?")
    return await asgi.ask(app, asgi.scope_of(method, place, query, headers), raw)


def test_what_is_marked_is_described_in_the_order_in_which_it_stands() -> None:
    say, measure, repeat, page = operations.operations(Handlers)
    assert (say.method, say.path, say.body, say.answer) == ("POST", "/things/{thing}", Question, Reply)
    assert (say.success, say.failures) == (201, (404,))
    assert (measure.body, measure.answer) == (Question, Reply)
    assert (repeat.method, repeat.query, repeat.body) == ("GET", {"word": NAME}, None)
    assert page.answer is Reply


async def test_a_handler_gets_the_body_decoded_and_what_the_path_names() -> None:
    answered = await ask("POST", "/things/house", {"text": "it is red"})
    assert (answered.status, answered.body) == (201, b'{"said":"house: it is red"}')
    assert answered.headers["content-type"] == "application/json"


async def test_a_handler_gets_the_body_as_it_came_if_it_wants() -> None:
    assert (await ask("POST", "/raw", {"any": "thing"})).body == b'{"said":"16"}'


async def test_what_the_query_does_not_name_is_left_to_the_handler() -> None:
    assert (await ask("GET", "/query?word=tree&other=1")).body == b'{"said":"tree"}'
    assert (await ask("GET", "/query")).body == b'{"said":"nothing"}'


async def test_a_handler_may_give_a_whole_response() -> None:
    assert (await ask("GET", "/page")).body == b'{"said":"a struct"}'
    assert (await ask("GET", "/page", accept="text/plain")).body == b"a page"


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        ("/things/x", {"text": 1}, 400, "The field `text` of the request is wrong"),
        ("/things/x", {"text": "long" * 100}, 413, "The body is larger than the 100 bytes"),
        ("/things/a%0Ab", {"text": "x"}, 400, "The field `thing` of the request is wrong: a name has no control"),
        ("/things/" + "x" * 201, {"text": "x"}, 400, "no more than 200 characters"),
    ],
    ids=["field", "size", "control character", "length"],
)
async def test_what_is_wrong_is_said_before_the_handler_is_asked(
    path: str, body: Any, status: int, words: str
) -> None:
    answered = await ask("POST", path.replace("%0A", "\n"), body)
    assert answered.status == status
    assert words in json.loads(answered.body)["error"]
