"""Which instances of the author's class are made, kept and shared."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar

import pytest

from label_studio_ml.errors import LoadError
from label_studio_ml.model import LabelStudioMLBase
from label_studio_ml.processes.messages import Predict
from label_studio_ml.store import projects
from tests.support.host_bench import MakeBench, Tasks
from tests.support.in_process_backend import CONFIG


class Made(LabelStudioMLBase):
    """Notes every construction."""

    made: ClassVar[list[Any]]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.made = []

    def setup(self) -> None:
        self.made.append(self.project_id)

    def predict(self, tasks: Tasks, context: Any = None, **kwargs: Any) -> Any:
        return [{"result": []} for _ in tasks]


def test_the_instances_used_longest_ago_go_first(bench: MakeBench) -> None:
    class Kept(Made):
        pass

    host = bench(Kept, max_loaded_models=2)
    for project in ("1", "2", "1", "3", "1", "2"):
        host.predict("x", project=project)
    assert Kept.made == ["1", "2", "3", "2"]


def test_an_instance_is_made_once_for_a_project_a_config_and_a_version(bench: MakeBench) -> None:
    class Kept(Made):
        pass

    host = bench(Kept)
    host.host.warm("7", CONFIG, 0)
    host.host.warm("7", None, 0)
    for _ in range(3):
        host.predict("x")
    assert Kept.made == ["7"]
    host.host.predict(Predict("7", "<View><Text name='t' value='$t'/></View>", 0, [b"{}"], [1]))
    assert Kept.made == ["7", "7"]


def test_other_extra_params_make_another_instance(bench: MakeBench) -> None:
    class Sized(Made):
        def setup(self) -> None:
            self.made.append(self.extra_params.get("size"))

    host = bench(Sized)

    def connect(size: str) -> None:
        host.database.write(projects.save, "7", extra_params={"size": size})
        host.host.warm("7", CONFIG, 0)

    connect("small")
    connect("large")
    assert Sized.made == ["small", "large"]


def test_threads_have_an_instance_each(bench: MakeBench) -> None:
    together = threading.Barrier(3)
    seen: set[int] = set()

    class Threaded(Made):
        def predict(self, tasks: Tasks, context: Any = None, **kwargs: Any) -> Any:
            seen.add(id(self))
            together.wait(10)
            return super().predict(tasks, context, **kwargs)

    host = bench(Threaded, threads=3)
    with ThreadPoolExecutor(3) as threads:
        for _ in range(2):
            list(threads.map(lambda _: host.predict("x"), range(3)))
    assert len(seen) == 3
    assert Threaded.made == ["7"] * 3


def test_calls_of_an_async_predict_share_an_instance_and_wait_together(bench: MakeBench) -> None:
    class Shared(Made):
        waiting: ClassVar[int] = 0

        async def predict(self, tasks: Tasks, context: Any = None, **kwargs: Any) -> Any:
            type(self).waiting += 1
            for _ in range(1000):
                if type(self).waiting == 3:
                    return [{"result": []} for _ in tasks]
                await asyncio.sleep(0.01)
            raise TimeoutError

    host = bench(Shared)
    with ThreadPoolExecutor(3) as threads:
        results = list(threads.map(lambda _: host.predict("x"), range(3)))
    assert all(result != [[]] for result in results)
    assert Shared.made == ["7"]


@pytest.mark.parametrize("error", [ValueError("no weights"), SystemExit(3)])
def test_a_constructor_that_fails_is_a_load_error_and_is_tried_again(
    error: BaseException, bench: MakeBench
) -> None:
    class Fragile(Made):
        failing: ClassVar[bool] = True

        def setup(self) -> None:
            if self.failing:
                raise error

    host = bench(Fragile)
    with pytest.raises(LoadError, match=f"Fragile could not be constructed: {type(error).__name__}"):
        host.predict("x")
    Fragile.failing = False
    assert host.predict("x")


def test_a_version_that_does_not_exist_is_a_load_error(bench: MakeBench) -> None:
    class Any_(Made):
        pass

    with pytest.raises(LoadError, match="Version 5 of project 7 does not exist"):
        bench(Any_).predict("x", number=5)
