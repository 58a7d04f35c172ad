"""[web process] A shell that outlives us by a moment, and ends what our children leave behind."""

from __future__ import annotations

import contextlib
import os

WATCH = """
groups=" "
while read -r sign group; do
  case $sign in
    +) groups="$groups$group " ;;
    -) groups="${groups%% $group *} ${groups#* $group }" ;;
  esac
done
for group in $groups; do kill -s KILL -- "-$group" 2>/dev/null; done
"""
"""Reads `+ GROUP` and `- GROUP`, and ends the groups that are left when nobody can write any more.

A process that is killed cannot do that itself. The kernel ends its children then, but not what they have started.
"""


class Guard:
    """Tells the shell which process groups there are; starts it when the first one comes."""

    def __init__(self) -> None:
        self._pid = self._pipe = -1

    def note(self, sign: str, group: int) -> None:
        """Note that a group has come (`+`) or gone (`-`)."""
        if os.name != "posix":
            return
        if self._pid != os.getpid():
            self._pid, self._pipe = os.getpid(), self._start()
        with contextlib.suppress(OSError):
            os.write(self._pipe, f"{sign} {group}\n".encode())

    @staticmethod
    def _start() -> int:
        theirs, ours = os.pipe()
        nowhere = (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0)
        actions = [(os.POSIX_SPAWN_DUP2, theirs, 0), (os.POSIX_SPAWN_CLOSE, 1), nowhere]
        # Nobody waits for it, and Ctrl-C is not its business.
        os.posix_spawn("/bin/sh", ["sh", "-c", WATCH], os.environ, file_actions=actions, setpgroup=0)
        os.close(theirs)
        return ours
