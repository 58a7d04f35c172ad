"""`label-studio-ml connect`: make a running backend the model of a Label Studio project."""

from __future__ import annotations

import contextlib
import json
import re
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from .. import settings
from ..errors import UsageError
from ..settings import Settings
from .options import LabelStudioKey, LabelStudioUrl, Password, Running, SeenUrl, User, WebhookSecret
from .running import address_of, check_webhook, state_of

if TYPE_CHECKING:
    from ..label_studio.connect import Connection

OfProject = Annotated[int, typer.Option("--project", help="Number of the Label Studio project.")]
Title = Annotated[
    str | None, typer.Option("--title", help="Name in Label Studio. Default: that of the model class.")
]
Interactive = Annotated[
    bool | None,
    typer.Option("--interactive/--no-interactive", help="Predict while people label, with smart tools."),
]
ExtraParams = Annotated[
    str | None, typer.Option("--extra-params", metavar="JSON", help="Extra parameters for the model class.")
]
Events = Annotated[
    str | None,
    typer.Option(
        "--events",
        help="Events that the webhook sends, with commas, or `all`. Default: those that the backend uses; "
        "unchanged where it does not say which (older packages).",
    ),
]
Replace = Annotated[bool, typer.Option("--replace", help="Take the place of the backend that the project has now.")]
RetrievePredictions = Annotated[
    bool, typer.Option("--retrieve-predictions", help="Then have all tasks predicted, and wait for it.")
]


def connect_command(
    project: OfProject,
    target: Running = ".",
    label_studio_url: LabelStudioUrl = None,
    label_studio_api_key: LabelStudioKey = None,
    title: Title = None,
    interactive: Interactive = None,
    basic_auth_user: User = None,
    basic_auth_pass: Password = None,
    extra_params: ExtraParams = None,
    webhook_secret: WebhookSecret = None,
    events: Events = None,
    url_for_label_studio: SeenUrl = None,
    replace: Replace = False,
    retrieve_predictions: RetrievePredictions = False,
) -> None:
    """Connect a running backend with a project of Label Studio, its webhook included.

    Running it again changes only what differs.
    """
    config = settings.load(
        label_studio_url=label_studio_url,
        label_studio_api_key=label_studio_api_key,
        basic_auth_user=basic_auth_user,
        basic_auth_pass=basic_auth_pass,
        webhook_secret=webhook_secret,
    )
    _require_label_studio(config)
    params = _json_object(extra_params)
    url = address_of(target)
    state = state_of(url, config)
    if state.get("webhook_events") is not None:
        check_webhook(url, config)
    from ..label_studio.connect import Connection

    connection = Connection(
        project=project,
        url=(url_for_label_studio or url).rstrip("/"),
        title=title,
        title_if_new=str(state.get("model_class") or "ML backend"),
        interactive=interactive,
        user=config.basic_auth_user,
        password=config.basic_auth_pass,
        extra_params=params,
        webhook_secret=config.webhook_secret,
        events=_events(events, state),
        replace=replace,
    )
    _connect(config, connection, retrieve_predictions=retrieve_predictions)


def _require_label_studio(config: Settings) -> None:
    if not config.label_studio_url or not config.label_studio_api_key:
        raise UsageError(
            "Label Studio's address and a token are needed: --label-studio-url and --label-studio-api-key, or "
            "LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY in the environment."
        )


def _connect(config: Settings, connection: Connection, *, retrieve_predictions: bool) -> None:
    """Connect, and tell what was done."""
    from ..label_studio.connect import connect
    from ..label_studio.project import LabelStudioApi

    with contextlib.closing(LabelStudioApi(config.label_studio_url, config.label_studio_api_key)) as api:
        connected, done = connect(api, connection)
        for sentence in done or ["There is nothing to change."]:
            typer.echo(sentence)
        version = connected["model_version"] or "unknown"
        typer.echo(f"Label Studio says: {connected['readable_state']}, version {version}.")
        if retrieve_predictions:
            api.retrieve_predictions(connection.project)
            typer.echo("All tasks have been predicted.")


def _json_object(text: str | None) -> dict[str, Any] | None:
    if text is None:
        return None
    try:
        found = json.loads(text)
    except ValueError as error:
        raise UsageError(f"--extra-params is not JSON: {error}.") from None
    if not isinstance(found, dict):
        raise UsageError('--extra-params must be a JSON object, as in {"threshold": 0.5}.')
    return found


def _events(given: str | None, state: dict[str, Any]) -> list[str] | Literal["all"] | None:
    """What the webhook is to send; None: as it is.

    >>> _events("TASKS_CREATED, TASKS_DELETED", {}), _events("all", {}), _events(None, {"webhook_events": ["A"]})
    (['TASKS_CREATED', 'TASKS_DELETED'], 'all', ['A'])
    """
    if given is None:
        said = state.get("webhook_events")
        return [str(event) for event in said] if isinstance(said, list) and said else None
    if given.strip().lower() == "all":
        return "all"
    names = [name for name in re.split(r"[,\s]+", given) if name]
    if not names:
        raise UsageError("--events needs names such as ANNOTATION_CREATED, or `all`.")
    return names
