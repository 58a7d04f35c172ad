"""Projects, tasks and annotations in the form in which Label Studio 1.23.2 has them. Pure functions.

For whoever plays Label Studio: nobody has to know by heart what a task is made of. Tests hold each against records
of the real one.
"""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

_CREATED = "2024-01-01T12:00:00.000000Z"
_ONLY_IN_EXPORTS = ("annotations", "predictions", "drafts")

_PROJECT: Json = {
    "task_number": 0,
    "finished_task_number": 0,
    "total_predictions_number": 0,
    "total_annotations_number": 0,
    "num_tasks_with_annotations": 0,
    "useful_annotation_number": 0,
    "ground_truth_number": 0,
    "skipped_annotations_number": 0,
    "description": "",
    "label_config_hash": 0,
    "expert_instruction": "",
    "show_instruction": False,
    "show_skip_button": True,
    "enable_empty_annotation": True,
    "reveal_preannotations_interactively": False,
    "show_annotation_history": False,
    "show_collab_predictions": True,
    "evaluate_predictions_automatically": False,
    "token": "",
    "result_count": 0,
    "color": "#FFFFFF",
    "maximum_annotations": 1,
    "min_annotations_to_start_training": 0,
    "control_weights": {},
    "model_version": "",
    "data_types": {},
    "is_draft": False,
    "is_published": False,
    "created_at": _CREATED,
    "updated_at": _CREATED,
    "sampling": "Sequential sampling",
    "skip_queue": "REQUEUE_FOR_OTHERS",
    "show_ground_truth_first": False,
    "annotator_evaluation_enabled": False,
    "show_overlap_first": False,
    "overlap_cohort_percentage": 100,
    "task_data_login": None,
    "task_data_password": None,
    "pinned_at": None,
    "custom_task_lock_ttl": None,
    "deleted_at": None,
    "purge_at": None,
    "search_vector": None,
    "organization": 1,
    "created_by": 1,
    "deleted_by": None,
}


def project(number: int, label_config: str, title: str, parsed_label_config: Json | None = None) -> Json:
    """A project, as webhooks bring it and the API shows it.

    Args:
        number: its id.
        label_config: XML.
        title: its name for people.
        parsed_label_config: the config as the SDK's `parse_config` reads it.
    """
    named = {"id": number, "title": title, "label_config": label_config}
    return {**_PROJECT, **named, "parsed_label_config": parsed_label_config or {}}


def task(number: int, data: Json, project_id: int = 1) -> Json:
    """A task that nobody has annotated, as a request for predictions brings it."""
    return {
        "id": number,
        "data": data,
        "meta": {},
        "created_at": _CREATED,
        "updated_at": _CREATED,
        "is_labeled": False,
        "overlap": 1,
        "inner_id": number,
        "total_annotations": 0,
        "cancelled_annotations": 0,
        "total_predictions": 0,
        "comment_count": 0,
        "unresolved_comment_count": 0,
        "last_comment_updated_at": None,
        "project": project_id,
        "updated_by": None,
        "file_upload": None,
        "comment_authors": [],
        "annotations": [],
        "predictions": [],
    }


def annotation(number: int, task: Json, result: list[Json], *, skipped: bool = False) -> Json:
    """An annotation of a task, as webhooks and exports carry it.

    Args:
        number: its id.
        task: what was annotated.
        result: the regions.
        skipped: whether the annotator skipped the task; what was drawn before is kept.
    """
    return {
        "id": number,
        "result": result,
        "was_cancelled": skipped,
        "ground_truth": False,
        "created_at": _CREATED,
        "updated_at": _CREATED,
        "draft_created_at": None,
        "lead_time": 2.5,
        "prediction": {},
        "result_count": len(result),
        "unique_id": f"00000000-0000-4000-8000-{number:012d}",
        "import_id": None,
        "last_action": None,
        "bulk_created": False,
        "task": task["id"],
        "project": task.get("project"),
        "completed_by": 1,
        "updated_by": 1,
        "parent_prediction": None,
        "parent_annotation": None,
        "last_created_by": None,
    }


def annotated(task: Json, one: Json) -> Json:
    """A task with its annotation, in JSON export form."""
    skips = int(one["was_cancelled"])
    counts = {"is_labeled": True, "total_annotations": 1 - skips, "cancelled_annotations": skips}
    return {**task, "drafts": [], "annotations": [one], **counts}


def in_event(task: Json) -> Json:
    """A task as webhooks bring it: without what people and models made of it."""
    bare = {key: value for key, value in task.items() if key not in _ONLY_IN_EXPORTS}
    return {**bare, "allow_skip": True, "precomputed_agreement": None}


def completed(content: Json, number: int) -> Json:
    """A task as a request for predictions brings it, from one that may be nothing but its data.

    >>> completed({"text": "Hello"}, 7)["data"], completed({"id": 2, "data": {}}, 7)["id"]
    ({'text': 'Hello'}, 2)
    """
    given = content if isinstance(content.get("data"), dict) else {"data": content}
    return {**task(number, given["data"]), **given}
