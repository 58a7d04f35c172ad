"""Calls the classifier as Label Studio does. Run with `python -m pytest test_api.py` in this folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sample_data
from model import ImageClassifier
from PIL import Image

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
LEARNED = 24

untrained = backend_fixture(ImageClassifier, CONFIG)
samples = samples_fixture(sample_data.tasks)
trained = trained_fixture(ImageClassifier, CONFIG, learned=LEARNED)


def test_it_does_all_that_label_studio_needs() -> None:
    check_backend(ImageClassifier, CONFIG).assert_ok()


def test_it_learns_from_24_images(trained: Backend, untrained: Backend, samples: list[dict[str, Any]]) -> None:
    held_out = samples[sample_data.FIRST :]
    assert mean_score(untrained, held_out, sample_data.score) == 0.0
    assert mean_score(trained, held_out, sample_data.score) >= 0.9


def test_a_batch_gives_what_singles_give(trained: Backend, samples: list[dict[str, Any]]) -> None:
    some = [one["data"] for one in samples[-4:]]
    together, alone = trained.predict(some), [trained.predict([task])[0] for task in some]
    assert [one["result"][0]["value"] for one in together] == [one["result"][0]["value"] for one in alone]
    assert [one["score"] for one in together] == pytest.approx([one["score"] for one in alone], abs=1e-3)


def test_junk_costs_its_own_task_alone(trained: Backend, samples: list[dict[str, Any]], tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "noise.png").write_bytes(bytes(range(256)) * 4)
    Image.new("1", (20_000, 10_000)).save(tmp_path / "z bomb.png")  # more pixels than Pillow opens
    empty, noise, bomb = [{"image": path} for path in sorted(tmp_path.iterdir())]
    good = samples[0]["data"]
    found = trained.predict([empty, good, noise, bomb, {"image": "/data/upload/1/missing.png"}, {}])
    assert [bool(one) for one in found] == [False, True, False, False, False, False]


def test_transparent_and_grey_images_and_other_choices(samples: list[dict[str, Any]], tmp_path: Path) -> None:
    config = """
    <View><Image name="i" value="$picture"/>
      <Choices name="c" toName="i"><Choice value="Wall"/><Choice value="Lawn"/></Choices>
    </View>"""
    label = {"Brick": "Wall", "Grass": "Lawn"}
    known = [
        (one, label[one["answer"][0]["value"]["choices"][0]])
        for one in samples[:40]
        if one["answer"][0]["value"]["choices"][0] in label
    ]
    region = {"from_name": "c", "to_name": "i", "type": "choices"}
    with connected(ImageClassifier, config) as backend:
        learned = [({"picture": one["data"]["image"]}, name) for one, name in known[:-2]]
        backend.learn([(task, [{**region, "value": {"choices": [name]}}]) for task, name in learned])
        for number, mode in enumerate(("RGBA", "L")):
            Image.open(known[-1 - number][0]["data"]["image"]).convert(mode).save(tmp_path / f"{number}.png")
        found = backend.predict([{"picture": path} for path in sorted(tmp_path.iterdir())])
    assert [one["result"][0]["value"]["choices"] for one in found] == [[known[-1][1]], [known[-2][1]]]


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (
            '<View><Text name="t" value="$t"/><Choices name="c" toName="t"><Choice value="a"/></Choices></View>',
            "ImageClassifier needs Choices on Image",
        ),
        (CONFIG.read_text().replace('"single"', '"multiple"'), "this model needs choice"),
    ],
)
def test_a_config_that_it_cannot_serve_is_refused_in_one_sentence(config: str, reason: str) -> None:
    (problem,) = check_backend(ImageClassifier, config).problems
    assert reason in problem.message
