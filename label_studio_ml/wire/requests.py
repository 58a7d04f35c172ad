"""What Label Studio sends, as typed messages. Pure functions: bytes in, structs out.

Facts come from requests recorded from Label Studio 1.23.2. Unknown fields are ignored, so that newer
versions may add some.
"""

from __future__ import annotations

import functools
import re
import xml.parsers.expat
from collections.abc import Hashable
from typing import Annotated, Any, TypeVar, cast

import msgspec

from ..errors import BodyTooLarge, RequestError

T = TypeVar("T")

MAX_TASKS = 100_000
"""Tasks in one request; Label Studio sends a thousand at most."""

MAX_VALUES = 10_000_000
"""JSON values in one body. Decoded they take up to 30 times the room that they have as text."""

MAX_NAME = 200
"""Characters in an id."""

MAX_CONFIG = 10 * 2**20
"""Characters in a labeling config."""

MAX_TEXT = 4000
"""Characters in an address, a token or the name of a version."""

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_Name = Annotated[str, msgspec.Meta(max_length=MAX_NAME)]
_Text = Annotated[str, msgspec.Meta(max_length=MAX_TEXT)]
_Config = Annotated[str, msgspec.Meta(max_length=MAX_CONFIG)]


class PredictRequest(msgspec.Struct):
    """`POST /predict`. Tasks stay undecoded: only the process that runs the model looks into them."""

    tasks: Annotated[list[msgspec.Raw], msgspec.Meta(max_length=MAX_TASKS)]
    project: _Name | int | None = None
    label_config: _Config | None = None
    params: dict[str, Any] | None = None


class SetupRequest(msgspec.Struct):
    """`POST /setup`. `project` is `"<id>.<created, unix seconds>"`; `schema` the labeling config's XML."""

    project: _Name | int | None = None
    schema: _Config | None = None
    hostname: _Text | None = None
    access_token: _Text | None = None
    extra_params: dict[str, Any] | str | None = None


class WebhookProject(msgspec.Struct):
    """The part of a webhook's project that the server itself needs."""

    id: int | _Name | None = None
    label_config: _Config | None = None


class WebhookRequest(msgspec.Struct):
    """`POST /webhook`: the envelope of an event; the whole body is what gets stored."""

    action: _Name
    project: WebhookProject | _Name | int | None = None
    label_config: _Config | None = None

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

    annotations: list[Any]
    project: WebhookProject | _Name | int | None = None
    label_config: _Config | None = None

    @property
    def project_key(self) -> str:
        """The project's id as text; empty when the request names none."""
        return project_key(self.project.id if isinstance(self.project, WebhookProject) else self.project)


class JobStatusRequest(msgspec.Struct):
    """`POST /job_status`."""

    job: _Name


class ProjectRequest(msgspec.Struct):
    """`POST /delete`, and `POST /versions` of older Label Studio versions."""

    project: _Name | int


class DuplicateRequest(msgspec.Struct):
    """`POST /duplicate_model`."""

    project_src: _Name | int
    project_dst: _Name | int


class ValidateRequest(msgspec.Struct):
    """`POST /validate`: may this labeling config be used with the model?"""

    config: _Config


class VersionRequest(msgspec.Struct):
    """What people and the command line ask about one version."""

    version: _Text
    """Its name or its number."""

    @property
    def name(self) -> str:
        """The same, if a database can hold it.

        Raises:
            RequestError: it holds the character NUL.
        """
        return without_nul(self.version, "version") or ""


class _Identified(msgspec.Struct):
    id: Any = None


_identified = msgspec.json.Decoder(_Identified).decode


def task_id(task: bytes) -> Any:
    """The id in a task's JSON; None when there is none, or the task cannot be read.

    >>> task_id(b'{"id": 7, "data": {}}'), task_id(b"7")
    (7, None)
    """
    try:
        return _identified(task).id
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


@functools.cache
def _decoder(kind: Any) -> Any:
    return msgspec.json.Decoder(kind)


