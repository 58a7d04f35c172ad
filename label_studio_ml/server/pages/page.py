"""What a person sees who opens the backend's address in a browser."""

from __future__ import annotations

import base64
import hashlib
from html import escape

from ...wire.replies import State

STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:3rem auto;padding:0 1rem;color:#222}"
    "h1{font-size:1.4rem}table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.3rem .6rem;"
    "border-bottom:1px solid #ddd;vertical-align:top}code{background:#f3f3f5;padding:.1rem .3rem;border-radius:3px}"
    ".ready{color:#176d2c}.failed{color:#b3261e}.loading{color:#8a5a00}"
)

_DIGEST = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()

HEADERS = {
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_DIGEST}'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
"""The page needs nothing but its own style sheet: whatever got into it, it runs no script."""


def render(state: State, address: str) -> str:
    """The page for a state."""
    model = state.model
    name = escape(state.model_class or "the model class")
    error = f"<p class=failed>{escape(model.error)}</p>" if model.error else ""
    projects = "".join(
        f"<tr><td>{escape(row.project) or '(none)'}<td><code>{escape(row.model_version)}</code>"
        for row in state.projects
    )
    problems = "".join(
        f"<tr><td>{escape(row.time)}<td>{escape(row.project)}<td>{escape(row.task)}<td>{escape(row.message)}"
        for row in reversed(state.problems)
    )
    return (
        "<!doctype html><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<title>{name} - machine-learning backend</title><style>{STYLE}</style>"
        f"<h1>{name} is <span class='{escape(model.state)}'>{escape(model.state)}</span></h1>{error}"
        f"<p>Connect it in Label Studio under <b>Settings &rarr; Model</b> with the address "
        f"<code>{escape(address.rstrip('/'))}</code>. Figures are at <a href=metrics>metrics</a>, the interface at "
        "<a href=openapi.json>openapi.json</a>.</p>"
        "<h2>Projects</h2>"
        + (f"<table><tr><th>Project<th>Version{projects}</table>" if projects else "<p>None connected yet.</p>")
        + "<h2>Last problems</h2>"
        + (f"<table><tr><th>Time<th>Project<th>Task<th>Problem{problems}</table>" if problems else "<p>None.</p>")
    )
