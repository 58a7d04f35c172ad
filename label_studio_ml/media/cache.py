"""Files fetched for tasks, kept on disk below a limit. Any number of threads and processes may share a folder.

Locks are `flock`s on open files, so whoever is killed leaves none behind. Knows nothing of addresses or HTTP.

    <folder>/ab/abcd…-cat.png    a finished file; its time of change is when it was last asked for
    <folder>/parts/abcd…         one that is being fetched, locked by whoever does that
    <folder>/held/1234-abcd      files that a call of predict() or fit() has been given, locked while it runs
    <folder>/lock                shared while a file is handed out, exclusive while old ones are deleted
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import BinaryIO

from ..errors import MediaError, one_line

_FILE = re.compile(r"[0-9a-f]{40}([-.].*)?")
_REMEMBERED_FAILURES = 1024


_holder: ContextVar[Holder | None] = ContextVar("holder", default=None)


class Holder:
    """The files that one call of the author's code was given: they stay until the call is over.

    What failed once in a call is not tried again in it.
    """

    def __init__(self) -> None:
        self.failures: dict[str, MediaError] = {}
        self._lock = threading.Lock()
        self._lists: dict[Path, BinaryIO] = {}

    def hold(self, folder: Path, key: str) -> None:
        """Keep a file of a cache folder. The caller holds that folder's shared lock."""
        with self._lock:
            if folder not in self._lists:
                (folder / "held").mkdir(exist_ok=True)
                path = folder / "held" / f"{os.getpid()}-{uuid.uuid4().hex[:8]}"
                listing = path.open("ab", buffering=0)
                fcntl.flock(listing, fcntl.LOCK_EX)
                self._lists[folder] = listing
            self._lists[folder].write(f"{key}\n".encode())

    def release(self) -> None:
        """The call is over."""
        with self._lock:
            for listing in self._lists.values():
                Path(listing.name).unlink(missing_ok=True)
                listing.close()
            self._lists.clear()


@contextlib.contextmanager
def holding() -> Iterator[None]:
    """Let what is fetched in this context stay on disk until its end."""
    holder = Holder()
    token = _holder.set(holder)
    try:
        yield
    finally:
        _holder.reset(token)
        holder.release()


