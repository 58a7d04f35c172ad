"""Uses every builder of regions: predicts for each control what is listed here under its name.

Everything is in a place and of a label of its own, so that the tests can tell one from the other on a picture.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any

import numpy as np

from label_studio_ml import regions
from label_studio_ml.model import LabelStudioMLBase

SIZE = (640, 480)
VIDEO = {"size": (320, 240), "fps": 25, "frames": 50}
CAR = {frame: (10 + 25 * frame, 60, 50, 30) for frame in range(10)}
TEXT = "Smile \U0001f600 says Ada Lovelace in London."
HTML = (
    "<h1>Note \U0001f600</h1><p>By <b>Ada</b><br>and others</p><table><tr><td>London &amp; more</td></tr></table>"
)
DIALOGUE = ["Hello, Ada.", "Good day from London!"]


def disc(x: float, y: float, radius: float) -> Any:
    """A round mask of the image's size."""
    rows, columns = np.mgrid[: SIZE[1], : SIZE[0]]
    return (columns - x) ** 2 + (rows - y) ** 2 < radius**2


def within_text(text: str, words: str) -> dict[str, int]:
    """Where some words are in a text."""
    return {"start": text.index(words), "end": text.index(words) + len(words)}


def related(name: str, to: str) -> list[regions.Region]:
    """Two entities and the relation between them."""
    tags = ["O", "O", "O", "B-Person", "I-Person", "O", "B-Place"]
    places = [
        within_text(TEXT, word) for word in ("Smile", "\U0001f600", "says", "Ada", "Lovelace", "in", "London")
    ]
    offsets = [(place["start"], place["end"]) for place in places]
    ada, london = regions.token_spans(name, to, text=TEXT, tags=tags, offsets=offsets, scores=np.full(7, 0.9))
    ada["id"], london["id"] = "ada", "london"
    return [ada, london, regions.relation(ada, london, "lives in")]


EVERY: dict[str, Callable[[str, str], regions.Region | list[regions.Region]]] = {
    "rectangle": lambda name, to: regions.rectangle(
        name, to, "Rectangle", xyxy=np.array([40, 40, 140, 120], np.float32), size=SIZE, score=0.8, id="rectangle"
    ),
    "turned": lambda name, to: regions.rectangle(
        name, to, "Turned", cxcywh=(260, 80, 100, 50), rotation=30, size=SIZE, id="turned"
    ),
    "polygon": lambda name, to: regions.polygon(
        name, to, "Polygon", points=np.array([[[360, 40]], [[440, 40]], [[400, 130]]]), size=SIZE, id="polygon"
    ),
    "ellipse": lambda name, to: regions.ellipse(
        name, to, "Ellipse", cxcywh=(550, 90, 120, 60), rotation=45, size=SIZE, id="ellipse"
    ),
    "keypoint": lambda name, to: regions.keypoint(
        name, to, "KeyPoint", xy=(90, 300), width=1.5, size=SIZE, id="keypoint"
    ),
    "brush": lambda name, to: regions.brush(name, to, "Brush", mask=disc(260, 300, 50), id="brush"),
    "word": lambda name, to: regions.ocr(
        name,
        to,
        "Word",
        text="Total",
        text_name="read",
        label_name="part",
        xywh=(380, 270, 120, 40),
        size=SIZE,
        id="word",
    ),
    "entity": related,
    "passage": lambda name, to: regions.hypertext_span(
        name, to, "Passage", html=HTML, **within_text(regions.html_text(HTML), "Ada\nand"), id="passage"
    ),
    "cell": lambda name, to: regions.hypertext_span(
        name, to, "Cell", html=HTML, **within_text(regions.html_text(HTML), "London & more"), id="cell"
    ),
    "utterance": lambda name, to: regions.paragraph_span(
        name, to, "Greeting", texts=DIALOGUE, start=(1, 0), end=(1, 8), id="utterance"
    ),
    "mood": lambda name, to: regions.choices(name, to, "Happy", score=np.float32(0.75), id="mood"),
    "kind": lambda name, to: regions.taxonomy(name, to, [["Letter", "Private"]], id="kind"),
    "summary": lambda name, to: regions.text_area(name, to, "Ada writes.", id="summary"),
    "stars": lambda name, to: regions.rating(name, to, np.int64(4), id="stars"),
    "count": lambda name, to: regions.number(name, to, 2.5, id="count"),
    "when": lambda name, to: regions.date_time(name, to, datetime.datetime(2024, 2, 29, 12, 30), id="when"),  # noqa: DTZ001
    "better": lambda name, to: regions.pairwise(name, to, "right", id="better"),
    "rank": lambda name, to: regions.ranker(name, to, ["b", "c", "a"], id="rank"),
    "sound": lambda name, to: regions.audio_span(name, to, "Speech", start=0.25, end=0.75, duration=1, id="sound"),
    "state": lambda name, to: regions.time_series_span(name, to, "Run", start=2, end=5, id="state"),
    "track": lambda name, to: regions.video_rectangle(name, to, "Car", xywh=CAR, **VIDEO, id="track"),
    "action": lambda name, to: regions.timeline(name, to, "Jump", start=0, end=25, id="action"),
}


class EveryRegion(LabelStudioMLBase):
    def setup(self) -> None:
        self.set("model_version", "every-region")

    def predict(
        self, tasks: list[dict[str, Any]], context: dict[str, Any] | None = None, **kwargs: Any
    ) -> list[dict[str, Any]]:
        result: list[regions.Region] = []
        for control in self.label_interface.controls:
            if control.name in EVERY:
                made = EVERY[control.name](control.name, control.to_name[0])
                result += made if isinstance(made, list) else [made]
        return [{"result": result, "score": 0.5} for _ in tasks]
