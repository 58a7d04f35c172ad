"""[worker process] Runs the author's predict(). Started as `python -m label_studio_ml.runtime.worker FD`."""

from __future__ import annotations

import logging
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import msgspec

from .. import logs
from ..backend import child
from ..backend.answers import ASYNC_CALLS, Stop
from ..errors import BackendError, one_line
from . import messages

_log = logging.getLogger("label_studio_ml.runtime.worker")


def main(fd: int) -> None:
    """Take up the socket, load the author's code, answer until told to stop."""
    with child.loaded(fd, messages.to_worker) as worker:
        if worker is None:
            return
        capacity = ASYNC_CALLS if worker.description.concurrent else worker.settings.threads
        if capacity == 1:
            while not isinstance(message := worker.receive(), Stop):
                _handle(worker, message)
            return
        with ThreadPoolExecutor(capacity, thread_name_prefix="predict") as threads:
            while not isinstance(message := worker.receive(), Stop):
                threads.submit(_handle, worker, message)


def _handle(worker: child.Loaded, message: messages.Warm | messages.Predict) -> None:
    reply: messages.FromWorker
    project, config, version = message.project_id, message.label_config, message.version
    try:
        if isinstance(message, messages.Warm):
            reply = messages.Warmed(message.id, worker.host.warm(project, config, version))
        else:
            started = time.perf_counter()
            params = msgspec.json.decode(message.params)
            answer = worker.host.predict(project, config, version, message.groups, params)
            reply = messages.Answered(message.id, answer, time.perf_counter() - started)
    except Exception as error:  # noqa: BLE001 - whatever it is, the request must hear of it
        text = logs.redact(str(error) if isinstance(error, BackendError) else one_line(error))
        detail = child.failure(error)
        _log.error("%s\n%s", text, detail)
        reply = messages.Refused(message.id, text, detail)
    child.reply(worker.line, reply)


if __name__ == "__main__":
    main(int(sys.argv[1]))
