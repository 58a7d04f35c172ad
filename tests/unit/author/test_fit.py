"""The author's fit() and what it leaves."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from label_studio_ml import settings
from label_studio_ml.author import fit
from label_studio_ml.errors import FitError
from label_studio_ml.store import versions
from tests.support.host_bench import Bench, Learns, MakeBench, Tasks
from tests.support.in_process_backend import CONFIG


def trained(host: Bench, folder: Path) -> Any:
    host.host.warm("7", CONFIG, 0)
    folder.mkdir()
    return host.host.fit("7", 0, [("ANNOTATION_CREATED", {"annotation": {"id": 1}})], "job", folder, ())


@pytest.mark.parametrize("error", [ValueError("too few"), SystemExit(1)])
def test_a_fit_that_raises_leaves_nothing(error: BaseException, bench: MakeBench, tmp_path: Path) -> None:
    class Raises(Learns):
        def fit(self, event: str, data: Any, **kwargs: Any) -> Any:
            self.set("half", "done")
            self.set("model_version", "never")
            raise error

    host = bench(Raises)
    with pytest.raises(FitError, match=f"fit\\(\\) failed: {type(error).__name__}"):
        trained(host, tmp_path / "work")
    with pytest.raises(AssertionError, match=type(error).__name__):
        host.train()
    assert host.version().name == "0.0.1"
    assert [version.number for version in host.database.read(versions.of_project)] == [0]

    class Looks(Learns):
        def setup(self) -> None:
            assert not self.has("half")

    assert bench(Looks).predict("x")


def test_a_fit_that_returns_no_json_fails_in_words(bench: MakeBench, tmp_path: Path) -> None:
    class Returns(Learns):
        def fit(self, event: str, data: Any, **kwargs: Any) -> Any:
            return {"model": threading.Lock()}

    with pytest.raises(FitError, match=r"not JSON.*kept"):
        trained(bench(Returns), tmp_path / "work")


@pytest.mark.parametrize(
    ("returned", "expected"),
    [
        ({"a": np.float32(0.5), "p": Path("/x")}, {"a": 0.5, "p": "/x"}),
        ("text", {"result": "text"}),
        ([1], {"result": [1]}),
    ],
)
def test_what_fit_returns_is_kept_as_json(returned: Any, expected: Any, bench: MakeBench, tmp_path: Path) -> None:
    class Returns(Learns):
        def fit(self, event: str, data: Any, **kwargs: Any) -> Any:
            return returned

    found = trained(bench(Returns), tmp_path / "work")
    assert found.train_output == expected
    assert found.changed


def test_whatever_fit_leaves_counts_as_a_change(bench: MakeBench, tmp_path: Path) -> None:
    class Leaves(Learns):
        how: ClassVar[str] = "nothing"

        def fit(self, event: str, data: Any, **kwargs: Any) -> Any:
            if self.how == "value":
                self.set("k", 1)
            elif self.how == "workdir":
                Path(kwargs["workdir"], "weights").touch()
            elif self.how == "model folder":
                Path(self.models, "weights").touch()

        models: ClassVar[str] = str(tmp_path / "model-data")

    Path(Leaves.models).mkdir()
    host = bench(Leaves)
    changed = {}
    for how in ("nothing", "value", "workdir", "model folder"):
        Leaves.how = how
        changed[how] = trained(host, tmp_path / how).changed
    assert changed == {"nothing": False, "value": True, "workdir": True, "model folder": True}


def test_values_set_in_fit_belong_to_the_version_that_comes_out(bench: MakeBench) -> None:
    class Counts(Learns):
        def predict(self, tasks: Tasks, context: Any = None, **kwargs: Any) -> Any:
            return [{"result": [], "meta": self.get("count")} for _ in tasks]

        def fit(self, event: str, data: Any, **kwargs: Any) -> Any:
            self.set("count", (self.get("count") or 0) + 1)
            assert self.get("count"), "it reads what it has just set"

    host = bench(Counts)
    host.predict("x")
    host.train()
    host.train()
    assert [host.predict("x", number=number)[0]["meta"] for number in (0, 1, 2)] == [None, 1, 2]


def test_fetching_media_is_not_learning(tmp_path: Path) -> None:
    config = settings.load({}, model_dir=str(tmp_path / "state"))
    config.media_folder.mkdir(parents=True)
    before = fit.fingerprint(config, tmp_path / "workdir")
    (config.media_folder / "file").write_text("fetched")
    assert fit.fingerprint(config, tmp_path / "workdir") == before
    (config.model_dir / "weights").write_text("learnt")
    assert fit.fingerprint(config, tmp_path / "workdir") != before
