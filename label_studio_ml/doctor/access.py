"""Whether Label Studio can be reached and takes a token; what is wrong with the token where it does not."""

from __future__ import annotations

import base64
import binascii
import json

from ..errors import LabelStudioError
from ..label_studio.project import CallRefused, LabelStudioApi
from ..label_studio.sentences import Meaning
from ..wire.deadlines import Deadlines
from .caller import Caller
from .findings import Findings
from .trouble import explained

_DEADLINE = 10.0
_NEW = (
    "Make a new one in Label Studio (Account & Settings, Personal Access Token) and give it with "
    "--label-studio-api-key or LABEL_STUDIO_API_KEY."
)


def token_kind(token: str) -> str:
    """What a token is: `legacy`, `refresh` (a personal access token), `access`, or `unknown`.

    >>> token_kind("0123456789abcdef0123456789abcdef01234567"), token_kind("secret")
    ('legacy', 'unknown')
    """
    if len(token) == 40 and all(letter in "0123456789abcdef" for letter in token):
        return "legacy"
    try:
        middle = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
        return str(claims["token_type"])
    except (IndexError, KeyError, TypeError, ValueError, binascii.Error):
        return "unknown"


def open_api(url: str, token: str, findings: Findings) -> LabelStudioApi | None:
    """Get into Label Studio, or say why not."""
    access = _Access(url, token, findings)
    if not access.reach():
        return None
    api = access.sign_in()
    if api is not None:
        access.look_at_backends_token(api)
    return api


class _Access:
    """One Label Studio and one token."""

    def __init__(self, url: str, token: str, findings: Findings) -> None:
        self._url, self._token, self._findings = url.rstrip("/"), token, findings

    def reach(self) -> bool:
        caller = Caller(self._url, deadlines=Deadlines(connect=_DEADLINE))
        reply = caller.call("GET", "api/version/", _DEADLINE)
        caller.close()
        if reply.trouble:
            why = explained(reply.trouble, reply.detail, self._url, _DEADLINE, "Label Studio")
            self._findings.problem("reachable", *why)
            return False
        release = (reply.data or {}).get("release") or (reply.data or {}).get("label-studio-os-package", {})
        if reply.location or not reply.ok or not release:
            where = f" It redirects to {reply.location}." if reply.location else ""
            self._findings.problem(
                "reachable",
                f"What answers at {self._url} is not Label Studio ({reply.said}).{where}",
                "Give the address that you open Label Studio with, without the path of a page.",
            )
            return False
        shown = release if isinstance(release, str) else release.get("version", "")
        self._findings.ok("reachable", f"Label Studio {shown} answers at {self._url}.")
        return True

    def sign_in(self) -> LabelStudioApi | None:
        kind = token_kind(self._token)
        if not self._token:
            self._findings.problem("token", "There is no token for Label Studio.", _NEW)
            return None
        if kind == "access":
            what = "This is an access token, which is valid for minutes only; a personal access token is needed."
            self._findings.problem("token", what, _NEW)
            return None
        try:
            api = LabelStudioApi(self._url, self._token)
        except LabelStudioError as error:
            self._findings.problem("token", str(error), _NEW)
            return None
        try:
            user = api.who()
        except CallRefused as refused:
            api.close()
            self._token_refused(kind, refused)
            return None
        named = {"legacy": "The legacy token", "refresh": "The personal access token"}.get(kind, "The token")
        self._findings.ok("token", f"{named} of {user.get('email') or user.get('username')} works.")
        return api

    def _token_refused(self, kind: str, refused: CallRefused) -> None:
        if refused.meaning is Meaning.LEGACY_TOKENS_OFF:
            self._findings.problem(
                "token",
                "This is a legacy token, and the organisation does not accept these any more.",
                "Use a personal access token (Account & Settings, Personal Access Token), or have the owner allow "
                "legacy tokens (Organization, API Tokens Settings).",
            )
        elif refused.status in (401, 403):
            name = {"legacy": "this legacy token", "refresh": "this personal access token"}.get(kind, "this token")
            what = f"Label Studio refuses {name}: {refused.detail.rstrip('.')}."
            self._findings.problem("token", what, _NEW)
        else:
            what = f"Label Studio does not say whose token this is ({refused.status}): {refused.detail}"
            self._findings.problem("token", what, "Look at Label Studio's log.")

    def look_at_backends_token(self, api: LabelStudioApi) -> None:
        if api.legacy_tokens_allowed() is False:
            self._findings.warning(
                "backend's token",
                "Label Studio hands backends a legacy token, but the organisation accepts none: the backend gets "
                "neither annotations nor media.",
                f"Start the backend with LABEL_STUDIO_URL={self._url} and LABEL_STUDIO_API_KEY set to a personal "
                "access token, or allow legacy tokens (Organization, API Tokens Settings).",
            )
