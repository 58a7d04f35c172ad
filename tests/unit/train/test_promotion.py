"""Which new version may predict: conditions on its metrics."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from label_studio_ml import settings
from label_studio_ml.errors import SettingError
from label_studio_ml.processes.messages import Source
from label_studio_ml.server.services import open_services
from label_studio_ml.train import promotion
from label_studio_ml.train.promotion import Condition


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("f1>=active", ("f1", ">=", True, 0.0)),
        ("f1 > 0.8", ("f1", ">", False, 0.8)),
        ("loss<0.5", ("loss", "<", False, 0.5)),
        ("loss <= active+0.05", ("loss", "<=", True, 0.05)),
        ("f1>=active - 0.01", ("f1", ">=", True, -0.01)),
        ("gain>-2", ("gain", ">", False, -2.0)),
        ("loss<1e-3", ("loss", "<", False, 0.001)),
        ("loss<active - 1E-3", ("loss", "<", True, -0.001)),
        ("f1>.5", ("f1", ">", False, 0.5)),
        ("recall_at_5.top-1>=0.25", ("recall_at_5.top-1", ">=", False, 0.25)),
    ],
)
def test_a_condition_is_a_metric_a_comparison_and_a_number_or_the_active_version(
    text: str, expected: tuple[str, str, bool, float]
) -> None:
    (found,) = promotion.parse(text)
    assert found == Condition(*expected, text.strip())


def test_several_conditions_are_separated_by_commas_and_none_at_all_is_fine() -> None:
    assert [condition.text for condition in promotion.parse(" f1>=active , loss<0.5,")] == [
        "f1>=active",
        "loss<0.5",
    ]
    assert promotion.parse("") == promotion.parse(" , ") == []


@pytest.mark.parametrize(
    "text",
    [
        "f1",
        "f1>=",
        ">=0.5",
        "f1==0.5",
        "f1=>0.5",
        "f1>=best",
        "f1>=active*2",
        "f1 0.5",
        "0.5<f1<0.7",
        "f1>=active+",
        "f1>=active 0.5",
        "f1>=active0.5",
        "f1>=0.5+0.1",
        "f1>=nan",
        "f1>=0.5;",
    ],
)
def test_what_is_no_condition_is_said_in_one_sentence_that_shows_how_to_write_one(text: str) -> None:
    with pytest.raises(SettingError) as caught:
        promotion.parse(f"loss<0.5, {text}")
    assert str(caught.value) == (
        f"promote_if: {text!r} is not a condition. Write metric, comparison and `active` or a number, "
        "as in f1>=active or loss<0.5."
    )


@pytest.mark.anyio
async def test_a_server_does_not_start_with_a_condition_it_does_not_understand() -> None:
    with pytest.raises(SettingError, match="'f1 better' is not a condition"):
        async with open_services(settings.load({}, promote_if="f1 better"), Source("unused.py", None, {})):
            raise AssertionError("it has started")


@pytest.mark.parametrize(
    ("comparison", "below", "equal", "above"),
    [(">=", False, True, True), (">", False, False, True), ("<=", True, True, False), ("<", True, False, False)],
)
def test_every_comparison_lets_pass_what_it_says(comparison: str, below: bool, equal: bool, above: bool) -> None:
    for bound, active in ((f"{comparison}0.5", {}), (f"{comparison}active", {"m": 0.5})):
        conditions = promotion.parse(f"m{bound}")
        found = [promotion.refusal(conditions, {"m": value}, active) is None for value in (0.4, 0.5, 0.6)]
        assert found == [below, equal, above]


def test_a_refusal_names_the_value_the_bound_and_the_condition() -> None:
    refusal = promotion.refusal(promotion.parse("loss<0.5"), {"loss": 0.75}, {})
    assert refusal == "loss is 0.75, which is not < 0.5 (loss<0.5)"


def test_a_comparison_with_the_active_version_may_allow_for_a_little() -> None:
    conditions = promotion.parse("f1>=active-0.25, loss<=active+0.25")
    active = {"f1": 0.75, "loss": 0.5}
    assert promotion.refusal(conditions, {"f1": 0.5, "loss": 0.75}, active) is None
    assert promotion.refusal(conditions, {"f1": 0.25, "loss": 0.75}, active) == (
        "f1 is 0.25, which is not >= 0.5 (f1>=active-0.25)"
    )
    assert promotion.refusal(conditions, {"f1": 0.5, "loss": 1.0}, active) == (
        "loss is 1, which is not <= 0.75 (loss<=active+0.25)"
    )


def test_a_metric_that_is_not_there_refuses_and_names_those_that_are() -> None:
    conditions = promotion.parse("f1>=active")
    assert promotion.refusal(conditions, {"loss": 1.0, "acc": 1.0}, {"f1": 0.5}) == (
        "there is no metric f1 (f1>=active); metrics: acc, loss"
    )
    assert promotion.refusal(conditions, {}, {}) == "there is no metric f1 (f1>=active); metrics: none"


def test_without_a_metric_of_the_active_version_there_is_nothing_to_be_worse_than() -> None:
    assert promotion.refusal(promotion.parse("f1>=active"), {"f1": 0.0}, {"loss": 1.0}) is None
    assert promotion.refusal(promotion.parse("f1>=active, f1>0.5"), {"f1": 0.0}, {}) is not None


def test_all_conditions_must_hold() -> None:
    conditions = promotion.parse("f1>0.5, loss<0.5")
    assert promotion.refusal(conditions, {"f1": 0.6, "loss": 0.4}, {}) is None
    assert "f1 is 0.4" in str(promotion.refusal(conditions, {"f1": 0.4, "loss": 0.4}, {}))
    assert "loss is 0.6" in str(promotion.refusal(conditions, {"f1": 0.6, "loss": 0.6}, {}))


def test_without_conditions_everything_may_predict() -> None:
    assert promotion.refusal([], {}, {}) is None


@given(value=some.floats(-100, 100), active=some.floats(-100, 100), offset=some.integers(-500, 500))
def test_exactly_one_of_a_comparison_and_its_opposite_holds(value: float, active: float, offset: int) -> None:
    for one, opposite in ((">=", "<"), ("<=", ">")):
        refused = [
            promotion.refusal(promotion.parse(f"m{sign}active{offset / 100:+}"), {"m": value}, {"m": active})
            for sign in (one, opposite)
        ]
        assert refused.count(None) == 1
