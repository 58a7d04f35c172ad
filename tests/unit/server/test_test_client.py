"""`init_app(Model).test_client()`: what authors' own tests rely on."""

from __future__ import annotations

import asyncio
import base64
import gc
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from label_studio_ml import api
from label_studio_ml.api import init_app
from label_studio_ml.model import LabelStudioMLBase
from label_studio_ml.server.test_client import TestClient
from label_studio_ml.server.wsgi import BackendApp
from tests.support.in_process_backend import CONFIG, PROJECT, Served, region

Tasks = list[dict[str, Any]]
BODY = {"tasks": [{"id": 1, "data": {"text": "x"}}], "project": PROJECT, "label_config": CONFIG}


class NewModel(LabelStudioMLBase):
    def setup(self) -> None:
        self.set("model_version", "new")

    def answer(self, text: str) -> str:
        return "Positive"

    def predict(self, tasks: Tasks, context: Any = None, **kwargs: Any) -> Any:
        return [
            {"result": [region(self.answer(task["data"]["text"]))], "score": len(self.get("seen") or []) / 100}
            for task in tasks
        ]

    def fit(self, event: str, data: Any, **kwargs: Any) -> None:
        self.set("seen", [*(self.get("seen") or []), event])


@pytest.fixture(autouse=True)
def _no_state_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MODEL_DIR", raising=False)


@pytest.fixture
def app() -> BackendApp:
    app = init_app(model_class=NewModel)
    app.config["TESTING"] = True
    return app


@pytest.fixture
def client(app: BackendApp) -> Iterator[TestClient]:
    with app.test_client() as client:
        yield client


def choice(results: list[Any]) -> str:
    found: str = results[0]["result"][0]["value"]["choices"][0]
    return found


# --- requests and replies ----------------------------------------------------------------------


def test_config_is_a_mapping_of_the_authors_own(app: BackendApp) -> None:
    assert app.config["TESTING"] is True
    app.config.update(DEBUG=True)
    assert app.config.get("DEBUG") is True


@pytest.mark.parametrize(
    "send",
    [
        lambda client: client.post("/predict", data=json.dumps(BODY), content_type="application/json"),
        lambda client: client.post("/predict", data=json.dumps(BODY).encode(), content_type="application/json"),
        lambda client: client.post("/predict", data=json.dumps(BODY), headers={"Content-Type": "application/json"}),
        lambda client: client.post("/predict", data=json.dumps(BODY)),
        lambda client: client.post("/predict", json=BODY),
        lambda client: client.post(path="/predict", json=BODY),
        lambda client: client.open("/predict", method="POST", json=BODY),
    ],
)
def test_a_body_can_be_given_as_text_bytes_or_json(send: Callable[[TestClient], Any], client: TestClient) -> None:
    reply = send(client)
    assert reply.status_code == 200
    assert choice(reply.json["results"]) == "Positive"


def test_a_reply_can_be_read_in_every_way(client: TestClient) -> None:
    reply = client.post("/predict", json=BODY)
    whole = {"results": [{"result": [region()], "score": 0.0, "model_version": "new"}]}
    assert json.loads(reply.data) == whole
    assert reply.json == reply.get_json() == reply.get_json(force=True) == whole
    assert reply.data == reply.get_data() == reply.text.encode()
    assert reply.text == reply.get_data(as_text=True)
    assert reply.mimetype == reply.content_type == "application/json"
    assert reply.headers["Content-Type"] == reply.headers["content-type"] == "application/json"
    assert reply.status.startswith("200")
    assert "200" in repr(reply)


def test_queries_may_be_part_of_the_path_or_apart(client: TestClient) -> None:
    client.post("/setup", json={"project": PROJECT, "schema": CONFIG})
    replies = [
        client.get("/versions?project=7"),
        client.get("/versions", query_string={"project": "7"}),
        client.get("/versions", query_string="project=7"),
    ]
    assert [reply.json["versions"] for reply in replies] == [["new"]] * 3


def test_health_says_that_the_server_is_up(client: TestClient) -> None:
    for path in ("/", "/health"):
        reply = client.get(path)
        assert reply.status_code == 200
        assert reply.get_json()["status"] == "UP"
        assert reply.get_json()["model_class"] == "NewModel"


