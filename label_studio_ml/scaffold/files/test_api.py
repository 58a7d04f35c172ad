"""Calls the backend as Label Studio does. Run with `python -m pytest test_api.py` in this folder."""

import pytest
from model import NewModel

from label_studio_ml.api import init_app

# Put your labeling config and a task of your project here.
LABEL_CONFIG = """
<View>
  <Text name="text" value="$text"/>
  <Choices name="sentiment" toName="text">
    <Choice value="Positive"/>
    <Choice value="Negative"/>
  </Choices>
</View>
"""
TASK = {"id": 1, "data": {"text": "The soup was wonderful."}}


@pytest.fixture
def client(tmp_path, monkeypatch):
    monkeypatch.setenv("MODEL_DIR", str(tmp_path))
    with init_app(model_class=NewModel).test_client() as client:
        yield client


def test_the_backend_is_healthy(client):
    assert client.get("/health").status_code == 200


def test_setup_answers_with_a_model_version(client):
    response = client.post("/setup", json={"project": "1.1700000000", "schema": LABEL_CONFIG})
    assert response.status_code == 200
    assert response.json["model_version"]


def test_every_task_gets_a_prediction(client):
    client.post("/setup", json={"project": "1.1700000000", "schema": LABEL_CONFIG})
    request = {
        "project": "1.1700000000",
        "label_config": LABEL_CONFIG,
        "tasks": [TASK, {**TASK, "id": 2}],
        "params": {"context": None},
    }
    response = client.post("/predict", json=request)
    assert response.status_code == 200
    results = response.json["results"]
    assert len(results) == 2
    assert all(prediction["result"] for prediction in results)
