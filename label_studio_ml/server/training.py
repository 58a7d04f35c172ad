"""From a stored event to the training that it starts."""

from __future__ import annotations

from ..errors import StoreError
from ..train.intake import Arrival, Intake
from ..train.scheduler import Scheduler
from .problems import Problems
from .rollout import Rollout


class Training:
    """Stores events and has them trained on."""

    def __init__(
        self, intake: Intake, scheduler: Scheduler, rollout: Rollout, problems: Problems, *, in_process: bool
    ) -> None:
        self._intake, self._scheduler, self._rollout = intake, scheduler, rollout
        self._problems, self._in_process = problems, in_process

    async def store(self, arrival: Arrival) -> str | None:
        """Put an event on disk; the id of its job, None when it trains nothing (yet).

        Raises:
            StoreError: it could not be stored.
        """
        try:
            job_id = await self._intake.add(arrival)
        except StoreError as error:
            self._problems.store_failed(str(error))
            raise
        self._problems.event_stored()
        await self.begin()
        return job_id

    async def begin(self) -> None:
        """There may be something to train on.

        In the calling process training happens before the reply, so that authors' tests can look at its result.
        """
        if not self._in_process:
            self._scheduler.wake()
            return
        while await self._scheduler.step():
            await self._rollout.refresh()
