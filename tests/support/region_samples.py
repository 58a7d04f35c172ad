"""A labeling config with the tags that models predict for, and regions that fit it; for tests and benchmarks."""

from __future__ import annotations

import copy
from typing import Any

CONFIG = """
<View>
  <Image name="image" value="$image"/>
  <Text name="text" value="$text"/>
  <HyperText name="page" value="$page"/>
  <Paragraphs name="talk" value="$talk" nameKey="author" textKey="text"/>
  <Audio name="audio" value="$audio"/>
  <Video name="video" value="$video"/>
  <TimeSeries name="series" value="$series"><Channel column="a"/></TimeSeries>
  <List name="items" value="$items"/>
  <Text name="left" value="$left"/><Text name="right" value="$right"/>
  <Chat name="chat" value="$chat"/>
  <Choices name="mood" toName="text"><Choice value="Good"/><Choice value="Bad" alias="bad"/></Choices>
  <Choices name="free" toName="text" value="$options"/>
  <Taxonomy name="kinds" toName="text"><Choice value="Animal"><Choice value="Cat"/></Choice></Taxonomy>
  <Taxonomy name="remote" toName="text" apiUrl="$tree"/>
  <Labels name="ner" toName="text"><Label value="PER"/><Label value="ORG"/></Labels>
  <HyperTextLabels name="marks" toName="page"><Label value="Title"/></HyperTextLabels>
  <ParagraphLabels name="turns" toName="talk"><Label value="Question"/></ParagraphLabels>
  <Labels name="sounds" toName="audio"><Label value="Speech"/><Label value="Noise"/></Labels>
  <TimeSeriesLabels name="runs" toName="series"><Label value="Run"/></TimeSeriesLabels>
  <RectangleLabels name="box" toName="image"><Label value="Car"/><Label value="Airplane"/></RectangleLabels>
  <PolygonLabels name="outline" toName="image"><Label value="Road"/></PolygonLabels>
  <EllipseLabels name="oval" toName="image"><Label value="Eye"/></EllipseLabels>
  <KeyPointLabels name="point" toName="image"><Label value="Nose"/></KeyPointLabels>
  <BrushLabels name="mask" toName="image"><Label value="Sky"/></BrushLabels>
  <BitmaskLabels name="bits" toName="image"><Label value="Sky"/></BitmaskLabels>
  <VectorLabels name="line" toName="image"><Label value="Wire"/></VectorLabels>
  <Rectangle name="plain" toName="image"/>
  <Polygon name="shape" toName="image"/>
  <Brush name="stroke" toName="image"/>
  <Labels name="tags" toName="image"><Label value="Cat"/><Label value="Dog"/></Labels>
  <TextArea name="caption" toName="image" perRegion="true"/>
  <Rating name="stars" toName="text" maxRating="7"/>
  <Number name="count" toName="image" max="10"/>
  <DateTime name="when" toName="text"/>
  <Pairwise name="better" toName="left,right"/>
  <Ranker name="order" toName="items"/>
  <VideoRectangle name="track" toName="video"/>
  <TimelineLabels name="scenes" toName="video"><Label value="Goal"/></TimelineLabels>
</View>
"""

_BOX = {"x": 10.5, "y": 20, "width": 30.25, "height": 40, "rotation": 0}
_IMAGE = {"original_width": 800, "original_height": 600, "image_rotation": 0}

