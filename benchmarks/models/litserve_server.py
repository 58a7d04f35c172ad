"""The models behind LitServe, as its documentation shows it: one worker process, its own batching on request.

python -m benchmarks.models.litserve_server PORT MAX_BATCH_SIZE
"""

from __future__ import annotations

import sys
from typing import Any

import litserve

from benchmarks.models import work


class Api(litserve.LitAPI):
    """Decodes Label Studio's request, predicts for its tasks, and encodes the reply."""

    def setup(self, device: str) -> None:  # noqa: ARG002
        """In the worker process."""
        self.work = work.load()

    def decode_request(self, request):  # type: ignore[no-untyped-def]  # LitServe makes a schema of an annotation
        """The tasks of one request."""
        return request["tasks"]

    def batch(self, inputs: list[list[work.Task]]) -> list[list[work.Task]]:
        """Requests that share a call stay apart: each has a list of tasks."""
        return inputs

    def predict(self, inputs: Any) -> Any:
        """For one request, or for several at once when LitServe batches."""
        if self.max_batch_size == 1:
            return self.work(inputs)
        found = iter(self.work([task for tasks in inputs for task in tasks]))
        return [[next(found) for _ in tasks] for tasks in inputs]

    def unbatch(self, output: list[list[work.Prediction]]) -> list[list[work.Prediction]]:
        """They already are."""
        return output

    def encode_response(self, output: list[work.Prediction]) -> dict[str, Any]:
        """The reply to one request."""
        return {"results": output}


if __name__ == "__main__":
    port, size = int(sys.argv[1]), int(sys.argv[2])
    api = Api(max_batch_size=size, batch_timeout=0.005 if size > 1 else 0.0)
    server = litserve.LitServer(api, accelerator="cpu", fast_queue=True)
    server.run(host="127.0.0.1", port=port, log_level="warning", generate_client_file=False)
