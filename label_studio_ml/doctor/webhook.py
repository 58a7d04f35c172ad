"""The webhook through which Label Studio tells a backend about annotations."""

from __future__ import annotations

from typing import Any

from ..label_studio.project import CallRefused, LabelStudioApi
from ..label_studio.sentences import Meaning, meaning
from .address import local_address
from .backend import Examined
from .findings import Findings

Json = dict[str, Any]


def find(api: LabelStudioApi, project: int, backend_url: str, findings: Findings) -> Json:
    """The webhook of a project to a backend; empty where there is none or Label Studio would not call it."""
    wanted = f"{backend_url}/webhook"
    try:
        found = [one for one in api.webhooks(project) if one["url"] == wanted]
        refused = api.webhook_address_refused(project, wanted)
    except CallRefused as error:
        findings.problem("webhook", str(error), "Use the token of somebody who may change the project.")
        return {}
    if meaning(refused) is Meaning.LOCAL_ADDRESS:
        if not any(one.check == "address" for one in findings):
            local_address(f"never sends events to {wanted}", refused, findings)
        return {}
    connect = f"Run: label-studio-ml connect {backend_url} --project {project}"
    if not found:
        what = f"There is no webhook to {wanted}: annotations never reach the model."
        findings.problem("webhook", what, connect)
        return {}
    webhook: Json = found[0]
    if len(found) > 1:
        findings.warning(
            "webhook",
            f"{len(found)} webhooks go to {wanted}: every event arrives {len(found)} times.",
            "Remove all but one in Settings, Webhooks.",
        )
    if not webhook["is_active"]:
        findings.problem("webhook", f"The webhook to {wanted} is switched off.", connect)
    elif not webhook["send_payload"]:
        findings.problem("webhook", f"The webhook to {wanted} sends no payload.", connect)
    return webhook


def compare(webhook: Json, examined: Examined, connect: str, findings: Findings, *, secret: str) -> None:
    """Compare the webhook with what the backend lets in and uses.

    Args:
        webhook: as `find` found it.
        examined: what the backend did and said.
        connect: the command that connects project and backend.
        findings: where what is found goes.
        secret: the webhook secret that was given, if any.
    """
    if examined.webhook_refused:
        carried = (
            "carries credentials that the backend refuses" if webhook.get("headers") else "carries no credentials"
        )
        run = "Run: " if secret else "Start the backend with --webhook-secret SECRET, then run: "
        findings.problem(
            "webhook",
            f"The webhook carries {carried}: every annotation is lost for training.",
            f"{run}{connect} --webhook-secret SECRET",
        )
    used, sends_all = examined.state.get("webhook_events"), webhook["send_for_all_actions"]
    if not sends_all and isinstance(used, list):
        missing = [event for event in used if event not in webhook["actions"]]
        if missing:
            what = f"The webhook leaves out events that the model uses: {', '.join(missing)}."
            findings.problem("webhook", what, f"Run: {connect}")
    if not any(one.check == "webhook" for one in findings):
        sent = "every event" if sends_all else f"{len(webhook['actions'])} kinds of events"
        findings.ok("webhook", f"It is active and sends {sent}.")
