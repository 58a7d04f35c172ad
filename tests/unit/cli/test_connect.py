"""`label-studio-ml connect`: what it refuses before it calls anybody; `tests/e2e` has a real Label Studio."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from label_studio_ml.cli.main import app
from label_studio_ml.errors import LabelStudioError, UsageError
from label_studio_ml.label_studio.sentences import cause
from label_studio_ml.wire import events
from scripts.processes import free_port
from tests.support.played_backend import Pretend, serving

pytestmark = pytest.mark.usefixtures("no_settings_from_outside")

LABEL_STUDIO = ("--label-studio-url", "http://127.0.0.1:9", "--label-studio-api-key", "f" * 40)


def refusal(*arguments: str) -> BaseException:
    done = CliRunner().invoke(app, ["connect", "http://127.0.0.1:9", "--project", "1", *arguments])
    assert done.exception is not None, done.output
    return done.exception


@pytest.mark.parametrize("given", [(), LABEL_STUDIO[:2], LABEL_STUDIO[2:]])
def test_label_studios_address_and_a_token_are_needed(given: tuple[str, ...]) -> None:
    error = refusal(*given)
    assert isinstance(error, UsageError)
    assert "--label-studio-url and --label-studio-api-key" in str(error)


@pytest.mark.parametrize(("params", "said"), [("{", "is not JSON"), ("[1]", "must be a JSON object")])
def test_extra_parameters_that_are_no_object_are_refused(params: str, said: str) -> None:
    assert said in str(refusal(*LABEL_STUDIO, "--extra-params", params))


def test_no_events_at_all_are_refused() -> None:
    assert "--events needs names" in str(refusal(*LABEL_STUDIO, "--events", ","))


def test_a_label_studio_that_does_not_answer_is_told_in_one_sentence() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    error = refusal("--label-studio-url", url, "--label-studio-api-key", "f" * 40)
    assert isinstance(error, LabelStudioError)
    assert "Label Studio does not answer" in str(error)
    assert "Is --label-studio-url right?" in str(error)


def test_what_answers_at_label_studios_address_may_be_something_else() -> None:
    pretend = Pretend(answers={"/api/projects/1/": lambda _: "<html>A shop</html>"})
    with serving(pretend) as other:
        error = refusal("--label-studio-url", other.url, "--label-studio-api-key", "f" * 40)
    assert "is not JSON" in str(error)


@pytest.mark.parametrize(
    ("said", "essential"),
    [
        ("Can't resolve hostname nohost", "Can't resolve hostname nohost"),
        ("Additional info: Pool(host='x'): Read timed out. (read timeout=1.0)", "no answer in time"),
        ("Additional info: 404 Client Error: Not Found.", "404 Client Error: Not Found"),
        ("Reason: 503 Server Error.\nCheck the ML backend server console logs", "503 Server Error"),
    ],
)
def test_what_really_went_wrong_is_told_without_the_rest(said: str, essential: str) -> None:
    assert cause(said) == essential


BOOKKEEPING = ["PROJECT_UPDATED", "TASKS_CREATED", "TASKS_DELETED"]


@pytest.mark.parametrize(
    ("train_events", "keeps", "wanted"),
    [
        ([], False, BOOKKEEPING),
        (["ANNOTATION_UPDATED"], False, [*BOOKKEEPING, "ANNOTATION_UPDATED"]),
        (["ANNOTATIONS_DELETED", "START_TRAINING"], False, [*BOOKKEEPING, "ANNOTATIONS_DELETED"]),
        (["LABEL_LINK_CREATED"], False, [*BOOKKEEPING, "LABEL_LINK_CREATED"]),
        (
            ["ANNOTATION_CREATED"],
            True,
            [
                *BOOKKEEPING,
                "ANNOTATION_CREATED",
                "ANNOTATIONS_CREATED",
                "ANNOTATION_UPDATED",
                "ANNOTATIONS_DELETED",
            ],
        ),
    ],
)
def test_the_events_of_a_webhook_are_named_as_label_studio_names_them(
    train_events: list[str], keeps: bool, wanted: list[str]
) -> None:
    assert events.wanted(train_events, keeps_annotations=keeps) == wanted
