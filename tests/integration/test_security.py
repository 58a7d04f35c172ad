"""What nobody may get out of a running server, and what nobody may put into it."""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from scripts.processes import wait_until
from tests.support.paths import BACKENDS
from tests.support.servers import ServerProcess, servers

TOKEN = "0123456789abcdef0123456789abcdef01234567"
PARAM = "extra-param-credential"
HOOK = "hook-credential"
PASSWORD = "password-credential"
FROM_ENVIRONMENT = "environment-credential"
LOGIN = ("label", PASSWORD)
SECRETS = (TOKEN, PARAM, HOOK, PASSWORD, FROM_ENVIRONMENT)
PARAMETERS = {"job": "", "project": "7"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with servers(tmp_path_factory.mktemp("guarded")) as start:
        options = ("--basic-auth-user", "label", "--debug", "--max-body-size", "1MB", "--train-debounce", "0s")
        yield start(
            BACKENDS / "talkative.py",
            *options,
            BASIC_AUTH_PASS=PASSWORD,
            LABEL_STUDIO_ML_WEBHOOK_SECRET=HOOK,
            SOME_API_KEY=FROM_ENVIRONMENT,
        )


@pytest.fixture(scope="module")
def client(server: ServerProcess) -> Iterator[httpx.Client]:
    with server.client(LOGIN) as client:
        wait_until(lambda: client.get("/health").json()["model"]["state"] == "ready", 60, "the model to be ready")
        yield client


@pytest.fixture(scope="module")
def jobs(client: httpx.Client) -> list[str]:
    """A project whose token, parameters and trainings say what they know: one that went well, one that failed."""
    setup = {"project": "7.1", "schema": "<View/>", "hostname": "http://host", "access_token": TOKEN}
    assert client.post("/setup", json={**setup, "extra_params": {"api_key": PARAM}}).status_code == 200
    made = []
    for action in ("ANNOTATION_CREATED", "START_TRAINING"):
        event = {"action": action, "project": {"id": 7}, "annotation": {"id": 1, "task": 1, "result": []}}
        made.append(client.post("/webhook", json=event).json()["job"])

    def over(job: str) -> bool:
        return client.post("/job_status", json={"job": job}).json()["job_status"] in ("finished", "failed")

    wait_until(lambda: all(over(job) for job in made), 90, "both trainings to be over")
    return made


def calls(client: httpx.Client, job: str) -> Iterator[httpx.Response]:
    """Every call of the document, with something that exists."""
    bodies = {
        "/setup": {"project": "7.1", "access_token": TOKEN, "extra_params": {"api_key": PARAM}},
        "/predict": {"project": "7.1", "tasks": [{"id": 1, "data": {}}, {"id": 13, "data": {}}]},
        "/webhook": {"action": "PROJECT_UPDATED", "project": {"id": 7}},
        "/train": {"project": "7", "annotations": [{"id": 1, "data": {}}]},
        "/job_status": {"job": job},
        "/versions": {"project": "7"},
        "/delete": {"project": "elsewhere"},
        "/duplicate_model": {"project_src": "7", "project_dst": "8"},
        "/validate": {"config": "<View/>"},
    }
    document = client.get("/openapi.json").json()
    for path, methods in document["paths"].items():
        for method in methods:
            address = path.replace("{job}", job).replace("{project}", "7")
            content = bodies.get(path, {"version": "0"}) if "requestBody" in methods[method] else None
            yield client.request(method.upper(), address, json=content)
    yield client.get("/", headers={"Accept": "text/html"})
    yield client.post("/predict", json={"tasks": [{"id": 13, "data": {}}], "params": {"context": {"result": []}}})


def test_no_reply_of_any_call_holds_a_credential(client: httpx.Client, jobs: list[str]) -> None:
    replies = [reply for job in jobs for reply in calls(client, job)]
    assert len(replies) > 40
    logs = [reply.json()["text"] for reply in replies if reply.url.path.endswith("/log")]
    assert all("Authorization" in text or "authorization" in text for text in logs)
    for reply in replies:
        assert not [secret for secret in SECRETS if secret in reply.text + str(reply.headers)], reply.request.url


def test_no_log_holds_a_credential_whatever_the_author_says(
    server: ServerProcess, client: httpx.Client, jobs: list[str]
) -> None:
    for job in jobs:
        list(calls(client, job))
    client.get("/predict", headers={"Authorization": f"Basic {PASSWORD}"})
    files = [path for path in server.model_dir.glob("jobs/**/*") if path.is_file()]
    assert len(files) >= 2
    for text in (server.log, *(path.read_text() for path in files)):
        assert not [secret for secret in SECRETS if secret in text]
    over = [path.read_text() for path in files if path.parent.name in jobs]  # calls have just started others
    assert len(over) == 2
    assert all("cannot use ***" in text for text in (server.log, *over))
    assert "token ***" in server.log
    assert "stderr ***" in server.log


def test_nobody_else_on_the_machine_can_read_what_the_server_keeps(server: ServerProcess, jobs: list[str]) -> None:
    def others_may(path: Path) -> int:
        return stat.S_IMODE(path.stat().st_mode) & (stat.S_IRWXG | stat.S_IRWXO)

    assert not others_may(server.model_dir)
    assert not others_may(server.model_dir / "jobs")
    assert not others_may(server.model_dir / "versions")
    for path in (*server.model_dir.glob("*.db*"), server.model_dir / "server.json"):
        assert not others_may(path), path


def test_health_tells_a_stranger_nothing_but_that_it_is_up(server: ServerProcess, client: httpx.Client) -> None:
    with server.client() as stranger:
        assert stranger.get("/health").json() == {"status": "UP", "model": {"state": "ready"}}
        for path in ("/", "/metrics", "/openapi.json", "/no/such", "/jobs", "/projects", "//", "/health/", "/%00"):
            for method in ("GET", "HEAD", "OPTIONS", "POST", "PATCH"):
                assert stranger.request(method, path).status_code == 401


def test_no_other_web_page_may_call_and_ours_runs_no_script(server: ServerProcess, client: httpx.Client) -> None:
    asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    for reply in (
        client.options("/predict", headers=asked),
        client.post("/predict", json={"tasks": []}, headers=asked),
        client.get("/", headers={**asked, "Accept": "text/html"}),
        client.get("/no/such", headers=asked),
    ):
        assert not [name for name in reply.headers if name.startswith("access-control")]
        assert reply.headers["x-content-type-options"] == "nosniff"
    for origin in ("https://evil.example", "null", "", f"http://{server.port}"):
        reply = client.post("/predict", json={"tasks": []}, headers={"Origin": origin})
        assert (reply.status_code, set(reply.json())) == (403, {"error"})
    own = client.post("/predict", json={"tasks": []}, headers={"Origin": server.url})
    assert own.status_code == 200
    page = client.get("/", headers={"Accept": "text/html"})
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert page.headers["x-frame-options"] == "DENY"


HOSTILE = [
    b"",
    b"\x00",
    b"\xff\xfe{\x00}\x00",
    b"\xef\xbb\xbf{}",
    b"null",
    b"[]",
    b'"text"',
    b"1e999",
    b"NaN",
    b"9" * 10_000,
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b"[" * 900 + b"]" * 900,
    b'{"project": 1, "project": {"id": []}}',
    b"{" + b'"x": 1,' * 50_000 + b'"x": 1}',
]
VALUES = [
    b"null",
    b"true",
    b"-1",
    b"1e999",
    b"-1e999",
    b"NaN",
    b"Infinity",
    b"1e-999",
    b"0.1",
    b"9" * 400,
    b"9" * 5000,
    b'""',
    b'"\\ud800"',
    b'"\\u0000"',
    b'"\xff"',
    b'"\xed\xa0\x80"',
    b'"a\\nb"',
    b'"\\u001b[2J"',
    b'"' + b"x" * 5000 + b'"',
    b'".."',
    b'"../../etc/passwd"',
    b'"%2e%2e%2f"',
    b'"/"',
    b'"\\\\"',
    b'"CON"',
    b'"' + b"\xf0\x9f\x91\xa9" * 190 + b'"',
    b'"<script>alert(1)</script>"',
    b'"\'; DROP TABLE jobs; --"',
    b"[]",
    b"{}",
    b"[" * 500 + b"]" * 500,
    b'{"a":' * 500 + b"1" + b"}" * 500,
    b"[NaN]",
    b'[{"id": 1e999}]',
    b"[1, 2",
    b'{"id": ' + b"9" * 4000 + b"}",
    b'{"id": "\\u0000", "label_config": "\\u0000"}',
    b'{"id": {"id": [[]]}}',
]
FIELDS = {
    "/setup": ("project", "schema", "hostname", "access_token", "extra_params"),
    "/predict": ("project", "tasks", "label_config", "params"),
    "/webhook": ("action", "project", "label_config", "annotation", "annotations", "task", "tasks"),
    "/train": ("project", "annotations", "label_config", "params"),
    "/job_status": ("job",),
    "/versions": ("project",),
    "/delete": ("project",),
    "/duplicate_model": ("project_dst",),
    "/validate": ("config",),
    "/projects/7/show": ("version",),
    "/projects/7/activate": ("version",),
    "/projects/7/remove": ("version",),
}
FINE: dict[str, dict[str, Any]] = {
    "/setup": {"project": "9.1"},
    "/predict": {"tasks": [{"id": 1, "data": {}}], "project": "9"},
    "/webhook": {"action": "ANNOTATION_UPDATED", "project": {"id": 9}},
    "/train": {"annotations": [{}], "project": "9"},
    "/duplicate_model": {"project_src": "none", "project_dst": "9"},
}


@pytest.mark.parametrize("path", FIELDS)
def test_no_body_whatsoever_is_a_fault_of_ours(
    server: ServerProcess, client: httpx.Client, jobs: list[str], path: str
) -> None:
    bodies = list(HOSTILE)
    for field in FIELDS[path]:
        for value in VALUES:
            others = {name: value for name, value in FINE.get(path, {}).items() if name != field}
            rest = json.dumps(others).encode()[1:]
            bodies.append(b'{"%s": %s%s%s' % (field.encode(), value, b"" if rest == b"}" else b", ", rest))
    for body in bodies:
        reply = client.post(path, content=body)
        assert reply.status_code < 500, (body[:200], reply.text)
        assert reply.status_code < 400 or reply.json()["error"], body[:200]
    assert client.post("/predict", json={"project": "9", "tasks": [{"id": 1, "data": {}}]}).status_code == 200
    assert re.findall(r"Unexpected error.*", server.log) == []


@pytest.mark.parametrize(
    "path",
    [
        "/jobs/{}",
        "/jobs/{}/log",
        "/projects/{}/versions",
        "/jobs?project={}",
        "/versions?project={}",
        "/is_training?project={}",
        "/{}",
        "/jobs/x/log?offset={}",
    ],
)
def test_no_address_whatsoever_is_a_fault_of_ours(server: ServerProcess, client: httpx.Client, path: str) -> None:
    for odd in (
        "%00",
        "%0a%0d",
        "..%2f..%2fetc%2fpasswd",
        "%ff%fe",
        "%ed%a0%80",
        "%",
        "%zz",
        "a" * 5000,
        "9" * 5000,
        "%C2%B2",
        "'\"<>",
        "*" * 199,
        "%252e%252e",
    ):
        reply = client.get(path.format(odd))
        assert reply.status_code < 500, (odd, reply.text)
    assert re.findall(r"Unexpected error.*", server.log) == []


def test_projects_with_odd_names_stay_in_their_place(server: ServerProcess, client: httpx.Client) -> None:
    before = {path for path in server.model_dir.parent.rglob("*") if server.model_dir not in path.parents}
    for odd in ("/tmp/outside", "a/b", "a\\b", "%2e%2e", "~", "-rf", "👩" * 190, " "):
        event = {"action": "ANNOTATION_CREATED", "project": {"id": odd}, "annotation": {"id": 1, "task": 1}}
        reply = client.post("/webhook", json=event)
        assert "job" in reply.json(), (odd, reply.text)
        job = reply.json()["job"]

        def over(job: str = job) -> bool:
            return client.post("/job_status", json={"job": job}).json()["job_status"] in ("finished", "failed")

        wait_until(over, 60, f"the training of {odd!r}")
        assert client.post("/job_status", json={"job": job}).json()["job_status"] == "finished"
        assert client.post("/delete", json={"project": odd}).status_code == 200
    after = {path for path in server.model_dir.parent.rglob("*") if server.model_dir not in path.parents}
    assert after == before
    assert (server.model_dir / "server.json").is_file()
    assert not Path("/tmp/outside").exists()


LAUGHS = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10 if n else "lol"}">' for n in range(10))


