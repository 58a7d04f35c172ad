"""Calls the segmenter as Label Studio does. Run with `python -m pytest test_api.py` in this folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sample_data
from model import TimeSeriesSegmenter

from label_studio_ml.testing import (
    Backend,
    backend_fixture,
    check_backend,
    connected,
    samples_fixture,
    trained_fixture,
)

HERE = Path(__file__).parent
CONFIG = (HERE / "label_config.xml").read_text()
LEARNED, HELD_OUT = 56, 24  # of seven people, and of three others

backend = backend_fixture(TimeSeriesSegmenter, HERE / "label_config.xml")
samples = samples_fixture(sample_data.tasks)
trained = trained_fixture(TimeSeriesSegmenter, HERE / "label_config.xml", learned=LEARNED)


def held_out(samples: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [one["data"] for one in samples[-HELD_OUT:]]


def test_it_does_all_that_label_studio_needs(samples: list[dict[str, Any]]) -> None:
    check_backend(TimeSeriesSegmenter, HERE / "label_config.xml").assert_ok()


def test_before_training_it_predicts_nothing(backend: Backend, samples: list[dict[str, Any]]) -> None:
    assert backend.predict(held_out(samples)[:1]) == [[]]


def test_it_learns_to_find_the_exercises_of_people_it_has_never_seen(
    trained: Backend, samples: list[dict[str, Any]]
) -> None:
    found = trained.predict(held_out(samples))
    right = [
        sample_data.score(prediction["result"], one["answer"])
        for prediction, one in zip(found, samples[-HELD_OUT:], strict=True)
    ]
    assert sum(right) / len(right) >= 0.7, right


def test_a_batch_gives_what_singles_give(trained: Backend, samples: list[dict[str, Any]]) -> None:
    tasks = held_out(samples)[:3]
    alone = [trained.predict([task])[0]["result"] for task in tasks]
    assert [spans(one["result"]) for one in trained.predict(tasks)] == [spans(one) for one in alone]


def spans(result: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [region["value"] for region in result]


def test_junk_costs_its_own_task_alone(trained: Backend, samples: list[dict[str, Any]], tmp_path: Path) -> None:
    (tmp_path / "empty.csv").write_bytes(b"")
    (tmp_path / "noise.csv").write_bytes(bytes(range(256)) * 4)
    (tmp_path / "short.csv").write_text("time,ax\n0,1\n")
    junk = [{"csv": path} for path in sorted(tmp_path.iterdir())]
    good = held_out(samples)[0]
    found = trained.predict([junk[0], good, *junk[1:], {"csv": "/data/upload/1/missing.csv"}, {}])
    assert [bool(one and one["result"]) for one in found] == [False, True, False, False, False, False]


def test_values_may_be_in_the_task_and_times_may_be_dates(samples: list[dict[str, Any]]) -> None:
    """Another labeling config: other names, a time format, no files."""
    config = """
    <View>
      <TimeSeriesLabels name="state" toName="load"><Label value="Idle"/><Label value="Busy"/></TimeSeriesLabels>
      <TimeSeries name="load" value="$series" timeColumn="when" timeFormat="%Y-%m-%d %H:%M">
        <Channel column="watts"/>
      </TimeSeries>
    </View>"""

    def day(number: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        when = [f"2024-05-{number:02} {minute // 60:02}:{minute % 60:02}" for minute in range(0, 1440, 10)]
        busy = range(40 + 5 * number, 80 + 5 * number)
        watts = [500 + 7 * (row % 5) if row in busy else 20 + row % 3 for row in range(len(when))]
        where = {"from_name": "state", "to_name": "load", "type": "timeserieslabels"}
        edges = [(0, busy[0] - 1, "Idle"), (busy[0], busy[-1], "Busy"), (busy[-1] + 1, len(when) - 1, "Idle")]
        answer = [
            {**where, "value": {"start": when[a], "end": when[b], "instant": False, "timeserieslabels": [label]}}
            for a, b, label in edges
        ]
        return {"series": {"when": when, "watts": watts}}, answer

    with connected(TimeSeriesSegmenter, config) as backend:
        backend.learn([day(number) for number in range(1, 6)])
        task, answer = day(8)
        (found,) = backend.predict([task])
    labels = [region["value"]["timeserieslabels"] for region in found["result"]]
    assert labels == [["Idle"], ["Busy"], ["Idle"]]
    assert found["result"][1]["value"]["start"][:11] == answer[1]["value"]["start"][:11] == "2024-05-08 "


def test_a_config_that_it_cannot_serve_is_refused_in_one_sentence() -> None:
    config = '<View><Text name="t" value="$t"/><Choices name="c" toName="t"><Choice value="a"/></Choices></View>'
    (problem,) = check_backend(TimeSeriesSegmenter, config).problems
    assert "TimeSeriesSegmenter needs TimeSeriesLabels on TimeSeries" in problem.message
