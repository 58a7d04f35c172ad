"""Calls the classifier as Label Studio does. Run with `python -m pytest test_api.py` in this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sample_data
from model import ImageClassifier
from PIL import Image

from label_studio_ml.testing import Backend, backend_fixture, check_backend, connected

HERE = Path(__file__).parent
CONFIG = HERE / "label_config.xml"
LEARNED = 24

untrained = backend_fixture(ImageClassifier, CONFIG)


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("samples")
    return [{**task, "file": folder / task["data"]["image"]} for task in sample_data.tasks(folder)]


@pytest.fixture(scope="module")
def trained(samples: list[dict[str, Any]]) -> Iterator[Backend]:
    with connected(ImageClassifier, CONFIG) as backend:
        backend.learn([({"image": backend.publish(one["file"])}, one["answer"]) for one in samples[:LEARNED]])
        yield backend


def tasks(backend: Backend, samples: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"image": backend.publish(one["file"])} for one in samples]


def accuracy(backend: Backend, samples: list[dict[str, Any]]) -> float:
    found = backend.predict(tasks(backend, samples))
    pairs = zip(found, samples, strict=True)
    right = [sample_data.score(one["result"] if one else [], sample["answer"]) for one, sample in pairs]
    return sum(right) / len(right)


def test_it_does_all_that_label_studio_needs() -> None:
    check_backend(ImageClassifier, CONFIG).assert_ok()


def test_it_learns_from_24_images(trained: Backend, untrained: Backend, samples: list[dict[str, Any]]) -> None:
    held_out = samples[sample_data.FIRST :]
    assert accuracy(untrained, held_out) == 0.0
    assert accuracy(trained, held_out) >= 0.9


def test_a_batch_gives_what_singles_give(trained: Backend, samples: list[dict[str, Any]]) -> None:
    some = tasks(trained, samples[-4:])
    together, alone = trained.predict(some), [trained.predict([task])[0] for task in some]
    assert [one["result"][0]["value"] for one in together] == [one["result"][0]["value"] for one in alone]
    assert [one["score"] for one in together] == pytest.approx([one["score"] for one in alone], abs=1e-3)


def test_junk_costs_its_own_task_alone(trained: Backend, samples: list[dict[str, Any]], tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "noise.png").write_bytes(bytes(range(256)) * 4)
    Image.new("1", (20_000, 10_000)).save(tmp_path / "z bomb.png")  # more pixels than Pillow opens
    empty, noise, bomb = [{"image": trained.publish(path)} for path in sorted(tmp_path.iterdir())]
    (good,) = tasks(trained, samples[:1])
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
        learned = [({"picture": backend.publish(one["file"])}, name) for one, name in known[:-2]]
        backend.learn([(task, [{**region, "value": {"choices": [name]}}]) for task, name in learned])
        for number, mode in enumerate(("RGBA", "L")):
            Image.open(known[-1 - number][0]["file"]).convert(mode).save(tmp_path / f"{number}.png")
        found = backend.predict([{"picture": backend.publish(path)} for path in sorted(tmp_path.iterdir())])
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
