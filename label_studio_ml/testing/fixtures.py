"""Fixtures of pytest that tests of backends share, and the score of a backend on samples with known answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from .backend import Backend, connected

Json = dict[str, Any]


def backend_fixture(
    model_class: type[Any],
    label_config: str | Path | None = None,
    *,
    extra_params: Json | None = None,
    **kwargs: Any,
) -> Any:
    """A pytest fixture that gives each test a backend of its own, connected as `connected` does it.

    backend = backend_fixture(MyModel)

    def test_a_cat_is_found(backend): ...
    """
    import pytest

    @pytest.fixture
    def backend() -> Iterator[Backend]:
        with connected(model_class, label_config, extra_params=extra_params, **kwargs) as found:
            yield found

    return backend


def samples_fixture(tasks: Callable[[Path], list[Json]]) -> Any:
    """A pytest fixture, made once a module: sample tasks whose files are written to a folder first.

    samples = samples_fixture(sample_data.tasks)

    Args:
        tasks: writes files into the folder it is given, and returns dicts with `data`, in which files go by their
            names, and what else tests want to know, as `answer`. What the fixture gives has `Path`s instead of the
            names, which `Backend` uploads.
    """
    import pytest

    @pytest.fixture(scope="module")
    def samples(tmp_path_factory: pytest.TempPathFactory) -> list[Json]:
        folder = tmp_path_factory.mktemp("samples")
        return [{**task, "data": _with_paths(task["data"], folder)} for task in tasks(folder)]

    return samples


def trained_fixture(model_class: type[Any], label_config: str | Path | None = None, *, learned: int) -> Any:
    """A pytest fixture, made once a module: a backend that has learned the answers of the first `samples`.

    trained = trained_fixture(MyModel, learned=30)

    Args:
        model_class: a class that inherits from `LabelStudioMLBase`.
        label_config: as in `check_backend`.
        learned: how many tasks of the fixture `samples` it learns from, by their `answer`.
    """
    import pytest

    @pytest.fixture(scope="module")
    def trained(samples: Sequence[Json]) -> Iterator[Backend]:
        with connected(model_class, label_config) as found:
            found.learn([(one["data"], one["answer"]) for one in samples[:learned]])
            yield found

    return trained


def mean_score(
    backend: Backend, samples: Sequence[Json], score: Callable[[list[Json], list[Json]], float]
) -> float:
    """How right a backend is on samples with an `answer`.

    Args:
        backend: which one.
        samples: tasks with `data` and `answer`.
        score: of the regions that were predicted for a task, and of those that are right: 0 to 1.
    """
    found = backend.predict([one["data"] for one in samples])
    pairs = zip(found, samples, strict=True)
    scores = [score(one["result"] if one else [], sample["answer"]) for one, sample in pairs]
    return sum(scores) / len(scores)


def _with_paths(data: Json, folder: Path) -> Json:
    return {name: folder / value if _is_file(folder, value) else value for name, value in data.items()}


def _is_file(folder: Path, value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) < 200 and (folder / value).is_file()
