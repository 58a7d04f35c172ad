"""Calls the reader as Label Studio does. Run with `python -m pytest test_api.py` in this folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sample_data
from model import Ocr
from PIL import Image

from label_studio_ml import regions
from label_studio_ml.testing import Backend, backend_fixture, check_backend, connected, samples_fixture

HERE = Path(__file__).parent
CONFIG = HERE / "label_config.xml"

backend = backend_fixture(Ocr, CONFIG)
samples = samples_fixture(sample_data.tasks)


def texts(prediction: Any) -> list[str]:
    return [str(word.text) for word in regions.read_ocr(prediction["result"], "reads")]


def test_it_does_all_that_label_studio_needs() -> None:
    check_backend(Ocr, CONFIG).assert_ok()


def test_it_reads_what_is_written_and_says_where(backend: Backend, samples: list[dict[str, Any]]) -> None:
    known = [one for one in samples if "answer" in one]
    pairs = zip(backend.predict([one["data"] for one in known]), known, strict=True)
    scores = [sample_data.score(found["result"], one["answer"]) for found, one in pairs]
    print(sum(scores) / len(scores))
    assert sum(scores) / len(scores) >= 0.95, scores


def test_it_reads_a_photographed_page(backend: Backend, samples: list[dict[str, Any]]) -> None:
    (found,) = backend.predict([one["data"] for one in samples if "answer" not in one])
    assert texts(found)[:2] == sample_data.ON_THE_PAGE


def test_a_line_that_is_turned_gets_a_box_that_is_turned(
    backend: Backend, samples: list[dict[str, Any]], tmp_path: Path
) -> None:
    turned = Image.open(samples[2]["data"]["image"]).rotate(-12, expand=True, fillcolor="white")
    turned.save(tmp_path / "turned.png")
    (found,) = backend.predict([{"image": tmp_path / "turned.png"}])
    boxes = {word.text: word.rotation for word in regions.read_ocr(found["result"], "reads")}
    assert boxes["Tickets at the counter"] == pytest.approx(12, abs=2)


def test_a_batch_gives_what_singles_give(backend: Backend, samples: list[dict[str, Any]]) -> None:
    some = [one["data"] for one in samples[:3]]
    assert [texts(one) for one in backend.predict(some)] == [texts(backend.predict([task])[0]) for task in some]


def test_junk_costs_its_own_task_alone(backend: Backend, samples: list[dict[str, Any]], tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").write_bytes(b"")
    Image.new("RGB", (300, 200), "white").save(tmp_path / "nothing.png")
    (tmp_path / "noise.png").write_bytes(bytes(range(256)) * 4)
    Image.new("1", (20_000, 10_000)).save(tmp_path / "z bomb.png")  # more pixels than Pillow opens
    junk = [{"image": path} for path in sorted(tmp_path.iterdir())]
    good = samples[0]["data"]
    found = backend.predict([junk[0], good, *junk[1:], {"image": "/data/upload/1/missing.png"}, {}])
    assert [bool(one and one["result"]) for one in found] == [False, True, False, False, False, False, False]


def test_boxes_without_labels(samples: list[dict[str, Any]]) -> None:
    config = """
    <View><Image name="i" value="$scan"/><Rectangle name="r" toName="i"/>
      <TextArea name="t" toName="i" perRegion="true"/>
    </View>"""
    with connected(Ocr, config) as backend:
        (found,) = backend.predict([{"scan": samples[2]["data"]["image"]}])
    assert {(one["from_name"], one["type"]) for one in found["result"]} == {("r", "rectangle"), ("t", "textarea")}


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (
            '<View><Text name="t" value="$t"/><Choices name="c" toName="t"><Choice value="a"/></Choices></View>',
            "Ocr needs RectangleLabels or Rectangle on Image",
        ),
        (CONFIG.read_text().replace('perRegion="true"', ""), "TextArea with perRegion"),
    ],
)
def test_a_config_that_it_cannot_serve_is_refused_in_one_sentence(config: str, reason: str) -> None:
    (problem,) = check_backend(Ocr, config).problems
    assert reason in problem.message
