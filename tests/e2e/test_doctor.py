"""`label-studio-ml connect` and `doctor` with a real Label Studio, as a person runs them."""

from __future__ import annotations

import base64
import contextlib
import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from label_studio_ml.label_studio.project import LabelStudioApi
from scripts.label_studio import Json, LabelStudio, LabelStudioServer, cached_venv, install
from scripts.processes import free_port, wait_until
from tests.e2e.test_label_studio import KEYWORDS, choice, label_config, settles_at, value_of
from tests.pretend import Pretend, serving
from tests.processes import BACKENDS, ServerProcess, StartServer, run_command

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200)]

LOCKED = ("--basic-auth-user", "label", "--basic-auth-pass", "studio")
SECRET = ("--webhook-secret", "s3cret")


def run(
    command: str, api: LabelStudio, *arguments: str | Path, token: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run a command that knows Label Studio's address and token from its environment."""
    known = {"LABEL_STUDIO_URL": api.url, "LABEL_STUDIO_API_KEY": token or api.token, "COLUMNS": "80"}
    return run_command(command, *arguments, env=known, timeout=240)


def connect(api: LabelStudio, url: str, project: int, *more: str, token: str = "") -> str:
    done = run("connect", api, url, "--project", str(project), *more, token=token)
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout


def refused(api: LabelStudio, url: str, project: int, *more: str, token: str = "") -> str:
    done = run("connect", api, url, "--project", str(project), *more, token=token)
    assert (done.returncode, done.stdout) == (1, ""), done
    assert done.stderr.startswith("Error: ")
    return " ".join(done.stderr.split())


def examined(api: LabelStudio, url: str, project: int | None, *more: str, token: str = "") -> dict[str, Json]:
    """What the doctor finds about Label Studio, by the name of the check, the worst of each."""
    named = () if project is None else ("--project", str(project))
    done = run("doctor", api, url, *named, "--json", *more, token=token)
    assert done.stderr == "", done
    found: dict[str, Json] = {}
    for one in json.loads(done.stdout)["findings"]:
        key = one["check"] if one["about"] == "Label Studio" else f"backend {one['check']}"
        if key not in found or found[key]["status"] == "ok":
            found[key] = one
    return found


def wrong(findings: dict[str, Json]) -> set[str]:
    return {name for name, one in findings.items() if one["status"] == "problem"}


def seen(api: LabelStudio, project: int) -> Any:
    """Everything that `connect` may change in Label Studio, times of looking at it left out."""
    backends = api.call("GET", f"/api/ml?project={project}")
    kept = [{name: one[name] for name in one if name != "updated_at"} for one in backends]
    return kept, api.webhooks(project), api.call("GET", f"/api/projects/{project}/")["model_version"]


def make(api: LabelStudio, *texts: str) -> tuple[int, list[int]]:
    project = api.create_project("connected", label_config("Positive", "Negative"))
    return project, api.import_tasks(project, [{"text": text} for text in texts or ("positive", "negative")])


def ready(server: ServerProcess, auth: tuple[str, str] | None = None) -> ServerProcess:
    with server.client(auth) as client:
        wait_until(lambda: client.get("/health").json()["model"]["state"] == "ready", 60, "the model to be loaded")
    return server


def personal_token(api: LabelStudio) -> str:
    """A personal access token; a user has one at most, so an older one is revoked."""
    for old in api.call("GET", "/api/token/"):
        api.call("POST", "/api/token/blacklist/", {"refresh": old["token"]})
    token: str = api.call("POST", "/api/token/")["token"]
    return token


def expired_token() -> str:
    parts: list[Json] = [{"alg": "HS256", "typ": "JWT"}, {"token_type": "refresh", "exp": int(time.time()) - 60}]
    return ".".join(
        [*(base64.urlsafe_b64encode(json.dumps(one).encode()).decode().rstrip("=") for one in parts), "eHh4"]
    )


# --- connect -----------------------------------------------------------------------------------------------


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


# --- doctor ------------------------------------------------------------------------------------------------


def test_tokens_of_both_kinds_work_and_others_are_explained(
    label_studio: LabelStudio, start_server: StartServer
) -> None:
    server = ready(start_server(KEYWORDS))
    project, _ = make(label_studio)
    personal = personal_token(label_studio)
    assert connect(label_studio, server.url, project, token=personal).startswith("Connected ")
    works = examined(label_studio, server.url, project, token=personal)
    assert works["token"]["what"].startswith("The personal access token of ")
    assert wrong(works) == set()

    garbage = examined(label_studio, server.url, project, token="rubbish")["token"]
    assert garbage["what"] == "Label Studio refuses this token: Invalid token."
    unknown = examined(label_studio, server.url, project, token="f" * 40)["token"]
    assert unknown["what"] == "Label Studio refuses this legacy token: Invalid token."
    old = examined(label_studio, server.url, project, token=expired_token())["token"]
    assert "has expired" in old["what"]
    access = label_studio.call("POST", "/api/token/refresh/", {"refresh": personal})["access"]
    short = examined(label_studio, server.url, project, token=access)["token"]
    assert "access token, which lives for minutes only" in short["what"]
    for one in (garbage, unknown, old, short):
        assert (one["status"], "Personal Access Token" in one["fix"]) == ("problem", True)

    with contextlib.closing(LabelStudioApi(label_studio.url, personal)) as api:
        api.call("POST", "api/jwt/settings", {"api_tokens_enabled": True, "legacy_api_tokens_enabled": False})
        try:
            legacy = examined(label_studio, server.url, project)["token"]
            handed = examined(label_studio, server.url, project, token=personal)["backend's token"]
        finally:
            api.call("POST", "api/jwt/settings", {"api_tokens_enabled": True, "legacy_api_tokens_enabled": True})
    assert "the organisation does not take these any more" in legacy["what"]
    assert "Use a personal access token" in legacy["fix"]
    assert handed["status"] == "warning"
    assert f"LABEL_STUDIO_URL={label_studio.url} and LABEL_STUDIO_API_KEY" in handed["fix"]

    label_studio.call("POST", "/api/token/blacklist/", {"refresh": personal})
    revoked = examined(label_studio, server.url, project, token=personal)["token"]
    assert revoked["what"].startswith("Label Studio refuses this personal access token")


def test_each_way_a_webhook_can_be_wrong_is_found_and_connecting_mends_it(
    label_studio: LabelStudio, start_server: StartServer
) -> None:
    server = ready(start_server(KEYWORDS))
    project, _ = make(label_studio)
    connect(label_studio, server.url, project)
    (webhook,) = label_studio.webhooks(project)
    path, mend = f"/api/webhooks/{webhook['id']}/", f"label-studio-ml connect {server.url} --project {project}"

    for fault, said in (({"is_active": False}, "is switched off"), ({"send_payload": False}, "sends no payload")):
        label_studio.call("PATCH", path, {**fault, "actions": webhook["actions"]})
        found = examined(label_studio, server.url, project)["webhook"]
        assert (found["status"], said in found["what"], mend in found["fix"]) == ("problem", True, True)
        assert "The webhook is active now" in connect(label_studio, server.url, project)
    label_studio.call("POST", "/api/webhooks/", {"url": webhook["url"], "project": project})
    twice = examined(label_studio, server.url, project)["webhook"]
    assert (twice["status"], "every event arrives 2 times" in twice["what"]) == ("warning", True)
    for one in label_studio.webhooks(project):
        label_studio.call("DELETE", f"/api/webhooks/{one['id']}/")
    gone = examined(label_studio, server.url, project)["webhook"]
    assert (gone["status"], "There is no webhook to" in gone["what"], mend in gone["fix"]) == (
        "problem",
        True,
        True,
    )
    assert f"Made a webhook to {server.url}/webhook." in connect(label_studio, server.url, project)
    assert wrong(examined(label_studio, server.url, project)) == set()


def test_what_is_wrong_between_project_and_backend_is_found(
    label_studio: LabelStudio, start_server: StartServer
) -> None:
    server = ready(start_server(KEYWORDS))
    project, (task, _) = make(label_studio)
    none = examined(label_studio, server.url, None)
    assert none["project"]["status"] == "warning"
    assert "There is no project 987654" in examined(label_studio, server.url, 987654)["project"]["what"]

    apart = examined(label_studio, server.url, project)
    assert f"label-studio-ml connect {server.url} --project {project}" in apart["connection"]["fix"]
    assert apart["address"]["status"] == "ok"
    assert seen(label_studio, project)[:2] == ([], []), "asking connects nothing"

    connect(label_studio, server.url, project)
    older = [{"task": task, "result": [choice("Positive")], "model_version": "something-older"}]
    label_studio.call("POST", f"/api/projects/{project}/import/predictions", older)
    label_studio.call("PATCH", f"/api/projects/{project}/", {"model_version": "something-older"})
    hidden = examined(label_studio, server.url, project)["shown"]
    assert (hidden["status"], "'something-older'" in hidden["what"], "'Keywords'" in hidden["fix"]) == (
        "warning",
        True,
        True,
    )
    label_studio.call("PATCH", f"/api/projects/{project}/", {"model_version": ""})
    assert "shows none" in examined(label_studio, server.url, project)["shown"]["what"]
    assert "The project shows the predictions of 'Keywords' now." in connect(label_studio, server.url, project)
    assert examined(label_studio, server.url, project)["shown"]["status"] == "ok"
    label_studio.call("PATCH", f"/api/projects/{project}/", {"show_collab_predictions": False})
    assert "does not show predictions" in examined(label_studio, server.url, project)["shown"]["what"]

    server.stop()
    down = examined(label_studio, server.url, project)
    assert "connection refused" in down["backend reachable"]["what"]
    assert "Connection refused" in down["address"]["what"]
    moved = ready(start_server(KEYWORDS))
    elsewhere = examined(label_studio, moved.url, project)["connection"]
    assert (server.url in elsewhere["what"], "--replace" in elsewhere["fix"]) == (True, True)


def test_why_label_studio_shows_a_backend_as_disconnected_is_found(label_studio: LabelStudio) -> None:
    project, _ = make(label_studio)
    with serving(Pretend()) as backend:
        connect(label_studio, backend.url, project)
        backend.slow["/health"] = 2.5
        slow = examined(label_studio, backend.url, project)
        assert slow["backend health"]["status"] == "problem"
        assert "not within 1 s" in slow["connection"]["what"]
        backend.slow.clear()
        backend.user, backend.password, backend.open_paths = "label", "studio", set()
        locked = examined(label_studio, backend.url, project, *LOCKED)
        assert "no or a wrong user and password" in locked["connection"]["what"]
        assert "--basic-auth-user USER" in locked["connection"]["fix"]
        backend.open_paths = {"/health"}
        locked = examined(label_studio, backend.url, project, *LOCKED)
        assert "no or a wrong user and password" in locked["connection"]["what"]
        assert "The user is 'label' now." in connect(label_studio, backend.url, project, *LOCKED)
        assert wrong(examined(label_studio, backend.url, project, *LOCKED)) == set()
        backend.answers["/setup"] = lambda _: (500, {"error": "no weights"})
        broken = examined(label_studio, backend.url, project, *LOCKED)
        assert "500: no weights" in broken["backend setup"]["what"]
        assert "its setup fails: 500 Server Error" in broken["connection"]["what"]


def test_media_of_a_real_task_are_fetched_or_said_to_be_missing(
    label_studio: LabelStudio, start_server: StartServer
) -> None:
    server = ready(start_server(BACKENDS / "echo.py"))
    config = (
        '<View><Image name="image" value="$image"/><RectangleLabels name="box" toName="image">'
        '<Label value="Cat"/></RectangleLabels></View>'
    )
    for address, status in (
        (f"{label_studio.url}/static/samples/sample.jpg", "ok"),
        ("/data/upload/1/not-there.png", "problem"),
        (f"http://127.0.0.1:{free_port()}/cat.png", "problem"),
    ):
        project = label_studio.create_project("media", config)
        label_studio.import_tasks(project, [{"image": address}])
        connect(label_studio, server.url, project)
        found = examined(label_studio, server.url, project)["media"]
        assert (found["status"], address[:100] in found["what"]) == (status, True)


def test_an_address_that_is_no_label_studio_is_said_not_to_be(
    label_studio: LabelStudio, start_server: StartServer
) -> None:
    server = ready(start_server(KEYWORDS))
    other = LabelStudio(server.url, label_studio.token)
    assert "is not Label Studio" in examined(other, server.url, 1)["reachable"]["what"]
    nowhere = LabelStudio(f"http://127.0.0.1:{free_port()}", label_studio.token)
    assert "connection refused" in examined(nowhere, server.url, 1)["reachable"]["what"]


# --- the protection against local addresses ----------------------------------------------------------------


@pytest.fixture(scope="module")
def protected(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabelStudio]:
    """Label Studio as it is without the two settings that let local addresses in."""
    install(cached_venv())
    folder = tmp_path_factory.mktemp("protected")
    server = LabelStudioServer(
        cached_venv(),
        folder / "data",
        free_port(),
        folder / "label-studio.log",
        environment={"ML_BLOCK_LOCAL_IP": "true", "SSRF_PROTECTION_ENABLED": "true"},
    )
    try:
        server.wait_ready()
        yield server.api
    finally:
        server.stop()


def test_the_protection_against_local_addresses_is_named_with_the_two_settings(
    protected: LabelStudio, start_server: StartServer
) -> None:
    server = ready(start_server(KEYWORDS))
    project, _ = make(protected)
    settings = "ML_BLOCK_LOCAL_IP=false SSRF_PROTECTION_ENABLED=false"

    said = refused(protected, server.url, project)
    assert f"protects itself from local addresses and refuses {server.url}" in said
    assert settings in said
    found = examined(protected, server.url, project)["address"]
    assert (found["status"], settings in found["fix"]) == ("problem", True)
    assert "URL resolves to a reserved network address" in found["what"]
    with contextlib.closing(LabelStudioApi(protected.url, protected.token)) as api:
        assert "reserved network address" in api.webhook_address_refused(project, f"{server.url}/webhook")
        assert api.webhook_address_refused(project, "https://1.1.1.1/webhook") == ""
    assert seen(protected, project)[:2] == ([], [])
