"""Calls the recogniser as Label Studio does. Run with `python -m pytest test_api.py` in this folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import sample_data
import soundfile
from model import SpeechToText

from label_studio_ml import regions
from label_studio_ml.testing import Backend, backend_fixture, check_backend, connected, samples_fixture

HERE = Path(__file__).parent
CONFIG = HERE / "label_config.xml"

backend = backend_fixture(SpeechToText, CONFIG)
samples = samples_fixture(sample_data.tasks)


def said(prediction: Any) -> str:
    return " ".join(text for region in prediction["result"] for text in regions.read_text_area(region))


def test_it_does_all_that_label_studio_needs() -> None:
    check_backend(SpeechToText, CONFIG).assert_ok()


def test_it_understands_what_people_read(backend: Backend, samples: list[dict[str, Any]]) -> None:
    wrong = words = 0
    for found, one in zip(backend.predict([one["data"] for one in samples]), samples, strict=True):
        right = said({"result": one["answer"]}).split()
        wrong += sample_data.distance(said(found).split(), right)
        words += len(right)
    assert wrong / words <= 0.4


def test_a_batch_gives_what_singles_give(backend: Backend, samples: list[dict[str, Any]]) -> None:
    some = [one["data"] for one in samples[1:3]]
    assert [said(one) for one in backend.predict(some)] == [said(backend.predict([task])[0]) for task in some]


def test_a_text_does_not_depend_on_what_was_heard_before(backend: Backend, samples: list[dict[str, Any]]) -> None:
    some = [one["data"] for one in samples[:5]]
    backward = [said(one) for one in backend.predict(some[::-1])]
    assert [said(one) for one in backend.predict(some)] == backward[::-1]


def test_two_sentences_with_a_pause_and_other_rates(
    backend: Backend, samples: list[dict[str, Any]], tmp_path: Path
) -> None:
    first, rate = soundfile.read(samples[1]["data"]["audio"])
    both = np.repeat(np.concatenate([first, np.zeros(2 * rate), first]), 2)
    soundfile.write(tmp_path / "both.flac", np.stack([both, both], axis=1), 2 * rate)
    once, twice = backend.predict([samples[1]["data"], {"audio": tmp_path / "both.flac"}])
    assert said(twice).count("young man") == 2 * said(once).count("young man") == 2


def test_junk_costs_its_own_task_alone(backend: Backend, samples: list[dict[str, Any]], tmp_path: Path) -> None:
    (tmp_path / "empty.wav").write_bytes(b"")
    (tmp_path / "noise.ogg").write_bytes(bytes(range(256)) * 40)
    soundfile.write(tmp_path / "silence.wav", np.zeros(32_000), 16_000)
    junk = [{"audio": path} for path in sorted(tmp_path.iterdir())]
    good = samples[1]["data"]
    found = backend.predict([junk[0], good, *junk[1:], {"audio": "/data/upload/1/missing.wav"}, {}])
    assert [bool(one and one["result"]) for one in found] == [False, True, False, False, False, False]


def test_other_names(samples: list[dict[str, Any]]) -> None:
    config = '<View><Audio name="a" value="$call"/><TextArea name="words" toName="a"/></View>'
    with connected(SpeechToText, config) as backend:
        (found,) = backend.predict([{"call": samples[1]["data"]["audio"]}])
    assert found["result"][0]["from_name"] == "words"


def test_a_config_that_it_cannot_serve_is_refused_in_one_sentence() -> None:
    config = '<View><Text name="t" value="$t"/><TextArea name="c" toName="t"/></View>'
    (problem,) = check_backend(SpeechToText, config).problems
    assert "SpeechToText needs TextArea on Audio" in problem.message