SAMPLES: dict[str, tuple[str, str, dict[str, Any], dict[str, Any]]] = {
    # control: (to_name, type, value, further keys of the region)
    "mood": ("text", "choices", {"choices": ["Good", "bad"]}, {}),
    "free": ("text", "choices", {"choices": ["whatever the task offers"]}, {}),
    "kinds": ("text", "taxonomy", {"taxonomy": [["Animal", "Cat"], ["Animal"]]}, {}),
    "remote": ("text", "taxonomy", {"taxonomy": [["from", "afar"]]}, {}),
    "ner": ("text", "labels", {"start": 3, "end": 9, "text": "Ada", "labels": ["PER"]}, {"score": 0.5}),
    "marks": (
        "page",
        "hypertextlabels",
        {
            "start": "/div[1]/p[1]/text()[1]",
            "end": "/div[1]/p[1]/text()[1]",
            "startOffset": 2,
            "endOffset": 8,
            "globalOffsets": {"start": 2, "end": 8},
            "hypertextlabels": ["Title"],
        },
        {},
    ),
    "turns": (
        "talk",
        "paragraphlabels",
        {"start": "2", "end": "10", "startOffset": 5, "endOffset": 3, "paragraphlabels": ["Question"]},
        {},
    ),
    "sounds": ("audio", "labels", {"start": 0.5, "end": 1.75, "channel": 0, "labels": ["Speech"]}, {}),
    "runs": (
        "series",
        "timeserieslabels",
        {"start": 1592250751.95, "end": 1592250752.05, "instant": False, "timeserieslabels": ["Run"]},
        {},
    ),
    "box": ("image", "rectanglelabels", {**_BOX, "rectanglelabels": ["Car"]}, {**_IMAGE, "score": 0.875}),
    "outline": (
        "image",
        "polygonlabels",
        {"points": [[1.5, 2], [30, 4.25], [5, 60]], "closed": True, "polygonlabels": ["Road"]},
        _IMAGE,
    ),
    "oval": (
        "image",
        "ellipselabels",
        {"x": 50, "y": 50, "radiusX": 10, "radiusY": 5.5, "rotation": 0, "ellipselabels": ["Eye"]},
        _IMAGE,
    ),
    "point": ("image", "keypointlabels", {"x": 33.3, "y": 66.6, "width": 0.5, "keypointlabels": ["Nose"]}, _IMAGE),
    "mask": (
        "image",
        "brushlabels",
        {"format": "rle", "rle": [0, 1, 37, 255] * 10, "brushlabels": ["Sky"]},
        _IMAGE,
    ),
    "bits": (
        "image",
        "bitmasklabels",
        {"imageDataURL": "data:image/png;base64,AA", "bitmasklabels": ["Sky"]},
        _IMAGE,
    ),
    "line": (
        "image",
        "vectorlabels",
        {"vertices": [{"x": -5.0, "y": 2.0, "id": "a"}, {"x": 3.5, "y": 4}], "vectorlabels": ["Wire"]},
        _IMAGE,
    ),
    "plain": ("image", "rectangle", _BOX, _IMAGE),
    "caption": ("image", "textarea", {**_BOX, "text": ["a car"]}, {"meta": {"text": ["note"]}}),
    "stars": ("text", "rating", {"rating": 6}, {}),
    "count": ("image", "number", {"number": 3.5}, {"origin": "prediction"}),
    "when": ("text", "datetime", {"datetime": "2024-05-06"}, {}),
    "better": ("left", "pairwise", {"selected": "left"}, {}),
    "order": ("items", "ranker", {"ranker": {"order": ["a", "b"]}}, {}),
    "track": (
        "video",
        "videorectangle",
        {
            "framesCount": 100,
            "duration": 4.2,
            "sequence": [
                {"frame": 1, "enabled": True, "time": 0.04, **_BOX},
                {"frame": 50, "enabled": False, "time": 2.0, **_BOX},
            ],
            "labels": ["Anything"],
        },
        {},
    ),
    "scenes": ("video", "timelinelabels", {"ranges": [{"start": 3, "end": 30}], "timelinelabels": ["Goal"]}, {}),
    "chat": ("chat", "chatmessage", {"chatmessage": {"role": "user", "content": "hello"}}, {}),
}


def sample(control: str, **changes: Any) -> dict[str, Any]:
    """A region that fits a control of `CONFIG`, with some of its keys changed."""
    to_name, kind, value, more = copy.deepcopy(SAMPLES[control])
    return {
        "id": f"{control}-1",
        "from_name": control,
        "to_name": to_name,
        "type": kind,
        "value": value,
        **more,
    } | changes


def split() -> list[dict[str, Any]]:
    """A rectangle and its label in two regions of one id, as Label Studio writes them for separate tags."""
    label = {"from_name": "tags", "type": "labels", "value": {**copy.deepcopy(_BOX), "labels": ["Dog"]}}
    return [sample("plain"), sample("plain") | label]


def relation(**changes: Any) -> dict[str, Any]:
    """A relation between the samples of `box` and `plain`."""
    return {"type": "relation", "from_id": "box-1", "to_id": "plain-1", "direction": "right", **changes}
