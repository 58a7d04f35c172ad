"""Calls the segmenter as Label Studio does. Run with `python -m pytest test_api.py` in this folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sample_data
from model import ScribbleSegmenter
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
LEARNED = 16

backend = backend_fixture(ScribbleSegmenter, CONFIG)
samples = samples_fixture(sample_data.tasks)
trained = trained_fixture(ScribbleSegmenter, CONFIG, learned=LEARNED)


@pytest.fixture(scope="module")
def coins(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Any]]:
    """The whole photograph, and a mask for each coin that is not at its edge."""
    photo, numbered = sample_data.coins()
    path = tmp_path_factory.mktemp("coins") / "coins.png"
    Image.fromarray(photo).save(path)
    inner = numbered[1:-1, 1:-1]
    edge = set(np.unique(numbered)) - set(np.unique(inner)) | {0}
    return path, [
        numbered == one for one in np.unique(numbered) if one not in edge and (numbered == one).sum() > 400
    ]


def overlap(prediction: Any, right: Any) -> float:
    found = regions.read_brush(prediction["result"][0]).mask
    return float((found & right).sum() / (found | right).sum())


def middle_of(mask: Any) -> tuple[float, float]:
    rows, columns = np.nonzero(mask)
    return float(columns.mean()), float(rows.mean())


def test_it_does_all_that_label_studio_needs() -> None:
    check_backend(ScribbleSegmenter, CONFIG).assert_ok()


@pytest.mark.parametrize("tool", ["click", "box", "scribble"])
def test_a_click_a_box_and_a_scribble_cut_out_a_coin(backend: Backend, coins: Any, tool: str) -> None:
    path, masks = coins
    task, scores = {"image": path}, []
    for mask in masks:
        height, width = mask.shape
        (x, y), size = middle_of(mask), (width, height)
        rows, columns = np.nonzero(mask)
        around = (columns.min() - 4, rows.min() - 4, columns.max() + 5, rows.max() + 5)
        drawn = np.zeros_like(mask)
        drawn[int(y) - 2 : int(y) + 3, int(x) - 8 : int(x) + 9] = True
        region = {
            "click": lambda: regions.keypoint("click", "photo", "Coin", xy=(x, y), size=size),  # noqa: B023
            "box": lambda: regions.rectangle("around", "photo", "Coin", xyxy=around, size=size),  # noqa: B023
            "scribble": lambda: regions.brush("mask", "photo", "Coin", mask=drawn),  # noqa: B023
        }[tool]()
        (found,) = backend.predict([task], context={"result": [region]})
        scores.append(overlap(found, mask) if found["result"] else 0.0)
    print(tool, sum(scores) / len(scores), scores)
    assert sum(scores) / len(scores) >= 0.7, scores


@pytest.mark.parametrize("part", [0.2, 0.4, 0.8])
def test_a_click_cuts_out_small_and_large_things(backend: Backend, part: float, tmp_path: Path) -> None:
    rows, columns = np.mgrid[:400, :400]
    disc = (rows - 200) ** 2 + (columns - 200) ** 2 < (200 * part) ** 2
    noise = np.random.default_rng(0).integers(0, 20, (400, 400, 3))
    Image.fromarray((np.where(disc, 200, 30)[..., None] + noise).astype(np.uint8)).save(tmp_path / "disc.png")
    click = regions.keypoint("click", "photo", "Coin", xy=(200, 200), size=(400, 400))
    (found,) = backend.predict([{"image": tmp_path / "disc.png"}], context={"result": [click]})
    assert overlap(found, disc) >= 0.9


def test_it_learns_to_find_coins_in_pictures_it_has_never_seen(
    trained: Backend, backend: Backend, samples: list[dict[str, Any]]
) -> None:
    held_out = samples[sample_data.FIRST :]
    assert backend.predict([held_out[0]["data"]]) == [[]]
    assert mean_score(trained, held_out, sample_data.score) >= 0.8


def test_a_batch_gives_what_singles_give(trained: Backend, samples: list[dict[str, Any]]) -> None:
    tasks = [one["data"] for one in samples[-2:]]
    together, alone = trained.predict(tasks), [trained.predict([task])[0] for task in tasks]
    masks = [[[region["value"]["rle"] for region in one["result"]] for one in some] for some in (together, alone)]
    assert masks[0] == masks[1]


def test_junk_costs_its_own_task_alone(trained: Backend, samples: list[dict[str, Any]], tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "noise.png").write_bytes(bytes(range(256)) * 4)
    Image.new("1", (20_000, 10_000)).save(tmp_path / "z bomb.png")  # more pixels than Pillow opens
    junk = [{"image": path} for path in sorted(tmp_path.iterdir())]
    good = samples[0]["data"]
    found = trained.predict([junk[0], good, *junk[1:], {"image": "/data/upload/1/missing.png"}, {}])
    assert [bool(one and one["result"]) for one in found] == [False, True, False, False, False, False]


def test_an_image_that_cannot_be_read_does_not_stop_the_training(
    samples: list[dict[str, Any]], tmp_path: Path
) -> None:
    (tmp_path / "broken.png").write_bytes(b"no image")
    with connected(ScribbleSegmenter, CONFIG) as backend:
        annotated = [(one["data"], one["answer"]) for one in samples[:4]]
        broken = {"image": tmp_path / "broken.png"}
        backend.learn([(broken, annotated[0][1]), *annotated, (broken, [])])
        found = backend.predict([task for task, answer in annotated if answer][:3])
    assert any(one and one["result"] for one in found)


def test_large_photographs_and_two_labels(samples: list[dict[str, Any]], tmp_path: Path) -> None:
    config = """
    <View><Image name="i" value="$scan"/>
      <BrushLabels name="b" toName="i"><Label value="Metal"/><Label value="Table"/></BrushLabels>
    </View>"""
    size = (1600, 1600)
    annotated = []
    with connected(ScribbleSegmenter, config) as backend:
        for number, one in enumerate(samples[:4]):
            Image.open(one["data"]["image"]).resize(size).save(tmp_path / f"{number}.jpg")
            mask = np.asarray(Image.fromarray(regions.read_brush(one["answer"][0]).mask).resize(size))
            both = [regions.brush("b", "i", "Metal", mask=mask), regions.brush("b", "i", "Table", mask=~mask)]
            annotated.append(({"scan": tmp_path / f"{number}.jpg"}, both))
        backend.learn(annotated[:3])
        (found,) = backend.predict([annotated[3][0]])
    masks = {region["value"]["brushlabels"][0]: regions.read_brush(region).mask for region in found["result"]}
    assert set(masks) == {"Metal", "Table"}
    assert masks["Metal"].shape == size[::-1]
    assert not (masks["Metal"] & masks["Table"]).any()


def test_a_config_that_it_cannot_serve_is_refused_in_one_sentence() -> None:
    config = '<View><Text name="t" value="$t"/><Choices name="c" toName="t"><Choice value="a"/></Choices></View>'
    (problem,) = check_backend(ScribbleSegmenter, config).problems
    assert "ScribbleSegmenter needs BrushLabels on Image" in problem.message
