"""The media of a task as local files: every kind of address that Label Studio puts into tasks.

Runs in workers, in the trainer, and wherever authors test their code; never in the web process. Decides which
file an address stands for and who may answer it; `download` fetches it, `cache` keeps it.
"""

from __future__ import annotations

import contextvars
import functools
import hashlib
import json
import logging
import posixpath
import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import unquote

import httpx

from ..errors import LabelStudioError, MediaError
from ..settings import Settings, label_studio_uploads, private_hosts
from . import addresses
from .addresses import LabelStudio, Origin
from .cache import Cache
from .download import Answered, Limits, download
from .names import file_name, name_in, shown
from .network import Policy

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Source:
    """Where to fetch a file."""

    urls: Sequence[httpx.URL]
    """The first of them that has it counts."""
    title: str
    """What messages call it."""
    name: str
    """The file name that its address speaks of."""
    own: Origin | None
    """Label Studio, if it is there."""
    key: Sequence[str]
    """What tells it from every other file."""


class Media:
    """Gives local files for addresses.

    Args:
        settings: limits, and what may be reached.
        folder: of the cache.
    """

    def __init__(self, settings: Settings, folder: Path) -> None:
        self._settings = settings
        self._cache = Cache(folder, settings.media_cache_size)
        self._limits = Limits(settings.max_media_size, settings.media_timeout)

    def path(
        self,
        address: str,
        where: LabelStudio | None = None,
        *,
        upload_folders: Sequence[Path] = (),
        fetch: bool = True,
    ) -> Path:
        """The local file of an address, fetched unless it is here.

        Args:
            address: the value in the task: an upload, a local file of Label Studio, a cloud address, http(s), a
                data URI, or a path below the folder of local files.
            where: which Label Studio.
            upload_folders: folders on this machine with uploads, as `<project>/<file>`.
            fetch: whether to fetch it; if not, the path is where it would most likely be.

        Raises:
            MediaError: it cannot be had, or must not be; the message says what to do.
        """
        where = where or LabelStudio()
        if not isinstance(address, str) or not address.strip():
            raise MediaError(f"{address!r} is no address of a file. Correct the task's data.")
        address = address.strip()
        if addresses.is_inline(address):
            key = _key(["data", address])
            return self._cache.obtain(key, lambda file: self._write_inline(address, file))
        own = self._origin(where)
        address, where = addresses.unresolved(address, own, where)
        inside = addresses.inside_label_studio(address, own)
        if inside is not None:
            local = self._on_this_machine(inside, own, upload_folders)
            if local is not None:
                return local
        elif not addresses.is_cloud(address) and not addresses.is_http(address):
            return self._below_a_root(address)
        source = _source(address, inside, own, where)
        key = _key(source.key)
        if fetch:
            return self._cache.obtain(key, lambda file: self._fetch(source, file))
        return self._cache.find(key) or self._cache.place(key, file_name(source.name, "", b""))

    def _origin(self, where: LabelStudio) -> Origin | None:
        if not where.hostname:
            return None
        if not addresses.is_http(where.hostname):
            raise MediaError(
                f"{where.hostname!r} is no address of Label Studio. "
                "Set LABEL_STUDIO_URL to one that begins with http:// or https://."
            )
        base = addresses.parse(where.hostname.rstrip("/"))

        def authorization() -> str | None:
            from ..label_studio.client import (
                authorization,  # the SDK takes a second to import, and may not be needed
            )

            try:
                token = where.token() if callable(where.token) else where.token
                return authorization(str(base), token, verify=self._settings.verify_ssl) if token else None
            except LabelStudioError as error:
                raise MediaError(f"{error} Set LABEL_STUDIO_API_KEY to a token that is valid.") from error

        return Origin(base, authorization)

    def _fetch(self, source: _Source, file: BinaryIO) -> str:
        """Write the content into a file and return a name for it."""
        private = private_hosts(self._settings.allow_private_media)
        own_host = addresses.host_and_port(source.own.base) if source.own else None

        def policy(at_home: bool) -> Policy:
            return Policy(private, own_host if at_home else None)

        for place, url in enumerate(source.urls):
            try:
                kind = download(
                    url,
                    file,
                    policy,
                    source.own,
                    self._limits,
                    title=source.title,
                    verify=self._settings.verify_ssl,
                )
                break
            except Answered as error:
                if error.status in (401, 403) or place + 1 == len(source.urls):
                    raise MediaError(str(error)) from error
        file.seek(0)
        return file_name(source.name, kind, file.read(64))

    def _write_inline(self, address: str, file: BinaryIO) -> str:
        """Write the content of a data URI into a file and return a name for it."""
        kind, content = addresses.inline_content(address)
        if len(content) > self._limits.size:
            raise MediaError(
                f"{shown(address)} has {len(content):,} bytes, and --max-media-size allows {self._limits.size:,}. "
                "Raise it if the file is wanted."
            )
        file.write(content)
        return file_name("", kind, content[:64])

    # --- files of this machine -------------------------------------------------------------------------

    def _root(self) -> Path | None:
        """The folder of local files. The whole disk does not count as one."""
        text = self._settings.local_files_document_root
        root = Path(text).expanduser().absolute() if text else None
        return None if root is None or root == Path(root.anchor) else root

    def _on_this_machine(self, inside: str, own: Origin | None, upload_folders: Sequence[Path]) -> Path | None:
        """The file of a Label Studio address that need not be fetched."""
        if any(addresses.climbs(part) for part in re.split("[?&=#]", inside)):
            raise MediaError(f"{shown(inside)} leads out of its folder. Correct the task's data.")
        relative = addresses.local_file(inside)
        if relative is not None:
            root = self._root()
            return None if root is None else _regular_file(root, root / posixpath.normpath(relative).lstrip("/"))
        found = addresses.upload(inside)
        if found is None:
            return None
        project, name = found
        folders = [*upload_folders, *([label_studio_uploads()] if own is None else [])]
        names = dict.fromkeys((name, unquote(name)))
        paths = (_regular_file(folder, folder / project / name) for folder in folders for name in names)
        return next((path for path in paths if path is not None), None)

    def _below_a_root(self, address: str) -> Path:
        """A plain path, where it is allowed."""
        root = self._root()
        if not addresses.climbs(address):
            for folder in (root, self._cache.folder):
                path = Path(address).absolute()
                if folder is not None and path.is_relative_to(folder):
                    found = _regular_file(folder, path)
                    if found is not None:
                        return found
        where = f"below {root}" if root else "anywhere, because --local-files-document-root is not set"
        raise MediaError(
            f"{shown(address)} is no address that media are fetched from, and no file {where}. "
            "Correct the task's data."
        )


