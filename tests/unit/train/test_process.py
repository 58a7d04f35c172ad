"""The trainer process as the scheduler sees it, over children that are played; integration tests have real ones."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from label_studio_ml.errors import LoadError, WorkerDied
from label_studio_ml.processes import messages
from label_studio_ml.processes.messages import Broken, Configure, Description, Fit, Fitted, Ready, Source, Stop
from label_studio_ml.store.jobs import Job, JobState
from label_studio_ml.train.process import Trainer
from tests.support.scheduler_scene import until

pytestmark = pytest.mark.anyio

READY = Ready(Description("M", 2, [], learns=True, concurrent=False))
JOB = Job(id="job", project_id="1", state=JobState.STARTED, action="A", created_at=0.0)


class Child:
    """Says what the test has it say when it is configured and when it is given a job."""

    def __init__(
        self, configured: Any, on_frame: Callable[[bytes], None], on_lost: Callable[[], None], *, answers: bool
    ) -> None:
        self._configured, self._answers = configured, answers
        self._on_frame, self._on_lost = on_frame, on_lost
        self.heard: list[Any] = []
        self.killed = 0
        self.exited = False

    def send(self, frame: bytes) -> None:
        message = messages.to_trainer(frame)
        self.heard.append(message)
        if isinstance(message, Configure):
            self.say(self._configured)
        elif isinstance(message, Fit) and self._answers:
            self.say(Fitted(message.job_id, 1))
        elif isinstance(message, Stop):
            self.go()

    def say(self, message: msgspec.Struct) -> None:
        asyncio.get_running_loop().call_soon(self._on_frame, messages.encode(message))

    def go(self) -> None:
        """Its socket closes."""
        asyncio.get_running_loop().call_soon(self._on_lost)

    def kill(self) -> None:
        self.killed += 1
        self.go()

    async def wait(self, _timeout: float) -> bool:
        return True

    async def ended(self) -> str:
        return "was ended by SIGKILL"


class Children(list[Child]):
    """Those that were started; how the next one will behave."""

    configured: Any = READY
    answers = True


@pytest.fixture
def children(monkeypatch: pytest.MonkeyPatch) -> Children:
    started = Children()

    async def start(
        _module: str, _env: Any, on_frame: Callable[[bytes], None], on_lost: Callable[[], None]
    ) -> Child:
        started.append(Child(started.configured, on_frame, on_lost, answers=started.answers))
        return started[-1]

    monkeypatch.setattr("label_studio_ml.processes.children.start", start)
    return started


def trainer(idle: float = 60.0) -> Trainer:
    return Trainer(Source("model.py", None, {}), {}, idle)


async def test_jobs_run_one_after_the_other_in_one_process_that_is_started_for_the_first(
    children: Children,
) -> None:
    process = trainer()
    assert not children
    assert [await process.run(JOB, "me") for _ in range(2)] == [Fitted("job", 1)] * 2
    (child,) = children
    assert [type(message) for message in child.heard] == [Configure, Fit, Fit]
    await process.stop()
    assert child.killed == 1


async def test_a_process_without_a_job_for_a_while_is_told_to_leave_and_the_next_job_gets_another(
    children: Children,
) -> None:
    process = trainer(idle=0.01)
    await process.run(JOB, "me")
    await until(lambda: children[0].heard[-1] == Stop(), "the process to be told")
    await process.run(JOB, "me")
    assert len(children) == 2
    await process.stop()


async def test_changed_code_is_run_by_a_new_process(children: Children) -> None:
    process = trainer()
    await process.run(JOB, "me")
    process.renew()
    assert await process.run(JOB, "me") == Fitted("job", 1)
    assert len(children) == 2
    assert children[0].heard[-1] == Stop()
    await process.stop()


async def test_a_process_that_dies_fails_its_job_alone(children: Children) -> None:
    children.answers = False
    process = trainer()
    running = asyncio.create_task(process.run(JOB, "me"))
    await until(lambda: children and Fit("job", "me") in children[0].heard, "the job to be begun")
    children[0].go()
    with pytest.raises(WorkerDied, match=r"The trainer was ended by SIGKILL\."):
        await running
    children.answers = True
    assert await process.run(JOB, "me") == Fitted("job", 1)
    await process.stop()


async def test_a_class_that_cannot_be_loaded_is_said_so_and_its_process_ended(children: Children) -> None:
    children.configured = Broken("No module named torch", "", usage=True)
    with pytest.raises(LoadError, match="No module named torch"):
        await trainer().run(JOB, "me")
    assert children[0].killed == 1