def decode(body: bytes, kind: type[T]) -> T:
    """Decode a JSON body.

    Raises:
        RequestError: the body is not JSON or a field has the wrong type; the message names the field.
        BodyTooLarge: it holds more values than fit into memory safely.
    """
    if len(body) > MAX_VALUES and sum(map(body.count, (b",", b"[", b"{"))) > MAX_VALUES:
        raise BodyTooLarge(f"The body holds more than {MAX_VALUES} values. Send it in parts.")
    try:
        found: T = _decoder(cast("Hashable", kind)).decode(body)
    except msgspec.ValidationError as error:
        raise _wrong(error) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RequestError(f"The request body is not JSON: {error}.") from None
    except RecursionError:
        raise RequestError("The request body is nested too deeply.") from None
    return found


def decode_whole(body: bytes, kind: type[T]) -> tuple[T, dict[str, Any]]:
    """`decode` for a body that is kept: also what `kind` does not know must be readable later.

    Returns:
        The message, and everything that the body holds.

    Raises:
        RequestError: as `decode`.
    """
    found = decode(body, dict)
    try:
        return msgspec.convert(found, kind), found
    except msgspec.ValidationError as error:
        raise _wrong(error) from None


def _wrong(error: msgspec.ValidationError) -> RequestError:
    problem, _, where = str(error).partition(" - at ")
    field = where.strip("`").removeprefix("$").lstrip(".")
    name = f"field `{field}`" if field else "body"
    return RequestError(f"The {name} of the request is wrong: {problem}.")


@functools.lru_cache(1000)
def project_key(project: str | int | None) -> str:
    """The id in a project reference; Label Studio sends `2`, `"2"` or `"2.1795402042"`.

    Raises:
        RequestError: it cannot be an id.

    >>> project_key("2.1795402042"), project_key(2), project_key(None)
    ('2', '2', '')
    """
    return "" if project is None else name(str(project), "project").split(".", 1)[0]


def name(text: str, field: str) -> str:
    """The text, if it can be an id or a name.

    Control characters would forge lines of logs, and databases refuse some of them.

    Raises:
        RequestError: it is too long, or holds control characters.
    """
    if len(text) > MAX_NAME or _CONTROL.search(text):
        raise RequestError(
            f"The field `{field}` of the request is wrong: a name has no control characters, "
            f"and no more than {MAX_NAME} characters."
        )
    return text


def without_nul(text: str | None, field: str) -> str | None:
    """The text, if a database can hold it.

    Raises:
        RequestError: it holds the character NUL.
    """
    if text is not None and "\0" in text:
        raise RequestError(f"The field `{field}` of the request is wrong: it holds the character NUL.")
    return text


def typed_object(said: dict[str, Any] | str | None) -> dict[str, Any]:
    """What a person typed where a JSON object belongs, as in "extra params"; anything else counts as an empty one.

    >>> typed_object('{"a": 1}'), typed_object("[1]"), typed_object("oops")
    ({'a': 1}, {}, {})
    """
    if isinstance(said, dict):
        return said
    try:
        found = msgspec.json.decode(said or "{}")
    except msgspec.DecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def harmless_config(config: str | None) -> str | None:
    """The labeling config, if it is safe to parse, well-formed or not.

    A document type declares entities, which grow without end or stand for files. Label Studio knows none.

    Raises:
        RequestError: it has a document type, or holds the character NUL.
    """
    if config and "<!DOCTYPE" in config:
        raise RequestError("The labeling config of the request is refused: it has a document type (<!DOCTYPE …>).")
    return without_nul(config, "label_config")


def config_problem(config: str) -> str | None:
    """What keeps a text from being a labeling config at all; None when it is well-formed XML.

    >>> config_problem("<View><Text")
    'unclosed token, line 1, column 6'
    """
    if not config.strip():
        return "it is empty"
    parser = xml.parsers.expat.ParserCreate()
    parser.StartDoctypeDeclHandler = _refuse_doctype
    try:
        parser.Parse(config, True)
    except xml.parsers.expat.ExpatError as error:
        return f"{xml.parsers.expat.ErrorString(error.code)}, line {error.lineno}, column {error.offset}"
    except ValueError as error:
        return str(error)
    return None


def _refuse_doctype(*_declaration: Any) -> None:
    raise ValueError("it has a document type (<!DOCTYPE …>)")
