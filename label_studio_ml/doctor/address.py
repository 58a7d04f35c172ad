"""What Label Studio meets at the address of a backend."""

from __future__ import annotations

from enum import Enum
from urllib.parse import urlsplit

from ..label_studio.project import CallRefused, LabelStudioApi
from ..label_studio.sentences import Meaning, cause, meaning
from .findings import Findings

_LET_LOCAL_ADDRESSES_IN = (
    "Start Label Studio with ML_BLOCK_LOCAL_IP=false SSRF_PROTECTION_ENABLED=false in its environment, or give the "
    "backend a public address."
)


class Met(Enum):
    """What Label Studio meets."""

    SERVER = "a server"
    LOCK = "a server that wants a user and a password"
    NOTHING = "nothing that answers"


def try_address(api: LabelStudioApi, project: int, url: str, findings: Findings) -> Met:
    """Have Label Studio call an address; why it gets no answer is a finding."""
    try:
        said = api.try_backend_address(project, url)
    except CallRefused as refused:
        said = refused.detail
    meant = meaning(said)
    if meant is Meaning.WANTS_PASSWORD:
        return Met.LOCK
    if meant in (Meaning.NO_SUCH_PATH, Meaning.SETUP_FAILED) or not said:
        return Met.SERVER
    if meant is Meaning.LOCAL_ADDRESS:
        local_address(f"never calls {url}", said, findings)
    elif meant is Meaning.UNKNOWN_HOST:
        findings.problem(
            "address",
            f"Label Studio cannot resolve the host name {urlsplit(url).hostname!r}.",
            "Connect the backend under an address that Label Studio's machine or container can reach, such as "
            "http://host.docker.internal:9090 or an IP address (--url-for-label-studio).",
        )
    else:
        findings.problem(
            "address",
            f"Label Studio cannot reach {url}: {cause(said)}.",
            "Connect the backend under an address that Label Studio's machine or container can reach "
            "(--url-for-label-studio; `localhost` there is not the backend's machine), and check that no firewall "
            "is in between.",
        )
    return Met.NOTHING


def local_address(consequence: str, said: str, findings: Findings) -> None:
    """Label Studio's protection against local addresses is in the way."""
    findings.problem(
        "address", f'Label Studio refuses local addresses and {consequence}: "{said}".', _LET_LOCAL_ADDRESSES_IN
    )
