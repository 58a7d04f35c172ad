"""[web process] Faults in the background work of training: logged, so that the next round can go on."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from ..errors import StoreError

_log = logging.getLogger(__name__)


async def contained(work: Callable[[], Awaitable[bool | None]]) -> bool:
    """Do some work, and say whether it found something to do; a fault in it is logged and counts as no."""
    try:
        return bool(await work())
    except StoreError as error:
        _log.error("Training waits: %s", error)
    except Exception:  # noqa: BLE001 - a fault here must not end all training; the job at hand is given back
        _log.exception("Training goes on after an unexpected error")
    return False
