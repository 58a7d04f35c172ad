"""Fetching one address over real sockets: what goes wrong on the way, who gets the token, what is too much."""

from __future__ import annotations

import datetime
import gzip
import io
import ipaddress
import threading
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from label_studio_ml import settings
from label_studio_ml.errors import MediaError
from label_studio_ml.media.addresses import Origin, climbs, host_and_port, parse
from label_studio_ml.media.download import MAX_REDIRECTS, Answered, Limits, _ssl_context, download
from label_studio_ml.media.network import Policy
from tests.support.media_server import File, MediaServer, media_server

CONTENT = bytes(range(256)) * 1000
TOKEN = "Token 0123456789abcdef"


def fetch(
    url: str,
    own: str = "",
    *,
    allow: str = "all",
    size: int = 10**9,
    seconds: float = 30,
    authorization: str | None = TOKEN,
    verify: bool = True,
) -> tuple[bytes, str]:
    """The content and its type."""
    origin = Origin(parse(own), lambda: authorization) if own else None
    own_host = host_and_port(origin.base) if origin else None
    private = settings.private_hosts(allow)
    file = io.BytesIO()
    policies = {home: Policy(private, own_host if home else None) for home in (True, False)}
    kind = download(parse(url), file, policies.__getitem__, origin, Limits(size, seconds), verify=verify)
    return file.getvalue(), kind


# --- getting it ----------------------------------------------------------------------------------------------


def test_content_and_type_come(elsewhere: MediaServer) -> None:
    elsewhere.files["/a.bin"] = File(CONTENT, "image/png")
    assert fetch(elsewhere.url + "/a.bin") == (CONTENT, "image/png")
    elsewhere.files["/empty"] = File(b"")
    assert fetch(elsewhere.url + "/empty") == (b"", "")
    elsewhere.files["/until-the-end"] = File(CONTENT, announced=False)
    assert fetch(elsewhere.url + "/until-the-end")[0] == CONTENT


def test_a_cut_connection_is_continued_where_it_broke_off(elsewhere: MediaServer) -> None:
    elsewhere.files["/a"] = File(CONTENT, "image/png", cuts=[100_000, 50_000])
    assert fetch(elsewhere.url + "/a") == (CONTENT, "image/png")
    assert elsewhere.ranges() == [None, "bytes=100000-", "bytes=150000-"]
    assert all("if-range" in request.headers for request in elsewhere.asked[1:])


@pytest.mark.parametrize("file", [File(CONTENT, etag=False, cuts=[9]), File(CONTENT, ranges=False, cuts=[9])])
def test_a_server_that_cannot_continue_is_asked_for_all_of_it_again(file: File, elsewhere: MediaServer) -> None:
    elsewhere.files["/a"] = file
    assert fetch(elsewhere.url + "/a")[0] == CONTENT
    assert len(elsewhere.asked) == 2


def test_a_file_that_changes_meanwhile_is_not_mixed_with_the_old_one(elsewhere: MediaServer) -> None:
    other = b"other content" * 10_000
    elsewhere.files["/a"] = file = File(CONTENT, cuts=[100_000])

    def change() -> None:
        if elsewhere.ranges()[-1]:
            file.content = other

    file.before = change
    assert fetch(elsewhere.url + "/a")[0] == other


def test_a_server_that_hands_out_parts_is_asked_for_all_of_them(elsewhere: MediaServer) -> None:
    elsewhere.files["/a"] = File(CONTENT, cuts=[6_000], longest_range=100_000)
    assert fetch(elsewhere.url + "/a")[0] == CONTENT
    assert elsewhere.ranges() == [None, "bytes=6000-", "bytes=106000-", "bytes=206000-"]


@pytest.mark.parametrize("status", [408, 425, 429, 502, 503, 504])
def test_a_busy_server_is_asked_again(status: int, elsewhere: MediaServer) -> None:
    elsewhere.files["/a"] = File(CONTENT, statuses=[status, status])
    assert fetch(elsewhere.url + "/a")[0] == CONTENT
    assert len(elsewhere.asked) == 3


