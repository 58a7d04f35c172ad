"""What a model finds in its environment while Label Studio is played. It is put back afterwards."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping


@contextlib.contextmanager
def label_studio_environment(hostname: str, token: str, model_dir: str) -> Iterator[None]:
    """Set where Label Studio is, its token, and a folder to keep things in, inside the `with` block."""
    direct = ",".join(filter(None, [os.environ.get("NO_PROXY", os.environ.get("no_proxy", "")), "127.0.0.1"]))
    variables = {
        "LABEL_STUDIO_URL": hostname,
        "LABEL_STUDIO_HOST": hostname,
        "LABEL_STUDIO_API_KEY": token,
        "LABEL_STUDIO_ACCESS_TOKEN": token,
        "MODEL_DIR": model_dir,
        "NO_PROXY": direct,
        "no_proxy": direct,
    }
    before = {name: os.environ.get(name) for name in variables}
    _set(variables)
    try:
        yield
    finally:
        _set(before)


def _set(variables: Mapping[str, str | None]) -> None:
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
