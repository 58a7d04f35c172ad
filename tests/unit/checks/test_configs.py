"""A labeling config is found by its name, or in the folder of a backend."""

from __future__ import annotations

from pathlib import Path

import pytest

from label_studio_ml.checks import configs
from label_studio_ml.errors import UsageError


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
