"""Spans of a time series by a random forest on sliding windows; everything it knows comes from annotations."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import joblib
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier

from label_studio_ml import regions
from label_studio_ml.model import LabelStudioMLBase

logger = logging.getLogger(__name__)

NOTHING = ""
"""What rows outside of every span are."""

WINDOWS_IN_A_SPAN = 8
"""A window is this part of a usual span: long enough to see a movement, short enough to find its ends."""

SMOOTHED = 5
"""Neighbouring windows that decide together."""


class Series(NamedTuple):
    """A series in windows."""

    times: pd.Series
    starts: NDArray[Any]
    """First row of each window."""
    features: NDArray[Any]


class TimeSeriesSegmenter(LabelStudioMLBase):
    """Fills the first `TimeSeriesLabels` on a `TimeSeries`, whose values may be CSV files or in the task itself."""

    def setup(self) -> None:
        """Read the labeling config, and load what `fit()` saved if there was a training."""
        self.from_name, self.to_name, self.value = self.get_first_tag_occurence("TimeSeriesLabels", "TimeSeries")
        self.labels = set(self.label_interface.get_control(self.from_name).labels)
        self.look = self.label_interface.get_object(self.to_name).attr
        self.trained: dict[str, Any] = joblib.load(self.train_output["model_path"]) if self.train_output else {}

    def predict(
        self, tasks: list[dict[str, Any]], context: dict[str, Any] | None = None, **kwargs: Any
    ) -> list[dict[str, Any] | list[Any]]:
        """Predict the spans of each series; none before any training, or of a series that cannot be read."""
        if not self.trained:
            return [[] for _ in tasks]
        self.prefetch(tasks, self.value)
        series = [self.series(task) for task in tasks]
        # The forest sees the windows of all series together: most of its time goes into each of its trees once.
        likely = self.trained["forest"].predict_proba(np.concatenate([one.features for one in series]))
        ends = np.cumsum([len(one.features) for one in series])
        return [self.prediction(*pair) for pair in zip(series, np.split(likely, ends[:-1]), strict=True)]

    def series(self, task: dict[str, Any]) -> Series:
        """The series of a task, in windows. What is raised here costs this task alone its prediction."""
        times, values = self.read(task)
        channels = values.reindex(columns=self.trained["channels"], fill_value=0.0).to_numpy(float)
        if len(channels) < self.trained["width"]:
            raise ValueError(f"{len(channels)} rows are fewer than a window has, {self.trained['width']}.")
        return Series(times, *windows(channels, self.trained["width"]))

    def read(self, task: Mapping[str, Any]) -> tuple[pd.Series, pd.DataFrame]:
        """The time column and all other columns of numbers."""
        data = task["data"][self.value]
        if isinstance(data, str):
            path = self.get_local_path(data, task_id=task.get("id"))
            table = pd.read_csv(path, sep=self.look.get("sep", ","))
        else:
            table = pd.DataFrame(data)
        column = self.look.get("timecolumn") or self.look.get("timeColumn")
        times = table.pop(column) if column else pd.Series(np.arange(len(table)))
        return times, table.select_dtypes("number").interpolate(limit_direction="both").fillna(0.0)

    def prediction(self, series: Series, likely: NDArray[Any]) -> dict[str, Any]:
        """Spans of rows that most likely have the same label."""
        classes, width, rows = self.trained["forest"].classes_, self.trained["width"], len(series.times)
        likely = smooth(likely)
        best, sure = likely.argmax(axis=1), likely.max(axis=1)
        # A row belongs to the window whose middle is nearest.
        nearest = np.abs(np.arange(rows)[:, None] - (series.starts + width / 2)[None, :]).argmin(axis=1)
        found, scores = [], []
        for first, last in runs(best[nearest]):
            label = str(classes[best[nearest[first]]])
            if label in self.labels and last - first >= width / 2:
                score = float(sure[nearest[first:last]].mean())
                span = {"start": series.times.iloc[first], "end": series.times.iloc[last - 1], "score": score}
                found.append(regions.time_series_span(self.from_name, self.to_name, label, **span))
                scores.append(score)
        return {"result": found, "score": float(np.mean(scores)) if scores else 0.0}

    def fit(  # LabelStudioMLBase knows two forms of fit()
        self, annotations: Iterable[dict[str, Any]], workdir: str | None = None, **kwargs: Any
    ) -> dict[str, Any] | None:
        """Train on all annotated series of the project; rows outside of every span teach what is nothing."""
        series, spans = [], []
        for task, found in regions.annotated_tasks(annotations, self.from_name):
            if found:
                times, values = self.read(task)
                read = [regions.read_time_series_span(region) for region in found]
                series.append(values)
                spans.append([(place(times, one.start), place(times, one.end) + 1, one.label) for one in read])
        if len({label for rows in spans for *_, label in rows}) < 2:
            logger.info("Not training yet: %d annotated series with fewer than two labels.", len(series))
            return None
        lengths = [last - first for rows in spans for first, last, _ in rows]
        width = max(4, int(np.median(lengths)) // WINDOWS_IN_A_SPAN)
        channels = list(series[0].columns)
        features, targets = [], []
        for number, (values, rows) in enumerate(zip(series, spans, strict=True), 1):
            table = values.reindex(columns=channels, fill_value=0.0).to_numpy(float)
            if len(table) < width:
                continue
            labels = np.full(len(table), NOTHING, dtype=object)
            for first, last, label in rows:
                labels[first:last] = label
            starts, some = windows(table, width)
            features.append(some)
            targets.append(labels[starts + width // 2])
            self.progress(0.5 * number / len(series))
        forest = RandomForestClassifier(
            200, oob_score=True, class_weight="balanced_subsample", n_jobs=-1, random_state=0
        )
        forest.fit(np.concatenate(features), np.concatenate(targets).astype(str))
        forest.n_jobs = 1
        model_path = str(Path(workdir or ".") / "forest.joblib")
        joblib.dump({"forest": forest, "width": width, "channels": channels}, model_path)
        self.progress(1.0, accuracy=float(forest.oob_score_))
        logger.info("Trained on %d series; accuracy of windows %.3f.", len(series), forest.oob_score_)
        return {"model_path": model_path, "series": len(series), "accuracy": float(forest.oob_score_)}


def windows(values: NDArray[Any], width: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """First rows of half-overlapping windows, and the level, spread, speed and rhythm of each channel in them."""
    starts = np.arange(0, len(values) - width + 1, max(1, width // 2))
    cut = np.lib.stride_tricks.sliding_window_view(values, width, axis=0)[starts]  # window, channel, row
    steps = np.diff(cut, axis=2)
    centred = cut - cut.mean(axis=2, keepdims=True)
    crossings = (np.diff(np.signbit(centred), axis=2) != 0).mean(axis=2)
    parts = [cut.mean(2), cut.std(2), cut.min(2), cut.max(2), np.median(cut, 2), np.abs(steps).mean(2), crossings]
    return starts, np.concatenate(parts, axis=1)


def smooth(likely: NDArray[Any]) -> NDArray[Any]:
    """The mean of each window and its neighbours."""
    near = np.ones(min(SMOOTHED, len(likely)))
    share = np.convolve(np.ones(len(likely)), near, "same")
    return np.apply_along_axis(lambda column: np.convolve(column, near, "same") / share, 0, likely)


def runs(values: NDArray[Any]) -> Iterator[tuple[int, int]]:
    """First and last row (not included) of each run of equal values."""
    edges = [0, *(np.flatnonzero(np.diff(values)) + 1), len(values)]
    yield from itertools.pairwise(edges)


def place(times: pd.Series, value: Any) -> int:
    """The row that is nearest to a time: a number, or a date as the time column writes it."""
    if isinstance(value, str):
        gaps = (pd.to_datetime(times) - pd.to_datetime(value)).abs()
    else:
        gaps = (pd.to_numeric(times) - value).abs()
    return int(gaps.to_numpy().argmin())
