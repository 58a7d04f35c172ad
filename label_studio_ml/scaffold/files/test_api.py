"""Tries the backend out as Label Studio would use it. Run with `python -m pytest test_api.py` in this folder.

`label_config.xml` says which project the backend is for: put your labeling config there.
"""

from model import NewModel

from label_studio_ml.testing import backend_fixture, check_backend

backend = backend_fixture(NewModel)


def test_it_does_all_that_label_studio_needs():
    check_backend(NewModel).assert_ok()


def test_it_predicts_for_every_task(backend):
    predictions = backend.predict(backend.sample_tasks(3))  # or tasks of your own: [{"text": "The soup was good."}]
    assert len(predictions) == 3
    assert all(prediction["result"] for prediction in predictions)


def test_annotations_make_a_new_version(backend):
    before = backend.version
    for number, task in enumerate(backend.sample_tasks(4)):
        backend.annotate(task, backend.sample_annotation(task, number))
    assert backend.version != before
