"""Calls the model as Label Studio does. Run with `python -m pytest test_api.py` in this folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sample_data
from model import PageLayout
from PIL import Image

from label_studio_ml.testing import Backend, backend_fixture, check_backend, connected, samples_fixture

HERE = Path(__file__).parent
CONFIG = HERE / "label_config.xml"

backend = backend_fixture(PageLayout, CONFIG)
samples = samples_fixture(sample_data.tasks)


def values(prediction: Any) -> list[dict[str, Any]]:
    return [region["value"] for region in prediction["result"]]


def test_it_does_all_that_label_studio_needs() -> None:
    check_backend(PageLayout, CONFIG).assert_ok()


def test_it_finds_the_parts_of_pages(backend: Backend, samples: list[dict[str, Any]]) -> None:
    pairs = zip(backend.predict([one["data"] for one in samples]), samples, strict=True)
    scores = [sample_data.score(found["result"], one["answer"]) for found, one in pairs]
    print(sum(scores) / len(scores))
    assert sum(scores) / len(scores) >= 0.8, scores


def test_a_batch_gives_what_singles_give(backend: Backend, samples: list[dict[str, Any]]) -> None:
    some = [one["data"] for one in samples[:3]]
    assert [values(one) for one in backend.predict(some)] == [values(backend.predict([task])[0]) for task in some]


def test_junk_costs_its_own_task_alone(backend: Backend, samples: list[dict[str, Any]], tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").write_bytes(b"")
    Image.new("RGB", (300, 200), "white").save(tmp_path / "nothing.png")
    (tmp_path / "noise.png").write_bytes(bytes(range(256)) * 4)
    Image.new("1", (20_000, 10_000)).save(tmp_path / "z bomb.png")  # more pixels than Pillow opens
    junk = [{"image": path} for path in sorted(tmp_path.iterdir())]
    good = samples[0]["data"]
    found = backend.predict([junk[0], good, *junk[1:], {"image": "/data/upload/1/missing.png"}, {}])
    assert [bool(one and one["result"]) for one in found] == [False, True, False, False, False, False, False]


def test_only_what_the_labels_stand_for_is_marked(samples: list[dict[str, Any]]) -> None:
    config = """
    <View><Image name="i" value="$scan"/><RectangleLabels name="r" toName="i">
      <Label value="Abbildung" predicted_values="figure"/><Label value="Tabelle" predicted_values="table"/>
    </RectangleLabels></View>"""
    with connected(PageLayout, config) as backend:
        found = backend.predict([{"scan": one["data"]["image"]} for one in samples])
    labels = {label for one in found for value in values(one) for label in value["rectanglelabels"]}
    assert labels == {"Abbildung", "Tabelle"}


CATS = """
<View>
  <Image name="i" value="$i"/><RectangleLabels name="r" toName="i"><Label value="Cat"/></RectangleLabels>
</View>"""
TEXT = '<View><Text name="t" value="$t"/><Rating name="r" toName="t"/></View>'


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (TEXT, "PageLayout needs RectangleLabels on Image"),
        (CATS, "No label of 'r' is a part of pages that the model knows"),
    ],
)
def test_a_config_that_it_cannot_serve_is_refused_in_one_sentence(config: str, reason: str) -> None:
    (problem,) = check_backend(PageLayout, config).problems
    assert reason in problem.message
