"""Request bodies as Label Studio 1.23.2 sends them: the inverse of `requests`. Pure functions.

For whoever plays Label Studio. Tests hold each against a recorded request.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from . import records

Json = dict[str, Any]


def setup(
    project: str, label_config: str, hostname: str = "", access_token: str = "", extra_params: Json | None = None
) -> Json:
    """`POST /setup`, which connects a project.

    Args:
        project: `"<id>.<created, unix seconds>"`.
        label_config: XML.
        hostname: Label Studio's address.
        access_token: for its API.
        extra_params: what people gave with the backend.
    """
    return {
        "project": project,
        "schema": label_config,
        "hostname": hostname,
        "access_token": access_token,
        "extra_params": extra_params,
    }


def predict(tasks: Sequence[Json], project: str, label_config: str, context: Json | None = None) -> Json:
    """`POST /predict`; with a `context` it is an interactive call."""
    return {"tasks": list(tasks), "project": project, "label_config": label_config, "params": params(context)}


def params(context: Json | None) -> Json:
    """The `params` of a request for predictions."""
    return {"login": None, "password": None, "context": context}


def annotation_created(annotation: Json, task: Json, project: Json) -> Json:
    """The event of a submitted annotation or a skipped task."""
    whole = {"annotation": annotation, "project": project, "task": records.in_event(task)}
    return {"action": "ANNOTATION_CREATED", **whole}


def annotation_updated(annotation: Json, task: Json, project: Json) -> Json:
    """The event of a changed annotation."""
    return {**annotation_created(annotation, task, project), "action": "ANNOTATION_UPDATED"}


def annotations_deleted(ids: Iterable[int], project: Json) -> Json:
    """The event of deleted annotations: it names them, no more."""
    return {"action": "ANNOTATIONS_DELETED", "annotations": [{"id": one} for one in ids], "project": project}


def tasks_created(tasks: Iterable[Json], project: Json) -> Json:
    """The event of imported tasks."""
    return {"action": "TASKS_CREATED", "tasks": [records.in_event(task) for task in tasks], "project": project}


def tasks_deleted(ids: Iterable[int], project: Json) -> Json:
    """The event of deleted tasks: it names them, no more."""
    return {"action": "TASKS_DELETED", "tasks": [{"id": one} for one in ids], "project": project}


def project_updated(project: Json) -> Json:
    """The event of changed settings, the labeling config among them."""
    return {"action": "PROJECT_UPDATED", "project": project}


def start_training(project: Json) -> Json:
    """The event of the Start training button: neither tasks nor annotations."""
    return {"action": "START_TRAINING", "project": project}


def train(annotated_tasks: Sequence[Json], project: str, label_config: str) -> Json:
    """`POST /train`, with which older versions start a training."""
    whole = {"annotations": list(annotated_tasks), "project": project, "label_config": label_config}
    return {**whole, "params": {"login": None, "password": None}}


def delete(project: str) -> Json:
    """`POST /delete`, which ends a connection."""
    return {"project": project}
