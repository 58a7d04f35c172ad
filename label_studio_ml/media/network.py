"""Which hosts media may come from, checked at the moment of connecting. Runs wherever media are fetched.

The address that was checked is the address that is connected to, so that a name cannot mean something else
a moment later. Knows nothing of tokens, redirects or files.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable, Iterable
from typing import Any

import httpcore

from ..errors import MediaError
from ..settings import PrivateHosts

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], list[str]]

_METADATA_NAMES = frozenset(
    {
        "instance-data",
        "instance-data.ec2.internal",
        "metadata",
        "metadata.azure.internal",
        "metadata.goog",
        "metadata.google.internal",
        "metadata.packet.net",
        "metadata.platformequinix.com",
        "metadata.tencentyun.com",
        "metadata.local",
    }
)
_NEVER = [
    ipaddress.ip_network(network)
    for network in (
        "0.0.0.0/8",  # "this host": reaches loopback
        "169.254.0.0/16",  # link-local, with the metadata services of most clouds
        "100.100.100.200/32",  # metadata, Alibaba
        "168.63.129.16/32",  # Azure's wire server
        "192.0.0.192/32",  # metadata, Oracle's older one
        "224.0.0.0/4",
        "240.0.0.0/4",
        "::/128",
        "fe80::/10",
        "fd00:ec2::/32",  # metadata, Amazon
        "fd20:ce::254/128",  # metadata, Google
        "fd00:42::42/128",  # metadata, Scaleway
        "ff00::/8",
    )
]
_NAT64 = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("64:ff9b:1::/48"))
_COMPATIBLE = ipaddress.IPv6Network("::/96")


def _resolve(host: str, port: int) -> list[str]:
    """Every address of a name, in the order in which the system would try them."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class AddressRefused(MediaError):
    """A host that media must not come from; the message is part of a sentence."""


class Policy:
    """Says which hosts may be reached.

    Args:
        private: what the operator allows beyond public addresses.
        own_host: host and port of Label Studio, which may be anywhere but on a link-local address.
        resolve: names into addresses; the system's resolver by default.
    """

    def __init__(
        self, private: PrivateHosts, own_host: tuple[str, int] | None = None, resolve: Resolve = _resolve
    ) -> None:
        self._private = private
        self._own_host = own_host
        self._resolve = resolve

    def addresses(self, host: str, port: int) -> list[str]:
        """The addresses of a host, all of them permitted.

        Raises:
            AddressRefused: one is not, or there is none.
        """
        name = host.strip("[]").rstrip(".").lower()
        if name in _METADATA_NAMES:
            raise AddressRefused(f"{host} is a metadata service of a cloud, and never fetched from")
        literal = literal_address(name)
        if literal is not None:
            self._check(name, port, literal, host)
            return [str(literal)]
        try:
            found = self._resolve(name, port)
        except (OSError, UnicodeError) as error:
            raise AddressRefused(f"the host {host} is not known ({error})") from error
        for address in found:
            self._check(name, port, ipaddress.ip_address(address.split("%")[0]), host)
        return found

    def _check(self, name: str, port: int, address: Address, host: str) -> None:
        shown = host if literal_address(host.strip("[]")) == address else f"{host} ({address})"
        meant = [address, *embedded(address)]
        if any(one in network for one in meant for network in _NEVER):
            raise AddressRefused(f"{shown} is a link-local, metadata or reserved address, and never fetched from")
        if not all(is_public(one) or self._permits(name, port, one) for one in meant):
            raise AddressRefused(
                f"{shown} is on this machine or in a private network; "
                "name it in --allow-private-media if media may come from there"
            )

    def _permits(self, name: str, port: int, address: Address) -> bool:
        return (
            self._private.everything
            or (name, port) == self._own_host
            or name in self._private.names
            or any(address in network for network in self._private.networks)
        )


def literal_address(host: str) -> Address | None:
    """The IP address that a host is, in any spelling that systems understand: `127.1`, `0x7f000001`.

    >>> literal_address("0x7f.1"), literal_address("example.org")
    (IPv4Address('127.0.0.1'), None)
    """
    try:
        return ipaddress.ip_address(host.split("%", maxsplit=1)[0])
    except ValueError:
        pass
    if not re.fullmatch(r"[0-9a-fx.]+", host, re.IGNORECASE):
        return None
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except OSError:
        return None


def is_public(address: Address) -> bool:
    """Whether an address is on the open internet."""
    return address.is_global and not (isinstance(address, ipaddress.IPv6Address) and address.is_site_local)


def embedded(address: Address) -> list[ipaddress.IPv4Address]:
    """The IPv4 addresses that an IPv6 address may lead to: mapped, compatible, 6to4, Teredo, NAT64.

    >>> embedded(ipaddress.ip_address("::ffff:127.0.0.1"))
    [IPv4Address('127.0.0.1')]
    """
    if isinstance(address, ipaddress.IPv4Address):
        return []
    found = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if any(address in network for network in _NAT64) or (address in _COMPATIBLE and int(address) > 1):
        found.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return [inner for inner in found if inner is not None]


class CheckedBackend(httpcore.NetworkBackend):
    """Connects only where the policy permits, to the very address that was checked."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._system = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first address of a host that answers; each one has `timeout` seconds."""
        problem: Exception | None = None
        for address in self._policy.addresses(host, port):
            try:
                return self._system.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                problem = error
        raise problem or httpcore.ConnectError(f"{host} has no address")
