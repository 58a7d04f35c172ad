"""Media that a real Label Studio 1.23.2 has: uploads, local files, and what is in an S3 storage connected to it."""

from __future__ import annotations

import hashlib
import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest
from botocore.config import Config
from PIL import Image

from label_studio_ml import utils
from label_studio_ml.errors import MediaError
from label_studio_ml.model import LabelStudioMLBase
from scripts.label_studio import CallError, LabelStudio, LabelStudioServer
from scripts.processes import Process, free_port, wait_until
from tests.support import local_http
from tests.support.paths import BACKENDS
from tests.support.servers import StartServer

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200)]  # the first test may have to install Label Studio

READER = BACKENDS / "media_reader.py"
CONFIG = '<View><Image name="image" value="$image"/><TextArea name="seen" toName="image"/></View>'


def png(seed: int, side: int = 64) -> bytes:
    """A picture of noise, which does not pack."""
    noise = hashlib.shake_128(bytes([seed])).digest(side * side * 3)
    file = io.BytesIO()
    Image.frombytes("RGB", (side, side), noise).save(file, "PNG")
    return file.getvalue()


def said(content: bytes, suffix: str = ".png") -> str:
    """What the reader predicts for a picture."""
    return f"{suffix} {hashlib.sha256(content).hexdigest()}"


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Classes made by hand in these tests know nothing of each other."""
    for name in [name for name in os.environ if name.startswith(("LABEL_STUDIO", "LOCAL_FILES"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


@pytest.fixture
def project(label_studio: LabelStudio) -> int:
    return label_studio.create_project("media", CONFIG)


@pytest.fixture(scope="session")
def personal_token(label_studio_server: LabelStudioServer) -> str:
    """A user has one of them at a time."""
    return label_studio_server.api.personal_token()


@pytest.fixture(params=["legacy token", "personal access token"])
def token(request: pytest.FixtureRequest, label_studio: LabelStudio) -> str:
    if request.param == "legacy token":
        return label_studio.token
    found: str = request.getfixturevalue("personal_token")
    return found


def predicted(label_studio: LabelStudio, project: int) -> dict[int, str]:
    """What was read for each task."""
    found = label_studio.predictions(project)
    return {one["task"]: one["result"][0]["value"]["text"][0] for one in found if one["result"]}


# --- uploads -------------------------------------------------------------------------------------------------


def test_an_uploaded_picture_is_read(label_studio: LabelStudio, project: int, token: str) -> None:
    content = png(1)
    task = label_studio.open_task(label_studio.upload(project, "my picture.png", content))
    address = task["data"]["image"]
    assert address.startswith(f"/data/upload/{project}/")
    model = LabelStudioMLBase(hostname=label_studio.url, access_token=token)
    path = Path(model.get_local_path(address, task_id=task["id"]))
    assert path.read_bytes() == content
    assert path.suffix == ".png"
    assert utils.get_image_size(path) == (64, 64)
    by_function = utils.get_image_local_path(
        label_studio.url + address, label_studio_host=label_studio.url, label_studio_access_token=token
    )
    assert Path(by_function).read_bytes() == content


def test_a_personal_access_token_is_exchanged_once_it_has_to_be(
    label_studio: LabelStudio, project: int, personal_token: str
) -> None:
    address = label_studio.open_task(label_studio.upload(project, "a.png", png(2)))["data"]["image"]
    with httpx.Client(base_url=label_studio.url, trust_env=False) as client:
        for scheme in ("Token", "Bearer"):
            refused = client.get(address, headers={"Authorization": f"{scheme} {personal_token}"})
            assert refused.status_code == 401, "it is good for nothing but being exchanged"
    model = LabelStudioMLBase(hostname=label_studio.url, access_token=personal_token)
    working = model.get_label_studio_access_token()
    assert working != personal_token
    assert working == model.get_label_studio_access_token()
    sdk = model._get_label_studio_client()
    assert sdk is not None
    sdk._client_wrapper._tokens_client._access_token = None  # as if it had run out
    assert Path(model.get_local_path(address)).read_bytes() == png(2)


def test_a_wrong_token_is_said_to_be_one(label_studio: LabelStudio, project: int) -> None:
    address = label_studio.open_task(label_studio.upload(project, "a.png", png(3)))["data"]["image"]
    model = LabelStudioMLBase(hostname=label_studio.url, access_token="f" * 40)
    with pytest.raises(MediaError, match="Set LABEL_STUDIO_API_KEY to the token of a user who may see the project"):
        model.get_local_path(address)


def test_what_is_not_there_any_more_is_said_to_be(label_studio: LabelStudio, project: int) -> None:
    model = LabelStudioMLBase(hostname=label_studio.url, access_token=label_studio.token)
    with pytest.raises(MediaError, match=rf"/data/upload/{project}/no\.png of .* Label Studio"):
        model.get_local_path(f"/data/upload/{project}/no.png")


def test_uploads_are_predicted_through_the_server(
    label_studio: LabelStudio, project: int, start_server: StartServer, token: str
) -> None:
    pictures = [png(seed) for seed in range(10, 15)]
    tasks = [label_studio.upload(project, f"{number}.png", picture) for number, picture in enumerate(pictures)]
    server = start_server(READER, LABEL_STUDIO_URL=label_studio.url, LABEL_STUDIO_API_KEY=token)
    label_studio.connect(project, server.url)
    label_studio.retrieve_predictions(project)
    assert predicted(label_studio, project) == {
        task: said(picture) for task, picture in zip(tasks, pictures, strict=True)
    }
    assert len(list((server.model_dir / "media-cache").glob("??/*.png"))) == len(pictures)


# --- local files ---------------------------------------------------------------------------------------------


@pytest.fixture
def local_files(label_studio_server: LabelStudioServer) -> Path:
    """The folder that Label Studio serves local files from."""
    return label_studio_server.local_files


def test_local_files_are_read_through_label_studio_or_where_they_are(
    label_studio: LabelStudio, project: int, local_files: Path, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = local_files / f"project {project}"
    folder.mkdir()
    (folder / "my cat.png").write_bytes(png(20))
    label_studio.add_storage("localfiles", project, path=str(folder), regex_filter=".*png")
    (task,) = label_studio.tasks(project)
    address = task["data"]["image"]
    assert "/data/local-files/?d=" in address
    model = LabelStudioMLBase(hostname=label_studio.url, access_token=token)
    through = Path(model.get_local_path(address, task_id=task["id"]))
    assert through.read_bytes() == png(20)
    assert through.name.endswith("-my_cat.png")
    monkeypatch.setenv("LOCAL_FILES_DOCUMENT_ROOT", str(local_files))
    here = LabelStudioMLBase(hostname=label_studio.url, access_token=token)
    assert here.get_local_path(address) == str(folder / "my cat.png")
    for climbing in ("../label-studio.log", "%2e%2e/label-studio.log", "%252e%252e/label-studio.log"):
        for one in (model, here):
            with pytest.raises(MediaError, match="leads out of its folder"):
                one.get_local_path(f"/data/local-files/?d={climbing}")


# --- cloud storage -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Any]]:
    """The address of an S3 server on this machine, and a client of it."""
    port, folder = free_port(), tmp_path_factory.mktemp("s3")
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    process = Process(command, cwd=folder, env=environment, log_file=folder / "moto.log")

    def answers() -> bool:
        if process.exit_code is not None:
            raise RuntimeError(process.log)
        try:
            return local_http.get(f"{url}/moto-api/").status_code == 200
        except httpx.TransportError:
            return False

    try:
        wait_until(answers, 60, "the S3 server to answer")
        config = Config(s3={"addressing_style": "path"}, proxies={})
        yield (
            url,
            boto3.client(
                "s3",
                endpoint_url=url,
                region_name="us-east-1",
                aws_access_key_id="key",
                aws_secret_access_key="secret",
                config=config,
            ),
        )
    finally:
        process.stop(timeout=15)


def cloud_task(label_studio: LabelStudio, project: int, s3: tuple[str, Any], content: bytes, presign: bool) -> Any:
    """The task that Label Studio makes of a file in a bucket."""
    url, client = s3
    bucket = f"bucket-{project}"
    client.create_bucket(Bucket=bucket)
    client.put_object(Bucket=bucket, Key="animals/my cat.png", Body=content, ContentType="image/png")
    label_studio.add_storage(
        "s3",
        project,
        bucket=bucket,
        prefix="animals",
        regex_filter=".*png",
        aws_access_key_id="key",
        aws_secret_access_key="secret",
        region_name="us-east-1",
        s3_endpoint=url,
        presign=presign,
    )
    (task,) = label_studio.tasks(project)
    assert task["data"]["image"].startswith(f"/tasks/{task['id']}/resolve/?fileuri="), "as its API gives it"
    task["cloud"] = f"s3://{bucket}/animals/my cat.png"
    return task


def test_presigned_addresses_are_followed_where_that_is_allowed(
    label_studio: LabelStudio, project: int, s3: tuple[str, Any], token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = cloud_task(label_studio, project, s3, png(30), presign=True)
    address = task["cloud"]
    model = LabelStudioMLBase(hostname=label_studio.url, access_token=token)
    with pytest.raises(MediaError, match=r"127\.0\.0\.1 is on this machine .* --allow-private-media"):
        model.get_local_path(address, task_id=task["id"])
    monkeypatch.setenv("LABEL_STUDIO_ML_ALLOW_PRIVATE_MEDIA", "127.0.0.1")
    allowed = LabelStudioMLBase(hostname=label_studio.url, access_token=token)
    path = Path(allowed.get_local_path(address, task_id=task["id"]))
    assert path.read_bytes() == png(30)
    assert path.name.endswith("-my_cat.png")
    assert allowed.get_local_path(task["data"]["image"]) == str(path), "as Label Studio's API has it"


def test_a_storage_behind_label_studio_needs_no_more_than_its_token(
    label_studio: LabelStudio, project: int, s3: tuple[str, Any], token: str
) -> None:
    content = png(31, side=1400)  # some megabytes, which come in parts
    task = cloud_task(label_studio, project, s3, content, presign=False)
    model = LabelStudioMLBase(hostname=label_studio.url, access_token=token, project_id=str(project))
    assert Path(model.get_local_path(task["cloud"], task_id=task["id"])).read_bytes() == content
    other = LabelStudioMLBase(hostname=label_studio.url, access_token=token, project_id=str(project))
    assert Path(other.get_local_path(task["cloud"])).read_bytes() == content, "by its project, without a task"


def test_cloud_media_are_predicted_through_the_server(
    label_studio: LabelStudio, project: int, s3: tuple[str, Any], start_server: StartServer
) -> None:
    task = cloud_task(label_studio, project, s3, png(32), presign=True)
    server = start_server(READER, "--allow-private-media", "127.0.0.0/8")
    label_studio.connect(project, server.url)
    label_studio.retrieve_predictions(project)
    assert predicted(label_studio, project) == {task["id"]: said(png(32))}
    assert label_studio.token not in server.log


def test_the_first_personal_token_is_the_only_one(label_studio: LabelStudio, personal_token: str) -> None:
    """What the fixture relies on."""
    with pytest.raises(CallError, match="409"):
        label_studio.personal_token()
