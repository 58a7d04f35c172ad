"""What this package's server says about itself at /health. Other backends say nothing of this."""

from __future__ import annotations

from typing import Any

from .findings import Findings


def read(state: dict[str, Any], findings: Findings) -> None:
    """Turn it into findings."""
    _model(state, findings)
    _store(state, findings)
    _problems(state, findings)


def _model(state: dict[str, Any], findings: Findings) -> None:
    model = state.get("model")
    if not isinstance(model, dict):
        return
    if model.get("state") == "failed":
        findings.problem(
            "model",
            f"The model cannot be loaded: {model.get('error') or 'no reason given'}",
            "Fix what the message names; `label-studio-ml start FOLDER --check` shows all of it. The server tries "
            "again by itself.",
        )
    else:
        findings.ok("model", f"{state.get('model_class') or 'the model'} is {model.get('state', 'there')}.")


def _store(state: dict[str, Any], findings: Findings) -> None:
    store = state.get("store")
    if isinstance(store, dict) and store.get("state") == "failed":
        findings.problem(
            "store",
            f"Events cannot be stored: {store.get('error') or 'no reason given'}",
            f"Check that the disk of {state.get('model_dir', 'the model folder')} is writable and not full.",
        )


def _problems(state: dict[str, Any], findings: Findings) -> None:
    problems = state.get("problems")
    if isinstance(problems, list) and problems:
        last = problems[-1]
        findings.warning(
            "lately",
            f"{len(problems)} failure{'s' if len(problems) > 1 else ''} since the start; the last: "
            f"{last.get('message')} (project {last.get('project')})",
            "Fix what the message names; the server's log has each of them.",
        )
