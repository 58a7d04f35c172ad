"""Every style of constructor that authors have written gets what it takes, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from label_studio_ml.model import LabelStudioMLBase
from tests.support.in_process_backend import CONFIG, PROJECT, served

GIVEN = {"config_file": "net.yaml", "threshold": 0.25}
"""What a person typed after `--with`."""


class Shows(LabelStudioMLBase):
    """Predicts what it knows of itself, in `meta`, so that a test can look at it through the server."""

    def seen(self) -> dict[str, Any]:
        return {}

    def predict(self, tasks: list[dict[str, Any]], **kwargs: Any) -> list[dict[str, Any]]:  # type: ignore[override]
        known = {
            "project_id": self.project_id,
            "label_config": self.label_config,
            "labels": self.parsed_label_config["sentiment"]["labels"],
            "version": str(self.model_version),
        }
        return [{"result": [], "score": 1.0, "meta": {**known, **self.seen()}} for _ in tasks]


class NoConstructor(Shows):
    def setup(self) -> None:
        self.set("model_version", "named-in-setup")


class Keywords(Shows):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.from_name, self.schema = next(iter(self.parsed_label_config.items()))
        self.given = {name: value for name, value in kwargs.items() if name in GIVEN}

    def seen(self) -> dict[str, Any]:
        return {"from_name": self.from_name, "given": self.given}


class OldSuper(Shows):
    def __init__(self, **kwargs: Any) -> None:
        super(OldSuper, self).__init__(**kwargs)  # noqa: UP008 - as it is mostly written
        self.labels = self.parsed_label_config["sentiment"]["labels"]


class TwoNames(Shows):
    def __init__(self, project_id: str | None = None, label_config: str | None = None) -> None:
        super().__init__(project_id, label_config)


class ProjectOnly(Shows):
    def __init__(self, project_id: str | None = None) -> None:
        super().__init__(project_id)


class OwnParameters(Shows):
    def __init__(self, config_file: str | None = None, threshold: float = 0.5, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.config_file, self.threshold = config_file, threshold

    def seen(self) -> dict[str, Any]:
        return {"config_file": self.config_file, "threshold": self.threshold}


class AnyArguments(Shows):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.positional = args

    def seen(self) -> dict[str, Any]:
        return {"positional": list(self.positional)}


class NoArguments(Shows):
    def __init__(self) -> None:
        super().__init__()


class NeverCallsSuper(Shows):
    def __init__(self, label_config: str | None = None, train_output: Any = None, **kwargs: Any) -> None:
        self.weights = train_output or {}

    def seen(self) -> dict[str, Any]:
        return {"weights": self.weights}


class AssignsEverythingItself(Shows):
    def __init__(self, label_config: str | None = None, train_output: Any = None, **kwargs: Any) -> None:
        self.label_config = label_config
        self.train_output = train_output or {}
        self.hostname = kwargs.get("hostname", "")
        self.access_token = kwargs.get("access_token", "")
        self.model_version = "assigned"
        self.workdir = "/somewhere"

    def seen(self) -> dict[str, Any]:
        return {"hostname": self.hostname, "token": self.access_token, "workdir": self.workdir}


@pytest.mark.parametrize(
    ("model_class", "expected"),
    [
        (NoConstructor, {"version": "named-in-setup"}),
        (Keywords, {"from_name": "sentiment", "given": GIVEN}),
        (OldSuper, {}),
        (TwoNames, {}),
        (ProjectOnly, {}),
        (OwnParameters, GIVEN),
        (AnyArguments, {"positional": []}),
        (NoArguments, {}),
        (NeverCallsSuper, {"weights": {}}),
        (
            AssignsEverythingItself,
            {"workdir": "/somewhere", "hostname": "http://ls", "token": "secret", "version": "assigned"},
        ),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_a_constructor_gets_what_it_takes(
    model_class: type[Shows], expected: dict[str, Any], tmp_path: Path
) -> None:
    with served(model_class, tmp_path, **GIVEN) as backend:
        backend.setup(hostname="http://ls", access_token="secret")
        known = backend.predict("x")[0]["meta"]

    common = {"project_id": "7", "label_config": CONFIG, "labels": ["Positive", "Negative"]}
    assert {**common, **expected}.items() <= known.items()


@pytest.mark.parametrize(
    "model_class", [NoConstructor, Keywords, TwoNames, OwnParameters, AnyArguments, NeverCallsSuper]
)
def test_an_instance_can_be_made_by_hand(model_class: type[Any]) -> None:
    model = model_class(label_config=CONFIG)
    if model_class is NeverCallsSuper:
        model.use_label_config(CONFIG)
    assert model.predict([{"data": {"text": "x"}}])[0]["meta"]["labels"] == ["Positive", "Negative"]


def test_instances_made_by_hand_take_label_studios_address_from_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LABEL_STUDIO_URL", "http://label-studio:8080")
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "0123456789abcdef")
    model = LabelStudioMLBase()
    assert (model.hostname, model.access_token) == ("http://label-studio:8080", "0123456789abcdef")
    assert model.get_label_studio_access_token() == "0123456789abcdef"


def test_a_wrong_setting_of_the_server_does_not_keep_anyone_from_making_an_instance(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PORT", "not a number")
    assert LabelStudioMLBase(project_id="5").project_id == "5"


def test_one_instance_serves_many_requests(tmp_path: Path) -> None:
    made = []

    class Counted(Shows):
        def setup(self) -> None:
            made.append(self.project_id)

    with served(Counted, tmp_path) as backend:
        backend.setup()
        for _ in range(3):
            backend.setup()
            backend.predict("x")

    assert made == ["7"]


def test_every_project_has_an_instance_of_its_own(tmp_path: Path) -> None:
    with served(NoConstructor, tmp_path) as backend:
        for project in (PROJECT, "8.1", "9.1"):
            backend.setup(project)
        seen = [
            backend.predict("x", project=project)[0]["meta"]["project_id"] for project in (PROJECT, "8.1", "9.1")
        ]

    assert seen == ["7", "8", "9"]


def test_a_constructor_that_raises_is_told_in_words(tmp_path: Path) -> None:
    class Broken(LabelStudioMLBase):
        def __init__(self, **kwargs: Any) -> None:
            raise FileNotFoundError("weights.pt is missing")

    with served(Broken, tmp_path) as backend:
        reply = backend.ask("x")
        setup = backend.client.post("/setup", json={"project": PROJECT, "schema": CONFIG})

    for each in (reply, setup):
        assert each.status_code == 503
        assert "weights.pt is missing" in each.json["error"]
        assert "Traceback" not in each.text
