"""Backend folders as older packages made them: what their `_wsgi.py` imports and calls, in our own words."""

from __future__ import annotations

import textwrap
from pathlib import Path

_OPTIONS = """
def read_config(path=os.path.join(os.path.dirname(__file__), "config.json")):
    if not os.path.exists(path):
        return {}
    with open(path) as file:
        return json.load(file)


def typed(pairs):
    known = {"true": True, "True": True, "false": False, "False": False}
    found = {}
    for name, text in pairs or ():
        try:
            found[name] = known[text] if text in known else int(text) if text.isdigit() else float(text)
        except ValueError:
            found[name] = text
    return found


def arguments():
    parser = argparse.ArgumentParser(description="Label studio")
    parser.add_argument("-p", "--port", dest="port", type=int, default=9090)
    parser.add_argument("--host", dest="host", type=str, default="0.0.0.0")
    parser.add_argument(
        "--kwargs", "--with", dest="kwargs", metavar="KEY=VAL", nargs="+", type=lambda pair: pair.split("=")
    )
    parser.add_argument("-d", "--debug", dest="debug", action="store_true")
    levels = ["DEBUG", "INFO", "WARNING", "ERROR"]
    parser.add_argument("--log-level", dest="log_level", choices=levels, default=None)
    parser.add_argument("--model-dir", dest="model_dir", default=os.path.dirname(__file__))
    parser.add_argument("--check", dest="check", action="store_true")
    parser.add_argument("--basic-auth-user", default=os.environ.get("ML_SERVER_BASIC_AUTH_USER", None))
    parser.add_argument("--basic-auth-pass", default=os.environ.get("ML_SERVER_BASIC_AUTH_PASS", None))
    return parser.parse_args()
"""

_LOGGING = """
logging.config.dictConfig({
    "version": 1,
    "formatters": {"standard": {"format": "[%(asctime)s] [%(levelname)s] [%(name)s::%(funcName)s] %(message)s"}},
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "level": LEVEL,
            "stream": "ext://sys.stdout",
            "formatter": "standard",
        }
    },
    "root": {"level": LEVEL, "handlers": ["console"], "propagate": True},
})
"""

_GENERATION_1 = """
import argparse
import json
import logging
import logging.config
import os

LEVEL = "ERROR"
{logging}
from label_studio_ml.api import init_app
from {module} import {model_class}

{options}

if __name__ == "__main__":
    args = arguments()
    if args.log_level:
        logging.root.setLevel(args.log_level)
    kwargs = read_config()
    kwargs.update(typed(args.kwargs))
    if args.check:
        model = {model_class}(**kwargs)
    app = init_app(
        model_class={model_class},
        model_dir=os.environ.get("MODEL_DIR", args.model_dir),
        redis_queue=os.environ.get("RQ_QUEUE_NAME", "default"),
        redis_host=os.environ.get("REDIS_HOST", "localhost"),
        redis_port=os.environ.get("REDIS_PORT", 6379),
        **kwargs
    )
    app.run(host=args.host, port=args.port, debug=args.debug)
else:
    app = init_app(
        model_class={model_class},
        model_dir=os.environ.get("MODEL_DIR", os.path.dirname(__file__)),
        redis_queue=os.environ.get("RQ_QUEUE_NAME", "default"),
        redis_host=os.environ.get("REDIS_HOST", "localhost"),
        redis_port=os.environ.get("REDIS_PORT", 6379),
    )
"""

_GENERATION_2 = """
import argparse
import json
import logging
import logging.config
import os

LEVEL = os.getenv("LOG_LEVEL")
{logging}
from label_studio_ml.api import init_app
from {module} import {model_class}

{options}

if __name__ == "__main__":
    args = arguments()
    if args.log_level:
        logging.root.setLevel(args.log_level)
    kwargs = read_config()
    kwargs.update(typed(args.kwargs))
    if args.check:
        model = {model_class}(**kwargs)
    app = init_app(
        model_class={model_class}, basic_auth_user=args.basic_auth_user, basic_auth_pass=args.basic_auth_pass
    )
    app.run(host=args.host, port=args.port, debug=args.debug)
else:
    # for uWSGI use
    app = init_app(model_class={model_class})
"""

MODELS = {
    1: '''
import os

from label_studio_ml.model import LabelStudioMLBase


class OldModel(LabelStudioMLBase):
    """Keeps what it learned in a file of its workdir, and finds it through train_output."""

    def __init__(self, threshold=0.5, **kwargs):
        super(OldModel, self).__init__(**kwargs)
        from_name, schema = list(self.parsed_label_config.items())[0]
        self.from_name, self.to_name = from_name, schema["to_name"][0]
        self.threshold = threshold
        self.count = 0
        if self.train_output:
            with open(self.train_output["path"]) as file:
                self.count = int(file.read())

    def predict(self, tasks, **kwargs):
        return [{"result": [], "score": self.count / 100, "threshold": self.threshold} for _ in tasks]

    def fit(self, completions, workdir=None, **kwargs):
        path = os.path.join(workdir, "count.txt")
        with open(path, "w") as file:
            file.write(str(len(list(completions))))
        return {"path": path}
''',
    2: """
import json
import os
from typing import Dict, List, Optional

from label_studio_ml.model import LabelStudioMLBase
from label_studio_ml.response import ModelResponse

MODEL_DIR = os.getenv("MODEL_DIR", os.path.join(os.path.dirname(__file__), "weights"))
WEIGHTS = os.path.join(MODEL_DIR, "weights.json")


def load_weights():
    if not os.path.exists(WEIGHTS):
        return {"count": 0}
    with open(WEIGHTS) as file:
        return json.load(file)


_model = load_weights()  # as many do: once for a process, whatever is made of it afterwards


class NewModel(LabelStudioMLBase):
    def setup(self):
        self.set("model_version", f"{self.__class__.__name__}-v0.0.1")

    def predict(self, tasks: List[Dict], context: Optional[Dict] = None, **kwargs) -> ModelResponse:
        return ModelResponse(predictions=[{"result": [], "score": _model["count"] / 100} for _ in tasks])

    def fit(self, event, data, **kwargs):
        global _model
        os.makedirs(MODEL_DIR, exist_ok=True)
        _model = {"count": _model["count"] + 1}
        with open(WEIGHTS, "w") as file:
            json.dump(_model, file)
""",
}
"""A model of each generation, the way many are written."""


def make(folder: Path, generation: int) -> Path:
    """Write a backend folder of a generation and return it."""
    model_class = {1: "OldModel", 2: "NewModel"}[generation]
    template = {1: _GENERATION_1, 2: _GENERATION_2}[generation]
    folder.mkdir(parents=True)
    (folder / "model.py").write_text(textwrap.dedent(MODELS[generation]).lstrip())
    wsgi = template.format(logging=_LOGGING, options=_OPTIONS, module="model", model_class=model_class)
    (folder / "_wsgi.py").write_text(wsgi.lstrip())
    return folder
