"""Whether a backend lets us in with the user and the password that were given."""

from __future__ import annotations

from .caller import Caller
from .findings import Findings


def refused(caller: Caller, findings: Findings) -> None:
    """It does not."""
    if caller.auth:
        findings.problem(
            "sign-in",
            "The backend refuses this user and password.",
            "Use those that it was started with (--basic-auth-user, --basic-auth-pass, or BASIC_AUTH_USER and "
            "BASIC_AUTH_PASS in its environment), here and in Label Studio.",
        )
    else:
        findings.problem(
            "sign-in",
            "The backend wants a user and a password.",
            "Give them here with --basic-auth-user and --basic-auth-pass, and to Label Studio with "
            "`label-studio-ml connect` or in Settings, Model.",
        )


def accepted(caller: Caller, findings: Findings, *, locked: bool) -> None:
    """It does; `locked`: whether it would have refused a call without them."""
    if not caller.auth:
        findings.ok("sign-in", "No password is needed: whoever reaches the backend may use it.")
    elif locked:
        findings.ok("sign-in", "User and password are right.")
    else:
        findings.warning(
            "sign-in",
            "A user and a password are given, but the backend asks for none.",
            "Start it with --basic-auth-user and --basic-auth-pass (or their variables in the environment).",
        )