class Cache:
    """A folder of fetched files.

    Args:
        folder: made when the first file comes; for its owner alone.
        limit: bytes that all files may take up; exceeded only by files that are in use.
        grace: seconds for which a file that was handed out is not deleted, whoever holds it.
    """

    def __init__(self, folder: Path, limit: int, grace: float = 60.0) -> None:
        self.folder = folder
        self._limit = limit
        self._grace = grace
        self._counting = threading.Lock()
        self._total: int | None = None
        self._added = 0
        self._failures: OrderedDict[str, tuple[float, MediaError]] = OrderedDict()

    def find(self, key: str) -> Path | None:
        """The finished file of a key (40 hexadecimal digits), now the most recently used; None without one."""
        if not (self.folder / key[:2]).is_dir():
            return None
        with self._usable(), self._locked(fcntl.LOCK_SH):
            path = self._lookup(key)
            if path is not None:
                os.utime(path)
                self._hold(key)
            return path

    def obtain(self, key: str, make: Callable[[BinaryIO], str]) -> Path:
        """The finished file of a key; made by one of those who ask for it at the same time.

        Args:
            key: 40 hexadecimal digits.
            make: writes the content into an empty file and returns a name for it.

        Raises:
            MediaError: of `make`, also for those who waited for it; or the folder cannot be used.
        """
        asked_at = time.monotonic()
        found = self.find(key)
        if found is not None:
            return found
        holder = _holder.get()
        if holder is not None and key in holder.failures:
            raise holder.failures[key]
        with self._usable(), self._part(key) as part:
            found = self.find(key)  # somebody else made it while we waited for the lock
            if found is not None:
                return found
            failed_at, failure = self._failures.get(key, (0.0, None))
            if failure is not None and failed_at >= asked_at:
                raise failure
            try:
                name = make(part)
            except MediaError as error:
                self._remember(key, error)
                raise
            path, size = self._publish(key, name, part)
        self._count(key, size)
        return path

    def place(self, key: str, name: str) -> Path:
        """Where the file of a key is, or would be."""
        return self.folder / key[:2] / (key + ("" if not name or name.startswith(".") else "-") + name)

    def shrink(self, keep: str = "") -> int:
        """Delete what was not used for longest until the rest fits, and return what the rest takes up.

        Args:
            keep: key of a file that is about to be handed out.
        """
        now = time.time()
        with self._usable(), self._locked(fcntl.LOCK_EX):
            self._clear_parts()
            held = {keep, *self._held()}
            files = [(entry, entry.stat()) for entry in self._files()]
            total = sum(status.st_size for _, status in files)
            if total <= self._limit:
                return total
            for entry, status in sorted(files, key=lambda pair: pair[1].st_mtime):
                if total <= self._limit * 0.9:
                    break
                if entry.name[:40] not in held and now - status.st_mtime >= self._grace:
                    Path(entry.path).unlink(missing_ok=True)
                    total -= status.st_size
            return total

    @contextlib.contextmanager
    def _usable(self) -> Iterator[None]:
        """Say what is wrong with the folder in a sentence."""
        try:
            yield
        except OSError as error:
            raise MediaError(
                f"The media folder {self.folder} cannot be used ({one_line(error)}). "
                "Set --media-dir to a folder on a disk with room."
            ) from error

    @contextlib.contextmanager
    def _locked(self, how: int) -> Iterator[None]:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self.folder / "lock").open("ab") as lock:
            fcntl.flock(lock, how)
            yield

    @contextlib.contextmanager
    def _part(self, key: str) -> Iterator[BinaryIO]:
        """The unfinished file of a key, empty, and ours alone."""
        path = self.folder / "parts" / key
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.parent.mkdir(exist_ok=True)
        while True:
            part = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b")
            fcntl.flock(part, fcntl.LOCK_EX)
            if _is_same(part, path):
                break
            part.close()  # whoever had the lock before us has finished this file, or given it up
        with part:
            part.truncate(0)
            try:
                yield part
            finally:
                if _is_same(part, path):
                    path.unlink()

    def _publish(self, key: str, name: str, part: BinaryIO) -> tuple[Path, int]:
        part.flush()
        os.fsync(part.fileno())
        path = self.place(key, name)
        with self._locked(fcntl.LOCK_SH):
            path.parent.mkdir(exist_ok=True)
            (self.folder / "parts" / key).replace(path)
            os.utime(path)
            self._hold(key)
        return path, os.fstat(part.fileno()).st_size

    def _lookup(self, key: str) -> Path | None:
        with os.scandir(self.folder / key[:2]) as entries:
            return next((Path(entry.path) for entry in entries if entry.name.startswith(key)), None)

    def _files(self) -> Iterator[os.DirEntry[str]]:
        """Our own finished files: the folder may be an author's, with other things in it."""
        for shard in self.folder.iterdir():
            if re.fullmatch("[0-9a-f]{2}", shard.name) and shard.is_dir():
                with os.scandir(shard) as entries:
                    yield from (entry for entry in entries if _FILE.fullmatch(entry.name))

    def _held(self) -> set[str]:
        held = set()
        for path in self.folder.glob("held/*"):
            with contextlib.suppress(FileNotFoundError), path.open("rb") as listing:
                if _is_free(listing):
                    path.unlink()  # its process was killed
                else:
                    held.update(listing.read().decode().split())
        return held

    def _clear_parts(self) -> None:
        """Delete what processes left that were killed."""
        for path in self.folder.glob("parts/*"):
            with contextlib.suppress(FileNotFoundError), path.open("rb") as part:
                if _is_free(part):
                    path.unlink()

    def _hold(self, key: str) -> None:
        holder = _holder.get()
        if holder is not None:
            holder.hold(self.folder, key)

    def _remember(self, key: str, error: MediaError) -> None:
        holder = _holder.get()
        if holder is not None:
            holder.failures[key] = error
        self._failures[key] = time.monotonic(), error
        while len(self._failures) > _REMEMBERED_FAILURES:
            self._failures.popitem(last=False)

    def _count(self, key: str, size: int) -> None:
        """Look through the folder only now and then: other processes add to it, too."""
        with self._counting:
            self._added += size
            full = (self._total or 0) + self._added > self._limit and self._added > self._limit // 100
            if self._total is None or full or self._added > self._limit // 20:
                self._total = self.shrink(keep=key)
                self._added = 0


def _is_free(file: BinaryIO) -> bool:
    """Whether nobody has the lock of a file; if so, we have it until it is closed."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_same(file: BinaryIO, path: Path) -> bool:
    """Whether a path still leads to an open file."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False
