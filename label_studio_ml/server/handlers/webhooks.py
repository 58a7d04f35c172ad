"""What Label Studio tells us, on disk before the reply. `/webhook` never waits for a model."""

from __future__ import annotations

import asyncio
import time

from ...errors import RequestError
from ...predict.runner import Runner
from ...store import jobs
from ...store.database import Database
from ...train.intake import Arrival
from ...wire import events, replies, requests
from ...wire.replies import known
from .. import statuses
from ..operations import post
from ..training import Training

TRAIN_PATIENCE = 60.0
"""Seconds that `/train` gives a class to load, so that it can name the job.

Label Studio waits longer: `Deadlines.train`.
"""

_GLANCE = 0.1
"""Seconds between two looks at whether the job is there."""


class Webhooks:
    """Webhooks, and the call that older versions make instead."""

    def __init__(self, database: Database, training: Training, runner: Runner) -> None:
        self._database, self._training, self._runner = database, training, runner

    @post("/webhook", "Something happened.", body=requests.WebhookRequest, success=statuses.STORED)
    async def webhook(self, raw: bytes) -> replies.Stored:
        """`POST /webhook`: the event is on disk before the reply."""
        message, data = requests.decode_whole(raw, requests.WebhookRequest)
        job_id = await self._training.store(
            Arrival(
                project_id=message.project_key,
                action=requests.name(message.action, "action"),
                payload=raw,
                label_config=requests.harmless_config(message.config),
                touched=events.touched(message.action, data),
            )
        )
        return replies.Stored("ok", known(job_id))

    @post("/train", "Train on these tasks.", body=requests.TrainRequest, success=statuses.STORED)
    async def train(self, raw: bytes) -> replies.Started:
        """`POST /train` of older Label Studio versions."""
        message, _ = requests.decode_whole(raw, requests.TrainRequest)
        if not message.annotations:
            raise RequestError("The field `annotations` of the request is empty; there is nothing to train on.")
        project_id = message.project_key
        class_was_loaded = self._runner.status.description is not None
        job_id = await self._training.store(
            Arrival(
                project_id=project_id,
                action=events.START_TRAINING,
                payload=raw,
                label_config=requests.harmless_config(message.label_config),
            )
        )
        if job_id is None and not class_was_loaded:
            job_id = await self._job_to_come(project_id)
        return replies.Started(known(job_id))

    async def _job_to_come(self, project_id: str) -> str | None:
        """The job that a stored event becomes once the class is known to learn; None if it does not in time."""
        deadline = time.monotonic() + TRAIN_PATIENCE
        while time.monotonic() < deadline:
            description = self._runner.status.description
            if description is not None and not description.learns:
                return None
            recent = await self._database.read_async(jobs.recent, project_id, 1)
            if recent and recent[0].active:
                return recent[0].id
            await asyncio.sleep(_GLANCE)
        return None
