"""Texts into choices with scikit-learn: guesses by the names of choices, then learns from annotations."""

from __future__ import annotations

import logging
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import joblib
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import MultiLabelBinarizer

from label_studio_ml import regions
from label_studio_ml.model import LabelStudioMLBase

logger = logging.getLogger(__name__)

Prediction = dict[str, Any]

MULTIPLE_CHOICE_THRESHOLD = 0.5


class SimpleTextClassifier(LabelStudioMLBase):
    """Fills the first `Choices` on a `Text`, with `choice="single"` or `choice="multiple"`."""

    def setup(self) -> None:
        """Read the labeling config, and load what `fit()` saved if there was a training."""
        self.from_name, self.to_name, self.value = self.get_first_tag_occurence("Choices", "Text")
        control = self.label_interface.get_control(self.from_name)
        self.labels: list[str] = list(control.labels)
        self.multiple: bool = control.attr.get("choice") == "multiple"
        self.pipeline, self.classes = None, []
        if self.train_output and self.train_output["multiple"] == self.multiple:
            self.pipeline = joblib.load(self.train_output["model_path"])
            self.classes = self.train_output["labels"]

    def predict(
        self, tasks: list[dict[str, Any]], context: dict[str, Any] | None = None, **kwargs: Any
    ) -> list[Prediction | list[Prediction]]:
        """Predict one or several choices for each task; a task without text gets no prediction."""
        texts = [self.text(task) for task in tasks]
        return [
            self.prediction(scores) if text else [] for text, scores in zip(texts, self.scores(texts), strict=True)
        ]

    def text(self, task: Mapping[str, Any]) -> str:
        return str(task["data"].get(self.value) or "").strip()

    def scores(self, texts: list[str]) -> list[dict[str, float]]:
        """How likely each choice is for each text, from 0 to 1."""
        if self.pipeline is None:
            return [guess(text, self.labels) for text in texts]
        rows = self.pipeline.predict_proba(texts)
        trained = [dict(zip(self.classes, map(float, row), strict=True)) for row in rows]
        # The labeling config may have changed since: only choices that it still has can be predicted.
        return [{label: row.get(label, 0.0) for label in self.labels} for row in trained]

    def prediction(self, scores: dict[str, float]) -> Prediction:
        """The best choice; among multiple choices all that are likely, but at least the best."""
        chosen = [max(scores, key=lambda label: scores[label])]
        if self.multiple:
            likely = [label for label, score in scores.items() if score >= MULTIPLE_CHOICE_THRESHOLD]
            chosen = likely or chosen
        region = regions.choices(self.from_name, self.to_name, chosen)
        return {"result": [region], "score": sum(scores[label] for label in chosen) / len(chosen)}

    def fit(  # LabelStudioMLBase knows two forms of fit()
        self, annotations: Iterable[dict[str, Any]], workdir: str | None = None, **kwargs: Any
    ) -> dict[str, Any] | None:
        """Train on all annotated tasks of the project and save the result in the folder `workdir`.

        What it returns is `self.train_output` when the next version of this model is loaded.
        """
        examples = list(self.examples(annotations))
        texts, choices = [text for text, _ in examples], [labels for _, labels in examples]
        seen = Counter(label for labels in choices for label in labels)
        if len(seen) < 2:
            logger.info("Not training yet: %d examples, all of the choices %s.", len(texts), list(seen))
            return None

        classes, classifier = sorted(seen), LogisticRegression(C=10)
        target: Any = [labels[0] for labels in choices]
        if self.multiple:
            classifier = OneVsRestClassifier(classifier)
            target = MultiLabelBinarizer(classes=classes).fit_transform(choices)
        pipeline = new_pipeline(classifier)

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about choices that all examples, or none of a part, have
            folds = min(3, *seen.values())
            accuracy = float(cross_val_score(pipeline, texts, target, cv=folds).mean()) if folds > 1 else None
            pipeline.fit(texts, target)

        model_path = str(Path(workdir or ".") / "text_classifier.joblib")
        joblib.dump(pipeline, model_path)
        logger.info("Trained on %d examples of %d choices; accuracy %s.", len(texts), len(seen), accuracy)
        return {
            "model_path": model_path,
            "labels": classes,
            "multiple": self.multiple,
            "accuracy": accuracy,
            "examples": len(texts),
        }

    def examples(self, tasks: Iterable[dict[str, Any]]) -> Iterator[tuple[str, list[str]]]:
        """Each annotation that can be learned from, as (text, choices)."""
        for task, region in regions.annotated(tasks, self.from_name):
            chosen = [label for label in regions.read_choices(region) if label in self.labels]
            if chosen and self.text(task):
                yield self.text(task), chosen


def new_pipeline(classifier: Any) -> Any:
    """Words and pairs of words, and pieces of words against typos and inflections, into a classifier."""
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    pieces = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True)
    return make_pipeline(make_union(words, pieces), classifier)


def guess(text: str, labels: list[str]) -> dict[str, float]:
    """Scores before any training: labels whose name resembles the text get a little more than their share."""
    overlaps = {label: overlap(text, label) for label in labels}
    total = len(labels) + sum(overlaps.values())
    return {label: (1 + value) / total for label, value in overlaps.items()}


def overlap(text: str, label: str) -> float:
    """The share of a label's three-letter pieces that are in the text."""
    text, name = f" {text.lower()} ", f" {label.lower()} "
    pieces = {name[start : start + 3] for start in range(len(name) - 2)}
    return sum(piece in text for piece in pieces) / len(pieces)
