"""[trainer process] Runs jobs as they come. Started as `python -m label_studio_ml.train.trainer FD`.

It stays while jobs come and leaves when told to, so that its memory and GPU are free again.
"""

from __future__ import annotations

import contextlib
import os
import sys

from ..author import child
from ..processes import messages
from ..processes.messages import Stop
from ..settings import Settings
from . import job_log, training


def main(fd: int) -> None:
    """Take up the socket, load the author's code, run jobs until told to stop."""
    with child.loaded(fd, messages.to_trainer, _stand_back) as trainer:
        if trainer is None:
            return
        while not isinstance(message := trainer.receive(), Stop):
            with job_log.captured(trainer.settings.job_log(message.job_id)):
                reply = training.run(
                    trainer.host, trainer.settings, trainer.database, message.job_id, message.owner
                )
            child.reply(trainer.line, reply)


def _stand_back(settings: Settings) -> None:
    """Predictions go first. Threads that libraries start when they are imported take this over."""
    with contextlib.suppress(OSError):
        os.nice(settings.trainer_nice)
    if sys.platform == "linux":
        cores = sorted(os.sched_getaffinity(0))
        with contextlib.suppress(OSError):
            os.sched_setaffinity(0, cores[-(settings.trainer_cores or len(cores) - 1) :])


if __name__ == "__main__":
    main(int(sys.argv[1]))
