"""`label-studio-ml connect` with a real Label Studio, as a person runs it; the doctor agrees each time."""

from __future__ import annotations

import json

import pytest

from scripts.label_studio import LabelStudio
from scripts.processes import free_port
from tests.support.label_studio_commands import LOCKED, SECRET, connect, examined, make, ready, refused, seen, wrong
from tests.support.played_backend import Pretend, serving
from tests.support.sentiment_project import KEYWORDS, choice, settles_at, value_of
from tests.support.servers import StartServer

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200)]


def test_connecting_makes_the_backend_and_its_webhook_and_a_second_time_changes_nothing(
    label_studio: LabelStudio, start_server: StartServer
) -> None:
    server = ready(start_server(KEYWORDS))
    project, (task, _) = make(label_studio)
    options = ("--title", "Key words", "--interactive", "--extra-params", '{"threshold": 0.25}')

    said = connect(label_studio, server.url, project, *options)

    assert f"Connected {server.url} with project {project} (connected)." in said
    after = seen(label_studio, project)
    (backend,), (webhook,), shown = after
    assert (backend["title"], backend["is_interactive"], backend["url"]) == ("Key words", True, server.url)
    assert (backend["extra_params"], backend["readable_state"]) == ({"threshold": 0.25}, "Connected")
    assert (webhook["url"], webhook["send_for_all_actions"]) == (f"{server.url}/webhook", False)
    assert "ANNOTATION_CREATED" in webhook["actions"]
    assert "LABEL_LINK_CREATED" not in webhook["actions"]
    assert shown == "Key words"
    prediction = label_studio.open_task(task)["predictions"][0]
    assert (value_of(prediction, "sentiment"), prediction["score"]) == ("Positive", 0.25)

    for again in (options, ()):
        assert connect(label_studio, server.url, project, *again).startswith("There is nothing to change.\n")
        assert seen(label_studio, project) == after

    assert wrong(examined(label_studio, server.url, project)) == set()
    assert seen(label_studio, project) == after, "the doctor changes nothing"


def test_what_is_given_anew_is_changed_and_nothing_else(
    label_studio: LabelStudio, start_server: StartServer
) -> None:
    server = ready(start_server(KEYWORDS))
    project, _ = make(label_studio)
    connect(label_studio, server.url, project, "--extra-params", '{"threshold": 0.25}')
    (before,), (webhook,), _ = seen(label_studio, project)
    assert (before["title"], before["is_interactive"]) == ("Keywords", False)

    said = connect(label_studio, server.url, project, "--title", "Another name", "--interactive")
    assert "It is called 'Another name' now." in said
    assert "Interactive preannotations are on now." in said
    (after,), (same,), shown = seen(label_studio, project)
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {"title", "is_interactive"}
    assert (same, shown) == (webhook, "Another name")

    said = connect(label_studio, server.url, project, "--events", "ANNOTATION_CREATED, TASKS_DELETED")
    assert "The webhook sends ANNOTATION_CREATED, TASKS_DELETED." in said
    assert sorted(label_studio.webhooks(project)[0]["actions"]) == ["ANNOTATION_CREATED", "TASKS_DELETED"]
    found = examined(label_studio, server.url, project)["webhook"]
    assert found["status"] == "problem"
    assert "leaves out events that the model uses: PROJECT_UPDATED" in found["what"]
    assert found["fix"] == f"Run: label-studio-ml connect {server.url} --project {project}"
    connect(label_studio, server.url, project, "--events", "all")
    assert label_studio.webhooks(project)[0]["send_for_all_actions"] is True
    connect(label_studio, server.url, project)
    (settled,) = label_studio.webhooks(project)
    assert (settled["send_for_all_actions"], sorted(settled["actions"])) == (False, sorted(webhook["actions"]))


def test_a_backend_of_an_older_package_keeps_its_webhook_as_label_studio_made_it(label_studio: LabelStudio) -> None:
    project, _ = make(label_studio)
    with serving(Pretend(missing={"/versions", "/delete"})) as old:
        assert wrong(examined(label_studio, old.url, project)) == {"connection"}
        assert tokens_sent(old) == {label_studio.token}, "as Label Studio does it when it connects"
        connect(label_studio, old.url, project)
        after = seen(label_studio, project)
        assert [one["title"] for one in after[0]] == ["Pretend"]
        assert after[1][0]["send_for_all_actions"] is True
        assert connect(label_studio, old.url, project).startswith("There is nothing to change.\n")
        assert seen(label_studio, project) == after
        old.calls.clear()
        assert wrong(examined(label_studio, old.url, project)) == set()
        assert tokens_sent(old) == {""}, "Label Studio has told it already"


