"""Every kind of address that tasks hold, as authors ask for them: the class, `utils`, and a server's worker."""

from __future__ import annotations

import base64
import os
import socket
import threading
import time
from pathlib import Path
from typing import Any, ClassVar

import jwt
import pytest

from label_studio_ml import settings, utils
from label_studio_ml.errors import MediaError
from label_studio_ml.media.addresses import LabelStudio
from label_studio_ml.media.files import Media
from label_studio_ml.model import LabelStudioMLBase
from tests.support.in_process_backend import served
from tests.support.media_server import File, MediaServer

TOKEN = "0123456789abcdef0123456789abcdef01234567"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)


@pytest.fixture(autouse=True)
def _own_folders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


def media(tmp_path: Path, **given: Any) -> Media:
    return Media(settings.load({}, **given), tmp_path / "media")


def at(server: MediaServer, **more: Any) -> LabelStudio:
    return LabelStudio(server.url, TOKEN, TOKEN, **more)


# --- kinds of addresses --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        "/data/upload/7/ab-cat.png",
        "data/upload/7/ab-cat.png",
        "/upload/7/ab-cat.png",
        "upload/7/ab-cat.png",
        "absolute",
    ],
)
def test_uploads(address: str, label_studio: MediaServer, tmp_path: Path) -> None:
    label_studio.files["/data/upload/7/ab-cat.png"] = File(PNG)
    address = label_studio.url + "/data/upload/7/ab-cat.png" if address == "absolute" else address
    path = media(tmp_path).path(address, at(label_studio))
    assert path.read_bytes() == PNG
    assert path.name.endswith("-ab-cat.png")
    assert label_studio.tokens() == [f"Token {TOKEN}"]


def test_uploads_of_a_label_studio_with_storage_of_its_own(label_studio: MediaServer, tmp_path: Path) -> None:
    label_studio.files["/storage-data/uploaded/"] = File(PNG)
    path = media(tmp_path).path("/data/upload/7/cat.png", at(label_studio))
    assert path.name.endswith("-cat.png")
    assert label_studio.paths() == [
        "/data/upload/7/cat.png",
        "/storage-data/uploaded/?filepath=upload/7/cat.png",
    ]
    direct = media(tmp_path).path("/storage-data/uploaded/?filepath=upload/8/dog.png", at(label_studio))
    assert direct.name.endswith("-dog.png")


def test_a_label_studio_below_a_path(label_studio: MediaServer, tmp_path: Path) -> None:
    label_studio.files["/labels/data/upload/7/cat.png"] = File(PNG)
    where = LabelStudio(label_studio.url + "/labels/", TOKEN, TOKEN)
    for address in ("/data/upload/7/cat.png", "/labels/data/upload/7/cat.png"):
        assert media(tmp_path).path(address, where).read_bytes() == PNG
    assert label_studio.paths() == ["/labels/data/upload/7/cat.png"]
    assert label_studio.tokens() == [f"Token {TOKEN}"]


def test_local_files_through_label_studio(label_studio: MediaServer, tmp_path: Path) -> None:
    label_studio.files["/data/local-files/"] = File(PNG, "image/png")
    path = media(tmp_path).path("/data/local-files/?d=dogs/my%20dog.png", at(label_studio))
    assert path.name.endswith("-my_dog.png")
    assert label_studio.paths() == ["/data/local-files/?d=dogs/my%20dog.png"]


@pytest.mark.parametrize(
    "address", ["s3://bucket/a/cat.png", "gs://bucket/cat.png", "azure-blob://container/cat.png"]
)
def test_cloud_addresses_go_through_the_task(
    address: str, label_studio: MediaServer, elsewhere: MediaServer, tmp_path: Path
) -> None:
    label_studio.files["/tasks/5/presign/"] = File(redirect=elsewhere.url + "/cat.png?Signature=1")
    elsewhere.files["/cat.png"] = File(PNG)
    found = media(tmp_path, allow_private_media="127.0.0.1")
    path = found.path(address, at(label_studio, task_id=5))
    assert path.read_bytes() == PNG
    assert path.name.endswith("-cat.png")
    asked = label_studio.paths()[0].partition("=")[2]
    assert base64.urlsafe_b64decode(asked).decode() == address
    assert elsewhere.tokens() == [None]


