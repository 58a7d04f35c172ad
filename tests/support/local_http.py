"""HTTP clients for servers on this machine: reading the certificates of the web would cost more than a call."""

from __future__ import annotations

import ssl
from typing import Any

import httpx

_NO_CERTIFICATES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def client(url: str, *, timeout: float = 60, **more: Any) -> httpx.Client:
    """A client whose calls are relative to an address; `more` is for `httpx.Client`."""
    return httpx.Client(base_url=url, timeout=timeout, trust_env=False, verify=_NO_CERTIFICATES, **more)


def get(url: str, timeout: float = 5) -> httpx.Response:
    """One call, on a connection of its own."""
    return httpx.get(url, timeout=timeout, trust_env=False, verify=_NO_CERTIFICATES)
