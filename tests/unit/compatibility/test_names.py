"""Every name that existing backends import is where they look for it."""

from __future__ import annotations

import importlib

import pytest

import label_studio_ml
from label_studio_ml import api, helpers, model, response, server, utils

NAMES = {
    "label_studio_ml": ["__version__", "package_name"],
    "label_studio_ml.api": ["init_app", "_server"],
    "label_studio_ml.helpers": ["LabelStudioMLBaseHelper", "LabelStudioMLChoices"],
    "label_studio_ml.model": [
        "LabelStudioMLBase",
        "ModelResponse",
        "get_all_classes_inherited_LabelStudioMLBase",
        "predict_fn",
        "update_fn",
    ],
    "label_studio_ml.response": ["ModelResponse"],
    "label_studio_ml.server": ["main"],
    "label_studio_ml.utils": [
        "DATA_UNDEFINED_NAME",
        "InMemoryLRUDictCache",
        "compare_nested_structures",
        "get_choice",
        "get_env",
        "get_first_tag_keys",
        "get_image_local_path",
        "get_image_size",
        "get_local_path",
        "get_single_tag_keys",
        "is_preload_needed",
        "is_skipped",
        "is_valid_url",
        "match_labels",
    ],
}

MEMBERS = [
    "INITIAL_MODEL_VERSION",
    "TRAIN_EVENTS",
    "_get_label_studio_client",
    "access_token",
    "build_label_map",
    "bump_model_version",
    "extra_params",
    "fit",
    "get",
    "get_first_tag_occurence",
    "get_label_studio_access_token",
    "get_local_path",
    "has",
    "hostname",
    "label_config",
    "label_interface",
    "model_version",
    "parsed_label_config",
    "predict",
    "preload_task_data",
    "process_event",
    "project_id",
    "set",
    "setup",
    "train_output",
    "use_label_config",
]


@pytest.mark.parametrize(("module", "name"), [(module, name) for module, names in NAMES.items() for name in names])
def test_a_name_can_be_imported_from_where_it_always_was(module: str, name: str) -> None:
    assert hasattr(importlib.import_module(module), name)


@pytest.mark.parametrize("name", MEMBERS)
def test_the_base_class_has_every_member_that_authors_use(name: str) -> None:
    assert hasattr(model.LabelStudioMLBase(), name)


def test_names_mean_what_they_meant() -> None:
    assert model.ModelResponse is response.ModelResponse
    assert utils.DATA_UNDEFINED_NAME == "$undefined$"
    assert label_studio_ml.package_name == "label-studio-ml"
    assert issubclass(helpers.LabelStudioMLChoices, helpers.LabelStudioMLBaseHelper)
    assert issubclass(helpers.LabelStudioMLBaseHelper, model.LabelStudioMLBase)
    assert callable(server.main)


def test_an_unknown_name_is_an_attribute_error() -> None:
    assert not hasattr(api, "no_such_name")


def test_the_app_of_the_bare_base_class_is_always_the_same() -> None:
    assert api._server is api._server
    assert api._server.model_class is model.LabelStudioMLBase