@pytest.mark.parametrize("status", [400, 404, 410, 500, 501])
def test_an_answer_that_is_final_is_not_asked_for_again(status: int, elsewhere: MediaServer) -> None:
    elsewhere.files["/a"] = File(CONTENT, statuses=[status])
    with pytest.raises(Answered, match=f"was answered with status {status}") as caught:
        fetch(elsewhere.url + "/a")
    assert caught.value.status == status
    assert len(elsewhere.asked) == 1


def test_attempts_without_progress_come_to_an_end(elsewhere: MediaServer) -> None:
    elsewhere.files["/a"] = File(CONTENT, statuses=[503] * 100)
    with pytest.raises(MediaError, match=r"in 4 attempts: status 503\. Is it reachable from here\?"):
        fetch(elsewhere.url + "/a")
    assert len(elsewhere.asked) == 4
    elsewhere.files["/b"] = File(CONTENT, etag=False, cuts=[9] * 100)
    with pytest.raises(MediaError, match="in 4 attempts"):
        fetch(elsewhere.url + "/b")
    assert len(elsewhere.asked) == 8


def test_nobody_there_is_said(elsewhere: MediaServer) -> None:
    with media_server() as gone:
        pass
    with pytest.raises(MediaError, match=r"in 4 attempts: ConnectError: .*refused") as caught:
        fetch(gone.url + "/a.png?signature=secret")
    assert "secret" not in str(caught.value)


# --- limits --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("announced", [True, False])
def test_what_is_larger_than_allowed_is_given_up(announced: bool, elsewhere: MediaServer) -> None:
    elsewhere.files["/a"] = File(CONTENT, announced=announced)
    with pytest.raises(MediaError, match=r"bytes or more, and --max-media-size allows 1,000"):
        fetch(elsewhere.url + "/a", size=1000)
    assert fetch(elsewhere.url + "/a", size=len(CONTENT))[0] == CONTENT


def test_what_unpacks_to_more_than_allowed_is_given_up(elsewhere: MediaServer) -> None:
    packed = gzip.compress(b"0" * 10_000_000)
    elsewhere.files["/a"] = File(packed, headers={"Content-Encoding": "gzip"})
    with pytest.raises(MediaError, match="--max-media-size allows 1,000,000"):
        fetch(elsewhere.url + "/a", size=1_000_000)
    assert fetch(elsewhere.url + "/a")[0] == b"0" * 10_000_000


def test_what_takes_longer_than_allowed_is_given_up(elsewhere: MediaServer) -> None:
    over = threading.Event()
    elsewhere.files["/a"] = File(CONTENT, before=lambda: over.wait(60))
    with pytest.raises(MediaError, match=r"within 0\.2 s\. Raise --media-timeout if it needs longer"):
        fetch(elsewhere.url + "/a", seconds=0.2)
    over.set()
    elsewhere.files["/c"] = File(CONTENT, etag=False, cuts=[1] * 1000)
    with pytest.raises(MediaError, match="within"):
        fetch(elsewhere.url + "/c", seconds=0.3)


# --- redirects and the token ---------------------------------------------------------------------------------


def test_the_token_goes_to_label_studios_media_alone(label_studio: MediaServer, elsewhere: MediaServer) -> None:
    for server in (label_studio, elsewhere):
        for path in ("/data/upload/1/a.png", "/api/projects/", "/data/../api/users", "/data/%2e%2e/api/users"):
            server.files[path] = File(CONTENT)
        server.files["/api/users"] = File(CONTENT)
    for path in label_studio.files:
        fetch(label_studio.url + path, label_studio.url)
        fetch(elsewhere.url + path, label_studio.url)
    assert {request.path for request in label_studio.asked if "authorization" in request.headers} == {
        "/data/upload/1/a.png"
    }
    assert set(elsewhere.tokens()) == {None}


@pytest.mark.parametrize(
    "path", ["/data/upload/1/a", "/storage-data/uploaded/", "/tasks/5/presign/", "/tasks/5/resolve/"]
)
def test_every_kind_of_media_gets_the_token(path: str, label_studio: MediaServer) -> None:
    label_studio.files[path] = File(CONTENT)
    fetch(f"{label_studio.url}{path}?fileuri=x", label_studio.url)
    assert label_studio.tokens() == [TOKEN]


