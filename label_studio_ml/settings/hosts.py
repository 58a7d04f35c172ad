"""Which hosts and networks media may come from although they are private: the setting `allow_private_media`."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from ..errors import SettingError


@dataclass(frozen=True)
class PrivateHosts:
    """Where media may come from although it is on this machine or in a private network."""

    everything: bool
    names: frozenset[str]
    networks: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]


def private_hosts(text: str) -> PrivateHosts:
    """Read names, addresses and networks, with commas or spaces between them.

    Raises:
        SettingError: one of them is neither.

    >>> private_hosts("minio, 10.0.0.0/8").names
    frozenset({'minio'})
    """
    names, networks = set(), []
    words = text.replace(",", " ").split()
    for word in words:
        try:
            networks.append(ipaddress.ip_network(word))
        except ValueError:
            if not re.fullmatch(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?", word) or (
                word[-1].isdigit() and "." in word
            ):
                raise SettingError(
                    f"allow_private_media: {word!r} is no host name, address or network. "
                    "Write them as in `minio, 10.0.0.0/8`, or `all`."
                ) from None
            names.add(word.lower())
    return PrivateHosts("all" in names, frozenset(names), tuple(networks))
