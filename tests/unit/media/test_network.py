"""Where media may come from: hostile addresses in every spelling, and names that change their meaning."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator
from pathlib import Path

import httpcore
import pytest

from label_studio_ml import settings
from label_studio_ml.errors import MediaError
from label_studio_ml.media.addresses import LabelStudio
from label_studio_ml.media.files import Media
from label_studio_ml.media.network import AddressRefused, CheckedBackend, Policy, embedded
from tests.support.media_server import MediaServer, media_server

NOTHING = settings.private_hosts("")
EVERYTHING = settings.private_hosts("all")

PRIVATE = [
    "http://127.0.0.1/",
    "http://127.1/",
    "http://127.0.1/",
    "http://127.255.255.254/",
    "http://2130706433/",  # 127.0.0.1 as one number
    "http://0x7f000001/",
    "http://0x7f.0.0.1/",
    "http://0X7F.0x0.0x0.0x1/",
    "http://017700000001/",
    "http://0177.0.0.0x1/",
    "http://127.0.0.1./",
    "http://127。0。0。1/",
    "http://localhost/",
    "http://LOCALHOST/",
    "http://localhost./",
    "http://[::1]/",
    "http://[0:0:0:0:0:0:0:1]/",
    "http://[0000:0000:0000:0000:0000:0000:0000:0001]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:7f00:1]/",
    "http://[::127.0.0.1]/",
    "http://[64:ff9b::7f00:1]/",
    "http://[64:ff9b::127.0.0.1]/",
    "http://[2002:7f00:1::]/",
    "http://[2001:0:7f00:1::f7f7:f7f7]/",
    "http://10.0.0.5/",
    "http://10.5/",
    "http://167772165/",
    "http://172.16.0.1/",
    "http://192.168.1.1/",
    "http://192.168.257/",
    "http://0xc0a80101/",
    "http://100.64.0.1/",
    "http://198.18.0.1/",
    "http://[fc00::1]/",
    "http://[fd12:3456:789a::1]/",
    "http://[fec0::1]/",
    "http://[::ffff:10.0.0.5]/",
    "https://127.0.0.1:8443/",
    "HTTP://127.0.0.1/",
    "  http://127.0.0.1/  ",
]
NEVER = [
    "http://169.254.169.254/latest/meta-data/",
    "http://169.254.169.254./",
    "http://169.254.43518/",
    "http://169.16689662/",
    "http://2852039166/",
    "http://0xa9fea9fe/",
    "http://0xA9.0xFE.0xA9.0xFE/",
    "http://025177524776/",
    "http://169.254.0.1/",
    "http://169.254.170.2/v2/credentials",
    "http://[::ffff:169.254.169.254]/",
    "http://[::ffff:a9fe:a9fe]/",
    "http://[::169.254.169.254]/",
    "http://[64:ff9b::a9fe:a9fe]/",
    "http://[64:ff9b:1::a9fe:a9fe]/",
    "http://[2002:a9fe:a9fe::]/",
    "http://[fe80::1]/",
    "http://[febf::1]/",
    "http://[fe80::a9fe:a9fe]/",
    "http://[fd00:ec2::254]/latest/meta-data/",
    "http://[fd00:0ec2:0000::0254]/",
    "http://[fd20:ce::254]/",
    "http://100.100.100.200/latest/meta-data/",
    "http://168.63.129.16/",
    "http://192.0.0.192/",
    "http://0.0.0.0/",
    "http://0/",
    "http://0x0/",
    "http://[::]/",
    "http://[::ffff:0.0.0.0]/",
    "http://224.0.0.1/",
    "http://255.255.255.255/",
    "http://[ff02::1]/",
    "http://metadata.google.internal/computeMetadata/v1/",
    "http://METADATA.google.internal./",
    "http://metadata/",
    "http://metadata.goog/",
    "http://instance-data/",
    "http://instance-data.ec2.internal/latest/",
    "http://metadata.azure.internal/",
]
MALFORMED = [
    "http://0177.0.0.1/",  # octal
    "http://00000177.0.0.1/",
    "http://0251.0376.0251.0376/",
    "http://0169.254.169.254/",
    "http://127.0.0.1@example.com/",
    "http://example.com@127.0.0.1/",
    "http://example.com:80@169.254.169.254/",
    "http://example.com\\@127.0.0.1/",
    "http:\\\\127.0.0.1\\",
    "http://example.com\t.evil/",
    "http://127.0.0.1\0.example.com/",
    "http://127.0.0.1%00.example.com/",
    "http://127.0.0.1%2f.example.com/",
    "http://%31%32%37.0.0.1/",
    "http://127.0.0.1\r\nHost: example.com/",
    "http://１２７.０.０.１/",  # noqa: RUF001 - that is the point
    "http://①②⑦.⓪.⓪.①/",
    "http://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ/",
    "http:///etc/passwd",
    "http:127.0.0.1/",
    "http://[::1/",
    "http://[fe80::1%25eth0]/",
    "http://[::ffff:127.0.0.1%251]/",
    "http://exa mple.com/",
    "file:///etc/passwd",
    "file://localhost/etc/passwd",
    "FILE:/etc/passwd",
    "ftp://127.0.0.1/etc/passwd",
    "gopher://127.0.0.1:6379/_INFO",
    "dict://127.0.0.1:11211/stats",
    "ldap://127.0.0.1/",
    "jar:http://127.0.0.1!/",
    "unix:///var/run/docker.sock",
    "//169.254.169.254/latest/",
    "\\\\127.0.0.1\\share\\a.png",
]


@pytest.fixture
def nothing_connects(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection, to wherever, fails the test."""

    def connect(*arguments: object, **options: object) -> None:
        pytest.fail(f"connected to {arguments[1:]}")

    monkeypatch.setattr(httpcore.SyncBackend, "connect_tcp", connect)
    monkeypatch.setattr(socket, "create_connection", connect)


