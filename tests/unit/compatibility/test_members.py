"""Every member of `LabelStudioMLBase` that authors use, through a server and by hand."""

from __future__ import annotations

import http.server
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import semver
from label_studio_sdk.label_interface import LabelInterface

from label_studio_ml.model import LabelStudioMLBase, get_all_classes_inherited_LabelStudioMLBase
from tests.support.in_process_backend import CONFIG, served

Tasks = list[dict[str, Any]]
TOKEN = "0123456789abcdef0123456789abcdef01234567"
BOXES = """
<View>
  <Image name="photo" value="$url"/><Text name="caption" value="$words"/>
  <RectangleLabels name="box" toName="photo">
    <Label value="Airplane"/><Label value="Car" predicted_values="car, truck"/><Label value="cat"/>
  </RectangleLabels>
  <Choices name="mood" toName="caption"><Choice value="Good"/></Choices>
  <Choices name="kind" toName="photo"><Choice value="Indoor"/></Choices>
</View>
"""


class Idle(LabelStudioMLBase):
    def predict(self, tasks: Tasks, context: Any = None, **kwargs: Any) -> Any:
        return [{"result": [], "score": 1.0, "meta": self.seen()} for _ in tasks]

    def seen(self) -> Any:
        return None


# --- the labeling config ---------------------------------------------------------------------------------


def test_the_labeling_config_can_be_read_in_every_way() -> None:
    model = Idle(label_config=BOXES)
    assert model.label_config == BOXES
    assert list(model.parsed_label_config) == ["box", "mood", "kind"]
    box = model.parsed_label_config["box"]
    assert box["type"] == "RectangleLabels"
    assert box["to_name"] == ["photo"]
    assert box["inputs"][0] == {"type": "Image", "value": "url", "valueType": None}
    assert box["labels"] == ["Airplane", "Car", "cat"]
    assert box["labels_attrs"]["Car"]["predicted_values"] == "car, truck"
    assert isinstance(model.label_interface, LabelInterface)
    assert model.label_interface.get_control("mood").to_name == ["caption"]


def test_without_a_labeling_config_there_are_no_controls() -> None:
    model = Idle()
    assert model.label_config == ""
    assert model.parsed_label_config == {}
    assert model.label_interface is not None


def test_another_labeling_config_can_be_used() -> None:
    model = Idle(label_config=CONFIG)
    assert list(model.parsed_label_config) == ["sentiment"]
    model.use_label_config(BOXES)
    assert model.label_config == BOXES
    assert list(model.parsed_label_config) == ["box", "mood", "kind"]
    assert model.get_first_tag_occurence("RectangleLabels", "Image") == ("box", "photo", "url")


def test_the_first_tag_is_found_by_types_and_names() -> None:
    model = Idle(label_config=BOXES)
    find = model.get_first_tag_occurence
    assert find("Choices", "Text") == ("mood", "caption", "words")
    assert find("Choices", "Image") == ("kind", "photo", "url")
    assert find(("Labels", "RectangleLabels"), ("Image", "Text")) == ("box", "photo", "url")
    assert find("Choices", ("Image", "Text"), name_filter=lambda name: name == "kind") == ("kind", "photo", "url")
    assert find("Choices", ("Image", "Text"), to_name_filter=lambda name: name == "caption")[0] == "mood"
    with pytest.raises(ValueError, match="Taxonomy"):
        find("Taxonomy", "Text")


def test_labels_of_the_model_are_mapped_to_those_of_the_config() -> None:
    model = Idle(label_config=BOXES)
    names = ["airplane", "car", "truck", "Cat", "tree"]
    assert model.build_label_map("box", names) == {
        "airplane": "Airplane",
        "car": "Car",
        "truck": "Car",
        "Cat": "cat",
    }


def test_the_classes_in_a_script_can_be_listed(tmp_path: Path) -> None:
    (tmp_path / "classes_of_an_author.py").write_text(
        "from label_studio_ml.model import LabelStudioMLBase\n"
        "class A(LabelStudioMLBase): ...\nclass B(A): ...\nclass C(LabelStudioMLBase): ...\n"
    )
    assert get_all_classes_inherited_LabelStudioMLBase(str(tmp_path / "classes_of_an_author.py")) == ["B", "C"]
    assert str(tmp_path) not in sys.path


# --- what setup tells ------------------------------------------------------------------------------------


class TellsConnection(Idle):
    def seen(self) -> Any:
        return [self.project_id, self.hostname, self.access_token, self.extra_params]


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ({"size": "xl", "deep": {"n": 1}}, {"size": "xl", "deep": {"n": 1}}),
        ('{"size": "xl"}', {"size": "xl"}),
        ({}, {}),
        (None, {}),
        ("", {}),
        ("[1]", {}),
        ("plain words", {}),
    ],
)
def test_the_connection_is_known_to_the_model(sent: Any, expected: Any, tmp_path: Path) -> None:
    with served(TellsConnection, tmp_path) as backend:
        backend.setup(hostname="http://label-studio", access_token=TOKEN, extra_params=sent)
        assert backend.predict("x")[0]["meta"] == ["7", "http://label-studio", TOKEN, expected]


