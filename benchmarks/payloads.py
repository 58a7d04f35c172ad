"""What the load sends: Label Studio's predict requests, all different, in the form each contender wants.

Our server answers identical requests that are in flight at the same time once, so no two may be alike.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from label_studio_ml.wire import bodies, records

from .models import work

PROJECT = "1.1700000000"
CONFIG = (
    '<View><Text name="text" value="$text"/><Choices name="sentiment" toName="text" choice="single">'
    + "".join(f'<Choice value="{label}"/>' for label in work.LABELS)
    + "</Choices></View>"
)
FIRST = 10_000
"""Number of the first task that is sent; what the models learn from has lower ones."""


def task(model: str, number: int) -> work.Task:
    """A task as Label Studio sends it, for one of the models."""
    data = {"text": work.text(number)}
    if model == "cnn":
        data = {"text": f"picture {number}", "pixels": work.picture(number)}
    return records.task(number, data)


def label(model: str, task: work.Task) -> str:
    """What the model has to say about a task. The real ones are good enough to be right every time."""
    if model in ("tfidf", "cnn"):
        return work.LABELS[task["id"] % len(work.LABELS)]
    return work.LABELS[len(task["data"]["text"]) % len(work.LABELS)]


def label_studio(tasks: Sequence[work.Task], context: dict[str, Any] | None = None) -> bytes:
    """`POST /predict` as Label Studio sends it."""
    return json.dumps(bodies.predict(tasks, PROJECT, CONFIG, context)).encode()


def v2(tasks: Sequence[work.Task]) -> bytes:
    """The same tasks in the V2 inference protocol."""
    texts = [json.dumps(task) for task in tasks]
    tensor = {"name": "tasks", "datatype": "BYTES", "shape": [len(texts), 1], "data": texts}
    return json.dumps({"inputs": [tensor]}).encode()


def setup() -> bytes:
    """`POST /setup`."""
    return json.dumps(bodies.setup(PROJECT, CONFIG)).encode()


def answered(reply: bytes) -> list[str]:
    """The labels in a reply of any contender, one for each task; empty where there is no prediction."""
    decoded = json.loads(reply)
    if isinstance(decoded, list):
        items = decoded
    elif "outputs" in decoded:
        items = [json.loads(text) for text in decoded["outputs"][0]["data"]]
    else:
        items = decoded["results"]
    return [item["result"][0]["value"]["choices"][0] if item and item["result"] else "" for item in items]
