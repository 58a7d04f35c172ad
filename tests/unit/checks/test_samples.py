"""Sample tasks, annotations and clicks that `test` makes up from a labeling config."""

from __future__ import annotations

import csv
import io
import json
import wave
from pathlib import Path
from typing import Any

import cv2
import pytest
from label_studio_sdk.label_interface import LabelInterface
from PIL import Image

from label_studio_ml.checks import configs, media, samples
from label_studio_ml.errors import UsageError


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
    assert (text["value"]["x"], text["value"]["text"]) == (box["value"]["x"], [media.sentence(0)])


def test_a_skipped_task_has_an_annotation_without_a_result() -> None:
    config = interface(configs.template("text-classification").xml)
    (task,) = samples.tasks(config, 1, Shelf())
    annotation = samples.annotation(config, task, 0, skipped=True)
    assert (annotation["was_cancelled"], annotation["result"]) == (True, [])
    assert samples.annotated(task, annotation)["cancelled_annotations"] == 1


def test_clicks_are_made_with_smart_controls() -> None:
    config = interface(configs.template("interactive-segmentation").xml)
    (task,) = samples.tasks(config, 1, Shelf())
    point, box = samples.clicks(config, task)
    assert (point["type"], point["is_positive"], box["type"]) == ("keypointlabels", True, "rectanglelabels")
    assert "is_positive" not in box


def test_images_sounds_and_videos_are_real_and_differ(tmp_path: Path) -> None:
    for number in (0, 1):
        with Image.open(io.BytesIO(media.image(number))) as picture:
            assert (picture.format, picture.size) == ("PNG", (media.WIDTH, media.HEIGHT))
        with wave.open(io.BytesIO(media.sound(number))) as sound:
            assert sound.getnframes() / sound.getframerate() == media.SECONDS
            assert any(sound.readframes(2000)), "silence"
        path = tmp_path / f"{number}.avi"
        path.write_bytes(media.video(number))
        video = cv2.VideoCapture(str(path))
        assert (video.get(cv2.CAP_PROP_FRAME_COUNT), video.get(cv2.CAP_PROP_FPS)) == (25, 25)
        frames = [video.read() for _ in range(media.FRAMES)]
        assert all(read for read, _ in frames)
        assert frames[0][1].shape == (media.HEIGHT, media.WIDTH, 3)
        assert (frames[0][1] != frames[-1][1]).any(), "nothing moves"
        video.release()
    for make in (media.image, media.sound, media.video):
        assert make(0) != make(1)
        assert make(0) == make(0)


def test_a_time_series_has_the_columns_of_its_channels() -> None:
    xml = (
        '<View><TimeSeries name="s" value="$file" timeColumn="when" timeFormat="%Y-%m-%d" sep=";">'
        '<MultiChannel><Channel column="a"/><Channel column="b"/></MultiChannel></TimeSeries></View>'
    )
    data, shelf = values(xml)
    rows = list(csv.DictReader(io.StringIO(shelf.read(data["file"]).decode()), delimiter=";"))
    assert len(rows) == media.ROWS
    assert list(rows[0]) == ["when", "a", "b"]
    assert (rows[0]["when"], float(rows[0]["b"])) == ("2024-01-01", 0.0)
    inline, _ = values(xml.replace("sep=", 'valueType="json" sep='))
    assert len(inline["file"]["a"]) == media.ROWS


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


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)
    return folder


VIEW = '<View><Text name="t" value="$t"/></View>'


def test_a_folder_shows_its_labeling_config_in_one_of_three_places(tmp_path: Path) -> None:
    assert configs.of_folder(tmp_path) is None
    write(tmp_path, README__md=f"# Mine\n\n    {VIEW}\n\nand another\n\n```xml\n<View>\n</View>\n```\n")
    assert configs.of_folder(tmp_path) == configs.LabelConfig(VIEW, "README.md")
    write(tmp_path, test_api__py=f'OTHER = """{VIEW}"""\nLABEL_CONFIG = """\n<View>\n</View>\n"""\nx = 1\n')
    assert configs.of_folder(tmp_path) == configs.LabelConfig("<View>\n</View>", "LABEL_CONFIG of test_api.py")
    write(tmp_path, test_api__py=f'BOXES = """{VIEW}"""\n')
    assert configs.of_folder(tmp_path) == configs.LabelConfig(VIEW, "BOXES of test_api.py")
    write(tmp_path, label_config__xml=VIEW, test_api__py="def (")
    assert configs.of_folder(tmp_path) == configs.LabelConfig(VIEW, "label_config.xml")
    (tmp_path / "label_config.xml").unlink()
    assert configs.of_folder(tmp_path) == configs.LabelConfig(VIEW, "README.md"), "broken tests are passed over"
    assert "--label-config FILE" in str(configs.missing(tmp_path))


def test_a_labeling_config_can_be_named(tmp_path: Path) -> None:
    path = write(tmp_path, mine__xml=VIEW) / "mine.xml"
    assert configs.named(str(path)) == configs.LabelConfig(VIEW, "mine.xml")
    assert configs.named(f"\n{VIEW}").xml.strip() == VIEW
    assert configs.named("ocr").source == "template ocr"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("object-detektion", "Did you mean object-detection?"),
        ("zzz", "neither a file nor a template. The templates are: audio-classification"),
        ("gone.xml", "There is no labeling config gone.xml"),
        ("a/b", "There is no labeling config a/b"),
    ],
)
def test_a_labeling_config_that_is_not_there_is_said_to_be_so(name: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        configs.named(name)
    assert says in str(caught.value)
