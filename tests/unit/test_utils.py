"""`label_studio_ml.utils`, as authors import it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from label_studio_ml import utils


def control(kind: str = "Choices", *objects: str) -> dict[str, Any]:
    sources = objects or ("Text",)
    return {
        "type": kind,
        "to_name": [f"object{number}" for number, _ in enumerate(sources)],
        "inputs": [{"type": source, "value": source.lower()} for source in sources],
        "labels": ["A", "B"],
    }


def test_importing_the_module_loads_nothing_heavy() -> None:
    script = "import sys, label_studio_ml.utils; print(sorted({'label_studio_sdk', 'PIL'} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_single_tag_keys_are_read_from_the_only_control() -> None:
    assert utils.get_single_tag_keys({"c": control()}, "Choices", "Text") == (
        "c",
        "object0",
        "text",
        ["A", "B"],
    )


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({}, "controls are: none"),
        ({"a": control(), "b": control()}, "controls are: a, b"),
        ({"a": control("Labels")}, "'a' is a <Labels>"),
        ({"a": control("Choices", "Image")}, "'a' is on a <Image>"),
        ({"a": control("Choices", "Text", "Text")}, "several objects"),
    ],
)
def test_another_label_config_is_refused_in_words(config: dict[str, Any], says: str) -> None:
    with pytest.raises(AssertionError, match=says):
        utils.get_single_tag_keys(config, "Choices", "Text")


def test_first_tag_keys_pass_over_other_controls_and_objects() -> None:
    config = {
        "x": control("Labels"),
        "y": control("Choices", "Image"),
        "z": control("Choices", "Image", "Text"),
    }
    assert utils.get_first_tag_keys(config, "Choices", "Text") == ("z", "object1", "text", ["A", "B"])
    with pytest.raises(AssertionError, match="no <Rating> on a <Text>"):
        utils.get_first_tag_keys(config, "Rating", "Text")


@pytest.mark.parametrize(
    ("annotations", "skipped"),
    [
        ([{"was_cancelled": True}], True),
        ([{"skipped": True}], True),
        ([{"was_cancelled": False}], False),
        ([{"was_cancelled": True}, {"was_cancelled": True}], False),
        ([], False),
    ],
)
def test_a_task_is_skipped_if_its_only_annotation_is_a_skip(annotations: Any, skipped: bool) -> None:
    assert utils.is_skipped({"annotations": annotations}) is skipped


def test_image_size_is_that_of_the_image_as_it_is_seen(tmp_path: Path) -> None:
    plain, rotated = tmp_path / "plain.png", tmp_path / "rotated.jpg"
    image = Image.new("RGB", (30, 20))
    image.save(plain)
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: turned by 90 degrees
    image.save(rotated, exif=exif)
    assert utils.get_image_size(plain) == (30, 20)
    assert utils.get_image_size(rotated) == (20, 30)


def test_the_cache_drops_what_was_not_used_for_longest() -> None:
    cache = utils.InMemoryLRUDictCache(2)
    cache.put("a", 1)
    cache.put("b", 2)
    cache.put("a", 3)
    cache.put("c", 4)
    assert (cache.get("a"), cache.get("b"), cache.get("c")) == (3, None, 4)
    assert "a" in cache
    assert str(cache) == str(cache.cache)


def test_each_line_gets_its_closest_label() -> None:
    assert utils.match_labels("positve\nNegative!", ["Positive", "Negative"]) == ["Positive", "Negative"]
    assert utils.match_labels("", ["Positive"]) == []


@pytest.mark.parametrize(
    ("value", "needed"),
    [
        ("/data/upload/1/a.png", True),
        ("data/upload/1/a.png", True),
        ("upload/1/a.png", True),
        ("/upload/1/a.png", True),
        ("/data/local-files/?d=folder/a.png", True),
        ("s3://bucket/a.png", True),
        ("gs://bucket/a.png", True),
        ("azure-blob://container/a.png", True),
        ("/tasks/7/resolve/?fileuri=czM6Ly9hL2IucG5n", True),
        ("https://example.org/a.png", True),
        (__file__, True),
        ("A sentence.", False),
        ("upload failed again", False),
        ("", False),
        ("x" * 5000, False),
        ("null\0byte", False),
    ],
)
def test_only_references_to_files_are_preloaded(value: str, needed: bool) -> None:
    assert utils.is_preload_needed(value) is needed


def test_a_malformed_url_is_no_url() -> None:
    assert not utils.is_valid_url("http://[broken")


def test_structures_are_equal_when_floats_are_close() -> None:
    utils.compare_nested_structures({"a": [1.00001, "x", None, True]}, {"a": [1.0, "x", None, True]})
    utils.compare_nested_structures([0.5], (0.6,), abs=0.2)
    utils.compare_nested_structures(1, 1.00001)
    utils.compare_nested_structures(float("inf"), float("inf"))


@pytest.mark.parametrize(
    ("found", "expected", "where"),
    [
        ({"a": 1}, {"b": 1}, r": keys \['a'\]"),
        ({"a": [1, 2]}, {"a": [1]}, r"\.a: 2 items instead of 1"),
        ({"a": [{"b": 1.1}]}, {"a": [{"b": 1.0}]}, r"\.a\[0\]\.b: 1\.1 is not 1\.0"),
        ([1], {"a": 1}, "is not"),
        (True, 1.5, "is not"),
        ("1.0", 1.0, "is not"),
        (float("nan"), 1.0, "is not"),
    ],
)
def test_a_difference_is_named_with_its_place(found: Any, expected: Any, where: str) -> None:
    with pytest.raises(AssertionError, match=where):
        utils.compare_nested_structures(found, expected)


def test_the_environment_is_read_with_label_studios_prefixes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABEL_STUDIO_FLAG_OF_MINE", "off")
    assert utils.get_env("FLAG_OF_MINE") == "off"
    assert utils.get_env("FLAG_OF_MINE", is_bool=True) is False
    assert utils.get_env("ANOTHER_FLAG_OF_MINE", "default") == "default"


def test_an_upload_is_found_in_a_folder_of_this_machine(tmp_path: Path) -> None:
    image = tmp_path / "upload" / "1" / "a.png"
    image.parent.mkdir(parents=True)
    image.write_bytes(b"x")
    url, uploads, cache = "/data/upload/1/a.png", str(tmp_path / "upload"), str(tmp_path)
    assert Path(utils.get_local_path(url, image_dir=uploads, cache_dir=cache)).read_bytes() == b"x"
    found = utils.get_image_local_path(url, image_dir=uploads, image_cache_dir=cache)
    assert Path(found).read_bytes() == b"x"