def test_other_methods_are_answered_too(client: TestClient) -> None:
    assert client.open("/health", method="HEAD").data == b""
    assert client.open("/predict", method="DELETE").status_code == 405


# --- with and without a block ------------------------------------------------------------------


def test_a_client_works_without_a_with_block(app: BackendApp) -> None:
    client = app.test_client()
    assert client.post("/predict", json=BODY).status_code == 200
    assert client.get("/health").status_code == 200


def test_a_client_that_is_forgotten_ends_its_threads(app: BackendApp) -> None:
    before = set(threading.enumerate())
    client = app.test_client()
    client.get("/health")
    assert set(threading.enumerate()) - before
    del client
    gc.collect()
    for thread in set(threading.enumerate()) - before:
        thread.join(10)
        assert not thread.is_alive(), thread.name


def test_a_client_leaves_nothing_behind(app: BackendApp) -> None:
    before = set(threading.enumerate())
    with app.test_client() as client:
        client.post("/predict", json=BODY)
        folder = Path(client.get("/health").json["model_dir"])
        assert folder.is_dir()
    assert not folder.exists()
    assert set(threading.enumerate()) <= before


def test_a_client_can_be_used_again_after_its_block(app: BackendApp) -> None:
    client = app.test_client()
    for _ in range(2):
        with client:
            assert client.get("/health").status_code == 200
    client.close()
    client.close()


def test_state_is_kept_where_the_author_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODEL_DIR", str(tmp_path))
    for expected in (0, 0.01):
        with init_app(model_class=NewModel).test_client() as client:
            backend = Served(client)
            assert backend.predict("x")[0]["score"] == expected
            backend.annotate()


# --- the model runs in the calling process -----------------------------------------------------


def test_a_patched_method_takes_effect(client: TestClient) -> None:
    with patch.object(NewModel, "answer", return_value="Negative") as answer:
        assert choice(client.post("/predict", json=BODY).json["results"]) == "Negative"
    answer.assert_called_once_with("x")
    assert choice(client.post("/predict", json=BODY).json["results"]) == "Positive"


@pytest.mark.parametrize("autospec", [False, True])
def test_predict_itself_can_be_patched(autospec: bool, client: TestClient) -> None:
    made = [{"result": [region("Negative")], "score": 0.75}]
    with patch.object(NewModel, "predict", autospec=autospec, return_value=made) as predict:
        reply = client.post("/predict", json=BODY)
    assert choice(reply.json["results"]) == "Negative"
    predict.assert_called_once()


@pytest.mark.parametrize("autospec", [False, True])
def test_fit_itself_can_be_patched(autospec: bool, client: TestClient) -> None:
    with patch.object(NewModel, "fit", autospec=autospec, return_value={"done": True}) as fit:
        reply = Served(client).annotate(5)
    assert reply.status_code == 201
    fit.assert_called_once()
    assert fit.call_args.kwargs["event"] == "ANNOTATION_CREATED"
    assert fit.call_args.kwargs["data"]["annotation"]["id"] == 5


def test_fit_patched_without_a_result_is_called_and_the_reply_is_good(client: TestClient) -> None:
    with patch.object(NewModel, "fit") as fit:
        assert Served(client).annotate().status_code == 201
    fit.assert_called_once()


def test_setup_can_be_patched_before_the_first_request(app: BackendApp) -> None:
    with patch.object(NewModel, "setup"), app.test_client() as client:
        assert Served(client).setup() == "0.0.1"


def test_objects_of_the_calling_process_are_reached(tmp_path: Path) -> None:
    calls: list[str] = []

    class Notes(LabelStudioMLBase):
        def predict(self, tasks: Tasks, context: Any = None, **kwargs: Any) -> Any:
            calls.extend(task["data"]["text"] for task in tasks)
            return [{"result": []} for _ in tasks]

    with init_app(Notes).test_client() as client:
        client.post("/predict", json=BODY)
    assert calls == ["x"]


# --- training ----------------------------------------------------------------------------------


def test_a_webhook_has_trained_when_it_answers(client: TestClient) -> None:
    backend = Served(client)
    before = backend.setup()
    for count in (1, 2, 3):
        reply = backend.annotate(count)
        assert reply.status_code == 201
        assert backend.job(reply)["job_status"] == "finished"
        (prediction,) = backend.predict("x")
        assert prediction["score"] == count / 100
        assert prediction["model_version"] != before