def test_cloud_addresses_go_through_the_project_without_a_task(label_studio: MediaServer, tmp_path: Path) -> None:
    label_studio.files["/projects/3/presign/"] = File(PNG)
    where = at(label_studio, project_id="3.1795402042")
    assert media(tmp_path).path("s3://bucket/cat.png", where).read_bytes() == PNG
    with pytest.raises(MediaError, match=r"Pass its id, as in get_local_path\(address, task_id=task\['id'\]\)"):
        media(tmp_path).path("s3://bucket/cat.png", at(label_studio))


@pytest.mark.parametrize("absolute", [True, False])
@pytest.mark.parametrize("kind", ["tasks/5/resolve", "tasks/5/presign", "projects/3/resolve"])
def test_cloud_addresses_as_the_api_has_them(
    kind: str, absolute: bool, label_studio: MediaServer, tmp_path: Path
) -> None:
    label_studio.files["/tasks/5/presign/"] = label_studio.files["/projects/3/presign/"] = File(PNG)
    address = f"/{kind}/?fileuri={base64.urlsafe_b64encode(b's3://bucket/a/cat.png').decode()}"
    address = label_studio.url + address if absolute else address
    found = media(tmp_path)
    path = found.path(address, at(label_studio, project_id="3.1"))
    assert path.name.endswith("-cat.png")
    assert utils.is_preload_needed(address)
    assert label_studio.tokens() == [f"Token {TOKEN}"]


def test_a_resolved_address_is_only_good_for_the_cloud(label_studio: MediaServer, tmp_path: Path) -> None:
    for hidden in ("/etc/passwd", "file:///etc/passwd", "http://169.254.169.254/"):
        address = f"/tasks/5/resolve/?fileuri={base64.urlsafe_b64encode(hidden.encode()).decode()}"
        with pytest.raises(MediaError):
            media(tmp_path, allow_private_media="all").path(address, at(label_studio))
    assert label_studio.asked == []


def test_tasks_of_a_project_share_what_they_have_in_common(label_studio: MediaServer, tmp_path: Path) -> None:
    label_studio.files["/tasks/1/presign/"] = label_studio.files["/tasks/2/presign/"] = File(PNG)
    found = media(tmp_path)
    paths = [found.path("s3://b/a.png", at(label_studio, task_id=n, project_id="3.1")) for n in (1, 2)]
    assert paths[0] == paths[1]
    assert len(label_studio.asked) == 1
    found.path("s3://b/a.png", at(label_studio, task_id=1, project_id="4.1"))
    assert len(label_studio.asked) == 2, "another project may mean another bucket"


def test_what_one_account_may_see_is_not_given_to_another(label_studio: MediaServer, tmp_path: Path) -> None:
    label_studio.files["/data/upload/7/cat.png"] = File(PNG)
    media(tmp_path).path("/data/upload/7/cat.png", at(label_studio))
    media(tmp_path).path("/data/upload/7/cat.png", LabelStudio(label_studio.url, "other", "other"))
    assert label_studio.tokens() == [f"Token {TOKEN}", "Token other"]


@pytest.mark.parametrize(
    ("address", "content", "suffix"),
    [
        ("data:image/png;base64," + base64.b64encode(PNG).decode(), PNG, ".png"),
        ("DATA:image/gif;BASE64,R0lG ODlh", b"GIF89a", ".gif"),
        ("data:;base64,R0lGODlh", b"GIF89a", ".gif"),
        ("data:text/plain;charset=utf-8,a%20b", b"a b", ".txt"),
        ("data:,x", b"x", ""),
    ],
)
def test_data_uris(address: str, content: bytes, suffix: str, tmp_path: Path) -> None:
    path = media(tmp_path).path(address)
    assert path.read_bytes() == content
    assert path.suffix == suffix


@pytest.mark.parametrize("address", ["data:image/png;base64,***", "data:image/png;base64,abc", "data:nothing"])
def test_broken_data_uris(address: str, tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="cannot be decoded"):
        media(tmp_path).path(address)


def test_a_data_uri_may_be_too_large(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"has 1,500 bytes, and --max-media-size allows 1,000"):
        media(tmp_path, max_media_size=1000).path("data:," + "x" * 1500)


def test_other_http_addresses_are_the_same_for_everybody(elsewhere: MediaServer, tmp_path: Path) -> None:
    elsewhere.files["/cat"] = File(PNG, "image/png")
    found = media(tmp_path, allow_private_media="127.0.0.0/8")
    path = found.path(elsewhere.url + "/cat?v=1", LabelStudio("http://labels.example.org", TOKEN, TOKEN))
    assert path == found.path(elsewhere.url + "/cat?v=1")
    assert path.name.endswith("-cat.png")
    assert elsewhere.tokens() == [None]
    assert found.path(elsewhere.url + "/cat?v=2") != path


