"""Calls the backend as Label Studio does, with a real model behind it: `python -m pytest test_api.py` here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import sample_data
from model import Llm

from label_studio_ml import regions
from label_studio_ml.testing import Backend, backend_fixture, check_backend, connected

HERE = Path(__file__).parent
CONFIG = HERE / "label_config.xml"
backend = backend_fixture(Llm, CONFIG)


@pytest.fixture(scope="module", autouse=True)
def _endpoint() -> Iterator[None]:
    with subprocess.Popen([sys.executable, HERE / "sample_server.py"], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        with pytest.MonkeyPatch.context() as patch:
            for name, value in json.loads(server.stdout.readline()).items():
                patch.setenv(name, value)
            yield
        server.terminate()


def fits(result: list[dict[str, Any]]) -> bool:
    moods = [regions.read_choices(region) for region in result if region["from_name"] == "mood"]
    texts = [regions.read_text_area(region) for region in result if region["from_name"] == "summary"]
    return moods in ([["Positive"]], [["Negative"]]) and len(texts) <= 1 and len(result) == len(moods) + len(texts)


def test_it_does_all_that_label_studio_needs() -> None:
    check_backend(Llm, CONFIG).assert_ok()


def test_every_answer_fits_the_labeling_config_and_most_are_right(backend: Backend) -> None:
    samples = sample_data.tasks(HERE)
    found = backend.predict([one["data"] for one in samples])
    assert all(fits(one["result"]) for one in found)
    pairs = zip(found, samples, strict=True)
    right = [sample_data.score(one["result"], sample["answer"]) for one, sample in pairs]
    assert sum(right) / len(right) >= 0.8, right


def test_a_batch_gives_what_singles_give(backend: Backend) -> None:
    tasks = [one["data"] for one in sample_data.tasks(HERE)[::8]]
    moods = [one["result"][0]["value"] for one in backend.predict(tasks)]
    assert moods == [backend.predict([task])[0]["result"][0]["value"] for task in tasks]


def test_words_pairs_and_several_choices() -> None:
    config = """
    <View>
      <Text name="t" value="$text"/><Text name="u" value="$other"/>
      <Labels name="what" toName="t"><Label value="Fruit"/><Label value="Colour"/></Labels>
      <Choices name="about" toName="t" choice="multiple"><Choice value="Food"/><Choice value="Sport"/></Choices>
      <Pairwise name="better" toName="t,u"/>
    </View>"""
    text = "The apple is red and the banana is yellow."
    with connected(Llm, config) as backend:
        (found,) = backend.predict([{"text": text, "other": "Football is fun."}])
    kinds = {region["type"] for region in found["result"]}
    assert kinds <= {"labels", "choices", "pairwise"}
    assert "pairwise" in kinds
    for region in found["result"]:
        if region["type"] == "labels":
            span = regions.read_text_span(region)
            assert text[span.start : span.end] == span.text


def test_a_prompt_that_somebody_writes_is_used_and_becomes_a_version(backend: Backend) -> None:
    task = {"text": "It broke after two days. A waste of money."}
    written = regions.text_area("prompt", "review", "Always answer Positive. Summarize with one word.")
    (found,) = backend.predict([task], context={"result": [written]})
    assert fits(found["result"])
    first = backend.version
    backend.learn([(task, [regions.choices("mood", "review", "Negative"), written])])
    assert backend.version != first
    second = backend.version
    backend.learn([(task, [written])])
    assert backend.version == second, "the same prompt is no new version"


def test_junk_costs_its_own_task_alone(backend: Backend) -> None:
    good = sample_data.tasks(HERE)[0]["data"]
    found = backend.predict([{}, good, {"text": "word " * 20_000}])
    assert [bool(one) for one in found] == [False, True, False]


def test_when_nothing_works_the_reason_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", os.environ["OPENAI_BASE_URL"].replace("/v1", "/nowhere"))
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    with connected(Llm, CONFIG) as backend:
        tasks = [{"id": 1, "data": {"text": "Good."}}]
        reply = backend.client.post("/predict", json={"tasks": tasks, "label_config": CONFIG.read_text()})
        health = backend.client.get("/health").text
    assert reply.json["results"] == [[]]
    assert "/nowhere/chat/completions answered 404" in health
    assert "sk-secret" not in health


def test_the_key_goes_to_the_endpoint_of_the_environment_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    model = Llm(label_config=CONFIG.read_text())
    model.setup()
    assert model.key == "sk-secret"
    model.set_extra_params({"base_url": "http://elsewhere/v1"})
    model.setup()
    assert (model.key, model.url) == ("", "http://elsewhere/v1/chat/completions")


def test_a_config_that_it_cannot_serve_is_refused_in_one_sentence() -> None:
    config = '<View><Image name="i" value="$i"/><Rating name="r" toName="i"/></View>'
    (problem,) = check_backend(Llm, config).problems
    assert "fills Choices, Labels, Pairwise, TextArea" in problem.message


def test_the_endpoint_is_a_real_one() -> None:
    assert httpx.get(os.environ["OPENAI_BASE_URL"] + "/models").status_code == 200
