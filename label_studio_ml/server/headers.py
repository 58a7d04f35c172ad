"""Where a request carries more than ASGI says."""

from __future__ import annotations

WHOLE = "label_studio_ml.whole"
"""Where a scope has its request, if all of it was there when the application was called; see `connections`."""
