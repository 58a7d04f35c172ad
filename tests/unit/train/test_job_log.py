"""The log of a job: bounded, readable while it grows, continued by the next attempt."""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from label_studio_ml.train import job_log
from scripts.processes import wait_until

TOKEN = "0123456789abcdef0123456789abcdef01234567"


@contextlib.contextmanager
def terminal() -> Iterator[None]:
    """Standard output and error as in the trainer, straight to file descriptors 1 and 2, not to pytest."""
    with (
        open(1, "w", closefd=False) as out,
        open(2, "w", closefd=False) as err,
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        yield


@pytest.fixture(autouse=True)
def _descriptors_of_our_own(capfd: pytest.CaptureFixture[str]) -> None:
    """What the tests write does not end up among pytest's own words."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "jobs" / "the job" / "log.txt"


def say_everything() -> None:
    """Every way in which something reaches the terminal."""
    print("printed")
    print("printed to stderr", file=sys.stderr)
    handler = logging.StreamHandler(sys.stderr)
    logger = logging.getLogger("author")
    logger.addHandler(handler)
    logger.warning("logged")
    logger.removeHandler(handler)
    subprocess.run([sys.executable, "-c", "print('from a subprocess')"], check=True)
    os.write(1, b"written to 1\n")
    os.write(2, b"written to 2\n")
    libc = ctypes.CDLL(None)
    libc.puts(b"from C")
    libc.fflush(None)


SAID = ["printed", "printed to stderr", "logged", "from a subprocess", "written to 1", "written to 2", "from C"]


def test_whatever_reaches_the_terminal_is_in_the_log_and_on_the_terminal(
    path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with terminal(), job_log.captured(path):
        say_everything()
    kept = path.read_text().splitlines()
    shown = capfd.readouterr()
    for line in SAID:
        assert kept.count(line) == 1, line
        assert (shown.out + shown.err).splitlines().count(line) == 1, line


def test_only_what_happens_meanwhile_is_in_the_log_and_streams_are_as_before(
    path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = [os.fstat(stream) for stream in (1, 2)]
    with terminal():
        print("before", end="")  # not flushed yet
        with job_log.captured(path):
            print("during")
            sys.stdout.flush()
            os.write(2, b"during, too\n")
        print("after")
        os.write(2, b"after, too\n")
    assert path.read_text() == "during\nduring, too\n"
    assert [os.path.samestat(os.fstat(stream), was) for stream, was in zip((1, 2), before, strict=True)] == [
        True,
        True,
    ]
    shown = capfd.readouterr()
    assert "before" in shown.out
    assert shown.out.endswith("after\n")
    assert shown.err.endswith("after, too\n")


def test_streams_are_restored_and_the_log_is_complete_when_fit_raises(path: Path) -> None:
    def fit() -> None:
        print("before the fault")
        raise ValueError("oh")

    with pytest.raises(ValueError, match="oh"), terminal(), job_log.captured(path):
        fit()
    os.write(1, b"afterwards\n")
    assert path.read_text() == "before the fault\n"


def test_no_file_stays_open(path: Path) -> None:
    def count() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    with terminal(), job_log.captured(path):
        print("once")
    before = count()
    for _ in range(5):
        with terminal(), job_log.captured(path):
            print("again")
    assert count() == before


def test_a_second_attempt_continues_the_log(path: Path) -> None:
    for attempt in ("first", "second"):
        with terminal(), job_log.captured(path):
            print(attempt)
    assert path.read_text() == "first\nsecond\n"


def test_secrets_are_blanked_out_also_when_they_come_in_pieces(path: Path) -> None:
    with terminal(), job_log.captured(path):
        print(f"Authorization: Token {TOKEN}", flush=True)
        os.write(1, b"api_key=" + TOKEN[:10].encode())
        os.write(1, TOKEN[10:].encode() + b"\n")
        os.write(2, f"access_token={TOKEN}".encode())  # the last line has no end
    text = path.read_text()
    assert text.count("***") == 3
    assert TOKEN[:10] not in text
    assert TOKEN[10:] not in text


def test_what_is_not_text_does_not_end_the_log(path: Path) -> None:
    with terminal(), job_log.captured(path):
        os.write(1, b"\xff\xfe\x00 bytes\n")
        print("ä日 and on")
    assert path.read_text().splitlines()[-1] == "ä日 and on"
    assert "bytes" in path.read_text()


def test_a_log_is_bounded_and_its_last_part_kept(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_log, "LIMIT", 20_000)
    with terminal(), job_log.captured(path):
        for number in range(2000):
            print(f"line {number:06} " + 40 * "x")
    aside = path.with_name("log.txt.1")
    assert sorted(path.parent.iterdir()) == [path, aside]
    assert path.stat().st_size < 20_000 + 65_536
    assert aside.stat().st_size < 20_000 + 65_536
    lines = [*aside.read_text().splitlines(), *path.read_text().splitlines()]
    last = int(lines[-1].split()[1])
    assert last == 1999
    assert [int(line.split()[1]) for line in lines] == list(range(2000 - len(lines), 2000))


def test_a_line_without_end_is_bounded_too(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_log, "LIMIT", 200_000)
    with terminal(), job_log.captured(path):
        for _ in range(50):
            os.write(1, 10_000 * b"x")
    assert sum(file.stat().st_size for file in path.parent.iterdir()) < 2 * (200_000 + 2 * 65_536)


def test_something_that_fit_leaves_running_does_not_keep_the_trainer(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_log, "_PATIENCE", 0.01)
    with terminal(), job_log.captured(path):
        left = subprocess.Popen([sys.executable, "-c", "print(input())"], stdin=subprocess.PIPE)
        print("the end")
    left.communicate(b"its own end\n")
    wait_until(lambda: path.read_text() == "the end\nits own end\n", 10, "the log to be complete")


def test_a_progress_bar_is_seen_while_it_grows(path: Path) -> None:
    with terminal(), job_log.captured(path):
        os.write(2, b"10%\r20%\r100%\ndone\n")
    assert path.read_text(encoding="utf-8").splitlines()[-1] == "done"
