"""Files and folders that are there whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from mediafm.errors import MediaFMError, describe_os_error


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Lets a file be written under another name, and gives it its own once it is on the disk.

    Args:
        path: The file; one that is there stays until the new one takes its place, with its mode. Of
            a link it is the file that it leads to.

    Yields:
        The name to write: ``.NAME-`` and twelve hexadecimal digits, in the same folder. A process
        that is killed leaves it behind.
    """
    if path.is_symlink():
        path = path.resolve()  # the file that others know it by, not the link
    part = path.with_name(f".{path.name}-{os.urandom(6).hex()}")
    mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else None
    if mode is not None and not mode & stat.S_IWUSR:
        raise PermissionError(errno.EACCES, "it is read-only", str(path))
    try:
        yield part
        if mode is not None:
            part.chmod(mode)
        sync(part)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    sync(path.parent)


@contextlib.contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Likewise a folder.

    Args:
        path: The folder; one that is there must be empty.

    Yields:
        The folder to fill, there and empty, named as by :func:`whole_file`.
    """
    part = path.with_name(f".{path.name}-{os.urandom(6).hex()}")
    part.mkdir()
    try:
        yield part
        for one in (*part.rglob("*"), part):
            sync(one)
        part.rename(path)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    sync(path.parent)


def write_whole(path: Path, content: bytes) -> None:
    """Writes a file, or leaves what is there."""
    with whole_file(path) as part, part.open("xb") as file:
        file.write(content)


@contextlib.contextmanager
def saving(path: Path) -> Iterator[Path]:
    """:func:`whole_file` for a file that a user named: makes its folder, and says what is wrong.

    Raises:
        MediaFMError: The system refuses, in one line.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, "it is a folder")
        with whole_file(path) as part:
            yield part
    except OSError as error:
        raise MediaFMError(
            f"cannot be written ({describe_os_error(error)})",
            where=path,
            do="name a file in a folder that you may write to",
        ) from None


def save(path: Path, content: bytes) -> Path:
    """Writes a file that a user named, whole or not at all; see :func:`saving`."""
    with saving(path) as part:
        part.write_bytes(content)
    return path


def file_stem(text: str) -> str:
    """A title's id as the name of a file: without slashes, and not hidden."""
    return text.replace("/", "-").strip(".") or "title"


def sync(path: Path) -> None:
    """Waits until a file, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some file systems on a network cannot sync a folder, and need not.
        if not path.is_dir() or error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)
