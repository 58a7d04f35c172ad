"""[web process] Watches the author's files, so that changed code is loaded without a restart (`--reload`)."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

import watchfiles

from ..errors import LoadError, WorkerDied

_log = logging.getLogger(__name__)


class _AuthorsFiles(watchfiles.DefaultFilter):
    """Not what tools leave behind, and not what the server itself writes."""

    def __init__(self, model_dir: Path) -> None:
        super().__init__(ignore_paths=[model_dir])


async def follow(folder: Path, model_dir: Path, reload: Callable[[], Awaitable[None]]) -> None:
    """Call `reload` whenever files of the author have changed; for ever.

    Args:
        folder: the backend's.
        model_dir: what changes in there does not count.
        reload: raises LoadError or WorkerDied when the changed code does not work.
    """
    async for changes in watchfiles.awatch(folder, watch_filter=_AuthorsFiles(model_dir)):
        names = ", ".join(sorted({Path(path).name for _, path in changes})[:3])
        try:
            await reload()
        except (LoadError, WorkerDied) as error:
            _log.error("%s changed, but the code before it stays in use: %s", names, error)
        else:
            _log.info("%s changed: the new code is in use", names)
