"""The cache on disk: one maker for each file, nothing half done, old files go, files in use stay."""

from __future__ import annotations

import contextlib
import hashlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

import pytest

from label_studio_ml.errors import MediaError
from label_studio_ml.media.cache import Cache, holding
from scripts.processes import wait_until
from tests.support.paths import REPOSITORY


def key(word: str) -> str:
    return hashlib.sha256(word.encode()).hexdigest()[:40]


def maker(content: bytes, name: str = "a.png") -> Callable[[BinaryIO], str]:
    def make(file: BinaryIO) -> str:
        file.write(content)
        return name

    return make


def never(_file: BinaryIO) -> str:
    pytest.fail("made again")


def put(cache: Cache, word: str, size: int = 100, age: float = 0) -> Path:
    """A file of a size, last asked for some seconds ago."""
    path = cache.obtain(key(word), maker(b"x" * size))
    os.utime(path, (time.time() - age,) * 2)
    return path


def finished(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("??/*"))


def test_a_file_is_made_once_and_found_afterwards(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "media", 10**6)
    assert cache.find(key("a")) is None
    path = cache.obtain(key("a"), maker(b"content", "cat.png"))
    assert path.read_bytes() == b"content"
    assert path.name == key("a") + "-cat.png"
    assert cache.obtain(key("a"), never) == path
    assert Cache(tmp_path / "media", 10**6).find(key("a")) == path
    assert cache.obtain(key("b"), maker(b"", ".gif")).name == key("b") + ".gif"
    assert cache.obtain(key("c"), maker(b"", "")).name == key("c")


def test_the_folder_is_its_owners_alone(tmp_path: Path) -> None:
    path = put(Cache(tmp_path / "media", 10**6), "a")
    assert (tmp_path / "media").stat().st_mode & 0o077 == 0
    assert path.stat().st_mode & 0o077 == 0


def test_threads_that_ask_at_once_get_the_work_of_one(tmp_path: Path) -> None:
    cache = Cache(tmp_path, 10**6)
    started, made = threading.Barrier(16), []

    def make(file: BinaryIO) -> str:
        made.append(threading.get_ident())
        file.write(b"content")
        return "a.png"

    def ask(_: int) -> Path:
        started.wait()
        return cache.obtain(key("a"), make)

    with ThreadPoolExecutor(16) as threads:
        paths = set(threads.map(ask, range(16)))
    assert len(made) == 1
    assert [path.read_bytes() for path in paths] == [b"content"]
    assert list((tmp_path / "parts").iterdir()) == []


class Counted(Cache):
    """Counts how often it was looked into, which whoever asks does before waiting."""

    looks = 0
    lock = threading.Lock()

    def find(self, key: str) -> Path | None:
        with self.lock:
            self.looks += 1
        return super().find(key)


def test_those_who_waited_share_the_failure(tmp_path: Path) -> None:
    cache = Counted(tmp_path, 10**6)
    made = []

    def make(_file: BinaryIO) -> str:
        made.append(1)
        wait_until(lambda: cache.looks >= 9, 30, "everybody to have asked")  # the maker has looked twice
        raise MediaError("It is not there.")

    def ask(_: int) -> str:
        with pytest.raises(MediaError) as caught:
            cache.obtain(key("a"), make)
        return str(caught.value)

    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(ask, range(8))) == {"It is not there."}
    assert len(made) == 1
    assert cache.obtain(key("a"), maker(b"later")).read_bytes() == b"later"


def test_what_failed_in_a_call_is_not_tried_again_in_it(tmp_path: Path) -> None:
    cache = Cache(tmp_path, 10**6)
    made = []

    def make(_file: BinaryIO) -> str:
        made.append(1)
        raise MediaError("It is not there.")

    with holding():
        for _ in range(3):
            with pytest.raises(MediaError, match="not there"):
                cache.obtain(key("a"), make)
    assert len(made) == 1
    with holding():
        assert cache.obtain(key("a"), maker(b"later")).read_bytes() == b"later"


MAKE = """
import sys, time, pathlib
from label_studio_ml.media.cache import Cache
folder, key, log, mode = sys.argv[1:]

def make(file):
    with open(log, "a") as lines:
        lines.write("made\\n")
    file.write(b"half")
    file.flush()
    if mode == "stuck":
        print("half", flush=True)
        time.sleep(600)
    file.write(b" and half")
    return "a.png"

print(Cache(pathlib.Path(folder), 10**6).obtain(key, make), flush=True)
"""


def started(folder: Path, mode: str) -> subprocess.Popen[str]:
    """A process that asks for the file `a`."""
    arguments = [sys.executable, "-c", MAKE, str(folder / "media"), key("a"), str(folder / "log"), mode]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    return subprocess.Popen(arguments, env=environment, stdout=subprocess.PIPE, text=True)


def test_processes_that_ask_at_once_get_the_work_of_one(tmp_path: Path) -> None:
    processes = [started(tmp_path, "quick") for _ in range(4)]
    said = {process.communicate(timeout=120)[0].strip() for process in processes}
    assert len(said) == 1
    assert Path(said.pop()).read_bytes() == b"half and half"
    assert (tmp_path / "log").read_text() == "made\n"