def test_a_changed_connection_reaches_a_loaded_model(tmp_path: Path) -> None:
    with served(TellsConnection, tmp_path) as backend:
        backend.setup(hostname="http://one", access_token="one", extra_params={"size": 1})
        backend.predict("x")
        backend.setup(hostname="http://two", access_token="two", extra_params={"size": 2})
        assert backend.predict("x")[0]["meta"] == ["7", "http://two", "two", {"size": 2}]


def test_the_environment_overrides_the_connection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABEL_STUDIO_HOST", "http://by-environment")
    monkeypatch.setenv("LABEL_STUDIO_ACCESS_TOKEN", "environment-token")
    with served(TellsConnection, tmp_path) as backend:
        backend.setup(hostname="http://label-studio", access_token=TOKEN)
        assert backend.predict("x")[0]["meta"][1:3] == ["http://by-environment", "environment-token"]


def test_extra_params_can_be_set_by_hand() -> None:
    model = Idle()
    model.set_extra_params({"a": 1})
    assert model.extra_params == {"a": 1}
    model.set_extra_params('{"b": 2}')
    assert model.extra_params == {"b": 2}


# --- values ----------------------------------------------------------------------------------------------

VALUES = {
    "text": "words",
    "number as text": "5",
    "json as text": '{"a": 1}',
    "number": 5,
    "float": 0.5,
    "true": True,
    "none": None,
    "list": [1, "two", None],
    "dict": {"a": {"b": [1]}},
}


class Keeps(Idle):
    def predict(self, tasks: Tasks, context: Any = None, **kwargs: Any) -> Any:
        if tasks[0]["data"]["text"] == "store":
            for name, value in VALUES.items():
                self.set(name, value)
        return super().predict(tasks, context, **kwargs)

    def seen(self) -> Any:
        known = {name: self.get(name) for name in VALUES}
        return [known, [self.has(name) for name in VALUES], self.has("absent"), self.get("absent")]


def test_values_come_back_as_what_they_were_also_after_a_restart(tmp_path: Path) -> None:
    everything = [VALUES, [True] * len(VALUES), False, None]
    with served(Keeps, tmp_path) as backend:
        assert backend.predict("store")[0]["meta"] == everything
        assert backend.predict("look")[0]["meta"] == everything
    with served(Keeps, tmp_path) as backend:
        assert backend.predict("look")[0]["meta"] == everything


def test_values_are_those_of_one_project(tmp_path: Path) -> None:
    with served(Keeps, tmp_path) as backend:
        backend.predict("store", project="1")
        assert backend.predict("look", project="2")[0]["meta"][1] == [False] * len(VALUES)


def test_values_of_instances_made_by_hand_are_shared_by_project() -> None:
    one, again, other = (Idle(project_id=project) for project in ("by hand", "by hand", "by another hand"))
    one.set("k", {"a": 1})
    assert again.get("k") == {"a": 1}
    assert again.has("k")
    assert not other.has("k")


def test_a_value_that_is_not_json_is_refused_in_words() -> None:
    with pytest.raises(Exception, match="not JSON"):
        Idle(project_id="refused").set("k", object())


# --- the model's version -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stored", "expected"),
    [("1.2.3", semver.Version(1, 2, 3)), ("my-model", "my-model"), ("2024", "2024"), ("", None), (None, None)],
)
def test_the_version_is_semantic_where_it_parses(stored: Any, expected: Any) -> None:
    model = Idle(project_id=f"version {stored}")
    model.set("model_version", stored)
    assert model.model_version == expected
    assert type(model.model_version) is type(expected)


class Bumps(Idle):
    def setup(self) -> None:
        if not self.has("bumped"):
            self.set("bumped", True)

    def predict(self, tasks: Tasks, context: Any = None, **kwargs: Any) -> Any:
        if tasks[0]["data"]["text"] == "bump":
            self.bump_model_version()
        return super().predict(tasks, context, **kwargs)

    def seen(self) -> Any:
        return str(self.model_version)


def test_a_bumped_version_is_announced_used_and_kept(tmp_path: Path) -> None:
    with served(Bumps, tmp_path) as backend:
        assert backend.setup() == "0.0.1"
        backend.predict("bump")
        (prediction,) = backend.predict("look")
        assert prediction["meta"] == prediction["model_version"] == backend.setup() == "0.1.0"
        assert backend.versions() == ["0.1.0"]
    with served(Bumps, tmp_path) as backend:
        assert backend.setup() == "0.1.0"
        assert backend.predict("look")[0]["model_version"] == "0.1.0"


def test_bumping_counts_up_any_name() -> None:
    model = Idle(project_id="counting")
    assert model.bump_model_version() == semver.Version(0, 1, 0)
    assert model.bump_model_version() == semver.Version(0, 2, 0)
    model.set("model_version", "mine")
    assert [model.bump_model_version(), model.bump_model_version()] == ["mine.2", "mine.3"]
    assert model.model_version == "mine.3"


