"""`ModelHost`: the author's class called with real requests, over a real store."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import numpy as np
import pytest
from sqlalchemy import Connection

from label_studio_ml import settings
from label_studio_ml.backend.answers import REASONS, Answer, Group
from label_studio_ml.backend.host import ModelHost, training_rules
from label_studio_ml.errors import FitError, LoadError, SourceError
from label_studio_ml.model import LabelStudioMLBase
from label_studio_ml.store import jobs, projects, versions
from label_studio_ml.store.database import Database
from label_studio_ml.store.versions import Version
from label_studio_ml.training import trainer
from tests.inprocess import CONFIG, region

Tasks = list[dict[str, Any]]
BAD = "bad"


class Bench:
    """A host with what it stands on, and short ways to ask it."""

    def __init__(self, host: ModelHost, config: settings.Settings, database: Database) -> None:
        self.host, self.settings, self.database = host, config, database

    def answer(self, *groups: list[str], project: str = "7", number: int = 0, **params: Any) -> Answer:
        """Predict for requests, each a list of texts; task ids count up through all of them."""
        ids = iter(range(1, 10_000))
        made = [
            Group([msgspec.json.encode({"id": next(ids), "data": {"text": text}}) for text in texts])
            for texts in groups
        ]
        return self.host.predict(project, CONFIG, number, made, params)

    def predict(self, *texts: str, **more: Any) -> list[Any]:
        """The decoded results for one request."""
        return [msgspec.json.decode(item) for item in self.answer(list(texts), **more).results[0]]

    def train(self, project: str = "7", action: str = "ANNOTATION_CREATED") -> Version:
        """Run a job as the trainer does, and let what comes out serve."""

        def queue(connection: Connection) -> None:
            projects.save(connection, project, label_config=CONFIG)
            jobs.add(connection, project, action)

        self.database.write(queue)
        job = self.database.write(lambda connection: jobs.claim(connection, "me", 60))
        assert job is not None
        trainer.run(self.host, self.settings, self.database, job.id, "me")
        done = self.database.read(lambda connection: jobs.get(connection, job.id))
        assert done is not None
        if done.version is None:
            raise AssertionError(done.error or "fit() changed nothing")
        number = done.version
        self.database.write(lambda connection: versions.activate(connection, project, number))
        return self.version(number, project)

    def version(self, number: int = 0, project: str = "7") -> Version:
        """A version as it is stored."""
        found = self.database.read(lambda connection: versions.get(connection, project, number))
        assert found is not None
        return found


class MakeBench:
    """Makes benches over one database."""

    def __init__(self, folder: Path, database: Database) -> None:
        self._folder, self._database = folder, database

    def __call__(self, model_class: type[Any], kwargs: dict[str, Any] | None = None, **given: Any) -> Bench:
        config = settings.load({}, model_dir=self._folder / "model-data", **given)
        return Bench(ModelHost(model_class, kwargs or {}, config, self._database), config, self._database)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[MakeBench]:
    database = Database(f"sqlite:///{tmp_path / 'host.db'}")
    database.migrate()
    yield MakeBench(tmp_path, database)
    database.close()


class Counting(LabelStudioMLBase):
    """Notes the size of every call."""

    calls: ClassVar[list[int]]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.calls = []

    def predict(self, tasks: Tasks, context: Any = None, **kwargs: Any) -> Any:
        self.calls.append(len(tasks))
        return self.results([task["data"]["text"] for task in tasks])

    def results(self, texts: list[str]) -> Any:
        return [self.one(text) for text in texts]

    def one(self, text: str) -> Any:
        return {"result": [region()], "score": 0.5}


# --- when predict() raises ------------------------------------------------------------------------------


@pytest.mark.parametrize("place", [0, 3, 7])
def test_the_one_task_that_raises_is_found_and_costs_itself_only(place: int, bench: MakeBench) -> None:
    class Raises(Counting):
        def one(self, text: str) -> Any:
            if text == BAD:
                raise ValueError("cannot read this one")
            return super().one(text)

    texts = ["good"] * 8
    texts[place] = BAD
    answer = bench(Raises).answer(texts)

    assert [item == b"[]" for item in answer.results[0]] == [text == BAD for text in texts]
    (problem,) = answer.problems
    assert (problem.group, problem.task, problem.kind) == (0, str(place + 1), "predict")
    assert problem.message == "predict() raised ValueError: cannot read this one"
    assert len(Raises.calls) == 7, "the whole, then halves down to the single task"


def test_a_task_that_raises_does_not_cost_other_requests(bench: MakeBench) -> None:
    class Raises(Counting):
        def one(self, text: str) -> Any:
            if text == BAD:
                raise ValueError
            return super().one(text)

    answer = bench(Raises).answer(["a", "b"], ["c", BAD], ["d"])
    assert [[item == b"[]" for item in group] for group in answer.results] == [
        [False, False],
        [False, True],
        [False],
    ]
    assert [(problem.group, problem.task) for problem in answer.problems] == [(1, "4")]
    assert answer.mergeable


def test_a_model_that_always_raises_is_not_tried_for_ever(bench: MakeBench) -> None:
    class AlwaysRaises(Counting):
        def results(self, texts: list[str]) -> Any:
            raise RuntimeError("no GPU")

    answer = bench(AlwaysRaises).answer(["x"] * 64)
    assert answer.results == [[b"[]"] * 64]
    assert len(answer.problems) == 64
    assert {problem.message for problem in answer.problems} == {"predict() raised RuntimeError: no GPU"}
    assert len(AlwaysRaises.calls) < 30


def test_many_bad_tasks_do_not_cost_the_good_ones(bench: MakeBench) -> None:
    class Raises(Counting):
        def one(self, text: str) -> Any:
            if text == BAD:
                raise ValueError
            return super().one(text)

    texts = ["good", *[BAD] * 20, "good"]
    results = bench(Raises).predict(*texts)
    assert [bool(result) for result in results] == [text != BAD for text in texts]


def test_exit_in_predict_ends_the_prediction_and_not_the_process(bench: MakeBench) -> None:
    class Exits(Counting):
        def one(self, text: str) -> Any:
            if text == BAD:
                raise SystemExit(2)
            return super().one(text)

    answer = bench(Exits).answer(["a", BAD])
    assert answer.results[0][1] == b"[]"
    assert answer.results[0][0] != b"[]"
    assert answer.problems[0].message == "predict() raised SystemExit: 2"


def test_an_async_predict_that_raises_is_treated_the_same(bench: MakeBench) -> None:
    class Async(LabelStudioMLBase):
        async def predict(self, tasks: Tasks, context: Any = None, **kwargs: Any) -> Any:
            await asyncio.sleep(0)
            if any(task["data"]["text"] == BAD for task in tasks):
                raise ValueError("cannot")
            return [{"result": [], "score": 0.5} for _ in tasks]

    assert [bool(result) for result in bench(Async).predict("a", BAD, "c")] == [True, False, True]


# --- when the number of results is wrong --------------------------------------------------------------------


def test_a_model_that_answers_one_request_at_a_time_is_asked_so(bench: MakeBench) -> None:
    class ExpectsTwo(Counting):
        def results(self, texts: list[str]) -> Any:
            return [self.one(text) for text in texts[:2]]

    host = bench(ExpectsTwo)
    answer = host.answer(["a", "b"], ["c", "d"])
    assert answer.problems == []
    assert [len(group) for group in answer.results] == [2, 2]
    assert ExpectsTwo.calls == [4, 2, 2]
    assert not answer.mergeable

    ExpectsTwo.calls.clear()
    assert not host.answer(["a", "b"], ["c", "d"]).mergeable
    assert ExpectsTwo.calls == [2, 2], "it is remembered"


def test_a_model_that_answers_one_task_at_a_time_is_asked_so(bench: MakeBench) -> None:
    class OnlyTheFirst(Counting):
        def results(self, texts: list[str]) -> Any:
            return [self.one(texts[0])]

    host = bench(OnlyTheFirst)
    assert all(host.predict("a", "b", "c"))
    assert OnlyTheFirst.calls == [3, 1, 1, 1]
    assert all(host.predict("a", "b"))
    assert OnlyTheFirst.calls == [3, 1, 1, 1, 1, 1], "it is remembered"


def test_a_model_that_cannot_answer_even_one_task_is_told_so(bench: MakeBench) -> None:
    class TwoForEach(Counting):
        def results(self, texts: list[str]) -> Any:
            return [self.one(text) for text in texts * 2]

    answer = bench(TwoForEach).answer(["a", "b"])
    assert answer.results == [[b"[]", b"[]"]]
    assert {problem.message for problem in answer.problems} == {"predict() returned 2 results for 1 tasks."}


@pytest.mark.parametrize("returned", [5, "text", {"unknown": 1}, object()])
def test_what_is_no_list_of_predictions_is_a_problem_in_words(returned: Any, bench: MakeBench) -> None:
    class Returns(Counting):
        def results(self, texts: list[str]) -> Any:
            return returned

    answer = bench(Returns).answer(["a", "b"])
    assert answer.results == [[b"[]", b"[]"]]
    assert all("predict() returned" in problem.message for problem in answer.problems)


# --- what Label Studio would refuse ---------------------------------------------------------------------------

REFUSED = {
    "another label": {"result": [region("Unheard of")]},
    "another control": {"result": [{**region(), "from_name": "other"}]},
    "no result": {"score": 0.5},
    "a score above one": {"result": [region()], "score": 2.0},
    "a score that is no number": {"result": [region()], "score": float("nan")},
    "no prediction at all": "Positive",
    "something without JSON": {"result": [region()], "extra": object()},
}


@pytest.mark.parametrize("item", REFUSED.values(), ids=REFUSED)
def test_a_prediction_label_studio_would_refuse_costs_its_task_only(item: Any, bench: MakeBench) -> None:
    class Invalid(Counting):
        def one(self, text: str) -> Any:
            return item if text == BAD else super().one(text)

    answer = bench(Invalid).answer(["a", BAD, "c"])
    assert [item == b"[]" for item in answer.results[0]] == [False, True, False]
    (problem,) = answer.problems
    assert (problem.task, problem.kind) == ("2", "invalid")
    assert problem.message
    assert problem.reason in REASONS
    assert problem.reason not in ("raised", "count")


def test_a_problem_names_control_and_reason(bench: MakeBench) -> None:
    class Invalid(Counting):
        def one(self, text: str) -> Any:
            if text == "raises":
                raise ValueError("no")
            return {"result": [region("positive")]} if text == BAD else super().one(text)

    first, second = bench(Invalid).answer([BAD, "fine", "raises"]).problems
    assert (first.task, first.control, first.reason) == ("1", "sentiment", "label")
    assert "`positive`" in first.message
    assert "nearest is `Positive`" in first.message
    assert (second.task, second.control, second.reason) == ("3", "", "raised")


def test_a_wrong_number_of_results_is_a_reason(bench: MakeBench) -> None:
    class TooMany(Counting):
        def results(self, texts: list[str]) -> Any:
            return [self.one("")] * (len(texts) + 1)

    (problem,) = bench(TooMany).answer(["a"]).problems
    assert (problem.kind, problem.reason) == ("predict", "count")


def test_rules_are_compiled_once_for_a_config_and_anew_for_another(bench: MakeBench) -> None:
    class Switching(Counting):
        checkers: ClassVar[list[Any]] = []

        def one(self, text: str) -> Any:
            self.checkers.append(self._state.checker)
            if text == "switch":
                self.use_label_config(CONFIG.replace("Positive", "Fine"))
            return {"result": [region("Fine" if "Fine" in self.label_config else "Positive")]}

    stand = bench(Switching)
    for text in ("a", "b", "c", "switch", "d", "e"):
        assert stand.answer([text]).problems == [], text
    unset, first, second, third, fourth, fifth = Switching.checkers
    assert unset is None
    assert first is second is third is not None
    assert fourth is fifth is not first


def test_interactive_answers_are_not_checked_against_the_config(bench: MakeBench) -> None:
    class Free(Counting):
        def one(self, text: str) -> Any:
            return {"result": [{**region(), "from_name": "other"}]}

    assert bench(Free).predict("a", context={"result": [region()]})[0]["result"]


def test_values_of_numpy_are_written_as_json(bench: MakeBench) -> None:
    class Numbers(Counting):
        def one(self, text: str) -> Any:
            box = {"choices": np.array(["Positive"])}
            found = {**region(), "value": box, "score": np.float32(0.5), "id": np.int64(5)}
            return {"result": [found], "score": np.float64(0.25), "flag": np.bool_(True), "sizes": np.arange(3)}

    (prediction,) = bench(Numbers).predict("a")
    assert prediction["score"] == 0.25
    assert prediction["result"][0]["value"] == {"choices": ["Positive"]}
    assert (prediction["result"][0]["score"], prediction["result"][0]["id"]) == (0.5, 5)
    assert (prediction["flag"], prediction["sizes"]) == (True, [0, 1, 2])


def test_an_array_of_predictions_is_a_list_of_them(bench: MakeBench) -> None:
    class Arrays(Counting):
        def results(self, texts: list[str]) -> Any:
            return np.array([self.one(text) for text in texts], dtype=object)

    assert len(bench(Arrays).predict("a", "b")) == 2


# --- instances ------------------------------------------------------------------------------------------------


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
    host.host.predict("7", "<View><Text name='t' value='$t'/></View>", 0, [Group([b"{}"])], {})
    assert Kept.made == ["7", "7"]


def test_other_extra_params_make_another_instance(bench: MakeBench) -> None:
    class Sized(Made):
        def setup(self) -> None:
            self.made.append(self.extra_params.get("size"))

    host = bench(Sized)

    def connect(size: str) -> None:
        params = msgspec.json.encode({"size": size}).decode()
        host.database.write(lambda connection: projects.save(connection, "7", extra_params=params))
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


# --- what a version is called -----------------------------------------------------------------------------------


class Learns(LabelStudioMLBase):
    def predict(self, tasks: Tasks, context: Any = None, **kwargs: Any) -> Any:
        return [{"result": []} for _ in tasks]

    def fit(self, event: str, data: Any, **kwargs: Any) -> Any:
        return {"trained": True}


class Constant(Learns):
    def setup(self) -> None:
        self.set("model_version", "constant")


def test_an_untrained_model_is_called_as_its_setup_says(bench: MakeBench) -> None:
    assert bench(Learns).host.warm("7", CONFIG, 0) == "0.0.1"
    assert bench(Constant).host.warm("8", CONFIG, 0) == "constant"


def test_a_trained_version_gets_a_number_with_the_time_when_nobody_names_it(bench: MakeBench) -> None:
    host = bench(Learns)
    host.host.warm("7", CONFIG, 0)
    first, second = host.train(), host.train()
    assert first.name.startswith("0001-20")
    assert second.name.startswith("0002-20")
    assert host.host.warm("7", CONFIG, second.number) == second.name


def test_a_trained_version_gets_the_constant_of_setup_with_a_number(bench: MakeBench) -> None:
    host = bench(Constant)
    host.host.warm("7", CONFIG, 0)
    for number in (1, 2):
        version = host.train()
        assert version.name == f"constant+{number}"
        assert host.host.warm("7", CONFIG, number) == f"constant+{number}", "setup() repeats itself"
        assert host.answer(["x"], number=number).version == f"constant+{number}"
    assert host.version(0).name == "constant"


def test_a_model_that_was_never_asked_before_its_training_is_named_after_its_constant_too(bench: MakeBench) -> None:
    host = bench(Constant)
    assert host.train().name == "constant+1"
    assert host.host.warm("7", CONFIG, 1) == "constant+1"


@pytest.mark.parametrize("asked_before", [True, False])
def test_a_name_given_in_fit_is_not_undone_by_setup(asked_before: bool, bench: MakeBench) -> None:
    class Named(Constant):
        def fit(self, event: str, data: Any, **kwargs: Any) -> Any:
            self.set("model_version", "named in fit")

    host = bench(Named)
    if asked_before:
        host.host.warm("7", CONFIG, 0)
    assert host.train().name == "named in fit"
    assert host.host.warm("7", CONFIG, 1) == "named in fit"
    assert host.version(1).name == "named in fit"


def test_a_name_given_twice_is_told_apart(bench: MakeBench) -> None:
    class Named(Learns):
        def fit(self, event: str, data: Any, **kwargs: Any) -> Any:
            self.set("model_version", "again")

    host = bench(Named)
    assert [host.train().name, host.train().name] == ["again", "again+2"]


def test_a_new_constant_in_the_code_names_the_trained_version_anew(bench: MakeBench) -> None:
    class Release(Learns):
        name: ClassVar[str] = "v1"

        def setup(self) -> None:
            self.set("model_version", self.name)

    host = bench(Release)
    host.host.warm("7", CONFIG, 0)
    host.train()
    Release.name = "v2"
    again = bench(Release)  # as after a restart with the new code
    assert again.host.warm("7", CONFIG, 1) == "v2+1"
    assert again.version(1).name == "v2+1"


# --- fit() ------------------------------------------------------------------------------------------------------


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


# --- when to train -----------------------------------------------------------------------------------------


def ruled(**attributes: Any) -> type[LabelStudioMLBase]:
    return type("Ruled", (LabelStudioMLBase,), attributes)


def test_what_the_class_says_about_when_to_train_is_described() -> None:
    said = {"TRAIN_ON": "start", "TRAIN_EVERY": 5, "TRAIN_MIN_ANNOTATIONS": 0, "TRAIN_DEBOUNCE": 1}
    assert training_rules(ruled(**said)) == {name.lower(): value for name, value in said.items()}
    assert set(training_rules(LabelStudioMLBase).values()) == {None}


@pytest.mark.parametrize(
    ("name", "value", "what"),
    [
        ("TRAIN_ON", "sometimes", "`events`, `start` or `never`"),
        ("TRAIN_ON", True, "`events`, `start` or `never`"),
        ("TRAIN_EVERY", "5", "a whole number, 0 or more"),
        ("TRAIN_EVERY", -1, "a whole number, 0 or more"),
        ("TRAIN_EVERY", True, "a whole number, 0 or more"),
        ("TRAIN_MIN_ANNOTATIONS", 2.5, "a whole number, 0 or more"),
        ("TRAIN_DEBOUNCE", "2s", "a number of seconds, 0 or more"),
        ("TRAIN_DEBOUNCE", float("nan"), "a number of seconds, 0 or more"),
        ("TRAIN_DEBOUNCE", float("inf"), "a number of seconds, 0 or more"),
    ],
)
def test_an_attribute_that_makes_no_sense_is_named_instead_of_training_never(
    name: str, value: Any, what: str
) -> None:
    with pytest.raises(SourceError) as caught:
        training_rules(ruled(**{name: value}))
    assert str(caught.value) == f"{name} of Ruled must be {what}, not {value!r}."