def test_a_process_that_is_killed_leaves_nothing_that_looks_finished(tmp_path: Path) -> None:
    process = started(tmp_path, "stuck")
    assert process.stdout is not None
    assert process.stdout.readline() == "half\n"
    cache = Cache(tmp_path / "media", 10**6)
    with ThreadPoolExecutor(1) as threads:
        other = threads.submit(cache.obtain, key("a"), maker(b"whole"))  # waits for the lock of the other
        assert not other.done()
        assert finished(tmp_path / "media") == []
        process.kill()
        process.communicate()
        assert other.result(timeout=30).read_bytes() == b"whole"
    (tmp_path / "again").mkdir()
    process = started(tmp_path / "again", "stuck")
    assert process.stdout is not None
    assert process.stdout.readline() == "half\n"
    process.kill()
    process.communicate()
    again = tmp_path / "again" / "media"
    assert finished(again) == []
    assert len(list((again / "parts").iterdir())) == 1
    Cache(again, 10**6).shrink()
    assert list((again / "parts").iterdir()) == []


def test_what_was_not_used_for_longest_goes_first(tmp_path: Path) -> None:
    cache = Cache(tmp_path, 1000)
    ages = {"oldest": 900, "older": 800, "old": 700, "asked": 1000}
    paths = {word: put(cache, word, 250, age) for word, age in ages.items()}
    assert cache.find(key("asked")) == paths["asked"]
    new = put(cache, "new", 250)
    assert finished(tmp_path) == sorted([paths["old"], paths["asked"], new])
    assert sum(path.stat().st_size for path in finished(tmp_path)) <= 1000


def test_the_cache_stays_below_its_limit_however_many_files_come(tmp_path: Path) -> None:
    cache = Cache(tmp_path, 5_000, grace=0)
    for number in range(100):
        path = put(cache, str(number), 100, age=100 - number)
        assert path.exists()
        assert sum(path.stat().st_size for path in finished(tmp_path)) <= 5_100
    assert len(finished(tmp_path)) >= 40


def test_files_of_a_call_stay_until_it_is_over_and_then_go(tmp_path: Path) -> None:
    cache = Cache(tmp_path, 1000, grace=0)
    with holding():
        paths = [put(cache, str(number), 500, age=1000 - number) for number in range(10)]
        Cache(tmp_path, 1000, grace=0).shrink()  # as another process would
        assert [path for path in paths if not path.exists()] == []
    cache.shrink()
    assert len(finished(tmp_path)) == 1
    assert list((tmp_path / "held").iterdir()) == []


def test_files_found_again_are_held_too(tmp_path: Path) -> None:
    cache = Cache(tmp_path, 1000, grace=0)
    path = put(cache, "a", 500, age=1000)
    with holding():
        assert cache.find(key("a")) == path
        os.utime(path, (1, 1))
        put(cache, "b", 600)
        assert path.exists()
    put(cache, "c", 600)
    assert not path.exists()


def test_what_a_killed_call_held_is_free_again(tmp_path: Path) -> None:
    script = (
        "import sys, pathlib, time\n"
        "from label_studio_ml.media.cache import Cache, holding\n"
        "with holding():\n"
        "    print(Cache(pathlib.Path(sys.argv[1]), 1000, grace=0).find(sys.argv[2]), flush=True)\n"
        "    time.sleep(600)\n"
    )
    cache = Cache(tmp_path, 400, grace=0)
    path = put(cache, "a", 300)
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path), key("a")], env=environment, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline().strip() == str(path)
    put(cache, "b", 300)
    assert path.exists()
    process.kill()
    process.communicate()
    wait_until(lambda: cache.shrink() <= 400, 30, "the file to go")
    assert not path.exists()
    assert list((tmp_path / "held").iterdir()) == []


def test_files_just_handed_out_outside_of_a_call_stay_for_a_moment(tmp_path: Path) -> None:
    cache = Cache(tmp_path, 1000)
    paths = [put(cache, str(number), 600) for number in range(5)]
    assert all(path.exists() for path in paths)


def test_only_our_own_files_are_deleted(tmp_path: Path) -> None:
    theirs = [tmp_path / "notes.txt", tmp_path / "ab" / "mine.png", tmp_path / "photos" / (key("x") + ".png")]
    for path in theirs:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x" * 5000)
        os.utime(path, (1, 1))
    cache = Cache(tmp_path, 100, grace=0)
    for number in range(5):
        put(cache, str(number), 90)
    assert all(path.exists() for path in theirs)


def test_a_folder_that_cannot_be_used_is_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cache = Cache(tmp_path / "file" / "media", 1000)
    with pytest.raises(MediaError, match=r"The media folder .* cannot be used .* Set --media-dir to"):
        cache.obtain(key("a"), maker(b""))


def test_files_survive_being_asked_for_while_others_go(tmp_path: Path) -> None:
    """What a call was given is there, whatever other threads and their evictions do."""
    missing: list[Path] = []

    def work(seed: int) -> None:
        cache = Cache(tmp_path, 2000, grace=0)
        for round_ in range(15):
            with holding(), contextlib.suppress(MediaError):
                given = [
                    cache.obtain(key(str((seed * 7 + round_ * 3 + step) % 20)), maker(b"x" * 300))
                    for step in range(5)
                ]
                cache.shrink()
                missing.extend(path for path in given if not path.exists())

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(work, range(4)))
    assert missing == []
