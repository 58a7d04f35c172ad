"""Regions for Label Studio from what models produce, and back again for `fit()`.

For every control tag one function that makes a region, `rectangle(from_name, to_name, …)`, and one that reads it,
`read_rectangle(region)`; docs/regions.md lists them. `from_name` and `to_name` are the first two items of what
`get_first_tag_occurence()` returns. Runs in the author's process.

>>> from label_studio_ml import regions
>>> region = regions.rectangle("box", "image", "Car", xyxy=(0, 0, 32, 24), size=(640, 480), score=0.9, id="r1")
>>> region["value"]
{'x': 0.0, 'y': 0.0, 'width': 5.0, 'height': 5.0, 'rotation': 0.0, 'rectanglelabels': ['Car']}
>>> regions.read_rectangle(region)
Box(id='r1', score=0.9, labels=('Car',), xyxy=(0.0, 0.0, 32.0, 24.0), rotation=0.0)
"""

from __future__ import annotations

from ..errors import RegionError
from .answers import (
    choices,
    date_time,
    number,
    pairwise,
    ranker,
    rating,
    read_choices,
    read_date_time,
    read_number,
    read_pairwise,
    read_ranker,
    read_rating,
    read_taxonomy,
    read_text_area,
    taxonomy,
    text_area,
)
from .brush import Mask, brush, read_brush
from .ellipse import Ellipse, ellipse, read_ellipse
from .hypertext import html_text, hypertext_span, read_hypertext_span
from .keypoint import KeyPoint, keypoint, read_keypoint
from .ocr import Word, ocr, read_ocr
from .paragraphs import ParagraphSpan, paragraph_span, read_paragraph_span
from .polygon import Polygon, polygon, read_polygon
from .rectangle import Box, read_rectangle, rectangle
from .region import Found, Region, annotated, annotated_tasks
from .relations import Relation, read_relation, relation
from .text import Span, read_text_span, text_span, token_spans
from .time_spans import TimeSpan, audio_span, read_audio_span, read_time_series_span, time_series_span
from .video import FrameRange, Track, read_timeline, read_video_rectangle, timeline, video_rectangle

__all__ = [
    "Box",
    "Ellipse",
    "Found",
    "FrameRange",
    "KeyPoint",
    "Mask",
    "ParagraphSpan",
    "Polygon",
    "Region",
    "RegionError",
    "Relation",
    "Span",
    "TimeSpan",
    "Track",
    "Word",
    "annotated",
    "annotated_tasks",
    "audio_span",
    "brush",
    "choices",
    "date_time",
    "ellipse",
    "html_text",
    "hypertext_span",
    "keypoint",
    "number",
    "ocr",
    "pairwise",
    "paragraph_span",
    "polygon",
    "ranker",
    "rating",
    "read_audio_span",
    "read_brush",
    "read_choices",
    "read_date_time",
    "read_ellipse",
    "read_hypertext_span",
    "read_keypoint",
    "read_number",
    "read_ocr",
    "read_pairwise",
    "read_paragraph_span",
    "read_polygon",
    "read_ranker",
    "read_rating",
    "read_rectangle",
    "read_relation",
    "read_taxonomy",
    "read_text_area",
    "read_text_span",
    "read_time_series_span",
    "read_timeline",
    "read_video_rectangle",
    "rectangle",
    "relation",
    "taxonomy",
    "text_area",
    "text_span",
    "time_series_span",
    "timeline",
    "token_spans",
    "video_rectangle",
]
