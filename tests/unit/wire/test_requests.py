"""Requests as Label Studio sends them, right and wrong ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from label_studio_ml.errors import BodyTooLarge, RequestError
from label_studio_ml.wire import requests
from tests.support.paths import RECORDINGS

REQUESTS = sorted(RECORDINGS.glob("*.json"))
KINDS: dict[str, Any] = {
    "/setup": requests.SetupRequest,
    "/predict": requests.PredictRequest,
    "/webhook": requests.WebhookRequest,
}


def recorded(path: str) -> list[dict[str, Any]]:
    calls = [json.loads(file.read_text()) for file in REQUESTS]
    return [call["body"] for call in calls if call["path"] == path]


@pytest.mark.parametrize("file", REQUESTS, ids=lambda file: file.stem)
def test_every_recorded_body_is_understood(file: Path) -> None:
    call = json.loads(file.read_text())
    if call["body"] is not None:
        body, kind = json.dumps(call["body"]).encode(), KINDS[call["path"]]
        message = requests.decode(body, kind)
        if kind is requests.WebhookRequest:  # the one that is kept
            assert requests.decode_whole(body, kind) == (message, call["body"])


def test_a_recorded_setup_keeps_all_it_says() -> None:
    (body,) = recorded("/setup")
    setup = requests.decode(json.dumps(body).encode(), requests.SetupRequest)
    assert msgspec.to_builtins(setup) == body
    assert requests.project_key(setup.project) == "2"


def test_the_tasks_of_recorded_predictions_stay_as_they_came() -> None:
    bodies = recorded("/predict")
    assert bodies
    for body in bodies:
        request = requests.decode(json.dumps(body).encode(), requests.PredictRequest)
        assert [json.loads(bytes(task)) for task in request.tasks] == body["tasks"]
        assert (request.label_config, request.params) == (body["label_config"], body["params"])


def test_recorded_webhooks_name_their_project_and_config() -> None:
    bodies = recorded("/webhook")
    assert len(bodies) > 5
    for body in bodies:
        request = requests.decode(json.dumps(body).encode(), requests.WebhookRequest)
        assert request.action == body["action"]
        assert request.project_key == str(body["project"]["id"])
        assert request.config == body["project"]["label_config"]


@pytest.mark.parametrize(
    ("body", "kind", "key", "config"),
    [
        (b'{"action": "A"}', requests.WebhookRequest, "", None),
        (b'{"action": "A", "project": null}', requests.WebhookRequest, "", None),
        (b'{"action": "A", "project": "3.17"}', requests.WebhookRequest, "3", None),
        (b'{"action": "A", "project": 3, "label_config": "<View/>"}', requests.WebhookRequest, "3", "<View/>"),
        (b'{"action": "A", "project": {"id": 4}, "label_config": "<V/>"}', requests.WebhookRequest, "4", "<V/>"),
    ],
)
def test_a_webhook_may_name_its_project_in_every_known_form(
    body: bytes, kind: type[requests.WebhookRequest], key: str, config: str | None
) -> None:
    request = requests.decode(body, kind)
    assert (request.project_key, request.config) == (key, config)


def test_fields_of_newer_versions_are_ignored() -> None:
    request = requests.decode(b'{"job": "1", "invented": {"later": []}}', requests.JobStatusRequest)
    assert request.job == "1"


@pytest.mark.parametrize(
    ("body", "kind", "named"),
    [
        (b'{"tasks": 5}', requests.PredictRequest, "field `tasks`"),
        (b'{"tasks": [], "project": [1]}', requests.PredictRequest, "field `project`"),
        (b'{"tasks": [], "label_config": 1}', requests.PredictRequest, "field `label_config`"),
        (b'{"tasks": [], "params": "x"}', requests.PredictRequest, "field `params`"),
        (b"{}", requests.PredictRequest, "`tasks`"),
        (b'{"schema": 1}', requests.SetupRequest, "field `schema`"),
        (b'{"extra_params": 1}', requests.SetupRequest, "field `extra_params`"),
        (b'{"hostname": {}}', requests.SetupRequest, "field `hostname`"),
        (b'{"access_token": 1}', requests.SetupRequest, "field `access_token`"),
        (b"{}", requests.WebhookRequest, "`action`"),
        (b'{"action": 1}', requests.WebhookRequest, "field `action`"),
        (b'{"action": "A", "project": {"id": []}}', requests.WebhookRequest, "field `project.id`"),
        (b'{"project": 1}', requests.TrainRequest, "`annotations`"),
        (b'{"annotations": {}}', requests.TrainRequest, "field `annotations`"),
        (b'{"job": 7}', requests.JobStatusRequest, "field `job`"),
        (b"{}", requests.ProjectRequest, "`project`"),
        (b'{"project": null}', requests.ProjectRequest, "field `project`"),
        (b'{"project_src": 1}', requests.DuplicateRequest, "`project_dst`"),
        (b'{"config": null}', requests.ValidateRequest, "field `config`"),
        (b"[]", requests.ValidateRequest, "The body of the request is wrong: Expected `object`, got `array`"),
    ],
)
def test_a_wrong_body_names_the_field(body: bytes, kind: type[Any], named: str) -> None:
    with pytest.raises(RequestError) as caught:
        requests.decode(body, kind)
    assert named in str(caught.value)


@pytest.mark.parametrize("body", [b"", b"{", b"nonsense", b"\xff\xfe", b'{"tasks": [1,]}', b'{"tasks": ["\xff'])
def test_what_is_not_json_is_said_to_be_so(body: bytes) -> None:
    with pytest.raises(RequestError, match="not JSON"):
        requests.decode(body, requests.PredictRequest)


@pytest.mark.parametrize("place", [b'{"tasks": [%b]}', b'{"tasks": [], "unknown": %b}'])
def test_a_body_nested_without_end_is_refused(place: bytes) -> None:
    with pytest.raises(RequestError, match="nested too deeply"):
        requests.decode(place % (b"[" * 100_000 + b"]" * 100_000), requests.PredictRequest)


@pytest.mark.parametrize("value", [b'"\xff"', b"1e999"])
def test_a_body_that_is_kept_is_readable_in_the_parts_nobody_looked_at(value: bytes) -> None:
    body = b'{"action": "A", "unknown": %b}' % value
    assert requests.decode(body, requests.WebhookRequest).action == "A"
    with pytest.raises(RequestError):
        requests.decode_whole(body, requests.WebhookRequest)


@pytest.mark.parametrize(
    ("reference", "key"),
    [("2.1795402042", "2"), ("2", "2"), (2, "2"), (None, ""), ("", ""), ("abc.1", "abc"), (0, "0")],
)
def test_a_project_has_one_key_however_it_is_named(reference: str | int | None, key: str) -> None:
    assert requests.project_key(reference) == key


@pytest.mark.parametrize(
    "config",
    [
        "<View/>",
        '<View><Text name="t" value="$t"/></View>',
        '<?xml version="1.0" encoding="utf-8"?><View title="ä日本"/>',
        "<View><!-- comment --></View>",
    ],
)
def test_well_formed_configs_have_no_problem(config: str) -> None:
    assert requests.config_problem(config) is None


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ("", "it is empty"),
        (" \n ", "it is empty"),
        ("<View>", "no element found, line 1, column 6"),
        ("<View></Veiw>", "mismatched tag, line 1, column 8"),
        ("<View/><View/>", "junk after document element, line 1, column 7"),
        ("not xml", "syntax error, line 1, column 0"),
        ("<View>&nbsp;</View>", "undefined entity, line 1, column 6"),
        ("<View a='\x00'/>", "not well-formed (invalid token), line 1, column 9"),
    ],
)
def test_a_malformed_config_is_told_with_the_place(config: str, problem: str) -> None:
    assert requests.config_problem(config) == problem


BOMB = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10 if n else "lol"}">' for n in range(10))


@pytest.mark.parametrize(
    "config",
    [
        f"<!DOCTYPE View [{BOMB}]><View>&e9;</View>",
        '<!DOCTYPE View [<!ENTITY file SYSTEM "file:///etc/passwd">]><View>&file;</View>',
        '<!DOCTYPE View [<!ENTITY % outside SYSTEM "http://localhost/x.dtd">]><View/>',
    ],
)
def test_configs_that_declare_entities_are_refused(config: str) -> None:
    assert requests.config_problem(config) == "it has a document type (<!DOCTYPE …>)"
    with pytest.raises(RequestError, match="document type"):
        requests.harmless_config(config)


@pytest.mark.parametrize("config", [None, "", "<View/>", "<View", "<View><Header value='&lt;!DOCTYPE'/></View>"])
def test_a_config_that_is_only_wrong_is_not_dangerous(config: str | None) -> None:
    assert requests.harmless_config(config) == config


@pytest.mark.parametrize("odd", ["a\nb", "\x00", "a\x1b[31m", "\x85", "a\u2028", "x" * 201, "9" * 201])
def test_what_cannot_be_a_project_is_refused(odd: str) -> None:
    with pytest.raises(RequestError, match="`project`"):
        requests.project_key(odd)
    with pytest.raises(RequestError, match="`job`"):
        requests.name(odd, "job")


@pytest.mark.parametrize(
    "odd", ["..", "../../etc", "%2e%2e", "/", "\\", "日本", "👩‍🔬", "'; DROP TABLE jobs; --", " "]
)
def test_what_is_merely_odd_is_a_project_like_any_other(odd: str) -> None:
    assert requests.project_key(odd) == odd.split(".", maxsplit=1)[0]


@pytest.mark.parametrize(
    ("body", "kind", "field"),
    [
        (b'{"project": "%s"}' % (b"9" * 201), requests.SetupRequest, "project"),
        (b'{"project": %s}' % (b"9" * 5000), requests.SetupRequest, "project"),
        (b'{"project": 1e999}', requests.SetupRequest, "project"),
        (b'{"access_token": "%s"}' % (b"a" * 4001), requests.SetupRequest, "access_token"),
        (b'{"action": "%s"}' % (b"a" * 201), requests.WebhookRequest, "action"),
        (b'{"job": "%s"}' % (b"a" * 201), requests.JobStatusRequest, "job"),
        (b'{"config": "%s"}' % (b"a" * (requests.MAX_CONFIG + 1)), requests.ValidateRequest, "config"),
        (b'{"tasks": [%s0]}' % (b"0," * requests.MAX_TASKS), requests.PredictRequest, "tasks"),
    ],
    ids=lambda value: value.decode()[:20] if isinstance(value, bytes) else None,
)
def test_what_is_too_long_is_refused_by_its_field(body: bytes, kind: type[Any], field: str) -> None:
    with pytest.raises(RequestError, match=field):
        requests.decode(body, kind)


def test_a_body_of_too_many_values_is_refused_before_it_is_decoded() -> None:
    body = b'{"action": "X", "annotations": [%s0]}' % (b"0," * requests.MAX_VALUES)
    with pytest.raises(BodyTooLarge, match="more than 10000000 values"):
        requests.decode_whole(body, requests.WebhookRequest)
