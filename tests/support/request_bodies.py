"""What Label Studio sends about annotations, in the smallest form that the tests need."""

from __future__ import annotations

from typing import Any

CONFIG = (
    '<View><Text name="text" value="$text"/>'
    '<Choices name="sentiment" toName="text"><Choice value="Positive"/></Choices></View>'
)


def annotated(annotation: int, project: str = "7", text: str = "t") -> dict[str, Any]:
    """The ANNOTATION_CREATED event for the first annotation of a task; both have the same id."""
    return {
        "action": "ANNOTATION_CREATED",
        "annotation": {"id": annotation, "task": annotation, "result": [], "was_cancelled": False},
        "task": {"id": annotation, "data": {"text": text}},
        "project": {"id": int(project), "label_config": CONFIG},
    }


def prediction(project: str = "7") -> dict[str, Any]:
    """A request for the prediction of one task."""
    return {"tasks": [{"id": 1, "data": {"text": "x"}}], "project": project, "label_config": CONFIG}


def setup(project: str = "7") -> dict[str, Any]:
    """A request to set a project up."""
    return {"project": project, "schema": CONFIG}