@pytest.mark.parametrize("address", ["", "  ", None, 5, "cat.png", "just words", "s3:bucket/a.png", "redis://h/k"])
def test_what_is_no_address_is_said_to_be_none(address: Any, tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"no address"):
        media(tmp_path).path(address, LabelStudio("http://labels.example.org", TOKEN, task_id=1))


def test_an_unknown_label_studio_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"whose address is not known\. Set LABEL_STUDIO_URL"):
        media(tmp_path).path("/data/upload/7/cat.png")
    with pytest.raises(MediaError, match="begins with http:// or https://"):
        media(tmp_path).path("/data/upload/7/cat.png", LabelStudio("labels:8080", TOKEN))


def test_where_a_file_would_be_can_be_asked_for(label_studio: MediaServer, tmp_path: Path) -> None:
    label_studio.files["/data/upload/7/cat.png"] = File(PNG)
    found = media(tmp_path)
    path = found.path("/data/upload/7/cat.png", at(label_studio), fetch=False)
    assert not path.exists()
    assert label_studio.asked == []
    assert found.path("/data/upload/7/cat.png", at(label_studio)) == path
    assert found.path("/data/upload/7/cat.png", at(label_studio), fetch=False) == path


# --- files of this machine -----------------------------------------------------------------------------------


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    (folder / "dogs").mkdir(parents=True)
    (folder / "dogs" / "1.jpg").write_bytes(b"dog")
    (tmp_path / "secret.txt").write_text("secret")
    (tmp_path / "root-of-others").mkdir()
    (tmp_path / "root-of-others" / "a.jpg").write_text("secret")
    (folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    (folder / "out").symlink_to(tmp_path)
    (folder / "inside.jpg").symlink_to(folder / "dogs" / "1.jpg")
    os.mkfifo(folder / "pipe")
    return folder


@pytest.mark.parametrize(
    "address",
    [
        "/data/local-files/?d=dogs/1.jpg",
        "/data/local-files?d=/dogs//1.jpg",
        "/data/local-files/?d=dogs%2F1.jpg",
        "/data/local-files/?d=inside.jpg",
        "/data/local-files/?d=dogs%5C1.jpg",
        "/data/local-files/?d=dogs%5c1.jpg",
    ],
)
def test_local_files_are_read_where_they_are(address: str, root: Path, tmp_path: Path) -> None:
    path = media(tmp_path, local_files_document_root=str(root)).path(address)
    assert path.read_bytes() == b"dog"
    assert path.is_relative_to(root)


def test_plain_paths_below_the_root_are_read(root: Path, tmp_path: Path) -> None:
    found = media(tmp_path, local_files_document_root=str(root))
    assert found.path(str(root / "dogs" / "1.jpg")).read_bytes() == b"dog"
    kept = found.path("data:image/png;base64," + base64.b64encode(PNG).decode())
    assert found.path(str(kept)) == kept, "what was handed out once may be asked for by its path"


ESCAPES = [
    "../secret.txt",
    "dogs/../../secret.txt",
    "%2e%2e/secret.txt",
    "%2e%2e%2fsecret.txt",
    "..%2fsecret.txt",
    "%252e%252e%252fsecret.txt",
    "%25252e%25252e%25252fsecret.txt",
    "dogs/%2e%2e/%2e%2e/secret.txt",
    "....//../secret.txt",
    "..\\secret.txt",
    "..%5csecret.txt",
    "%2e%2e%5csecret.txt",
    "dogs%5c..%5c..%5csecret.txt",
    "secret.txt%00.jpg",
    "../secret.txt%00.jpg",
    "dogs/1.jpg%0a",
    "link.txt",
    "out/secret.txt",
    "out/root-of-others/a.jpg",
    "pipe",
    "dogs",
    "../root-of-others/a.jpg",
]


@pytest.mark.parametrize("path", ESCAPES)
@pytest.mark.parametrize("known", [True, False])
def test_nothing_outside_the_root_is_read(
    path: str, known: bool, root: Path, tmp_path: Path, label_studio: MediaServer
) -> None:
    where = at(label_studio) if known else LabelStudio()
    found = media(tmp_path, local_files_document_root=str(root))
    for address in (f"/data/local-files/?d={path}", f"/data/local-files/?d=dogs/1.jpg&d={path}"):
        with pytest.raises(MediaError, match="Correct the task's data"):
            found.path(address, where)
    with pytest.raises(MediaError):
        found.path(f"{root}/{path}", where)
    assert label_studio.asked == []


@pytest.mark.parametrize("path", ESCAPES[:16])
def test_label_studio_is_not_asked_to_climb_either(path: str, tmp_path: Path, label_studio: MediaServer) -> None:
    for address in (
        f"/data/local-files/?d={path}",
        f"/data/upload/1/{path}",
        f"/storage-data/uploaded/?filepath=upload/{path}",
        f"{label_studio.url}/data/upload/1/{path}",
    ):
        with pytest.raises(MediaError):
            media(tmp_path).path(address, at(label_studio))
    assert label_studio.asked == []


@pytest.mark.parametrize(
    "address",
    ["/etc/passwd", "/etc/../etc/passwd", "//etc/passwd", "/proc/self/environ", "/dev/zero", "~/.ssh/id_rsa"],
)
@pytest.mark.parametrize("root", ["", "/"])
def test_plain_paths_are_no_media(address: str, root: str, tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"no file anywhere, because --local-files-document-root is not set"):
        media(tmp_path, local_files_document_root=root).path(address)


def test_absolute_paths_in_local_files_are_relative_to_the_root(root: Path, tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="whose address is not known"):
        media(tmp_path, local_files_document_root=str(root)).path("/data/local-files/?d=/etc/passwd")


def test_uploads_are_found_in_folders_of_this_machine(tmp_path: Path) -> None:
    folder = tmp_path / "upload"
    (folder / "7").mkdir(parents=True)
    (folder / "7" / "my cat.png").write_bytes(PNG)
    found = media(tmp_path)
    assert found.path("/data/upload/7/my%20cat.png", upload_folders=[folder]).read_bytes() == PNG
    (folder / "7" / "link.png").symlink_to("/etc/passwd")
    with pytest.raises(MediaError):
        found.path("/data/upload/7/link.png", upload_folders=[folder])


# --- what authors call ---------------------------------------------------------------------------------------


class Author(LabelStudioMLBase):
    pass


def test_a_class_made_by_hand_keeps_media_in_the_users_cache_folder(
    label_studio: MediaServer, tmp_path: Path
) -> None:
    label_studio.files["/data/upload/7/cat.png"] = File(PNG)
    path = Author(hostname=label_studio.url, access_token=TOKEN).get_local_path("/data/upload/7/cat.png")
    assert path.startswith(str(tmp_path / "cache" / "label-studio-ml" / "media"))
    other = Author(hostname=label_studio.url, access_token=TOKEN)
    named = other.get_local_path("/data/upload/7/cat.png", cache_dir=str(tmp_path / "mine"))
    assert named.startswith(str(tmp_path / "mine"))


def test_a_batch_is_fetched_at_once_but_not_all_of_it(label_studio: MediaServer) -> None:
    together = threading.Barrier(4)
    tasks = []
    for number in range(8):
        path = f"/data/upload/7/{number}.png"
        label_studio.files[path] = File(PNG + bytes([number]), before=lambda: together.wait(30))
        tasks.append({"id": number, "data": {"image": path, "more": {"text": "words", "same": [path]}}})
    model = Author(hostname=label_studio.url, access_token=TOKEN)
    paths = model.prefetch(tasks, parallel=4)  # the barrier opens only for four at once
    assert label_studio.most_busy == 4
    assert len(label_studio.asked) == 8
    assert {Path(path).read_bytes()[-1] for path in paths.values()} == set(range(8))
    assert model.get_local_path("/data/upload/7/3.png") == paths["/data/upload/7/3.png"]
    assert len(label_studio.asked) == 8


def test_one_that_fails_does_not_cost_the_others(
    label_studio: MediaServer, caplog: pytest.LogCaptureFixture
) -> None:
    label_studio.files["/data/upload/7/1.png"] = File(PNG)
    model = Author(hostname=label_studio.url, access_token=TOKEN)
    tasks = [
        {"id": n, "data": {"image": f"/data/upload/7/{n}.png", "other": f"/data/upload/8/{n}.png"}} for n in (1, 2)
    ]
    assert list(model.prefetch(tasks, "image")) == ["/data/upload/7/1.png"]
    assert f"/data/upload/7/2.png of {label_studio.url} was answered with status 404" in caplog.text
    assert not any("/8/" in path for path in label_studio.paths())


def test_an_authors_own_get_local_path_is_the_one_that_counts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "a.txt"
    file.write_text("patched")
    monkeypatch.setattr(Author, "get_local_path", lambda self, url, **kwargs: str(file))
    model = Author()
    task = {"id": 1, "data": {"a": "https://example.org/a.txt"}}
    assert model.prefetch([task]) == {"https://example.org/a.txt": str(file)}
    assert model.preload_task_data(task) == {"a": "patched"}


def test_words_that_are_the_name_of_a_file_stay_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hello").write_text("a file")
    task = {"id": 1, "data": {"text": "hello", "path": "/etc/passwd"}}
    assert Author().preload_task_data(task) == {"text": "hello", "path": "/etc/passwd"}
    with pytest.raises(MediaError):
        Author().preload_task_data({"id": 1, "data": {"a": "http://169.254.169.254/latest/"}})


class Looking(LabelStudioMLBase):
    """Says where it finds the media of its tasks, by the method and by the function."""

    seen: ClassVar[list[tuple[str, str]]] = []

    def predict(self, tasks: list[dict[str, Any]], context: Any = None, **kwargs: Any) -> Any:
        for task in tasks:
            url = task["data"]["text"]
            self.seen.append((self.get_local_path(url, task_id=task["id"]), utils.get_local_path(url)))
        return [{"result": []} for _ in tasks]


class LookingAsync(Looking):
    async def predict(self, tasks: list[dict[str, Any]], context: Any = None, **kwargs: Any) -> Any:
        return Looking.predict(self, tasks, context, **kwargs)


@pytest.mark.parametrize("author", [Looking, LookingAsync])
def test_in_a_server_media_are_kept_in_the_model_folder(
    author: type[Looking], label_studio: MediaServer, tmp_path: Path
) -> None:
    label_studio.files["/data/upload/7/cat.png"] = File(PNG)
    author.seen.clear()
    with served(author, tmp_path / "state") as backend:
        backend.setup(hostname=label_studio.url, access_token=TOKEN)
        backend.predict("/data/upload/7/cat.png")
    ((by_method, by_function),) = author.seen
    assert by_method == by_function
    assert "/media-cache/" in by_method
    assert by_method.startswith(str(tmp_path / "state"))
    assert label_studio.tokens() == [f"Token {TOKEN}"]


def test_what_cannot_be_fetched_costs_its_task_and_says_why(
    label_studio: MediaServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    label_studio.files["/data/upload/7/cat.png"] = File(PNG)
    with served(Looking, tmp_path / "state") as backend:
        backend.setup(hostname=label_studio.url, access_token=TOKEN)
        results = backend.predict("/data/upload/7/cat.png", "/data/upload/7/no.png")
    assert [bool(result) for result in results] == [True, False]
    assert "predict() raised MediaError: /data/upload/7/no.png of http://127.0.0.1:" in caplog.text


# --- personal access tokens ----------------------------------------------------------------------------------


def personal_token(kind: str, seconds: float = 3600, **more: Any) -> str:
    return jwt.encode({"token_type": kind, "exp": int(time.time() + seconds), **more}, "x" * 32)


def test_a_personal_access_token_is_never_sent_but_exchanged(label_studio: MediaServer, tmp_path: Path) -> None:
    """The server here has no POST: the exchange itself is tested with a real Label Studio."""
    label_studio.files["/data/upload/7/cat.png"] = File(PNG)
    refresh = personal_token("refresh")
    with pytest.raises(MediaError, match="does not take its personal access token"):
        media(tmp_path).path("/data/upload/7/cat.png", LabelStudio(label_studio.url, refresh, refresh))
    assert label_studio.asked == []
    access = personal_token("access")
    media(tmp_path).path("/data/upload/7/cat.png", LabelStudio(label_studio.url, access, access))
    assert label_studio.tokens() == [f"Bearer {access}"]


def test_an_expired_token_is_said_to_be(label_studio: MediaServer, tmp_path: Path) -> None:
    old = personal_token("refresh", -60)
    with pytest.raises(MediaError, match=r"API key has expired.* Set LABEL_STUDIO_API_KEY"):
        media(tmp_path).path("/data/upload/7/cat.png", LabelStudio(label_studio.url, old, old))


def test_a_name_of_this_machine_is_private_too(elsewhere: MediaServer, tmp_path: Path) -> None:
    elsewhere.files["/a.png"] = File(PNG)
    port = elsewhere.url.rpartition(":")[2]
    assert socket.gethostbyname("localhost") == "127.0.0.1"
    with pytest.raises(MediaError, match=r"localhost \(.*\) is on this machine"):
        media(tmp_path).path(f"http://localhost:{port}/a.png")
    assert elsewhere.asked == []
    allowed = media(tmp_path, allow_private_media="localhost").path(f"http://localhost:{port}/a.png")
    assert allowed.read_bytes() == PNG