def test_another_port_or_scheme_is_another_origin(label_studio: MediaServer) -> None:
    own = Origin(parse(label_studio.url), lambda: TOKEN)
    assert own.covers(parse(label_studio.url + "/data/x"))
    host = label_studio.url.partition("//")[2]
    for url in (
        f"https://{host}/data/x",
        "http://127.0.0.1:1/data/x",
        f"http://{host}0/data/x",
        "http://127.0.0.1/",
    ):
        assert not own.covers(parse(url)), url
    assert Origin(parse("https://Example.org"), lambda: TOKEN).covers(parse("https://example.org.:443/data/"))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_the_token_stays_behind_when_label_studio_redirects(
    status: int, label_studio: MediaServer, elsewhere: MediaServer
) -> None:
    target = elsewhere.url + "/data/upload/1/a.png?X-Amz-Signature=1"
    label_studio.files["/tasks/1/presign/"] = File(redirect=target, redirect_status=status)
    elsewhere.files["/data/upload/1/a.png"] = File(CONTENT)
    assert fetch(label_studio.url + "/tasks/1/presign/?fileuri=x", label_studio.url)[0] == CONTENT
    assert label_studio.tokens() == [TOKEN]
    assert elsewhere.tokens() == [None]
    assert not {"cookie", "referer"} & set(elsewhere.asked[0].headers)


def test_who_sends_us_to_label_studio_does_not_get_it_read(
    label_studio: MediaServer, elsewhere: MediaServer
) -> None:
    elsewhere.files["/a.png"] = File(redirect=label_studio.url + "/data/upload/1/a.png")
    label_studio.files["/data/upload/1/a.png"] = File(CONTENT)
    fetch(elsewhere.url + "/a.png", label_studio.url)
    assert label_studio.tokens() == [None]
    label_studio.files["/data/upload/2/b.png"] = File(redirect=elsewhere.url + "/a.png")
    fetch(label_studio.url + "/data/upload/2/b.png", label_studio.url)
    assert label_studio.tokens() == [None, TOKEN, None], "there and back again is not home any more"


def test_label_studios_exemption_is_its_own_too(label_studio: MediaServer, elsewhere: MediaServer) -> None:
    label_studio.files["/data/upload/1/a.png"] = File(CONTENT)
    assert fetch(label_studio.url + "/data/upload/1/a.png", label_studio.url, allow="")[0] == CONTENT
    elsewhere.files["/a.png"] = File(CONTENT)
    label_studio.files["/tasks/1/presign/"] = File(redirect=elsewhere.url + "/a.png")
    for url in (elsewhere.url + "/a.png", label_studio.url + "/tasks/1/presign/?fileuri=x"):
        with pytest.raises(MediaError, match="name it in --allow-private-media"):
            fetch(url, label_studio.url, allow="")
    assert elsewhere.asked == []


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("http://169.254.169.254/latest/", "never fetched from"),
        ("http://[::ffff:169.254.169.254]/", "never fetched from"),
        ("http://metadata.google.internal/", "metadata"),
        ("//2852039166/", "never fetched from"),
        ("file:///etc/passwd", "which is not followed"),
        ("http://user:secret@127.0.0.1/", "which is not followed"),
        ("http://127.0.0.1\\@example.org/", "which is not followed"),
        ("gopher://127.0.0.1/", "which is not followed"),
    ],
)
def test_redirects_to_where_nothing_comes_from_are_refused(
    target: str, reason: str, elsewhere: MediaServer
) -> None:
    elsewhere.files["/a"] = File(redirect=target)
    with pytest.raises(MediaError, match=reason) as caught:
        fetch(elsewhere.url + "/a")
    assert "secret" not in str(caught.value)