def media(tmp_path: Path, allow: str = "") -> Media:
    return Media(settings.load({}, allow_private_media=allow), tmp_path / "cache")


@pytest.mark.usefixtures("nothing_connects")
@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_are_refused_in_every_spelling(address: str, tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"is not fetched: .* name it in --allow-private-media"):
        media(tmp_path).path(address, LabelStudio("http://labels.example.org", "token"))


@pytest.mark.usefixtures("nothing_connects")
@pytest.mark.parametrize("allow", ["", "all"])
@pytest.mark.parametrize("address", NEVER)
def test_metadata_and_link_local_addresses_are_refused_whatever_is_allowed(
    address: str, allow: str, tmp_path: Path
) -> None:
    with pytest.raises(MediaError, match=r"is not fetched: .* never fetched from"):
        media(tmp_path, allow).path(address)


@pytest.mark.usefixtures("nothing_connects")
@pytest.mark.parametrize("address", NEVER[:3])
def test_even_label_studio_itself_is_not_at_a_metadata_address(address: str, tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="never fetched from"):
        media(tmp_path).path("/data/upload/1/a.png", LabelStudio(address, "token"))


@pytest.mark.usefixtures("nothing_connects")
@pytest.mark.parametrize("address", MALFORMED)
def test_what_could_be_read_in_two_ways_is_refused(address: str, tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"(Correct|Remove it from) the task's data"):
        media(tmp_path, "all").path(address, LabelStudio("http://labels.example.org", "token"))


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (["127.0.0.1"], "private network"),
        (["8.8.8.8", "10.0.0.1"], "private network"),
        (["8.8.8.8", "169.254.169.254"], "never"),
        (["2001:4860:4860::8888", "fe80::1%eth0"], "never"),
        (["::ffff:169.254.169.254"], "never"),
    ],
)
def test_a_name_is_refused_if_any_of_its_addresses_is(found: list[str], reason: str) -> None:
    with pytest.raises(AddressRefused, match=reason):
        Policy(NOTHING, resolve=lambda host, port: found).addresses("images.example.org", 80)


