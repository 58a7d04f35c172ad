"""What the measured models compute: the same functions behind every contender.

Runs in the environments of the peers, so it imports nothing of ours, and scikit-learn and PyTorch only when asked.
"""

from __future__ import annotations

import base64
import functools
import os
import random
import time
from collections.abc import Callable, Sequence
from typing import Any

Task = dict[str, Any]
Prediction = dict[str, Any]
Predict = Callable[[Sequence[Task]], list[Prediction]]

LABELS = ("Positive", "Negative", "Neutral")
PIXELS = 32
"""Width and height of the CNN's pictures, one byte a pixel."""

CALL_SECONDS, TASK_SECONDS = 0.020, 0.0002
"""What the model `device` costs: each call, and each of its tasks."""

STEADY_SECONDS = 0.0005
"""What the model `steady` costs: each task."""

SHORT_SECONDS = 0.005
"""What the model `short` costs: each call."""

VARIABLE = "BENCHMARK_MODEL"
"""Environment variable by which a contender is told which model to serve."""

_WORDS = {
    "Positive": "good great lovely excellent happy pleasant delightful fast reliable friendly bright fresh",
    "Negative": "bad awful broken terrible slow rude dirty late noisy disappointing stale dull",
    "Neutral": "train table paper window street number city morning bottle report office garden",
}
_FILLERS = "the a of and with it was for this very so in on our my room food service phone again today"


def load(name: str | None = None) -> Predict:
    """The function of a model, ready to predict; without a name, the one that the environment names."""
    return _LOADERS[name or os.environ[VARIABLE]]()


def text(number: int) -> str:
    """A sentence of its own for each number, of twelve words or so."""
    rng = random.Random(number)
    words = rng.choices(_WORDS[LABELS[number % len(LABELS)]].split(), k=3) + rng.choices(_FILLERS.split(), k=8)
    rng.shuffle(words)
    return " ".join([*words, f"no {number}"])


def picture(number: int) -> str:
    """A picture of its own for each number: base64 of `PIXELS`² bytes, with stripes along, across, or none."""
    rng = random.Random(number)
    width, kind = rng.randint(2, 6), number % len(LABELS)
    pixels = bytearray(rng.randbytes(PIXELS * PIXELS))
    for row in range(PIXELS if kind < 2 else 0):
        for column in range(PIXELS):
            if (column if kind else row) // width % 2:
                pixels[row * PIXELS + column] //= 2
    return base64.b64encode(pixels).decode()


def prediction(label: str, score: float) -> Prediction:
    """One region of choices, as Label Studio wants it."""
    region = {"from_name": "sentiment", "to_name": "text", "type": "choices", "value": {"choices": [label]}}
    return {"result": [region], "score": score}


def _trivial() -> Predict:
    return lambda tasks: [prediction(LABELS[len(task["data"]["text"]) % len(LABELS)], 0.5) for task in tasks]


def _slept(call: float, task: float) -> Predict:
    """A device that somebody waits for without using the processor, as with a GPU."""
    predict = _trivial()

    def waited(tasks: Sequence[Task]) -> list[Prediction]:
        time.sleep(call + task * len(tasks))
        return predict(tasks)

    return waited


def _tfidf() -> Predict:
    """TF-IDF and logistic regression, learned here from 3000 sentences."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    texts = [text(number) for number in range(3000)]
    model = make_pipeline(TfidfVectorizer(ngram_range=(1, 2)), LogisticRegression(C=10, max_iter=500))
    model.fit(texts, [LABELS[number % len(LABELS)] for number in range(3000)])

    def predict(tasks: Sequence[Task]) -> list[Prediction]:
        found = model.predict_proba([task["data"]["text"] for task in tasks])
        best = found.argmax(axis=1)
        return [
            prediction(str(model.classes_[label]), float(row[label]))
            for label, row in zip(best, found, strict=True)
        ]

    return predict


def _cnn() -> Predict:
    """Three convolutions and a linear layer on one thread, taught here to tell stripes."""
    import numpy
    import torch
    from torch import nn

    torch.set_num_threads(1)
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    for before, after in ((1, 16), (16, 32), (32, 64)):
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    model = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, len(LABELS)))

    def tensor(pictures: Sequence[str]) -> torch.Tensor:
        raw = b"".join(base64.b64decode(picture) for picture in pictures)
        pixels = numpy.frombuffer(raw, numpy.uint8).reshape(-1, 1, PIXELS, PIXELS)
        return torch.from_numpy(pixels.astype(numpy.float32) / 255 - 0.5)

    optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
    for start in range(0, 60 * 32, 32):
        numbers = range(start, start + 32)
        guessed = model(tensor([picture(number) for number in numbers]))
        loss = nn.functional.cross_entropy(guessed, torch.tensor([number % len(LABELS) for number in numbers]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.eval()

    def predict(tasks: Sequence[Task]) -> list[Prediction]:
        with torch.inference_mode():
            found = model(tensor([task["data"]["pixels"] for task in tasks])).softmax(dim=1)
        scores, best = found.max(dim=1)
        return [
            prediction(LABELS[label], score) for label, score in zip(best.tolist(), scores.tolist(), strict=True)
        ]

    return predict


_LOADERS: dict[str, Callable[[], Predict]] = {
    "trivial": _trivial,
    "device": functools.partial(_slept, CALL_SECONDS, TASK_SECONDS),
    "steady": functools.partial(_slept, 0.0, STEADY_SECONDS),
    "short": functools.partial(_slept, SHORT_SECONDS, 0.0),
    "tfidf": _tfidf,
    "cnn": _cnn,
}
