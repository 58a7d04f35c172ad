"""Says how much of the machine the process had when it imported this, and has in fit(), as metrics of the job."""

from __future__ import annotations

import os
from typing import Any

from label_studio_ml.model import LabelStudioMLBase

AT_IMPORT = (len(os.sched_getaffinity(0)), os.nice(0))


class Measured(LabelStudioMLBase):
    def fit(self, event: str, data: dict[str, Any], **kwargs: Any) -> None:
        cores, nice = AT_IMPORT
        self.progress(
            cores_at_import=cores, nice_at_import=nice, cores=len(os.sched_getaffinity(0)), nice=os.nice(0)
        )
