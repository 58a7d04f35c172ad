"""Sends a backend an event that trains nothing, and asks how its last training went."""

from __future__ import annotations

from typing import Any

from ..wire import bodies, records
from .caller import PATIENCE, Caller, Reply
from .findings import Findings, duration
from .scene import Scene


class Events:
    """`run` sends and asks. `refused`: whether the backend let the event in."""

    def __init__(self, caller: Caller, scene: Scene, findings: Findings, train_events: list[str]) -> None:
        """`train_events`: what reaches fit(), as far as the backend says."""
        self.findings = findings
        self.refused = False
        self._train_events = train_events
        self._caller, self._scene, self._deadlines = caller, scene, caller.deadlines

    def run(self) -> None:
        """Send the event, and ask."""
        self._webhook()
        self._training()

    def _webhook(self) -> None:
        deadline = self._deadlines.webhook
        event = self._harmless_event()
        if event is None:
            return
        reply = self._send(event, deadline)
        if reply.status == 401:
            self.refused = True
            if not self._scene.webhook_known:
                self._webhook_refused()
        elif reply.trouble == "timeout":
            later = self._send(event, PATIENCE)
            took = f"took {duration(later.seconds)}" if later.ok else f"did not answer within {PATIENCE:g} s"
            self.findings.problem(
                "webhook",
                f"/webhook {took}; Label Studio gives up after {deadline:g} s and drops the event for good.",
                "Do not train inside the webhook. This package's server keeps the event and trains in another "
                "process: `label-studio-ml start FOLDER`.",
            )
        elif not reply.ok:
            self.findings.problem(
                "webhook",
                f"/webhook fails with {reply.said}; the event is lost, Label Studio does not try again.",
                "See the backend's log for the reason.",
            )
        elif reply.seconds > deadline / 2:
            self.findings.warning(
                "webhook",
                f"/webhook took {duration(reply.seconds)}; Label Studio gives up after {deadline:g} s.",
                "Find out what keeps the machine or its disk busy.",
            )
        else:
            self.findings.ok("webhook", f"Events are taken in {duration(reply.seconds)}.")

    def _webhook_refused(self) -> None:
        if self._scene.webhook_headers:
            self.findings.problem(
                "webhook",
                "The backend refuses events with this webhook secret: annotations never train the model.",
                "Start the backend with the same --webhook-secret (or LABEL_STUDIO_ML_WEBHOOK_SECRET) as is given "
                "here and to `label-studio-ml connect`.",
            )
        else:
            self.findings.problem(
                "webhook",
                "The backend refuses events without credentials, and Label Studio's webhooks carry none by "
                "themselves: annotations never train the model.",
                "Start the backend with --webhook-secret SECRET, then run: label-studio-ml connect "
                f"{self._caller.url} --project N --webhook-secret SECRET",
            )

    def _harmless_event(self) -> dict[str, Any] | None:
        """An event that trains nothing; None where the model trains on each of them."""
        number = int(self._scene.throw_away.partition(".")[0])
        project = records.project(number, self._scene.label_config, "doctor")
        possible = (
            bodies.tasks_deleted([], project),
            bodies.project_updated(project),
            bodies.tasks_created([], project),
        )
        return next((event for event in possible if event["action"] not in self._train_events), None)

    def _send(self, event: dict[str, Any], deadline: float) -> Reply:
        headers = self._scene.webhook_headers
        return self._caller.call("POST", "webhook", deadline, body=event, headers=headers, signed=False)

    def _training(self) -> None:
        """The newest job of the project, or of any."""
        project = self._scene.real.partition(".")[0]
        path = f"is_training?project={project}" if project else "jobs"
        reply = self._caller.call("GET", path, self._deadlines.job_status)
        data = reply.data or {}
        jobs = data.get("jobs")
        job = data.get("job") if project else jobs[0] if isinstance(jobs, list) and jobs else None
        if not reply.ok or not isinstance(job, dict):
            return
        name, state = job.get("job", "?"), job.get("job_status") or job.get("state")
        if state == "failed":
            self.findings.problem(
                "training",
                f"The last training failed: {job.get('error') or 'no reason given'}",
                f"See `label-studio-ml jobs logs {name}`, mend fit(), then `label-studio-ml jobs retry {name}`.",
            )
        else:
            self.findings.ok("training", f"The last training is {state}.")