@functools.lru_cache(maxsize=64)
def of(settings: Settings, folder: Path) -> Media:
    """The one `Media` of this process for a folder and settings."""
    return Media(settings, folder)


def upload_folders(image_dir: str | None, project_dir: str | None) -> list[Path]:
    """Folders of uploads out of what authors name: the folder itself, or that of the project."""
    return [*([Path(image_dir)] if image_dir else []), *([Path(project_dir) / "upload"] if project_dir else [])]


def local_paths(get: Callable[[str, Any], str], wanted: Mapping[str, Any], parallel: int) -> dict[str, str]:
    """Ask for many files at once and return the path of each; what cannot be had is left out, and logged.

    Args:
        get: gives the path for an address and what `wanted` says of it.
        wanted: the addresses.
        parallel: most that are asked for at the same time.
    """

    def one(address: str) -> str | None:
        try:
            return get(address, wanted[address])
        except MediaError as error:
            _log.warning("%s", error)
            return None

    with ThreadPoolExecutor(max(parallel, 1), thread_name_prefix="media") as threads:
        # Each in a copy of this context, which knows the call that the files are for.
        asked = {address: threads.submit(contextvars.copy_context().run, one, address) for address in wanted}
        found = {address: future.result() for address, future in asked.items()}
    return {address: path for address, path in found.items() if path is not None}


def _source(address: str, inside: str | None, own: Origin | None, where: LabelStudio) -> _Source:
    if inside is None and addresses.is_http(address):
        url = addresses.parse(address)
        at_home = own is not None and own.covers(url)
        key = ["http", where.account, address] if at_home else ["http", address]
        return _Source([url], shown(address), name_in(address), own if at_home else None, key)
    if own is None:
        raise MediaError(
            f"{shown(address)} is in Label Studio, whose address is not known. "
            "Set LABEL_STUDIO_URL, and LABEL_STUDIO_API_KEY to a token."
        )
    home = str(own.base).rstrip("/")
    if inside is None:
        paths = [addresses.presign_path(address, where)]
        key = ["cloud", where.project_id or f"task {where.task_id}", address]
    else:
        paths, key = addresses.paths_of(inside), ["label-studio", inside]
    urls, title = [addresses.parse(home + path) for path in paths], f"{shown(inside or address)} of {home}"
    return _Source(urls, title, name_in(inside or address), own, [*key, home, where.account])


def _regular_file(root: Path, path: Path) -> Path | None:
    """The path if there is a file; None if there is nothing.

    Raises:
        MediaError: a symbolic link leads out of the root, or it is no regular file.
    """
    try:
        real, real_root = path.resolve(strict=True), root.resolve(strict=True)
    except (OSError, RuntimeError, ValueError):
        return None
    if not real.is_relative_to(real_root) or not real.is_file():
        raise MediaError(f"{path} is no file below {root}. Correct the task's data, or the link.")
    return path


def _key(parts: Sequence[str]) -> str:
    return hashlib.sha256(json.dumps(list(parts)).encode()).hexdigest()[:40]
