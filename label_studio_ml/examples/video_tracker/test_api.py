"""Calls the tracker as Label Studio does. Run with `python -m pytest test_api.py` in this folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sample_data
from model import VideoTracker

from label_studio_ml import regions
from label_studio_ml.testing import Backend, backend_fixture, check_backend, connected, samples_fixture

HERE = Path(__file__).parent
CONFIG = HERE / "label_config.xml"

backend = backend_fixture(VideoTracker, CONFIG)
samples = samples_fixture(sample_data.tasks)


def test_it_does_all_that_label_studio_needs() -> None:
    check_backend(VideoTracker, CONFIG).assert_ok()


def test_a_box_that_was_drawn_once_follows_the_face(backend: Backend, samples: list[dict[str, Any]]) -> None:
    scores = []
    for one in samples:
        if "context" in one:
            (found,) = backend.predict([one["data"]], context=one["context"])
            drawn = one["context"]["result"][0]
            assert found["result"][0]["id"] == drawn["id"], "the same region, so that it is not there twice"
            scores.append(sample_data.score(found["result"], one["answer"]))
    assert sum(scores) / len(scores) >= 0.7, scores


def test_it_goes_on_from_the_box_that_was_drawn_last(backend: Backend, samples: list[dict[str, Any]]) -> None:
    one = samples[0]
    boxes = regions.read_video_rectangle(one["answer"][0], size=sample_data.SIZE, interpolate=True).xyxy
    drawn = regions.video_rectangle(
        "box", "clip", "Face", xyxy={0: boxes[0], 40: boxes[40]}, size=sample_data.SIZE, fps=25, frames=75
    )
    (found,) = backend.predict([one["data"]], context={"result": [drawn]})
    frames = regions.read_video_rectangle(found["result"][0], size=sample_data.SIZE).xyxy
    assert set(frames) >= {0, *range(40, 75)}
    assert not set(frames) & set(range(1, 40))


def test_a_box_that_is_too_small_is_refused_at_once(backend: Backend, samples: list[dict[str, Any]]) -> None:
    drawn = regions.video_rectangle(
        "box", "clip", "Face", xyxy={0: (0, 0, 2, 2)}, size=sample_data.SIZE, fps=25, frames=75
    )
    with pytest.raises(AssertionError, match="too small to be followed"):
        backend.predict([samples[0]["data"]], context={"result": [drawn]})


def test_it_finds_the_cuts(backend: Backend, samples: list[dict[str, Any]]) -> None:
    (scenes,) = (one for one in samples if "context" not in one)
    (found,) = backend.predict([scenes["data"]])
    assert sample_data.score(found["result"], scenes["answer"]) == 1.0


def test_a_batch_gives_what_singles_give(backend: Backend, samples: list[dict[str, Any]]) -> None:
    tasks = [one["data"] for one in samples[-2:]]
    together, alone = backend.predict(tasks), [backend.predict([one])[0] for one in tasks]
    values = [[[region["value"] for region in one["result"]] for one in some] for some in (together, alone)]
    assert values[0] == values[1]


def test_junk_costs_its_own_task_alone(backend: Backend, samples: list[dict[str, Any]], tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "noise.webm").write_bytes(bytes(range(256)) * 40)
    junk = [{"video": path} for path in sorted(tmp_path.iterdir())]
    found = backend.predict([junk[0], samples[-1]["data"], junk[1], {"video": "/data/upload/1/no.mp4"}, {}])
    assert [bool(one and one["result"]) for one in found] == [False, True, False, False, False]


def test_other_names_and_boxes_alone(samples: list[dict[str, Any]]) -> None:
    config = '<View><Video name="v" value="$film"/><VideoRectangle name="r" toName="v" smart="true"/></View>'
    drawn = {**samples[0]["context"]["result"][0], "from_name": "r", "to_name": "v"}
    drawn["value"] = {name: value for name, value in drawn["value"].items() if name != "labels"}
    with connected(VideoTracker, config) as backend:
        film = {"film": samples[0]["data"]["video"]}
        assert backend.predict([film]) == [[]]
        (found,) = backend.predict([film], context={"result": [drawn]})
    assert len(found["result"][0]["value"]["sequence"]) > 50


def test_a_config_that_it_cannot_serve_is_refused_in_one_sentence() -> None:
    config = '<View><Text name="t" value="$t"/><TextArea name="c" toName="t"/></View>'
    (problem,) = check_backend(VideoTracker, config).problems
    assert "VideoTracker fills VideoRectangle or TimelineLabels" in problem.message
