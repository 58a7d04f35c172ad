"""`label-studio-ml doctor` with a real Label Studio: what is wrong there is found, and how to fix it."""

from __future__ import annotations

import base64
import contextlib
import json
import time

import pytest

from label_studio_ml.label_studio.project import LabelStudioApi
from scripts.label_studio import Json, LabelStudio
from scripts.processes import free_port
from tests.support.label_studio_commands import LOCKED, connect, examined, make, ready, seen, wrong
from tests.support.paths import BACKENDS
from tests.support.played_backend import Pretend, serving
from tests.support.sentiment_project import KEYWORDS, choice
from tests.support.servers import StartServer

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200)]


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
    assert "access token, which is valid for minutes only" in short["what"]
    for one in (garbage, unknown, old, short):
        assert (one["status"], "Personal Access Token" in one["fix"]) == ("problem", True)

    with contextlib.closing(LabelStudioApi(label_studio.url, personal)) as api:
        api.call("POST", "api/jwt/settings", {"api_tokens_enabled": True, "legacy_api_tokens_enabled": False})
        try:
            legacy = examined(label_studio, server.url, project)["token"]
            handed = examined(label_studio, server.url, project, token=personal)["backend's token"]
        finally:
            api.call("POST", "api/jwt/settings", {"api_tokens_enabled": True, "legacy_api_tokens_enabled": True})
    assert "the organisation does not accept these any more" in legacy["what"]
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
        assert "no user and password for " in locked["connection"]["what"]
        assert locked["connection"]["what"].endswith(", or wrong ones.")
        assert "--basic-auth-user USER" in locked["connection"]["fix"]
        backend.open_paths = {"/health"}
        locked = examined(label_studio, backend.url, project, *LOCKED)
        assert "no user and password for " in locked["connection"]["what"]
        assert locked["connection"]["what"].endswith(", or wrong ones.")
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
