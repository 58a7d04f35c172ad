"""`POST /predict`, the call that has to be fast: a plain ASGI application, without a router and its wrappers.

What is not asked often is left to them: `Front` passes every other call on.
"""

from __future__ import annotations

import asyncio
import functools
import time
from typing import TYPE_CHECKING

import msgspec
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ...errors import BackendError, LoadError
from ...wire import requests, results
from .. import body, errors
from ..auth import Auth
from ..headers import NO_GUESSING, WHOLE, refusal

if TYPE_CHECKING:
    from ..app import Server

_JSON = (b"content-type", b"application/json")
_LINES = b"".join(b"%b: %b\r\n" % header for header in (_JSON, NO_GUESSING))
_NO_PARAMS = b"{}"
_encode = msgspec.json.Encoder().encode


class Predict:
    """The ASGI application for `POST /predict`."""

    def __init__(self, server: Server) -> None:
        self._server = server

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await self.answer(scope, receive, send)

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> int:
        """Answer one request; the status of the reply."""
        try:
            content = await self._content(scope, receive)
        except BackendError as error:
            return await _send(errors.reply_to(error), scope, receive, send)
        except Exception as error:  # noqa: BLE001 - as for every other call
            return await _send(errors.reply_to_unexpected(error, scope["path"]), scope, receive, send)
        if (whole := scope.get(WHOLE)) is not None:
            await whole.reply(_LINES, content)
            return 200
        head = [_JSON, NO_GUESSING, (b"content-length", b"%d" % len(content))]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        await send({"type": "http.response.body", "body": content})
        return 200

    async def _content(self, scope: Scope, receive: Receive) -> bytes:
        server = self._server
        whole, limit = scope.get(WHOLE), server.settings.max_body_size
        if whole is not None and len(whole.body) <= limit:
            raw = whole.take()
        else:
            raw = await body.read(scope, receive, limit)
        message = requests.decode(raw, requests.PredictRequest)
        project_id = requests.project_key(message.project)
        label_config = requests.harmless_config(message.label_config)
        params = message.params
        await server.serving.know(project_id, label_config)
        if not message.tasks:
            return results.predict_body([])
        try:
            outcome = await server.dispatcher.predict(
                project_id,
                label_config,
                [bytes(task) for task in message.tasks],
                _encode(params) if params else _NO_PARAMS,
                interactive=bool(params and params.get("context")),
                body=raw,
                gone=functools.partial(_gone, receive),
            )
        except LoadError as error:  # what is wrong with single tasks comes to `problem`
            server.state.remember(project_id, "", str(error))
            raise
        if outcome.version:
            server.serving.named(project_id, outcome.number, outcome.version)
        return results.predict_body(outcome.results)


async def _send(response: Response, scope: Scope, receive: Receive, send: Send) -> int:
    response.headers["x-content-type-options"] = "nosniff"
    await response(scope, receive, send)
    return response.status_code


async def _gone(receive: Receive) -> None:
    """Wait until the client has closed its connection; the body has been read before."""
    if (await receive())["type"] != "http.disconnect":
        await asyncio.get_running_loop().create_future()  # whatever serves us does not tell


class Front:
    """The outermost ASGI application: `POST /predict` by the short way, everything else through Starlette."""

    def __init__(self, app: Starlette, predict: Predict, auth: Auth, server: Server) -> None:
        self.app, self._predict, self._auth = app, predict, auth
        self._by_status = server.metrics.by_status("POST", "/predict")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on."""
        if scope["type"] != "http" or scope["path"] != "/predict" or scope["method"] != "POST":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 500
        refused = refusal(scope) or self._auth.refusal(scope)
        try:
            if refused is not None:
                status = await _send(refused, scope, receive, send)
            else:
                status = await self._predict.answer(scope, receive, send)
        finally:
            self._by_status[status].observe(time.perf_counter() - started)
