"""`POST /predict`, the call that has to be fast: a plain ASGI application, without a router and its wrappers."""

from __future__ import annotations

import asyncio
import functools

import msgspec
from starlette.types import Receive, Scope, Send

from ...errors import LoadError, PredictError
from ...predict.clients import Clients
from ...wire import replies, requests, results
from .. import errors, limits, statuses
from ..active_versions import ActiveVersions
from ..http.exchange import WHOLE
from ..operations import Operation
from ..problems import Problems
from ..security import NO_GUESSING

_HEADERS = [(b"content-type", b"application/json"), NO_GUESSING]
_LINES = b"".join(b"%b: %b\r\n" % header for header in _HEADERS)
_NO_PARAMS = b"{}"
_encode = msgspec.json.Encoder().encode


OPERATION = Operation(
    method="POST",
    path="/predict",
    summary="Predict for tasks.",
    body=requests.PredictRequest,
    answer=replies.Predictions,
    failures=(statuses.of_error(PredictError),),
)


class Predict:
    """The ASGI application for `POST /predict`; its calls return the status of the reply."""

    def __init__(self, clients: Clients, active: ActiveVersions, problems: Problems, max_body_size: int) -> None:
        self._clients, self._active, self._problems = clients, active, problems
        self._max_body_size = max_body_size

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> int:
        """Answer one request."""
        try:
            content = await self._content(scope, receive)
        except Exception as error:  # noqa: BLE001 - as for every other call
            failed = errors.reply_to(error, scope["path"])
            await failed(scope, receive, send)
            return failed.status_code
        if (whole := scope.get(WHOLE)) is not None:
            await whole.reply(_LINES, content)
            return statuses.OK
        headers = [*_HEADERS, (b"content-length", b"%d" % len(content))]
        await send({"type": "http.response.start", "status": statuses.OK, "headers": headers})
        await send({"type": "http.response.body", "body": content})
        return statuses.OK

    async def _content(self, scope: Scope, receive: Receive) -> bytes:
        whole, limit = scope.get(WHOLE), self._max_body_size
        if whole is not None and whole.size <= limit:
            raw = whole.take()
        else:
            raw = await limits.read_body(scope, receive, limit)
        message = requests.decode(raw, requests.PredictRequest)
        project_id = requests.project_key(message.project)
        label_config = requests.harmless_config(message.label_config)
        params = message.params
        await self._active.know(project_id, label_config)
        if not message.tasks:
            return results.predict_body([])
        try:
            outcome = await self._clients.predict(
                project_id,
                label_config,
                [bytes(task) for task in message.tasks],
                _encode(params) if params else _NO_PARAMS,
                interactive=bool(params and params.get("context")),
                body=raw,
                gone=functools.partial(_gone, receive),
            )
        except LoadError as error:  # what is wrong with single tasks comes to `problem`
            self._problems.remember(project_id, str(error))
            raise
        if outcome.version:
            self._active.named(project_id, outcome.number, outcome.version)
        return results.predict_body(outcome.results)


async def _gone(receive: Receive) -> None:
    """Wait until the client has closed its connection; the body has been read before."""
    if (await receive())["type"] != "http.disconnect":
        await asyncio.get_running_loop().create_future()  # whatever serves us does not tell
