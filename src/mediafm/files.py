"""Files and folders that are there whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Lets a file be written under another name, and gives it its own once it is on the disk.

    Args:
        path: The file; one that is there stays until the new one takes its place.

    Yields:
        The name to write: ``.NAME-`` and twelve hexadecimal digits, in the same folder. A process
        that is killed leaves it behind.
    """
    part = path.with_name(f".{path.name}-{os.urandom(6).hex()}")
    try:
        yield part
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
