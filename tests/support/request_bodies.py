"""What Label Studio sends about one small project."""

from __future__ import annotations

from typing import Any

from label_studio_ml.wire import bodies, records

CONFIG = (
    '<View><Text name="text" value="$text"/>'
    '<Choices name="sentiment" toName="text"><Choice value="Positive"/></Choices></View>'
)


def annotated(annotation: int, project: str = "7", text: str = "t") -> dict[str, Any]:
    """The ANNOTATION_CREATED event for the first annotation of a task; both have the same id."""
    task = records.task(annotation, {"text": text}, int(project))
    one = records.annotation(annotation, task, [])
    return bodies.annotation_created(one, task, records.project(int(project), CONFIG, "Sample project"))


def prediction(project: str = "7") -> dict[str, Any]:
    """A request for the prediction of one task."""
    return bodies.predict([records.task(1, {"text": "x"})], project, CONFIG)


def setup(project: str = "7") -> dict[str, Any]:
    """A request to set a project up."""
    return bodies.setup(project, CONFIG)