def test_public_addresses_are_for_everybody() -> None:
    assert Policy(NOTHING).addresses("8.8.8.8", 80) == ["8.8.8.8"]
    assert Policy(NOTHING).addresses("2001:4860:4860::8888", 443) == ["2001:4860:4860::8888"]
    found = ["64:ff9b::808:808", "8.8.8.8"]  # as networks without IPv4 of their own have it
    assert Policy(NOTHING, resolve=lambda host, port: found).addresses("example.org", 80) == found


@pytest.mark.parametrize("allowed", ["files.lan", "10.0.0.0/8", "10.1.2.3", "fd00::/8 10.1.2.3/32", "all"])
def test_what_is_named_may_be_private(allowed: str) -> None:
    policy = Policy(settings.private_hosts(allowed), resolve=lambda host, port: ["10.1.2.3"])
    assert policy.addresses("FILES.lan.", 80) == ["10.1.2.3"]


@pytest.mark.parametrize("allowed", ["", "other.lan", "lan", "10.2.0.0/16", "10.1.2.4"])
def test_what_is_not_named_may_not(allowed: str) -> None:
    policy = Policy(settings.private_hosts(allowed), resolve=lambda host, port: ["10.1.2.3"])
    with pytest.raises(AddressRefused):
        policy.addresses("files.lan", 80)


def test_label_studios_own_host_is_allowed_on_its_own_port() -> None:
    policy = Policy(NOTHING, ("127.0.0.1", 8080))
    assert policy.addresses("127.0.0.1", 8080) == ["127.0.0.1"]
    with pytest.raises(AddressRefused):
        policy.addresses("127.0.0.1", 5432)


def test_an_unknown_name_is_said_to_be_one() -> None:
    with pytest.raises(AddressRefused, match=r"the host nothing\.invalid is not known"):
        Policy(NOTHING).addresses("nothing.invalid", 80)


@pytest.mark.parametrize(
    ("address", "inner"),
    [
        ("8.8.8.8", []),
        ("::ffff:10.0.0.1", ["10.0.0.1"]),
        ("2002:0a00:0001::", ["10.0.0.1"]),
        ("64:ff9b::a00:1", ["10.0.0.1"]),
        ("::10.0.0.1", ["10.0.0.1"]),
        ("::1", []),
        ("2001:4860:4860::8888", []),
    ],
)
def test_addresses_inside_addresses_are_seen(address: str, inner: list[str]) -> None:
    assert [str(found) for found in embedded(ipaddress.ip_address(address))] == inner


@pytest.fixture
def server() -> Iterator[MediaServer]:
    with media_server() as found:
        yield found


def test_the_address_that_was_checked_is_the_one_connected_to(server: MediaServer) -> None:
    """A name that means another host a moment later gains nothing: it is asked for once."""
    port = int(server.url.rpartition(":")[2])
    answers = [["127.0.0.1"], ["169.254.169.254"], ["10.0.0.1"]]
    asked: list[str] = []

    def resolve(host: str, _port: int) -> list[str]:
        asked.append(host)
        return answers[len(asked) - 1]

    stream = CheckedBackend(Policy(EVERYTHING, resolve=resolve)).connect_tcp("rebinding.example.org", port)
    try:
        assert asked == ["rebinding.example.org"]
        assert stream.get_extra_info("server_addr") == ("127.0.0.1", port)
    finally:
        stream.close()
    with pytest.raises(AddressRefused, match="169"):
        CheckedBackend(Policy(EVERYTHING, resolve=resolve)).connect_tcp("rebinding.example.org", port)


def test_the_next_address_is_tried_when_one_does_not_answer(server: MediaServer) -> None:
    port = int(server.url.rpartition(":")[2])
    policy = Policy(EVERYTHING, resolve=lambda host, port: ["127.0.0.2", "127.0.0.1"])
    stream = CheckedBackend(policy).connect_tcp("two.example.org", port, timeout=5)
    assert stream.get_extra_info("server_addr") == ("127.0.0.1", port)
    stream.close()
