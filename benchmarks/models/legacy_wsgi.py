"""The models behind label-studio-ml 1.0.9, as its `_wsgi.py` does it, for gunicorn.

gunicorn --workers 1 --threads 8 benchmarks.models.legacy_wsgi:app
"""

from __future__ import annotations

import os

from benchmarks.models.backend import Measured
from label_studio_ml.api import init_app

app = init_app(model_class=Measured, model_dir=os.environ["MODEL_DIR"])
