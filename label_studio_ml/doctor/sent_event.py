"""Sends a backend an event that trains nothing, and asks how its last training went."""

from __future__ import annotations

from typing import Any

from ..wire import bodies, records
from .caller import PATIENCE, Caller, Reply
from .findings import Findings, duration
from .played_project import PlayedProject
from .trouble import Trouble


def check(caller: Caller, played: PlayedProject, findings: Findings, train_events: list[str]) -> bool:
    """Send the event, and ask; return whether the backend refused the event.

    Args:
        caller: to the backend.
        played: what it is told.
        findings: where what is found goes.
        train_events: what reaches fit(), as far as the backend says.
    """
    refused = _Webhook(caller, played, findings).check(train_events)
    _last_training(caller, played, findings)
    return refused


class _Webhook:
    def __init__(self, caller: Caller, played: PlayedProject, findings: Findings) -> None:
        self._caller, self._played, self._findings = caller, played, findings
        self._deadline = caller.deadlines.webhook

    def check(self, train_events: list[str]) -> bool:
        """Whether the event was refused."""
        event = self._harmless(train_events)
        if event is None:
            return False
        reply = self._send(event, self._deadline)
        if reply.status == 401:
            if not self._played.webhook_known:
                self._refused()
        elif reply.trouble is Trouble.TIMEOUT:
            self._too_slow(self._send(event, PATIENCE))
        elif not reply.ok:
            self._findings.problem(
                "webhook",
                f"/webhook fails with {reply.said}; the event is lost, Label Studio does not try again.",
                "Look at the backend's log for the reason.",
            )
        elif reply.seconds > self._deadline / 2:
            self._findings.warning(
                "webhook",
                f"/webhook took {duration(reply.seconds)}; Label Studio gives up after {self._deadline:g} s.",
                "Find out what keeps the machine or its disk busy.",
            )
        else:
            self._findings.ok("webhook", f"Events are accepted in {duration(reply.seconds)}.")
        return reply.status == 401

    def _harmless(self, train_events: list[str]) -> dict[str, Any] | None:
        """An event that trains nothing; None where the model trains on each of them."""
        number = int(self._played.throw_away.partition(".")[0])
        project = records.project(number, self._played.label_config, "doctor")
        possible = (
            bodies.tasks_deleted([], project),
            bodies.project_updated(project),
            bodies.tasks_created([], project),
        )
        return next((event for event in possible if event["action"] not in train_events), None)

    def _send(self, event: dict[str, Any], deadline: float) -> Reply:
        headers = self._played.webhook_headers
        return self._caller.call("POST", "webhook", deadline, body=event, headers=headers, signed=False)

    def _too_slow(self, later: Reply) -> None:
        took = f"took {duration(later.seconds)}" if later.ok else f"did not answer within {PATIENCE:g} s"
        self._findings.problem(
            "webhook",
            f"/webhook {took}; Label Studio gives up after {self._deadline:g} s and drops the event for good.",
            "Do not train inside the webhook. This package's server stores the event and trains in another "
            "process: `label-studio-ml start FOLDER`.",
        )

    def _refused(self) -> None:
        if self._played.webhook_headers:
            self._findings.problem(
                "webhook",
                "The backend refuses events with this webhook secret: annotations never train the model.",
                "Start the backend with the same --webhook-secret (or LABEL_STUDIO_ML_WEBHOOK_SECRET) as is given "
                "here and to `label-studio-ml connect`.",
            )
        else:
            self._findings.problem(
                "webhook",
                "The backend refuses events without credentials, and Label Studio's webhooks carry none by "
                "themselves: annotations never train the model.",
                "Start the backend with --webhook-secret SECRET, then run: label-studio-ml connect "
                f"{self._caller.url} --project N --webhook-secret SECRET",
            )


def _last_training(caller: Caller, played: PlayedProject, findings: Findings) -> None:
    """The newest job of the project, or of any."""
    project = played.real.partition(".")[0]
    path = f"is_training?project={project}" if project else "jobs"
    reply = caller.call("GET", path, caller.deadlines.job_status)
    data = reply.data or {}
    jobs = data.get("jobs")
    job = data.get("job") if project else jobs[0] if isinstance(jobs, list) and jobs else None
    if not reply.ok or not isinstance(job, dict):
        return
    name, state = job.get("job", "?"), job.get("job_status") or job.get("state")
    if state == "failed":
        findings.problem(
            "training",
            f"The last training failed: {job.get('error') or 'no reason given'}",
            f"Run `label-studio-ml jobs logs {name}`, fix fit(), then run `label-studio-ml jobs retry {name}`.",
        )
    else:
        findings.ok("training", f"The last training is {state}.")
