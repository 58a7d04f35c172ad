"""Bodies of WSGI requests, and the lifespan of ASGI servers."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path
from typing import Any

import pytest

from label_studio_ml.author import source
from label_studio_ml.model import LabelStudioMLBase
from label_studio_ml.server import asgi
from label_studio_ml.server.wsgi import BackendApp, _body


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


# --- ASGI servers ----------------------------------------------------------------------------------------


class Model(LabelStudioMLBase):
    def predict(self, tasks: list[dict[str, Any]], context: Any = None, **kwargs: Any) -> Any:
        return [{"result": []} for _ in tasks]


async def health(app: BackendApp) -> int:
    return (await asgi.ask(app, asgi.scope_of("GET", "/health", "", {}), b"")).status


@pytest.mark.anyio
async def test_a_server_runs_as_long_as_the_lifespan_of_the_asgi_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "of_class", lambda _class: None)  # it runs in this process
    app = BackendApp(Model, {"model_dir": tmp_path}, {})
    messages: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    said: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    assert await health(app) == 503
    for _ in range(2):
        serving = asyncio.create_task(app({"type": "lifespan", "asgi": {}}, messages.get, said.put))
        await messages.put({"type": "lifespan.startup"})
        assert (await said.get())["type"] == "lifespan.startup.complete"
        assert await health(app) == 200
        await messages.put({"type": "lifespan.shutdown"})
        assert (await said.get())["type"] == "lifespan.shutdown.complete"
        await serving
        assert await health(app) == 503
