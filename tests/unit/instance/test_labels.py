"""What the log says about labels of the model and of the labeling config, when an instance is loaded."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from label_studio_ml import settings
from label_studio_ml.author.host import ModelHost
from label_studio_ml.instance.labels import LabelUse, remarks
from label_studio_ml.model import LabelStudioMLBase
from label_studio_ml.processes.messages import Predict
from label_studio_ml.store.database import Database

CONFIG = """
<View>
  <Image name="image" value="$image"/>
  <RectangleLabels name="box" toName="image">
    <Label value="Car" predicted_values="car, truck"/><Label value="Airplane"/><Label value="Person"/>
  </RectangleLabels>
</View>
"""
TASKS = [b'{"id": 1, "data": {"image": "a.png"}}']


class Detector(LabelStudioMLBase):
    names: tuple[str, ...] = ("car", "truck", "aeroplane", "tree")

    def setup(self) -> None:
        self.map = self.build_label_map("box", list(self.names))

    def predict(self, tasks: Any, context: Any = None, **kwargs: Any) -> Any:
        return [[] for _ in tasks]


def host(model_class: type[Any], folder: Path, database: Database, **given: Any) -> ModelHost:
    return ModelHost(model_class, {}, settings.load({}, model_dir=folder / "model-data", **given), database)


def told(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    """The lines about labels, with their level."""
    found = [(record.levelname, record.getMessage()) for record in caplog.records]
    return [(level, message) for level, message in found if "Control `" in message]


def test_a_loaded_model_says_once_which_labels_have_no_counterpart(
    tmp_path: Path, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    detector = host(Detector, tmp_path, database)
    for _ in range(3):
        detector.warm("7", CONFIG, 0)
        detector.predict(Predict("7", CONFIG, 0, TASKS, [len(TASKS)]))
    (level, left_out), (other_level, never) = told(caplog)
    assert (level, other_level) == ("INFO", "WARNING")
    assert left_out == (
        "Project 7: Control `box`: no label of the labeling config takes `aeroplane` and `tree` of the model."
    )
    assert never == (
        "Project 7: Control `box`: the model cannot produce `Airplane` and `Person` of the labeling config; if "
        '`Airplane` is the model\'s `aeroplane`, give that label predicted_values="aeroplane".'
    )


def test_another_config_is_told_of_again(
    tmp_path: Path, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    detector = host(Detector, tmp_path, database)
    detector.warm("7", CONFIG, 0)
    caplog.clear()
    detector.warm("7", CONFIG.replace('<Label value="Person"/>', ""), 0)
    assert [level for level, _ in told(caplog)] == ["INFO", "WARNING"]
    assert "Person" not in told(caplog)[1][1]


def test_several_instances_for_threads_say_it_once(
    tmp_path: Path, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    both = threading.Barrier(2, timeout=30)
    instances = set()

    class Busy(Detector):
        def predict(self, tasks: Any, context: Any = None, **kwargs: Any) -> Any:
            instances.add(self)
            both.wait()
            return [[] for _ in tasks]

    caplog.set_level(logging.INFO)
    detector = host(Busy, tmp_path, database, threads=2)
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(lambda _: detector.predict(Predict("7", CONFIG, 0, TASKS, [len(TASKS)])), range(2)))
    assert len(instances) == 2
    assert len(told(caplog)) == 2


def test_a_map_made_by_the_first_prediction_is_told_after_it(
    tmp_path: Path, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    class Lazy(Detector):
        def setup(self) -> None:
            pass

        def predict(self, tasks: Any, context: Any = None, **kwargs: Any) -> Any:
            for name in ("car", "person"):
                self.build_label_map("box", [name])
            return [[] for _ in tasks]

    caplog.set_level(logging.INFO)
    lazy = host(Lazy, tmp_path, database)
    lazy.warm("7", CONFIG, 0)
    assert told(caplog) == []
    lazy.predict(Predict("7", CONFIG, 0, TASKS, [len(TASKS)]))
    ((level, message),) = told(caplog)
    assert level == "WARNING"
    assert "cannot produce `Airplane` of" in message


def test_labels_that_all_have_a_counterpart_are_not_worth_a_line(
    tmp_path: Path, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    class Perfect(Detector):
        names = ("car", "airplane", "Person")

    caplog.set_level(logging.INFO)
    host(Perfect, tmp_path, database).warm("7", CONFIG, 0)
    assert told(caplog) == []


def test_an_author_at_the_desk_is_told_nothing(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    assert Detector(label_config=CONFIG).map == {"car": "Car", "truck": "Car"}
    assert caplog.records == []


def test_a_model_of_which_nothing_fits_is_warned_of() -> None:
    use = LabelUse(("Cat", "Dog"))
    use.note(["kat", "bird"], {})
    ((level, message),) = remarks("kinds", use)
    assert level == logging.WARNING
    assert "takes none of the model's labels" in message
    assert "`kat` and `bird`" in message
    assert "`Cat` and `Dog`" in message
    assert 'predicted_values="kat"' in message


def test_of_many_labels_a_few_are_listed() -> None:
    use = LabelUse(("Cat",))
    use.note([f"class {number}" for number in range(80)] + ["cat"], {"cat": "Cat"})
    ((level, message),) = remarks("kinds", use)
    assert level == logging.INFO
    assert "70 more" in message
    assert len(message) < 300


def test_labels_that_come_with_the_task_are_not_missed() -> None:
    use = LabelUse(())
    use.note(["cat"], {})
    assert list(remarks("kinds", use)) == []
