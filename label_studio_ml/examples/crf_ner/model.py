"""Labels in texts by a conditional random field; before any training, the parts of US addresses by `usaddress`."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import joblib
import usaddress
from sklearn_crfsuite import CRF

from label_studio_ml import regions
from label_studio_ml.model import LabelStudioMLBase

logger = logging.getLogger(__name__)

TOKEN = re.compile(r"[^\W\d_]+|\d+|\S")
"""Letters together, digits together, anything else alone."""

NEIGHBOURS = (-2, -1, 1, 2)
"""Tokens around one that say something about it."""


class Token(NamedTuple):
    """A piece of a text, and where it is."""

    text: str
    start: int
    end: int


class CrfTagger(LabelStudioMLBase):
    """Fills the first `Labels` on a `Text`."""

    def setup(self) -> None:
        """Read the labeling config, and load what `fit()` saved if there was a training."""
        self.from_name, self.to_name, self.value = self.get_first_tag_occurence("Labels", "Text")
        self.labels = set(self.label_interface.get_control(self.from_name).labels)
        self.crf: CRF | None = joblib.load(self.train_output["model_path"]) if self.train_output else None
        self.parts = {} if self.crf else self.build_label_map(self.from_name, usaddress.LABELS)

    def predict(
        self, tasks: list[dict[str, Any]], context: dict[str, Any] | None = None, **kwargs: Any
    ) -> Iterator[dict[str, Any] | list[Any]]:
        """Predict the spans of each text. What is raised for a task costs it alone its prediction."""
        for task in tasks:
            text = self.text(task)
            if self.crf is not None:
                yield self.tagged(text)
            else:
                yield self.address(text) if self.parts else []

    def text(self, task: Mapping[str, Any]) -> str:
        text = task["data"][self.value]
        if not isinstance(text, str):
            raise TypeError(f"{self.value!r} is a {type(text).__name__}, not a text.")
        return text

    def tagged(self, text: str) -> dict[str, Any] | list[Any]:
        """What the trained model finds."""
        assert self.crf is not None
        found = tokens(text)
        if not found:
            return []
        (likely,) = self.crf.predict_marginals([features(found)])
        tags = [max(scores, key=lambda tag: scores[tag]) for scores in likely]
        sure = [scores[tag] for scores, tag in zip(likely, tags, strict=True)]
        # The labeling config may have changed since: only labels that it still has can be predicted.
        known = {label: label for label in self.labels}
        offsets = [(token.start, token.end) for token in found]
        spans = regions.token_spans(
            self.from_name, self.to_name, text=text, tags=tags, offsets=offsets, scores=sure, label_map=known
        )
        return {"result": spans, "score": min(sure)}

    def address(self, text: str) -> dict[str, Any]:
        """What `usaddress` finds: it takes the whole text for an address."""
        tags, offsets, end = [], [], 0
        for word, tag in usaddress.parse(text):
            start = text.find(word, end)
            if start >= 0:
                end = start + len(word)
                offsets.append((start, start + len(word.rstrip(",;.")) or end))
                tags.append(tag)
        spans = regions.token_spans(
            self.from_name, self.to_name, text=text, tags=tags, offsets=offsets, label_map=self.parts
        )
        return {"result": spans, "score": 0.0}

    def fit(  # LabelStudioMLBase knows two forms of fit()
        self, annotations: Iterable[dict[str, Any]], workdir: str | None = None, **kwargs: Any
    ) -> dict[str, Any] | None:
        """Train on all annotated texts of the project; what has no label teaches what is none."""
        rows, tags = [], []
        for task, found in regions.annotated_tasks(annotations, self.from_name):
            words = tokens(self.text(task))
            if words:
                rows.append(features(words))
                tags.append(list(tags_of(words, found)))
        labels = {tag[2:] for row in tags for tag in row} - {""}
        if not labels:
            logger.info("Not training yet: none of %d texts has a label.", len(rows))
            return None
        crf = CRF(algorithm="lbfgs", c1=0.05, c2=0.05, max_iterations=100, all_possible_transitions=True)
        crf.fit(rows, tags)
        model_path = str(Path(workdir or ".") / "crf.joblib")
        joblib.dump(crf, model_path)
        logger.info("Trained on %d texts with %d labels.", len(rows), len(labels))
        return {"model_path": model_path, "texts": len(rows), "labels": sorted(labels)}


def tokens(text: str) -> list[Token]:
    """The tokens of a text."""
    return [Token(found.group(), *found.span()) for found in TOKEN.finditer(text)]


def tags_of(words: list[Token], found: list[Mapping[str, Any]]) -> Iterator[str]:
    """A tag for each token: `B-` and `I-` with a label, or `O`."""
    spans = [regions.read_text_span(region) for region in found]
    before = None
    for word in words:
        span = next((one for one in spans if one.start < word.end and word.start < one.end), None)
        yield "O" if span is None else f"{'I' if span is before else 'B'}-{span.label}"
        before = span


def features(words: list[Token]) -> list[dict[str, Any]]:
    """What the model sees of each token: itself, and a little of its neighbours."""
    seen = [look(word.text) for word in words]
    rows = []
    for place, own in enumerate(seen):
        row: dict[str, Any] = dict(own)
        for step in NEIGHBOURS:
            inside = 0 <= place + step < len(words)
            other = seen[place + step] if inside else {"edge": True}
            row.update({f"{step:+d} {name}": value for name, value in other.items() if name != "end"})
        rows.append(row)
    return rows


def look(text: str) -> dict[str, Any]:
    """A token by its letters, its shape (`Xx`, `dddd`) and its end."""
    shape = re.sub(r"\d", "d", re.sub(r"[^\W\d_]", lambda found: "X" if found.group().isupper() else "x", text))
    return {"word": text.lower(), "shape": re.sub(r"(x)x+|(X)X+", r"\1\2", shape), "end": text[-3:].lower()}