def test_redirects_come_to_an_end(elsewhere: MediaServer) -> None:
    elsewhere.files["/a"] = File(redirect="/a")
    with pytest.raises(MediaError, match=f"redirects more than {MAX_REDIRECTS} times"):
        fetch(elsewhere.url + "/a")
    assert len(elsewhere.asked) == MAX_REDIRECTS + 1
    elsewhere.files["/0"] = File(CONTENT)
    for step in range(1, MAX_REDIRECTS + 1):
        elsewhere.files[f"/{step}"] = File(redirect=str(step - 1))
    assert fetch(f"{elsewhere.url}/{MAX_REDIRECTS}")[0] == CONTENT


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_token_is_said_to_be_one(status: int, label_studio: MediaServer, elsewhere: MediaServer) -> None:
    label_studio.files["/data/a"] = File(CONTENT, statuses=[status])
    with pytest.raises(Answered, match="Set LABEL_STUDIO_API_KEY"):
        fetch(label_studio.url + "/data/a", label_studio.url)
    elsewhere.files["/data/a"] = File(CONTENT, statuses=[status])
    with pytest.raises(Answered, match="without a login"):
        fetch(elsewhere.url + "/data/a", label_studio.url)


def test_a_login_page_is_no_media(label_studio: MediaServer) -> None:
    label_studio.files["/data/a"] = File(redirect="/user/login/?next=/data/a")
    label_studio.files["/user/login/"] = File(b"<html>", "text/html")
    with pytest.raises(MediaError, match="it wants a login"):
        fetch(label_studio.url + "/data/a", label_studio.url)


def test_a_label_studio_that_moved_is_said_to_have(label_studio: MediaServer) -> None:
    label_studio.files["/data/a"] = File(redirect=label_studio.url.replace("http", "https") + "/data/a")
    with pytest.raises(MediaError, match=r"redirects to https://127\.0\.0\.1:\d+: set LABEL_STUDIO_URL to that"):
        fetch(label_studio.url + "/data/a", label_studio.url)


# --- addresses -----------------------------------------------------------------------------------------------


def test_addresses_with_spaces_and_letters_of_the_world_are_fetched(elsewhere: MediaServer) -> None:
    elsewhere.files["/my%20caf%C3%A9.png"] = File(CONTENT)
    assert fetch(elsewhere.url + "/my café.png")[0] == CONTENT


@pytest.mark.parametrize(
    "path",
    [
        "..",
        "../a",
        "a/..",
        "a/../b",
        "%2e%2e/a",
        "a/.%2e/b",
        "%252e%252e%252fa",
        "%25252e%25252e/x",
        "a\\b",
        "a%5cb",
        "a%255c..",
        "a\0",
        "a%00.png",
        "a%2500",
        "a\nb",
        "..%2f..%2fetc",
        "a%2f..%2fb",
    ],
)
def test_paths_that_climb_are_seen_however_they_are_encoded(path: str) -> None:
    assert climbs(path)


@pytest.mark.parametrize(
    "path", ["a/b.png", "a..b/c", "...", "a/...b", "100%25.png", "100%.png", "%e4%b8%ad.png", ""]
)
def test_other_paths_do_not(path: str) -> None:
    assert not climbs(path)


# --- certificates --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate that nobody vouches for but itself, for 127.0.0.1, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a test")])
    now = datetime.datetime.now(datetime.timezone.utc)
    alternative = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(alternative, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("certificate") / "both.pem"
    encoding = serialization.Encoding.PEM
    secret = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(made.public_bytes(encoding) + secret)
    return path


def test_certificates_are_checked_unless_told_otherwise(certificate: Path) -> None:
    with media_server(certificate=certificate) as server:
        server.files["/a"] = File(CONTENT)
        with pytest.raises(MediaError, match="Set SSL_CERT_FILE to that of your authority, or VERIFY_SSL to false"):
            fetch(server.url + "/a")
        assert fetch(server.url + "/a", verify=False)[0] == CONTENT
        assert len(server.asked) == 1


def test_an_authority_of_ones_own_can_be_named(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    _ssl_context.cache_clear()
    try:
        with media_server(certificate=certificate) as server:
            server.files["/a"] = File(CONTENT)
            assert fetch(server.url + "/a")[0] == CONTENT
    finally:
        _ssl_context.cache_clear()
