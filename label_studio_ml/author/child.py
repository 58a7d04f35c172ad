"""[child process] What predict workers and the trainer have in common: loading the author's code, reading frames.

The main thread reads frames and runs the author's code, as some libraries insist on it: one thread less to wake up
for a prediction. A second one only waits for the end of the web process, also while the author's code runs.
"""

from __future__ import annotations

import contextlib
import dataclasses
import threading
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from .. import logs, settings
from ..errors import BackendError, SourceError
from ..processes import parent
from ..processes.channel import Channel
from ..processes.messages import Broken, Configure, Description, Ready
from ..store.database import Database
from . import loading
from .host import ModelHost, training_rules


@dataclasses.dataclass
class Loaded:
    """A child with the author's class imported."""

    line: Channel
    """To the web process."""
    decode: Callable[[bytes], Any]
    """Makes a message of a frame."""
    host: ModelHost
    """The author's class."""
    settings: settings.Settings
    """Those under which the child runs."""
    database: Database
    """The store, open until the child ends."""
    description: Description
    """What the class looks like, as the web process was told."""

    def receive(self) -> Any:
        """Wait for the next message."""
        frame = self.line.receive()
        if frame is None:
            parent.end_group()
        return self.decode(frame)


encode = msgspec.msgpack.Encoder().encode
_configure = msgspec.msgpack.Decoder(Configure).decode


@contextlib.contextmanager
def loaded(
    fd: int, decode: Callable[[bytes], Any], prepare: Callable[[settings.Settings], None] = lambda _settings: None
) -> Iterator[Loaded | None]:
    """Take up the socket, import the author's code and say how that went; None when it failed.

    Args:
        fd: the inherited socket.
        decode: makes a message of a frame.
        prepare: called before the author's code is imported, which may start threads.
    """
    line = parent.connect(fd)
    frame = line.receive()
    if frame is None:
        yield None
        return
    configure = _configure(frame)
    config = settings.load({}, **configure.settings)
    logs.hide(*settings.secrets(config), *settings.named_secrets(configure.source.kwargs), own=True)
    logs.guard_output()
    logs.configure(config.log_level, configure.name)
    threading.Thread(target=_end_with, args=(line,), name="watch", daemon=True).start()
    prepare(config)
    try:
        model_class, kwargs = loading.load(configure.source)
        training_rules(model_class)
    except BackendError as error:
        detail = "".join(traceback.format_exception(error.__cause__)) if error.__cause__ else ""
        line.send(encode(Broken(logs.redact(str(error)), logs.redact(detail), isinstance(error, SourceError))))
        yield None
        return
    logs.configure(config.log_level, configure.name)  # the author's module may have changed it
    database = Database(config.database)
    host = ModelHost(model_class, kwargs, config, database)
    description = host.describe()
    line.send(encode(Ready(description)))
    try:
        yield Loaded(line, decode, host, config, database, description)
    finally:
        database.close()


def reply(line: Channel, message: msgspec.Struct) -> None:
    """Send a message; if nobody is there any more, end."""
    try:
        line.send(encode(message))
    except OSError:
        parent.end_group()


def failure(error: BaseException) -> str:
    """Everything known about an error that the author's code caused, without secrets."""
    return logs.redact("".join(traceback.format_exception(error.__cause__ or error))).rstrip()


def _end_with(line: Channel) -> None:
    line.wait_gone()
    parent.end_group()