def tokens_sent(backend: Pretend) -> set[str]:
    """The tokens that the backend was told for the doctor's made-up project."""
    setups = [body for _, path, body in backend.calls if path == "/setup"]
    return {body["access_token"] for body in setups if int(body["project"].partition(".")[0]) > 900_000_000}


@pytest.mark.parametrize("secret", [SECRET, ()], ids=["with a secret", "with user and password alone"])
def test_a_locked_backend_learns_from_annotations_once_it_is_connected(
    label_studio: LabelStudio, start_server: StartServer, secret: tuple[str, ...]
) -> None:
    server = ready(start_server(KEYWORDS, *LOCKED, *secret), ("label", "studio"))
    project, (first, second) = make(label_studio)

    connect(label_studio, server.url, project, *LOCKED, *secret, "--interactive")
    label_studio.annotate(first, [choice("Positive")])

    def events() -> list[str]:
        (backend,) = label_studio.call("GET", f"/api/ml?project={project}")
        answer = label_studio.interact(backend["id"], second, choice("Positive"))
        told: list[str] = json.loads(value_of(answer["data"], "seen"))["events"]
        return told

    assert settles_at(events, ["ANNOTATION_CREATED"])
    after = seen(label_studio, project)
    headers = {"X-Webhook-Secret": "s3cret"} if secret else {"Authorization": "Basic bGFiZWw6c3R1ZGlv"}
    assert after[1][0]["headers"] == headers
    assert connect(label_studio, server.url, project, *LOCKED, *secret).startswith("There is nothing to change.\n")
    assert seen(label_studio, project)[1] == after[1]
    assert wrong(examined(label_studio, server.url, project, *LOCKED, *secret)) == set()


def test_a_wrong_password_is_found_by_both_and_a_new_one_is_told_to_label_studio(
    label_studio: LabelStudio, start_server: StartServer
) -> None:
    server = ready(start_server(KEYWORDS, *LOCKED, *SECRET), ("label", "studio"))
    project, _ = make(label_studio)
    assert "The backend wants a user and a password" in refused(label_studio, server.url, project)
    connect(label_studio, server.url, project, *LOCKED, *SECRET)
    server.stop()
    changed = ("--basic-auth-user", "label", "--basic-auth-pass", "changed")
    again = ready(start_server(KEYWORDS, *changed, *SECRET), ("label", "changed"))

    refused_before = refused(label_studio, again.url, project, *changed, *SECRET)
    assert "Use --replace to put this one in its place." in refused_before
    said = connect(label_studio, again.url, project, *changed, *SECRET, "--replace")
    assert f"Its address is {again.url} now." in said
    assert "Label Studio has the new password." in said
    assert f"The webhook goes to {again.url}/webhook now." in said
    (backend,), (webhook,), _ = seen(label_studio, project)
    assert (backend["readable_state"], webhook["headers"]) == ("Connected", {"X-Webhook-Secret": "s3cret"})
    assert wrong(examined(label_studio, again.url, project, *changed, *SECRET)) == set()

    label_studio.call(
        "PATCH",
        f"/api/webhooks/{webhook['id']}/",
        {"headers": {"X-Webhook-Secret": "forgotten"}, "actions": webhook["actions"]},
    )
    lost = examined(label_studio, again.url, project, *changed, *SECRET)["webhook"]
    assert (lost["status"], "every annotation is lost" in lost["what"]) == ("problem", True)
    assert "--webhook-secret SECRET" in lost["fix"]


def test_what_cannot_be_connected_is_explained(label_studio: LabelStudio, start_server: StartServer) -> None:
    project, _ = make(label_studio)
    nowhere = f"http://127.0.0.1:{free_port()}"
    assert "There is no project 987654" in refused(label_studio, nowhere, 987654)
    assert f"Label Studio cannot reach {nowhere}: Connection refused." in refused(label_studio, nowhere, project)
    assert "Can't resolve hostname" in refused(label_studio, "http://no-such-host.invalid:9090", project)
    assert "Label Studio refuses the token" in refused(label_studio, nowhere, project, token="f" * 40)
    with serving(Pretend(answers={"/setup": lambda _: (503, {"error": "no weights"})})) as broken:
        assert "its setup fails: 503 Server Error" in refused(label_studio, broken.url, project)
    assert seen(label_studio, project)[:2] == ([], [])


def test_predictions_are_retrieved_for_all_tasks_when_asked_for(
    label_studio: LabelStudio, start_server: StartServer
) -> None:
    server = ready(start_server(KEYWORDS))
    project, tasks = make(label_studio)
    connect(label_studio, server.url, project, "--retrieve-predictions")
    assert sorted(one["task"] for one in label_studio.predictions(project)) == tasks
