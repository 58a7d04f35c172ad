"""What Label Studio sends, as typed messages. Pure functions: bytes in, structs out.

Facts come from requests recorded from Label Studio 1.23.2. Unknown fields are ignored, so that newer
versions may add some.
"""

from __future__ import annotations

import xml.parsers.expat
from typing import Any, TypeVar

import msgspec

from ..errors import RequestError

T = TypeVar("T")


class PredictRequest(msgspec.Struct):
    """`POST /predict`. Tasks stay undecoded: only the process that runs the model looks into them."""

    tasks: list[msgspec.Raw]
    project: str | int | None = None
    label_config: str | None = None
    params: dict[str, Any] | None = None


class SetupRequest(msgspec.Struct):
    """`POST /setup`. `project` is `"<id>.<created, unix seconds>"`; `schema` the labeling config's XML."""

    project: str | int | None = None
    schema: str | None = None
    hostname: str | None = None
    access_token: str | None = None
    extra_params: dict[str, Any] | str | None = None


class WebhookProject(msgspec.Struct):
    """The part of a webhook's project that the server itself needs."""

    id: int | str | None = None
    label_config: str | None = None


class WebhookRequest(msgspec.Struct):
    """`POST /webhook`: the envelope of an event; the whole body is what gets stored."""

    action: str
    project: WebhookProject | str | int | None = None
    label_config: str | None = None

    @property
    def project_key(self) -> str:
        """The project's id as text; empty when the event names none."""
        return project_key(self.project.id if isinstance(self.project, WebhookProject) else self.project)

    @property
    def config(self) -> str | None:
        """The labeling config the event carries, if any."""
        nested = self.project.label_config if isinstance(self.project, WebhookProject) else None
        return nested or self.label_config


class TrainRequest(msgspec.Struct):
    """`POST /train` of older Label Studio versions: `annotations` are tasks with their annotations."""

    annotations: list[msgspec.Raw]
    project: WebhookProject | str | int | None = None
    label_config: str | None = None


class JobStatusRequest(msgspec.Struct):
    """`POST /job_status`."""

    job: str


class ProjectRequest(msgspec.Struct):
    """`POST /delete`, and `POST /versions` of older Label Studio versions."""

    project: str | int


class DuplicateRequest(msgspec.Struct):
    """`POST /duplicate_model`."""

    project_src: str | int
    project_dst: str | int


class ValidateRequest(msgspec.Struct):
    """`POST /validate`: may this labeling config be used with the model?"""

    config: str


def decode(body: bytes, kind: type[T]) -> T:
    """Decode a JSON body.

    Raises:
        RequestError: the body is not JSON or a field has the wrong type; the message names the field.
    """
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        problem, _, where = str(error).partition(" - at ")
        field = where.strip("`").removeprefix("$").lstrip(".")
        name = f"field `{field}`" if field else "body"
        raise RequestError(f"The {name} of the request is wrong: {problem}.") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RequestError(f"The request body is not JSON: {error}.") from None
    except RecursionError:
        raise RequestError("The request body is nested too deeply.") from None


def decode_whole(body: bytes, kind: type[T]) -> T:
    """`decode` for a body that is kept: also what `kind` does not know must be readable later.

    Raises:
        RequestError: as `decode`.
    """
    decode(body, dict)
    return decode(body, kind)


def project_key(project: str | int | None) -> str:
    """The id in a project reference; Label Studio sends `2`, `"2"` or `"2.1795402042"`.

    >>> project_key("2.1795402042"), project_key(2), project_key(None)
    ('2', '2', '')
    """
    return "" if project is None else str(project).split(".", 1)[0]


def config_problem(config: str) -> str | None:
    """What keeps a text from being a labeling config at all; None when it is well-formed XML.

    >>> config_problem("<View><Text")
    'unclosed token, line 1, column 6'
    """
    if not config.strip():
        return "it is empty"
    parser = xml.parsers.expat.ParserCreate()
    parser.EntityDeclHandler = _refuse_entity
    try:
        parser.Parse(config, True)
    except xml.parsers.expat.ExpatError as error:
        return f"{xml.parsers.expat.ErrorString(error.code)}, line {error.lineno}, column {error.offset}"
    except ValueError as error:
        return str(error)
    return None


def _refuse_entity(*_declaration: Any) -> None:
    raise ValueError("it declares an XML entity")
