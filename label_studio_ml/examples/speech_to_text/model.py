"""Writes down what is said in a recording, by PocketSphinx: small, without a GPU, for clear English."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray
from pocketsphinx import Decoder, Endpointer

from label_studio_ml import regions
from label_studio_ml.model import LabelStudioMLBase

RATE = 16_000

BLOCK = 10
"""Seconds that are read at once."""


class SpeechToText(LabelStudioMLBase):
    """Fills the first `TextArea` on an `Audio`."""

    def setup(self) -> None:
        """Read the labeling config, and load the model of English that comes with the package."""
        self.from_name, self.to_name, self.value = self.get_first_tag_occurence("TextArea", "Audio")
        self.decoder = Decoder(samprate=RATE, loglevel="FATAL")

    def predict(
        self, tasks: list[dict[str, Any]], context: dict[str, Any] | None = None, **kwargs: Any
    ) -> Iterator[dict[str, Any] | list[Any]]:
        """Predict a text for each recording. What is raised for a task costs it alone its prediction."""
        self.prefetch(tasks, self.value)
        for task in tasks:
            path = self.get_local_path(task["data"][self.value], task_id=task.get("id"))
            self.decoder.reinit_feat()  # nothing of the recording before: a text must not depend on the order
            heard = [part for part in (self.text(speech) for speech in utterances(path)) if part]
            text = " ".join(heard)
            yield {"result": [regions.text_area(self.from_name, self.to_name, text)]} if text else []

    def text(self, speech: bytes) -> str:
        """What is said in one utterance, 16-bit samples."""
        self.decoder.start_utt()
        self.decoder.process_raw(speech, full_utt=True)
        self.decoder.end_utt()
        found = self.decoder.hyp()
        return found.hypstr if found else ""


def utterances(path: str) -> Iterator[bytes]:
    """The parts of a recording in which somebody speaks, however long it is."""
    pointer, spoken = Endpointer(sample_rate=RATE), bytearray()
    frame = pointer.frame_bytes
    rest = b""
    for sound in pieces(path):
        rest += (np.clip(sound, -1, 1) * 32767).astype(np.int16).tobytes()
        while len(rest) > frame:
            part, rest = pointer.process(rest[:frame]), rest[frame:]
            spoken += part or b""
            if spoken and not pointer.in_speech:
                yield bytes(spoken)
                spoken.clear()
    spoken += pointer.end_stream(rest) or b""
    if spoken:
        yield bytes(spoken)


def pieces(path: str) -> Iterator[NDArray[np.float32]]:
    """A recording, some seconds at a time: one channel at the decoder's rate."""
    with soundfile.SoundFile(path) as audio:
        resample = soxr.ResampleStream(audio.samplerate, RATE, 1, dtype="float32")
        for block in audio.blocks(audio.samplerate * BLOCK, dtype="float32", always_2d=True):
            yield resample.resample_chunk(block.mean(axis=1))
        yield resample.resample_chunk(np.zeros(0, np.float32), last=True)
