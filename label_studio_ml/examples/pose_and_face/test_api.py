"""Calls the model as Label Studio does. Run with `python -m pytest test_api.py` in this folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import sample_data
from model import PoseAndFace
from PIL import Image

from label_studio_ml import regions
from label_studio_ml.testing import Backend, backend_fixture, check_backend, connected, samples_fixture

HERE = Path(__file__).parent
CONFIG = HERE / "label_config.xml"

backend = backend_fixture(PoseAndFace, CONFIG)
samples = samples_fixture(sample_data.tasks)


def points(prediction: Any) -> list[Any]:
    return [region["value"] for region in prediction["result"] if region["type"] == "keypointlabels"]


def test_it_does_all_that_label_studio_needs() -> None:
    check_backend(PoseAndFace, CONFIG).assert_ok()


def test_eyes_nose_and_mouth_are_where_they_are_also_of_two_people(
    backend: Backend, samples: list[dict[str, Any]]
) -> None:
    pairs = zip(backend.predict([one["data"] for one in samples]), samples, strict=True)
    scores = [sample_data.score(found["result"], one["answer"]) for found, one in pairs]
    print(scores)
    assert sum(scores) / len(scores) >= 0.9, scores


def test_shoulders_and_the_outline_of_the_person(backend: Backend, samples: list[dict[str, Any]]) -> None:
    (found,) = backend.predict([samples[0]["data"]])
    shoulders = [value for value in points(found) if value["keypointlabels"] == ["Shoulder"]]
    assert len(shoulders) == 2
    assert all(35 < value["y"] < 75 for value in shoulders)
    (mask,) = (regions.read_brush(region).mask for region in found["result"] if region["type"] == "brushlabels")
    assert mask.shape == (512, 512)
    assert mask[100:180, 200:250].mean() > 0.95, "her face"
    assert mask[:60, :80].mean() < 0.1, "the wall behind her"


def test_a_batch_gives_what_singles_give(backend: Backend, samples: list[dict[str, Any]]) -> None:
    some = [one["data"] for one in samples[:3]]
    together, alone = backend.predict(some), [backend.predict([task])[0] for task in some]
    for one, other in zip(together, alone, strict=True):
        assert [value["keypointlabels"] for value in points(one)] == [
            value["keypointlabels"] for value in points(other)
        ]
        places = [[(value["x"], value["y"]) for value in points(some)] for some in (one, other)]
        assert np.allclose(places[0], places[1], atol=0.5)


def test_junk_costs_its_own_task_alone(backend: Backend, samples: list[dict[str, Any]], tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").write_bytes(b"")
    Image.new("RGB", (300, 200), "white").save(tmp_path / "nobody.png")
    (tmp_path / "rubbish.png").write_bytes(bytes(range(256)) * 4)
    Image.new("1", (20_000, 10_000)).save(tmp_path / "z bomb.png")  # more pixels than Pillow opens
    junk = [{"image": path} for path in sorted(tmp_path.iterdir())]
    good = samples[0]["data"]
    found = backend.predict([junk[0], good, *junk[1:], {"image": "/data/upload/1/missing.png"}, {}])
    assert [bool(one and points(one)) for one in found] == [False, True, False, False, False, False, False]


def test_points_alone_and_names_in_another_language(samples: list[dict[str, Any]]) -> None:
    config = """
    <View><Image name="i" value="$foto"/><KeyPointLabels name="k" toName="i">
      <Label value="Nase" predicted_values="nose"/><Label value="Hut"/>
    </KeyPointLabels></View>"""
    with connected(PoseAndFace, config) as backend:
        (found,) = backend.predict([{"foto": samples[0]["data"]["image"]}])
    assert [value["keypointlabels"] for value in points(found)] == [["Nase"]]
    assert len(found["result"]) == 1


def test_a_config_that_it_cannot_serve_is_refused_in_one_sentence() -> None:
    config = '<View><Text name="t" value="$t"/><Rating name="r" toName="t"/></View>'
    (problem,) = check_backend(PoseAndFace, config).problems
    assert "PoseAndFace fills KeyPointLabels and BrushLabels" in problem.message
