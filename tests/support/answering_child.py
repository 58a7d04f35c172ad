"""A child process that says back what it hears: `python -m tests.support.answering_child FD`.

A frame `die N` makes it end with exit code N, `kill` by a signal, `child` starts a process of its own.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from label_studio_ml.processes import parent


def main(fd: int) -> None:
    """Answer every frame until the other side is gone."""
    line = parent.connect(fd)
    while (frame := line.receive()) is not None:
        if frame.startswith(b"die "):
            os._exit(int(frame[4:]))
        if frame == b"kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if frame == b"environment":
            frame = os.environ.get("FOR_THE_CHILD", "").encode()
        if frame == b"child":
            frame = b"%d" % subprocess.Popen(["sleep", "600"]).pid
        line.send(frame)
    parent.end_group()


if __name__ == "__main__":
    main(int(sys.argv[1]))