def test_every_call_tells_the_same_story(client: TestClient) -> None:
    backend = Served(client)
    for expected in ("new", "new+1", "new+2"):
        assert backend.setup() == expected
        assert backend.predict("x")[0]["model_version"] == expected
        assert backend.versions()[0] == expected
        assert client.post("/versions", json={"project": PROJECT}).json["versions"][0] == expected
        training = client.get(f"/is_training?project={PROJECT}").json
        assert (training["is_training"], training["model_version"]) == (False, expected)
        reply = backend.annotate()
        job = client.get("/is_training?project=7").json["job"]
        assert job["job"] == reply.json["job"]
        assert job["job_status"] == backend.job(reply)["job_status"] == "finished"


def test_a_fit_that_raises_does_not_break_the_reply(client: TestClient) -> None:
    backend = Served(client)
    before = backend.setup()
    with patch.object(NewModel, "fit", side_effect=RuntimeError("no memory")):
        reply = backend.annotate()
    assert reply.status_code == 201
    assert backend.job(reply)["job_status"] == "failed"
    assert "no memory" in backend.job(reply)["error"]
    assert backend.setup() == backend.predict("x")[0]["model_version"] == before


# --- errors ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "options", "status"),
    [
        ("/predict", {"data": "not json", "content_type": "application/json"}, 400),
        ("/predict", {"json": {"tasks": {"id": 1}}}, 400),
        ("/predict", {"json": {}}, 400),
        ("/predict", {}, 400),
        ("/setup", {"json": {"project": PROJECT, "schema": "<View"}}, 400),
        ("/webhook", {"json": {"project": {"id": 1}}}, 400),
        ("/train", {"json": {"annotations": [], "project": PROJECT}}, 400),
        ("/job_status", {"json": {"job": "unknown"}}, 410),
        ("/nowhere", {"json": {}}, 404),
        ("/health", {"json": {}}, 405),
    ],
)
def test_an_error_is_json_without_a_traceback(
    path: str, options: dict[str, Any], status: int, client: TestClient
) -> None:
    reply = client.post(path, **options)
    assert reply.status_code == status
    assert reply.mimetype == "application/json"
    assert reply.get_json()["error"]
    assert "Traceback" not in reply.text


def test_a_predict_that_raises_costs_its_task_only(client: TestClient) -> None:
    def fails_on_bad(self: NewModel, text: str) -> str:
        if text == "bad":
            raise KeyError("the inside of the model")
        return "Positive"

    with patch.object(NewModel, "answer", fails_on_bad):
        good, bad, fine = Served(client).predict("a", "bad", "c")
    assert (good["score"], bad, fine["score"]) == (0, [], 0)
    assert "the inside of the model" in client.get("/").json["problems"][0]["message"]


def test_an_interactive_predict_that_raises_is_an_error_in_words(client: TestClient) -> None:
    with patch.object(NewModel, "predict", side_effect=ValueError("no such tool")):
        reply = Served(client).ask("x", context={"result": [region()]})
    assert reply.status_code == 500
    assert "no such tool" in reply.get_json()["error"]
    assert "Traceback" not in reply.text


# --- who may call ------------------------------------------------------------------------------