def test_an_initial_version_of_the_authors_is_where_a_model_starts(tmp_path: Path) -> None:
    class Started(Idle):
        INITIAL_MODEL_VERSION = "5.0.0"

    with served(Started, tmp_path) as backend:
        assert backend.setup() == "5.0.0"
        assert backend.predict("x")[0]["model_version"] == "5.0.0"
        assert backend.versions() == ["5.0.0"]
    assert Started().model_version == semver.Version(5, 0, 0)


# --- media -------------------------------------------------------------------------------------------------


class Media(http.server.BaseHTTPRequestHandler):
    """Stands where Label Studio would, and notes what it is asked with which credentials."""

    asked: list[tuple[str, str | None]]

    def do_GET(self) -> None:
        self.asked.append((self.path, self.headers["Authorization"]))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"content of a file")

    def log_message(self, *args: Any) -> None:
        """Be quiet."""


@pytest.fixture
def media(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, list[tuple[str, str | None]]]]:
    """The address of a server with media, and the requests it gets."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("NO_PROXY", "*")
    asked: list[tuple[str, str | None]] = []
    handler = type("Handler", (Media,), {"asked": asked})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
        server.shutdown()
        thread.join()


def test_an_upload_is_fetched_with_the_token_of_the_connection(
    media: tuple[str, list[tuple[str, str | None]]],
) -> None:
    url, asked = media
    model = Idle(project_id="media", hostname=url, access_token=TOKEN)
    path = model.get_local_path("/data/upload/7/a.txt", task_id=1)
    assert Path(path).read_text() == "content of a file"
    assert asked
    assert {token for _, token in asked} == {f"Token {TOKEN}"}


def test_cloud_media_are_fetched_through_the_task(media: tuple[str, list[tuple[str, str | None]]]) -> None:
    url, asked = media
    model = Idle(project_id="media", hostname=url, access_token=TOKEN)
    assert Path(model.get_local_path("s3://bucket/a.txt", task_id=5)).read_text() == "content of a file"
    assert asked[0][0].startswith("/tasks/5/presign/?fileuri=")


def test_another_host_and_token_may_be_named(media: tuple[str, list[tuple[str, str | None]]]) -> None:
    url, asked = media
    model = Idle(project_id="media")
    model.get_local_path("/data/upload/7/b.txt", ls_host=url, ls_access_token="another")
    assert asked[0][1] == "Token another"


def test_a_foreign_address_is_fetched_without_the_token(
    media: tuple[str, list[tuple[str, str | None]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, asked = media
    monkeypatch.setenv("LABEL_STUDIO_ML_ALLOW_PRIVATE_MEDIA", "127.0.0.1")
    model = Idle(project_id="media", hostname="http://label-studio", access_token=TOKEN)
    assert Path(model.get_local_path(f"{url}/c.txt")).read_text() == "content of a file"
    assert asked == [("/c.txt", None)]


def test_task_data_is_preloaded_however_deep_it_is(media: tuple[str, list[tuple[str, str | None]]]) -> None:
    url, _ = media
    model = Idle(project_id="media", hostname=url, access_token=TOKEN)
    data = {
        "file": f"{url}/d.txt",
        "words": "as they are",
        "many": [f"{url}/e.txt", None, 5],
        "in": {"it": url + "/f"},
    }
    loaded = model.preload_task_data({"id": 1, "data": data})
    assert loaded == {
        "file": "content of a file",
        "words": "as they are",
        "many": ["content of a file", None, 5],
        "in": {"it": "content of a file"},
    }
    assert model.preload_task_data({"id": 1}, f"{url}/d.txt") == "content of a file"
    path = model.preload_task_data({"id": 1}, f"{url}/d.txt", read_file=False)
    assert Path(path).read_text() == "content of a file"
    assert model.preload_task_data({"id": 1}, "just words") == "just words"


def test_local_files_are_read_from_the_document_root(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a.txt").write_text("from the disk")
    script = (
        "from label_studio_ml.model import LabelStudioMLBase as Base\n"
        "print(Base().get_local_path('/data/local-files/?d=folder/a.txt'))\n"
        "print(Base().preload_task_data({'id': 1, 'data': {'t': '/data/local-files/?d=folder/a.txt'}})['t'])\n"
    )
    environment = {**os.environ, "LOCAL_FILES_DOCUMENT_ROOT": str(tmp_path), "XDG_DATA_HOME": str(tmp_path)}
    said = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
    ).stdout
    assert said.splitlines() == [str(tmp_path / "folder" / "a.txt"), "from the disk"]


# --- Label Studio's API --------------------------------------------------------------------------------------


def test_an_instance_has_one_client_of_label_studio() -> None:
    model = Idle(project_id="client", hostname="http://label-studio", access_token=TOKEN)
    client = model._get_label_studio_client()
    assert client is not None
    assert model._get_label_studio_client() is client
    other = Idle(project_id="client", hostname="http://label-studio", access_token=TOKEN)
    assert other._get_label_studio_client() is not client
    assert model.get_label_studio_access_token() == TOKEN


def test_without_a_connection_there_is_no_client() -> None:
    model = Idle(project_id="nowhere")
    assert model._get_label_studio_client() is None
    assert model.get_label_studio_access_token() is None
    assert Idle(access_token="only a token").get_label_studio_access_token() == "only a token"
