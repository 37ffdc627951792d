"""Where a catalog lies: a local folder or an object store, behind the same few calls."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

from mediafm.errors import CatalogError, one_line
from mediafm.files import write_whole
from mediafm.fingerprint import fingerprint

_SCHEME = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]+://")  # two characters at least: not a drive letter


class Store(ABC):
    """Small files and Lance tables under one root.

    Names are relative, with ``/``. Lance opens tables itself, by :meth:`table`.

    Attributes:
        where: The root as the user wrote it, for messages.
        root: The local folder, ``None`` for an object store.
        work: A local folder for leases, locks and spooled rows; not made before it is needed.
    """

    where: str
    root: Path | None
    work: Path

    @abstractmethod
    def get(self, name: str) -> bytes | None:
        """Content of a small file, ``None`` where there is none."""

    @abstractmethod
    def put(self, name: str, content: bytes) -> None:
        """Writes a small file so that a reader sees all of it or nothing."""

    @abstractmethod
    def names(self, folder: str = "") -> list[str]:
        """Names directly under a folder, sorted; empty where the folder is missing."""

    @abstractmethod
    def delete(self, name: str) -> None:
        """Removes a file or a whole folder; nothing happens where there is none."""

    @abstractmethod
    def table(self, name: str) -> str:
        """What Lance calls the table (``features/video-0011``)."""

    @abstractmethod
    def size(self) -> int | None:
        """Bytes of everything under the root, ``None`` where that is not cheap to say."""

    def exists(self, name: str) -> bool:
        """Whether a file or folder of that name is there."""
        folder, _, last = name.rpartition("/")
        return last in self.names(folder)

    def tables(self, folder: str = "") -> list[str]:
        """Names of the Lance tables directly under a folder, without ``.lance``."""
        prefix = f"{folder}/" if folder else ""
        return [
            prefix + name.removesuffix(".lance")
            for name in self.names(folder)
            if name.endswith(".lance")
        ]


class LocalStore(Store):
    """A folder on a file system.

    Args:
        path: The folder, which need not exist yet.
    """

    def __init__(self, path: Path):
        self.where = str(path)
        self.root = path
        self.work = path

    def get(self, name: str) -> bytes | None:
        """See :class:`Store`."""
        try:
            return self._path(name).read_bytes()
        except FileNotFoundError:
            return None

    def put(self, name: str, content: bytes) -> None:
        """See :class:`Store`."""
        path = self._path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, content)

    def names(self, folder: str = "") -> list[str]:
        """See :class:`Store`."""
        try:
            return sorted(entry.name for entry in self._path(folder).iterdir())
        except (FileNotFoundError, NotADirectoryError):
            return []

    def delete(self, name: str) -> None:
        """See :class:`Store`."""
        path = self._path(name)
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)

    def table(self, name: str) -> str:
        """See :class:`Store`."""
        return str(self._path(f"{name}.lance"))

    def size(self) -> int | None:
        """See :class:`Store`."""
        total = 0
        for folder, _, files in os.walk(self._path("")):
            for name in files:
                # Others may compact meanwhile: a file that goes away counts nothing.
                with contextlib.suppress(FileNotFoundError):
                    total += (Path(folder) / name).lstat().st_size
        return total

    def _path(self, name: str) -> Path:
        assert self.root is not None
        return self.root / name if name else self.root


class RemoteStore(Store):
    """A prefix in an object store; credentials come from the environment.

    Args:
        uri: ``s3://bucket/prefix`` or what else both Arrow and Lance understand.
    """

    def __init__(self, uri: str):
        from pyarrow import ArrowInvalid, fs

        self.where = uri.rstrip("/")
        self.root = None
        user = getattr(os, "getuid", lambda: "user")()
        self.work = Path(tempfile.gettempdir()) / f"mediafm-{user}" / fingerprint(self.where)
        self._fs: Any
        try:
            self._fs, self._base = fs.FileSystem.from_uri(self.where)
        except ArrowInvalid as error:
            raise CatalogError(
                f"cannot be used as an address ({one_line(str(error))})",
                where=self.where,
                do="name a folder, or a URI such as s3://bucket/prefix",
            ) from None

    def get(self, name: str) -> bytes | None:
        """See :class:`Store`."""
        try:
            with self._fs.open_input_stream(self._path(name)) as stream:
                return bytes(stream.read())
        except FileNotFoundError:
            return None

    def put(self, name: str, content: bytes) -> None:
        """See :class:`Store`; an object appears when its upload is complete."""
        with self._fs.open_output_stream(self._path(name)) as stream:
            stream.write(content)

    def names(self, folder: str = "") -> list[str]:
        """See :class:`Store`."""
        from pyarrow import fs

        selector = fs.FileSelector(self._path(folder), recursive=False, allow_not_found=True)
        return sorted(str(info.base_name) for info in self._fs.get_file_info(selector))

    def delete(self, name: str) -> None:
        """See :class:`Store`."""
        from pyarrow import fs

        info = self._fs.get_file_info(self._path(name))
        if info.type == fs.FileType.Directory:
            self._fs.delete_dir(self._path(name))
        elif info.type == fs.FileType.File:
            self._fs.delete_file(self._path(name))

    def table(self, name: str) -> str:
        """See :class:`Store`."""
        return f"{self.where}/{name}.lance"

    def size(self) -> int | None:
        """See :class:`Store`."""
        return None

    def _path(self, name: str) -> str:
        return f"{self._base}/{name}" if name else self._base


def open_store(uri: str | Path) -> Store:
    """Takes a folder or an object-store URI.

    Args:
        uri: ``films.catalog``, ``~/catalog``, ``file:///...`` or ``s3://bucket/prefix``.
    """
    text = str(uri)
    if not text.strip():
        raise CatalogError("no catalog is named", do="name its folder or URI")
    if text.startswith("file://"):
        return LocalStore(Path(text.removeprefix("file://")))
    if _SCHEME.match(text):
        return RemoteStore(text)
    return LocalStore(Path(text).expanduser())
