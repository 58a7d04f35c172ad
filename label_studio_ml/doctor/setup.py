"""Connects a project with a backend as Label Studio does, again and again: `POST /setup`."""

from __future__ import annotations

from ..wire import bodies
from . import sign_in
from .caller import PATIENCE, Caller, Reply
from .findings import Findings, duration
from .played_project import PlayedProject
from .trouble import Trouble


class Setup:
    """Calls /setup, and looks at what comes back."""

    def __init__(self, caller: Caller, played: PlayedProject, findings: Findings) -> None:
        self._caller, self._played, self._findings = caller, played, findings
        self._deadline = caller.deadlines.setup

    def sign_in(self) -> Reply | None:
        """The answer to /setup, or None where it lets nobody in."""
        unsigned = self._call(self._deadline, signed=False)
        reply = self._call(self._deadline) if self._caller.auth else unsigned
        if reply.status == 401:
            sign_in.refused(self._caller, self._findings)
            return None
        sign_in.accepted(self._caller, self._findings, locked=unsigned.status == 401)
        return reply

    def check(self, reply: Reply) -> str | None:
        """The version that an answer names, empty where it names none; None where setup fails."""
        if reply.trouble is Trouble.TIMEOUT:
            reply = self._call(PATIENCE)
            self._too_slow(reply)
        elif not reply.ok:
            self._failed(reply)
        if not reply.ok:
            return None
        version = (reply.data or {}).get("model_version")
        if not isinstance(version, str) or not version:
            self._findings.problem(
                "setup",
                "/setup names no model_version, so Label Studio cannot tell which tasks have been predicted: it "
                "predicts them again and again.",
                'Answer {"model_version": "some name"}; in the model class: self.set("model_version", "some name") '
                "in setup().",
            )
            return ""
        self._findings.ok("setup", f"/setup answers in {duration(reply.seconds)}: version {version}.")
        return version

    def version(self) -> str:
        """The version that /setup names now: slow models have a name only once they are loaded."""
        return str((self._call(self._deadline).data or {}).get("model_version") or "")

    def _call(self, deadline: float, *, signed: bool = True) -> Reply:
        played = self._played
        # Label Studio hands both over, too; where it has done so already, nobody needs them again.
        known = ("", "") if played.real else (played.label_studio_url, played.label_studio_api_key)
        body = bodies.setup(played.throw_away, played.label_config, *known, played.extra_params)
        return self._caller.call("POST", "setup", deadline, body=body, signed=signed)

    def _too_slow(self, later: Reply) -> None:
        took = f"took {duration(later.seconds)}" if later.ok else f"did not answer within {PATIENCE:g} s"
        self._findings.problem(
            "setup",
            f"/setup {took}; Label Studio gives up after {self._deadline:g} s and does not connect.",
            "Load the model in the background or at start, not in /setup. This package's server does: "
            "`label-studio-ml start FOLDER`.",
        )

    def _failed(self, reply: Reply) -> None:
        what = f"/setup fails with {reply.said}"
        if self._played.config_given:
            self._findings.problem(
                "setup",
                what,
                "Fix what the message names, or look at the log; perhaps the model does not fit this config.",
            )
        else:
            self._findings.warning(
                "setup",
                f"{what} (with a labeling config that was made up)",
                "Give the project's own: --project N --label-studio-url URL --label-studio-api-key KEY, or "
                "--label-config FILE.",
            )
