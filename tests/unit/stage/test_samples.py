"""Sample tasks, annotations and clicks fit their labeling config."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from label_studio_sdk.label_interface import LabelInterface

from label_studio_ml.checks import configs
from label_studio_ml.stage import sample_files, samples
from label_studio_ml.wire import records


class Shelf:
    """Where samples put their files."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def __call__(self, name: str, content: bytes) -> str:
        self.files[name] = content
        return f"/data/upload/1/{name}"

    def read(self, address: str) -> bytes:
        return self.files[address.rpartition("/")[2]]


def interface(xml: str) -> LabelInterface:
    return LabelInterface(config=xml)


def values(xml: str, number: int = 0) -> tuple[dict[str, Any], Shelf]:
    shelf = Shelf()
    return samples.data(interface(xml), number, shelf), shelf


@pytest.mark.parametrize("name", configs.templates())
def test_every_template_has_tasks_and_valid_annotations(name: str) -> None:
    config = interface(configs.template(name).xml)
    config.validate()
    tasks = samples.tasks(config, 3, Shelf())
    assert [task["id"] for task in tasks] == [1, 2, 3]
    for number, task in enumerate(tasks):
        assert config.validate_task({"data": task["data"]})
        annotation = samples.annotation(config, task, number)
        assert config.validate_annotation(annotation)
        json.dumps(annotation)
        filled = {region["from_name"] for region in annotation["result"]}
        if name == "video-tracking":  # the labels of a video's box are kept with the box
            assert annotation["result"][0]["value"]["labels"] == [("Disc", "Square")[number % 2]]
            filled.add("object")
        assert filled == {control.name for control in config.controls}
    assert tasks[0]["data"] != tasks[1]["data"]


@pytest.mark.parametrize(
    "tags",
    [
        '<Chat name="chat" value="$chat"/>',
        '<List name="list" value="$items"/><Ranker name="order" toName="list"/>',
        '<Image name="i" value="$i"/><VectorLabels name="v" toName="i"><Label value="A"/></VectorLabels>',
        '<Text name="t" value="$t"/><DateTime name="d" toName="t"/><Number name="n" toName="t" min="3"/>',
        '<Image name="i" value="$i"/><Brush name="b" toName="i"/><Labels name="l" toName="i"><Label value="A"/></Labels>',  # noqa: E501
        '<Video name="v" value="$v"/><Labels name="l" toName="v"><Label value="A"/></Labels>',
    ],
)
def test_rarer_tags_have_valid_annotations_too(tags: str) -> None:
    config = interface(f"<View>{tags}</View>")
    (task,) = samples.tasks(config, 1, Shelf())
    annotation = samples.annotation(config, task, 0)
    assert annotation["result"]
    assert config.validate_annotation(annotation)


def test_annotations_go_through_the_labels() -> None:
    config = interface(configs.template("named-entities").xml)
    tasks = samples.tasks(config, 3, Shelf())
    found = [samples.annotation(config, task, number)["result"][0]["value"] for number, task in enumerate(tasks)]
    assert [value["labels"] for value in found] == [["Person"], ["Organisation"], ["Place"]]
    for task, value in zip(tasks, found, strict=True):
        assert task["data"]["text"][value["start"] : value["end"]] == value["text"] != ""


def test_a_taxonomy_is_annotated_with_whole_paths() -> None:
    config = interface(configs.template("taxonomy").xml)
    (task,) = samples.tasks(config, 1, Shelf())
    paths = [samples.annotation(config, task, number)["result"][0]["value"]["taxonomy"] for number in range(3)]
    assert paths == [[["Nature"]], [["Nature", "Animals"]], [["Nature", "Plants"]]]


def test_text_in_a_region_belongs_to_the_box_it_was_read_from() -> None:
    config = interface(configs.template("ocr").xml)
    (task,) = samples.tasks(config, 1, Shelf())
    box, text = samples.annotation(config, task, 0)["result"]
    assert (box["id"], box["type"], text["type"]) == (text["id"], "rectanglelabels", "textarea")
    assert (text["value"]["x"], text["value"]["text"]) == (box["value"]["x"], [sample_files.sentence(0)])


def test_a_skipped_task_has_an_annotation_without_a_result() -> None:
    config = interface(configs.template("text-classification").xml)
    (task,) = samples.tasks(config, 1, Shelf())
    annotation = samples.annotation(config, task, 0, skipped=True)
    assert (annotation["was_cancelled"], annotation["result"]) == (True, [])
    assert records.annotated(task, annotation)["cancelled_annotations"] == 1


def test_clicks_are_made_with_smart_controls() -> None:
    config = interface(configs.template("interactive-segmentation").xml)
    (task,) = samples.tasks(config, 1, Shelf())
    point, box = samples.clicks(config, task)
    assert (point["type"], point["is_positive"], box["type"]) == ("keypointlabels", True, "rectanglelabels")
    assert "is_positive" not in box


def test_a_time_series_has_the_columns_of_its_channels() -> None:
    xml = (
        '<View><TimeSeries name="s" value="$file" timeColumn="when" timeFormat="%Y-%m-%d" sep=";">'
        '<MultiChannel><Channel column="a"/><Channel column="b"/></MultiChannel></TimeSeries></View>'
    )
    data, shelf = values(xml)
    rows = list(csv.DictReader(io.StringIO(shelf.read(data["file"]).decode()), delimiter=";"))
    assert len(rows) == sample_files.ROWS
    assert list(rows[0]) == ["when", "a", "b"]
    assert (rows[0]["when"], float(rows[0]["b"])) == ("2024-01-01", 0.0)
    inline, _ = values(xml.replace("sep=", 'valueType="json" sep='))
    assert len(inline["file"]["a"]) == sample_files.ROWS


@pytest.mark.parametrize(
    ("tag", "begins"),
    [
        ('<Text name="x" value="$x" valueType="url"/>', b"The soup"),
        ('<HyperText name="x" value="$x" valueType="url"/>', b"<div>"),
        ('<Paragraphs name="x" value="$x" valueType="url" nameKey="who" textKey="says"/>', b'[{"who"'),
        ('<Pdf name="x" value="$x"/>', b"%PDF"),
        ('<Audio name="x" value="$x"/>', b"RIFF"),
    ],
)
def test_what_a_tag_loads_by_address_is_a_file(tag: str, begins: bytes) -> None:
    data, shelf = values(f"<View>{tag}</View>")
    assert shelf.read(data["x"]).startswith(begins)


def test_all_that_the_config_takes_from_a_task_is_there() -> None:
    data, shelf = values(
        '<View><Header value="$title"/><Image name="pages" valueList="$pages"/><Table name="t" value="$table"/>'
        '<Choices name="c" toName="pages" value="$options"/></View>'
    )
    assert set(data) == {"title", "pages", "table", "options"}
    assert len(data["pages"]) == 2
    assert all(shelf.read(page).startswith(b"\x89PNG") for page in data["pages"])
    assert data["options"] == [{"value": "First"}, {"value": "Second"}]
