"""Calls the detector as Label Studio does. Run with `python -m pytest test_api.py` in this folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sample_data
import soundfile
from model import VoiceActivity

from label_studio_ml.testing import (
    Backend,
    backend_fixture,
    check_backend,
    connected,
    mean_score,
    samples_fixture,
    trained_fixture,
)

HERE = Path(__file__).parent
CONFIG = HERE / "label_config.xml"

untrained = backend_fixture(VoiceActivity, CONFIG)
samples = samples_fixture(sample_data.tasks)
trained = trained_fixture(VoiceActivity, CONFIG, learned=sample_data.FIRST)


def values(prediction: Any) -> list[dict[str, Any]]:
    return [region["value"] for region in prediction["result"]]


def test_it_does_all_that_label_studio_needs() -> None:
    check_backend(VoiceActivity, CONFIG).assert_ok()


def test_it_learns_what_people_take_for_one_utterance(
    trained: Backend, untrained: Backend, samples: list[dict[str, Any]]
) -> None:
    held_out = samples[sample_data.FIRST :]
    before, after = (mean_score(one, held_out, sample_data.score) for one in (untrained, trained))
    assert after >= 0.9
    assert after >= before + 0.2


def test_a_batch_gives_what_singles_give(trained: Backend, samples: list[dict[str, Any]]) -> None:
    tasks = [one["data"] for one in samples[-3:]]
    assert [values(one) for one in trained.predict(tasks)] == [values(trained.predict([task])[0]) for task in tasks]


def test_silence_has_no_spans_and_other_rates_and_channels_are_understood(
    untrained: Backend, samples: list[dict[str, Any]], tmp_path: Path
) -> None:
    sound, rate = soundfile.read(samples[0]["data"]["audio"])
    soundfile.write(tmp_path / "silence.wav", np.zeros(3 * rate), rate)
    double = np.repeat(sound, 2)
    soundfile.write(tmp_path / "stereo.flac", np.stack([double, double], axis=1), 2 * rate)
    plain, silence, stereo = untrained.predict(
        [{"audio": path} for path in (samples[0]["data"]["audio"], *sorted(tmp_path.iterdir()))]
    )
    assert silence["result"] == []
    edges = [[one["start"] for one in values(found)] for found in (plain, stereo)]
    assert edges[0] == pytest.approx(edges[1], abs=0.1)


def test_junk_costs_its_own_task_alone(untrained: Backend, samples: list[dict[str, Any]], tmp_path: Path) -> None:
    (tmp_path / "empty.wav").write_bytes(b"")
    (tmp_path / "noise.mp3").write_bytes(bytes(range(256)) * 40)
    junk = [{"audio": path} for path in sorted(tmp_path.iterdir())]
    good = samples[0]["data"]
    found = untrained.predict([junk[0], good, junk[1], {"audio": "/data/upload/1/missing.wav"}, {}])
    assert [bool(one and one["result"]) for one in found] == [False, True, False, False, False]


def test_a_recording_that_cannot_be_read_does_not_end_the_training(
    untrained: Backend, samples: list[dict[str, Any]], tmp_path: Path
) -> None:
    (tmp_path / "noise.wav").write_bytes(bytes(range(256)) * 40)
    first, files = untrained.version, [tmp_path / "noise.wav", *(one["data"]["audio"] for one in samples[:3])]
    untrained.learn([({"audio": file}, samples[0]["answer"]) for file in files])
    assert untrained.version != first


def test_the_label_for_speech_may_have_another_name(samples: list[dict[str, Any]]) -> None:
    config = """
    <View><Audio name="a" value="$url"/>
      <Labels name="l" toName="a"><Label value="Musik"/><Label value="Sprache" predicted_values="Speech"/></Labels>
    </View>"""
    with connected(VoiceActivity, config) as backend:
        (found,) = backend.predict([{"url": samples[0]["data"]["audio"]}])
    assert {tuple(one["labels"]) for one in values(found)} == {("Sprache",)}


TWO_LABELS = CONFIG.read_text().replace("Speech", "Dog").replace("</Labels>", '<Label value="Cat"/></Labels>')


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (
            '<View><Text name="t" value="$t"/><Choices name="c" toName="t"><Choice value="a"/></Choices></View>',
            "VoiceActivity needs Labels on Audio",
        ),
        (TWO_LABELS, "Which of the labels Dog, Cat is speech?"),
    ],
)
def test_a_config_that_it_cannot_serve_is_refused_in_one_sentence(config: str, reason: str) -> None:
    (problem,) = check_backend(VoiceActivity, config).problems
    assert reason in problem.message
