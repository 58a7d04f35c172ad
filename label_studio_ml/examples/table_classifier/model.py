"""Choices for tables of fields, by logistic regression on numbers and words; it learns all from annotations."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import joblib
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from label_studio_ml import regions
from label_studio_ml.model import LabelStudioMLBase

logger = logging.getLogger(__name__)

MOSTLY = 0.8
"""A column of numbers has this share of them among what is filled in."""


class TableClassifier(LabelStudioMLBase):
    """Fills the first `Choices` on a `Table`, one choice for each task."""

    def setup(self) -> None:
        """Read the labeling config, and load what `fit()` saved if there was a training."""
        self.from_name, self.to_name, self.value = self.get_first_tag_occurence("Choices", "Table")
        control = self.label_interface.get_control(self.from_name)
        if control.attr.get("choice") == "multiple":
            raise ValueError(f'Choices {self.from_name!r} allow several answers; this model needs choice="single".')
        self.labels = set(control.labels)
        self.pipeline = joblib.load(self.train_output["model_path"]) if self.train_output else None

    def predict(
        self, tasks: list[dict[str, Any]], context: dict[str, Any] | None = None, **kwargs: Any
    ) -> list[dict[str, Any] | list[Any]]:
        """Predict a choice for each table; before any training nothing."""
        if self.pipeline is None:
            return [[] for _ in tasks]
        rows = table([self.fields(task) for task in tasks], self.train_output["columns"])
        found: list[dict[str, Any] | list[Any]] = []
        for likely in self.pipeline.predict_proba(rows):
            # The labeling config may have changed since: only choices that it still has can be predicted.
            scores = {
                str(label): float(score)
                for label, score in zip(self.pipeline.classes_, likely, strict=True)
                if label in self.labels
            }
            best = max(scores, key=lambda label: scores[label], default="")
            region = regions.choices(self.from_name, self.to_name, best) if best else None
            found.append({"result": [region], "score": scores[best]} if region else [])
        return found

    def fields(self, task: Mapping[str, Any]) -> dict[str, Any]:
        """The fields of a task's table. What is raised here costs this task alone its prediction."""
        fields = task["data"][self.value]
        if not isinstance(fields, dict):
            raise TypeError(f"{self.value!r} is a {type(fields).__name__}; a Table needs names and values.")
        return fields

    def fit(  # LabelStudioMLBase knows two forms of fit()
        self, annotations: Iterable[dict[str, Any]], workdir: str | None = None, **kwargs: Any
    ) -> dict[str, Any] | None:
        """Train on all annotated tasks of the project; which columns are numbers is seen from them."""
        found, choices = [], []
        for task, region in regions.annotated(annotations, self.from_name):
            chosen = [label for label in regions.read_choices(region) if label in self.labels]
            if chosen:
                found.append(self.fields(task))
                choices.append(chosen[0])
        seen = Counter(choices)
        if len(seen) < 2:
            logger.info("Not training yet: %d tables, all of the choices %s.", len(found), list(seen))
            return None

        columns = {name: is_number(found, name) for name in sorted({name for fields in found for name in fields})}
        rows, pipeline = table(found, columns), new_pipeline(columns)
        folds = min(3, *seen.values())
        accuracy = float(cross_val_score(pipeline, rows, choices, cv=folds).mean()) if folds > 1 else None
        pipeline.fit(rows, choices)
        model_path = str(Path(workdir or ".") / "table_classifier.joblib")
        joblib.dump(pipeline, model_path)
        logger.info("Trained on %d tables of %d choices; accuracy %s.", len(found), len(seen), accuracy)
        return {"model_path": model_path, "columns": columns, "tables": len(found), "accuracy": accuracy}


def table(found: list[dict[str, Any]], columns: dict[str, bool]) -> pd.DataFrame:
    """One row for each table; what is missing, or is no number where one should be, is NaN or an empty word."""
    rows = pd.DataFrame(found, columns=list(columns), dtype=object)
    for name, number in columns.items():
        if number:
            rows[name] = pd.to_numeric(rows[name], errors="coerce").astype(float)
        else:
            rows[name] = rows[name].where(rows[name].notna(), "").map(str)
    return rows


def is_number(found: list[dict[str, Any]], name: str) -> bool:
    """Whether a field holds numbers, perhaps written as text."""
    values = pd.Series([fields.get(name) for fields in found], dtype=object).dropna()
    values = values[values != ""]
    return len(values) > 0 and float(pd.to_numeric(values, errors="coerce").notna().mean()) >= MOSTLY


def new_pipeline(columns: dict[str, bool]) -> Pipeline:
    """Numbers by how far they are from the mean, words as they are; a missing number counts as the median."""
    numbers = [name for name, number in columns.items() if number]
    words = [name for name, number in columns.items() if not number]
    scaled = make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler())
    parts = [("numbers", scaled, numbers), ("words", OneHotEncoder(handle_unknown="ignore"), words)]
    return make_pipeline(ColumnTransformer(parts), LogisticRegression(max_iter=1000))
