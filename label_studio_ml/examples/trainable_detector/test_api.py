"""Calls the detector as Label Studio does. Run with `python -m pytest test_api.py` in this folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sample_data
from model import TrainableDetector
from PIL import Image

from label_studio_ml import regions
from label_studio_ml.testing import (
    Backend,
    backend_fixture,
    check_backend,
    connected,
    mean_score,
    samples_fixture,
    trained_fixture,
)

HERE = Path(__file__).parent
CONFIG = HERE / "label_config.xml"
LEARNED = 30

untrained = backend_fixture(TrainableDetector, CONFIG)
samples = samples_fixture(sample_data.tasks)
trained = trained_fixture(TrainableDetector, CONFIG, learned=LEARNED)


def values(prediction: Any) -> list[dict[str, Any]]:
    return [region["value"] for region in prediction["result"]]


def test_it_does_all_that_label_studio_needs() -> None:
    check_backend(TrainableDetector, CONFIG).assert_ok()


def test_it_learns_to_find_faces_that_it_has_never_seen(
    trained: Backend, untrained: Backend, samples: list[dict[str, Any]]
) -> None:
    held_out = samples[sample_data.FIRST :]
    assert untrained.predict([one["data"] for one in held_out[:2]]) == [[], []]
    assert mean_score(trained, held_out, sample_data.score) >= 0.8


def test_a_batch_gives_what_singles_give(trained: Backend, samples: list[dict[str, Any]]) -> None:
    some = [one["data"] for one in samples[-4:]]
    assert [values(one) for one in trained.predict(some)] == [values(trained.predict([task])[0]) for task in some]


def test_junk_costs_its_own_task_alone(trained: Backend, samples: list[dict[str, Any]], tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "noise.png").write_bytes(bytes(range(256)) * 4)
    Image.new("L", (1, 1)).save(tmp_path / "tiny.png")
    Image.new("1", (20_000, 10_000)).save(tmp_path / "z bomb.png")  # more pixels than Pillow opens
    empty, noise, tiny, bomb = [{"image": path} for path in sorted(tmp_path.iterdir())]
    good = next(one for one in samples if one["answer"])["data"]
    found = trained.predict([empty, good, noise, tiny, bomb, {"image": "/data/upload/1/missing.png"}, {}])
    assert [bool(one and one["result"]) for one in found] == [False, True, False, False, False, False, False]


def test_an_image_that_cannot_be_read_does_not_stop_the_training(
    samples: list[dict[str, Any]], tmp_path: Path
) -> None:
    (tmp_path / "broken.png").write_bytes(b"no image")
    with connected(TrainableDetector, CONFIG) as backend:
        annotated = [(one["data"], one["answer"]) for one in samples[:20]]
        broken = {"image": tmp_path / "broken.png"}
        backend.learn([(broken, annotated[0][1]), *annotated, (broken, [])])
        found = backend.predict([task for task, answer in annotated if answer][:3])
    assert any(one and one["result"] for one in found)


def test_large_photographs_and_labels_of_its_own(samples: list[dict[str, Any]], tmp_path: Path) -> None:
    """The same pictures four times as large, and a second label that was drawn too rarely to be learned."""
    config = """
    <View><Image name="i" value="$photo"/>
      <RectangleLabels name="r" toName="i"><Label value="Person"/><Label value="Odd"/></RectangleLabels>
    </View>"""
    size = tuple(4 * side for side in sample_data.SIZE)
    annotated = []
    with connected(TrainableDetector, config) as backend:
        for number, one in enumerate(samples[:20]):
            Image.open(one["data"]["image"]).resize(size).save(tmp_path / f"{number}.jpg")
            boxes = [regions.read_rectangle(region) for region in one["answer"]]
            found = [
                regions.rectangle("r", "i", "Person", xyxy=[4 * edge for edge in box.xyxy], size=size)
                for box in boxes
            ]
            annotated.append(({"photo": tmp_path / f"{number}.jpg"}, found))
        odd = [((0, 0, 900, 30), 0), ((100, 50, 130, 900), 1)]
        for edges, place in odd:
            annotated[place][1].append(regions.rectangle("r", "i", "Odd", xyxy=edges, size=size))
        backend.learn(annotated)
        (found,) = backend.predict([annotated[[len(one["answer"]) for one in samples[:20]].index(1)][0]])
    assert "Person" in {label for one in values(found) for label in one["rectanglelabels"]}


def test_a_config_that_it_cannot_serve_is_refused_in_one_sentence() -> None:
    config = '<View><Text name="t" value="$t"/><Choices name="c" toName="t"><Choice value="a"/></Choices></View>'
    (problem,) = check_backend(TrainableDetector, config).problems
    assert "TrainableDetector needs RectangleLabels on Image" in problem.message
