"""`label-studio-ml deploy`: what is sent to Google Cloud, and what is refused before."""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from label_studio_ml.cli.deploy import deploy_command, env_vars, service_name
from label_studio_ml.errors import BackendError, UsageError

GCLOUD = """#!{python} -S
import json, os, sys
with open({calls!r}, "a") as calls:
    calls.write(json.dumps(sys.argv[1:]) + "\\n")
if sys.argv[1:3] == ["auth", "print-identity-token"]:
    print({token!r})
    sys.exit({login})
sys.exit({deploy})
"""
SETTINGS = (
    "GCP_PROJECT",
    "GCP_REGION",
    "LABEL_STUDIO_URL",
    "LABEL_STUDIO_HOST",
    "LABEL_STUDIO_API_KEY",
    "LABEL_STUDIO_ACCESS_TOKEN",
    "BASIC_AUTH_USER",
    "BASIC_AUTH_PASS",
)
Calls = Callable[[], list[list[str]]]


def run(*arguments: str) -> Result:
    app = typer.Typer()
    app.command()(deploy_command)
    result = CliRunner().invoke(app, arguments)
    if isinstance(result.exception, BackendError):
        raise result.exception
    return result


@pytest.fixture(autouse=True)
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on PATH, still empty: no gcloud of this machine is ever called."""
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.chdir(tmp_path)
    return folder


@pytest.fixture
def fake_gcloud(path: Path, tmp_path: Path) -> Callable[..., Calls]:
    """Puts a gcloud on PATH that notes its arguments, and gives a way to read them."""

    def install(token: str = "secret-identity", login: int = 0, deploy: int = 0) -> Calls:
        calls = tmp_path / "calls.jsonl"
        command = path / "gcloud"
        command.write_text(
            GCLOUD.format(python=sys.executable, calls=str(calls), token=token, login=login, deploy=deploy)
        )
        command.chmod(0o755)
        return lambda: [json.loads(line) for line in calls.read_text().splitlines()]

    return install


def options(call: list[str]) -> dict[str, str]:
    return dict(itertools.pairwise(call))


def test_a_folder_is_deployed_with_an_argument_list(fake_gcloud: Callable[..., Calls]) -> None:
    calls = fake_gcloud()
    out = run("gcp", "My_Backend", "--gcp-project-id", "a project; rm -rf /").output
    login, deploy = calls()
    assert login == ["auth", "print-identity-token"]
    assert deploy[:4] == ["run", "deploy", "my-backend", "--source"]
    found = options(deploy)
    assert found["--source"] == "My_Backend"
    assert found["--project"] == "a project; rm -rf /"
    assert found["--region"] == "us-central1"
    assert found["--port"] == "9090"
    assert "--quiet" in deploy
    assert "--update-env-vars" not in deploy
    assert Path("My_Backend/Dockerfile").exists()
    assert "secret-identity" not in out


def test_values_with_commas_survive_and_secrets_are_not_printed(fake_gcloud: Callable[..., Calls]) -> None:
    calls = fake_gcloud()
    access = ("--label-studio-host", "https://ls.example/a,b", "--label-studio-api-key", "key,1")
    out = run("gcp", "b", "--gcp-project-id", "p", *access, "--basic-auth-user", "u", "--basic-auth-pass", "pw;2")
    variables = options(calls()[1])["--update-env-vars"]
    assert variables == (
        "^|^LABEL_STUDIO_URL=https://ls.example/a,b|LABEL_STUDIO_API_KEY=key,1|BASIC_AUTH_USER=u|BASIC_AUTH_PASS=pw;2"
    )
    assert "key,1" not in out.output
    assert "pw;2" not in out.output


def test_project_region_and_access_come_from_the_environment(
    fake_gcloud: Callable[..., Calls], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = fake_gcloud()
    monkeypatch.setenv("GCP_PROJECT", "mine")
    monkeypatch.setenv("GCP_REGION", "europe-west1")
    monkeypatch.setenv("LABEL_STUDIO_HOST", "http://ls")
    monkeypatch.setenv("LABEL_STUDIO_ACCESS_TOKEN", "key")
    run("gcp", "b")
    found = options(calls()[1])
    assert (found["--project"], found["--region"]) == ("mine", "europe-west1")
    assert found["--update-env-vars"] == "^;^LABEL_STUDIO_URL=http://ls;LABEL_STUDIO_API_KEY=key"


def test_the_folder_is_made_from_a_script_below_the_root_dir(fake_gcloud: Callable[..., Calls]) -> None:
    calls = fake_gcloud()
    Path("reader.py").write_text("class Reader(LabelStudioMLBase): ...")
    run("gcp", "b", "--gcp-project-id", "p", "--script", "reader.py", "--root-dir", "backends")
    assert options(calls()[1])["--source"] == "backends/b"
    assert "from reader import Reader" in Path("backends/b/_wsgi.py").read_text()


def test_an_existing_folder_is_deployed_as_it_is(fake_gcloud: Callable[..., Calls]) -> None:
    calls = fake_gcloud()
    Path("b").mkdir()
    Path("b/model.py").write_text("mine")
    run("gcp", "b", "--gcp-project-id", "p")
    assert len(calls()) == 2
    assert [path.name for path in Path("b").iterdir()] == ["model.py"]
    Path("reader.py").write_text("class Reader(LabelStudioMLBase): ...")
    with pytest.raises(UsageError, match="--force"):
        run("gcp", "b", "--gcp-project-id", "p", "--script", "reader.py")
    run("gcp", "b", "--gcp-project-id", "p", "--script", "reader.py", "--force")
    assert Path("b/reader.py").exists()
    assert Path("b/model.py").read_text() == "mine"


def test_an_unknown_provider_and_a_missing_project_are_refused() -> None:
    with pytest.raises(UsageError, match="'aws' is not a known provider; the only one is gcp"):
        run("aws", "b")
    with pytest.raises(UsageError, match="--gcp-project-id"):
        run("gcp", "b")


def test_without_gcloud_nothing_is_written() -> None:
    with pytest.raises(UsageError, match="gcloud command is not there"):
        run("gcp", "b", "--gcp-project-id", "p")
    assert not Path("b").exists()


@pytest.mark.parametrize("login", [{"login": 1}, {"token": ""}])
def test_without_a_login_nothing_is_written(fake_gcloud: Callable[..., Calls], login: dict[str, object]) -> None:
    calls = fake_gcloud(**login)
    with pytest.raises(UsageError, match="gcloud auth login"):
        run("gcp", "b", "--gcp-project-id", "p")
    assert len(calls()) == 1
    assert not Path("b").exists()


def test_a_failed_deployment_is_told_without_secrets(fake_gcloud: Callable[..., Calls]) -> None:
    fake_gcloud(deploy=3)
    with pytest.raises(UsageError, match="status 3") as caught:
        run("gcp", "b", "--gcp-project-id", "p", "--label-studio-api-key", "key")
    assert "key" not in str(caught.value)


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("my_ml_backend", "my-ml-backend"),
        ("2nd Backend!", "nd-backend"),
        ("Modèle", "mod-le"),
        ("x" * 48 + "_y", "x" * 48),
        ("x" * 90, "x" * 49),
    ],
)
def test_the_service_is_named_after_the_folder_as_cloud_run_allows(folder: str, name: str) -> None:
    assert service_name(Path("/somewhere") / folder) == name


def test_a_folder_that_no_service_can_be_named_after_is_refused() -> None:
    with pytest.raises(UsageError, match="needs a letter"):
        service_name(Path("/somewhere/123"))


def test_the_separator_of_variables_is_in_none_of_them() -> None:
    text = env_vars({"A": ";|~", "B": ",^"})
    _, mark, rest = text.split("^", 2)
    assert rest.split(mark) == ["A=;|~", "B=,^"]
