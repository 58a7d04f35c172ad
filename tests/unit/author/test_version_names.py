"""What a version is called: by setup(), by fit(), or by nobody."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from tests.support.host_bench import Learns, MakeBench
from tests.support.in_process_backend import CONFIG


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
