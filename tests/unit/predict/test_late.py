"""What is not ready in time is finished, stored in Label Studio, and given to whoever asks again."""

from __future__ import annotations

import json
from typing import Any

import pytest

from label_studio_ml.errors import LabelStudioError
from label_studio_ml.predict.late import Late
from label_studio_ml.predict.request import Request
from tests.support.played_runner import Desks, settle, until, with_ids
from tests.support.requests_alone import NotingRequester

pytestmark = pytest.mark.anyio


async def test_at_the_deadline_there_is_what_is_ready_and_the_rest_is_stored_later(desks: Desks) -> None:
    desk = desks(predict_deadline=0.05, max_batch_size=1)
    asked = await desk.ask(*with_ids(1, 2, 3))
    desk.runner.running[0].answer()
    outcome = await asked
    assert outcome.results == [b'{"id": 1}', b"[]", b"[]"]
    await settle()
    await desk.answer_all()
    await until(lambda: bool(desk.runner.stored))
    assert desk.runner.stored == [("1", [{"task": 2, "id": 2}, {"task": 3, "id": 3}])]
    assert [str(call[0]) for call in desk.runner.calls] == [str(with_ids(number)) for number in (1, 2, 3)]


async def test_whoever_asks_again_for_a_late_task_joins_it(desks: Desks) -> None:
    desk = desks(predict_deadline=0.05, max_batch_size=1)
    await (await desk.ask(*with_ids(1, 2)))
    desk.deadline(20)
    again = await desk.ask(*with_ids(2, 7))
    await desk.answer_all()
    assert (await again).results == [b'{"id": 2}', b'{"id": 7}']
    await until(lambda: bool(desk.runner.stored))
    assert desk.runner.stored == [("1", [{"task": 1, "id": 1}])], "the other one went out with the reply"
    assert sorted(str(call[0]) for call in desk.runner.calls) == [str(with_ids(number)) for number in (1, 2, 7)]


async def test_what_label_studio_does_not_take_is_there_when_it_asks_again(
    desks: Desks, caplog: pytest.LogCaptureFixture
) -> None:
    desk = desks(predict_deadline=0.05)
    desk.runner.refusal = LabelStudioError("Its token is not known.")
    await (await desk.ask(*with_ids(1)))
    await desk.answer_all()
    await until(lambda: "Its token is not known." in caplog.text)
    assert (await (await desk.ask(*with_ids(1)))).results == [b'{"id": 1}']
    again = await desk.ask(*with_ids(1))
    assert len(desk.runner.calls) == 2, "it is given once; then it is in Label Studio"
    await desk.answer_all()
    assert (await again).results == [b'{"id": 1}']


async def test_a_late_task_of_an_older_version_is_not_joined(desks: Desks) -> None:
    desk = desks(predict_deadline=0.05, capacity=2)
    await (await desk.ask(*with_ids(1)))
    desk.version = 2
    await desk.ask(*with_ids(1))
    assert len(desk.runner.calls) == 2


# --- alone -----------------------------------------------------------------------------------------------------


class LabelStudio:
    """Takes predictions, or does not."""

    def __init__(self) -> None:
        self.stored: list[list[dict[str, Any]]] = []
        self.refuses = False

    async def store(self, project_id: str, predictions: list[dict[str, Any]]) -> None:
        if self.refuses:
            raise LabelStudioError("not now")
        self.stored.append(predictions)


def late_request(late: Late, *numbers: int) -> Request:
    """A request none of whose tasks was ready in time."""
    request = NotingRequester().request(*with_ids(*numbers))
    late.adopt(request, 1)
    return request


def known(late: Late, *numbers: int) -> list[int]:
    """Which of the tasks are being finished, or kept."""
    tasks = [json.dumps(task).encode() for task in with_ids(*numbers)]
    return [numbers[place] for place in late.find(1, "1", None, b"{}", tasks)]


async def test_what_is_ready_is_stored_when_the_server_stops() -> None:
    label_studio = LabelStudio()
    late = Late(label_studio.store)
    request = late_request(late, 1, 2)
    late.filled(request, 0, [b'{"result":[]}'])
    await late.stop()
    assert label_studio.stored == [[{"task": 1, "result": []}]]
    assert (known(late, 1, 2), request in late) == ([2], True)


async def test_a_task_without_prediction_is_neither_stored_nor_kept() -> None:
    label_studio = LabelStudio()
    late = Late(label_studio.store)
    request = late_request(late, 1)
    late.filled(request, 0, [b"[]"])
    await late.stop()
    assert (label_studio.stored, len(late), request in late) == ([], 0, False)


async def test_what_a_request_given_up_had_left_is_forgotten() -> None:
    late = Late(LabelStudio().store)
    request = late_request(late, 1)
    late.given_up(request)
    assert (len(late), request in late) == (0, False)


async def test_what_is_not_ready_at_the_deadline_of_who_asks_again_is_stored_later() -> None:
    label_studio = LabelStudio()
    late = Late(label_studio.store)
    request = late_request(late, 1, 2)
    entries = list(late.find(1, "1", None, b"{}", request.tasks).values())
    with late.asked_again(entries):
        late.filled(request, 0, [b'{"result":[]}'])
        items = await late.collect(entries, 0.01)
    assert items == [b'{"result":[]}', b"[]"]
    assert known(late, 1, 2) == [2]
    late.filled(request, 1, [b'{"result":[]}'])
    await late.stop()
    assert label_studio.stored == [[{"task": 2, "result": []}]]


async def test_what_label_studio_did_not_take_is_kept_but_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    label_studio = LabelStudio()
    label_studio.refuses = True
    late = Late(label_studio.store)
    late.filled(late_request(late, 1), 0, [b'{"result":[]}'])
    await late.stop()
    assert known(late, 1) == [1]
    monkeypatch.setattr("label_studio_ml.predict.late._KEPT_FOR", -1.0)
    await late.stop()
    assert known(late, 1) == []