@pytest.mark.parametrize(
    "config",
    [
        f"<!DOCTYPE View [{LAUGHS}]><View><Header value='&e9;'/></View>",
        '<!DOCTYPE View [<!ENTITY f SYSTEM "file:///etc/passwd">]><View><Header>&f;</Header></View>',
        '<!DOCTYPE View SYSTEM "http://127.0.0.1:1/x.dtd"><View/>',
    ],
    ids=["grows without end", "reads a file", "asks another server"],
)
@pytest.mark.parametrize(
    ("path", "field"),
    [("/setup", "schema"), ("/predict", "label_config"), ("/webhook", "label_config"), ("/train", "label_config")],
)
def test_a_labeling_config_that_harms_parsers_reaches_none(
    client: httpx.Client, path: str, field: str, config: str
) -> None:
    reply = client.post(path, json={**FINE[path], field: config})
    assert reply.status_code == 400
    assert "document type" in reply.json()["error"]
    if path == "/webhook":
        nested = {**FINE[path], "project": {"id": 9, "label_config": config}}
        assert client.post(path, json=nested).status_code == 400


def test_the_address_of_a_server_is_not_taken_from_a_file_of_somebody_else(tmp_path: Path) -> None:
    if os.getuid() != 0:
        pytest.skip("only root can make a file somebody else's")
    from label_studio_ml import settings
    from label_studio_ml.cli.running import running_at

    config = settings.load({}, model_dir=tmp_path)
    planted = tmp_path / "server.json"
    planted.write_text(json.dumps({"url": "http://127.0.0.1:1", "pid": os.getpid()}))
    assert running_at(config) == "http://127.0.0.1:1"
    os.chown(planted, 12345, 12345)
    assert running_at(config) is None
