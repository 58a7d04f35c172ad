"""The models behind MLServer: Label Studio's request by a custom handler, or V2 inference with adaptive batching.

    mlserver start FOLDER        with settings.json and model-settings.json, which benchmarks/contenders.py writes

MLServer batches only its own protocol, so there the tasks travel as JSON texts in a V2 tensor.
"""

from __future__ import annotations

import json
from typing import Any

from mlserver import MLModel
from mlserver.codecs import StringCodec
from mlserver.handlers import custom_handler
from mlserver.types import InferenceRequest, InferenceResponse

from benchmarks.models import work


class Runtime(MLModel):
    """Both ways."""

    async def load(self) -> bool:
        """In the worker process."""
        self.work = work.load()
        return True

    @custom_handler(rest_path="/predict")
    async def label_studio(self, request: dict[str, Any]) -> dict[str, Any]:
        """The reply to one request."""
        return {"results": self.work(request["tasks"])}

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Tasks of several requests together."""
        tasks = [json.loads(one) for one in StringCodec.decode_input(payload.inputs[0])]
        found = [json.dumps(one) for one in self.work(tasks)]
        return InferenceResponse(
            model_name=self.name, outputs=[StringCodec.encode_output("results", found, use_bytes=False)]
        )