@pytest.fixture(params=["arguments", "environment"])
def guarded(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """A client of a backend that wants user and password."""
    if request.param == "environment":
        monkeypatch.setenv("ML_SERVER_BASIC_AUTH_USER", "me")
        monkeypatch.setenv("ML_SERVER_BASIC_AUTH_PASS", "secret")
        app = init_app(model_class=NewModel)
    else:
        app = init_app(model_class=NewModel, basic_auth_user="me", basic_auth_pass="secret")
    with app.test_client() as client:
        yield client


def test_with_basic_auth_only_the_right_password_gets_through(guarded: TestClient) -> None:
    right = base64.b64encode(b"me:secret").decode()
    wrong = base64.b64encode(b"me:guess").decode()
    assert guarded.post("/predict", json=BODY).status_code == 401
    assert guarded.post("/predict", json=BODY, headers={"Authorization": f"Basic {wrong}"}).status_code == 401
    assert guarded.post("/predict", json=BODY, auth=("me", "guess")).status_code == 401
    assert guarded.post("/predict", json=BODY, headers={"Authorization": f"Basic {right}"}).status_code == 200
    assert guarded.post("/predict", json=BODY, auth=("me", "secret")).status_code == 200
    assert guarded.get("/health").status_code == 200


def test_a_refusal_is_json(guarded: TestClient) -> None:
    reply = guarded.post("/webhook", json={"action": "ANNOTATION_CREATED"})
    assert reply.status_code == 401
    assert reply.get_json()["error"]
    assert reply.headers["WWW-Authenticate"].startswith("Basic")


# --- several, and inside a loop ----------------------------------------------------------------


def test_a_client_can_be_used_inside_a_running_event_loop(app: BackendApp) -> None:
    async def author_test() -> None:
        with app.test_client() as client:
            backend = Served(client)
            backend.setup()
            backend.annotate()
            assert backend.predict("x")[0]["score"] == 0.01

    asyncio.run(author_test())


def test_two_clients_do_not_see_each_other(app: BackendApp) -> None:
    class OtherModel(LabelStudioMLBase):
        def predict(self, tasks: Tasks, context: Any = None, **kwargs: Any) -> Any:
            return [{"result": [], "score": 1.0} for _ in tasks]

    with app.test_client() as one, app.test_client() as two, init_app(OtherModel).test_client() as three:
        Served(one).annotate()
        scores = [Served(client).predict("x")[0]["score"] for client in (one, two, three)]
        assert scores == [0.01, 0, 1.0]
        assert [Served(client).setup() for client in (one, two, three)] == ["new+1", "new", "0.0.1"]


def test_threads_may_share_a_client(client: TestClient) -> None:
    with ThreadPoolExecutor(8) as threads:
        replies = list(threads.map(lambda _: client.post("/predict", json=BODY), range(40)))
    assert {reply.status_code for reply in replies} == {200}
    assert {choice(reply.json["results"]) for reply in replies} == {"Positive"}


def test_threads_that_begin_at_once_start_one_server(app: BackendApp) -> None:
    client = app.test_client()
    with ThreadPoolExecutor(8) as threads:
        replies = list(threads.map(lambda _: client.get("/health"), range(8)))
    assert len({reply.json["model_dir"] for reply in replies}) == 1
    client.close()


def test_clients_may_start_at_the_same_time(app: BackendApp) -> None:
    clients = [app.test_client() for _ in range(6)]
    with ThreadPoolExecutor(6) as threads:
        replies = list(threads.map(lambda client: client.get("/health"), clients))
    assert len({reply.json["model_dir"] for reply in replies}) == 6
    for client in clients:
        client.close()


def test_a_predict_that_is_async_works_in_a_client() -> None:
    class Async(LabelStudioMLBase):
        async def predict(self, tasks: Tasks, context: Any = None, **kwargs: Any) -> Any:
            await asyncio.sleep(0)
            return [{"result": [], "score": 0.5} for _ in tasks]

    with init_app(Async).test_client() as client:
        assert Served(client).predict("a", "b")[1]["score"] == 0.5


# --- the app itself ----------------------------------------------------------------------------


def test_the_bare_base_class_is_served_by_its_own_app() -> None:
    with api._server.test_client() as client:
        assert client.get("/health").get_json()["model_class"] == "LabelStudioMLBase"
        assert client.get("/metrics").status_code == 200
        assert client.post("/predict", json=BODY).get_json() == {"results": [[]]}


@pytest.mark.parametrize("wrong", [None, "NewModel", object, NewModel()])
def test_only_model_classes_can_be_served(wrong: Any) -> None:
    with pytest.raises(ValueError, match="LabelStudioMLBase"):
        init_app(wrong)


def test_arguments_of_older_packages_are_accepted(tmp_path: Path) -> None:
    app = init_app(
        model_class=NewModel,
        model_dir=str(tmp_path),
        redis_queue="default",
        redis_host="localhost",
        redis_port=6379,
        threshold=0.5,
    )
    assert app.model_kwargs == {"threshold": 0.5}
    with app.test_client() as client:
        assert client.get("/health").json["model_dir"] == str(tmp_path)
