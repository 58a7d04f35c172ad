"""The upper limit: one ASGI function on uvicorn that decodes the whole body, predicts in this process, and encodes.

python -m benchmarks.models.bare PORT
"""

from __future__ import annotations

import sys

import msgspec
import uvicorn
from uvicorn._types import ASGIReceiveCallable, ASGISendCallable, Scope

from benchmarks.models import work

_predict = work.load()


async def app(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
    """Answers every path."""
    assert scope["type"] == "http"
    parts, more = [], True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            return
        parts.append(message["body"])
        more = message["more_body"]
    tasks = msgspec.json.decode(b"".join(parts))["tasks"]
    reply = msgspec.json.encode({"results": _predict(tasks)})
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(reply)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers, "trailers": False})
    await send({"type": "http.response.body", "body": reply, "more_body": False})


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning", access_log=False, lifespan="off")
