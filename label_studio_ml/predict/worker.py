"""[worker process] Runs the author's predict(). Started as `python -m label_studio_ml.predict.worker FD`."""

from __future__ import annotations

import logging
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from .. import logs
from ..author import child
from ..errors import BackendError, one_line
from ..processes import messages
from ..processes.messages import Answer, Stop

_log = logging.getLogger("label_studio_ml.predict.worker")


def main(fd: int) -> None:
    """Take up the socket, load the author's code, answer until told to stop."""
    with child.loaded(fd, messages.to_worker) as worker:
        if worker is None:
            return
        settings = worker.settings
        capacity = settings.max_concurrent if worker.description.concurrent else settings.threads
        if capacity == 1:
            while not isinstance(message := worker.receive(), Stop):
                if isinstance(message, messages.Store):
                    threading.Thread(target=_handle, args=(worker, message), name="store").start()
                else:
                    _handle(worker, message)
            return
        with ThreadPoolExecutor(capacity, thread_name_prefix="predict") as threads:
            while not isinstance(message := worker.receive(), Stop):
                threads.submit(_handle, worker, message)


def _handle(worker: child.Loaded, message: messages.Warm | messages.Predict | messages.Store) -> None:
    reply: messages.FromWorker
    try:
        if isinstance(message, messages.Predict):
            reply = _predict(worker, message)
        elif isinstance(message, messages.Warm):
            name = worker.host.warm(message.project_id, message.label_config, message.version)
            reply = messages.Warmed(message.id, name)
        else:
            worker.host.store(message.project_id, message.predictions)
            reply = messages.Stored(message.id, "")
    except Exception as error:  # noqa: BLE001 - whatever it is, the request must hear of it
        text = logs.redact(str(error) if isinstance(error, BackendError) else one_line(error))
        if isinstance(message, messages.Store):
            reply = messages.Stored(message.id, text)
        else:
            detail = child.failure(error)
            _log.error("%s\n%s", text, detail)
            reply = messages.NotLoaded(message.id, text, detail)
    child.reply(worker.line, reply)


def _predict(worker: child.Loaded, message: messages.Predict) -> messages.Answered:
    def loading(over: bool) -> None:
        child.reply(worker.line, messages.Loading(message.id, over))

    def streamed(answer: Answer) -> None:
        child.reply(worker.line, messages.Streamed(message.id, answer))

    started = time.perf_counter()
    answer = worker.host.predict(message, streamed, loading)
    return messages.Answered(message.id, answer, time.perf_counter() - started)


if __name__ == "__main__":
    main(int(sys.argv[1]))
