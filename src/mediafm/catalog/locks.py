"""Locks that die with their process: leases of running writes, claims on titles.

``flock`` is released by the kernel whatever kills the process, so a lock file that nobody holds is
a leftover. A holder removes its file before it lets go; whoever locks a file therefore checks that
the file is still the one at the path.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def acquire(path: Path, *, wait: bool = False) -> int | None:
    """Takes the lock at a path.

    Args:
        path: The lock file; its folder is made where it is missing.
        wait: Whether to wait for the holder; otherwise the answer comes at once.

    Returns:
        An open file descriptor for :func:`release`, or ``None`` where somebody else holds it.

    Raises:
        OSError: The file cannot be made, or the file system has no locks.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            if _is_at(handle, path):
                return handle
        except BlockingIOError:
            os.close(handle)
            return None
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)  # its last holder removed the file while we waited: try the new one


def release(handle: int, path: Path) -> None:
    """Removes a lock file that we hold and lets it go."""
    try:
        path.unlink(missing_ok=True)
    finally:
        os.close(handle)


def _is_at(handle: int, path: Path) -> bool:
    try:
        there = path.stat()
    except FileNotFoundError:
        return False
    return os.path.samestat(os.fstat(handle), there)


@contextmanager
def locked(path: Path, *, wait: bool) -> Iterator[bool]:
    """Holds a lock for a block.

    Args:
        path: The lock file.
        wait: Whether to wait for another holder.

    Yields:
        Whether we hold it; always true when waiting.
    """
    handle = acquire(path, wait=wait)
    try:
        yield handle is not None
    finally:
        if handle is not None:
            release(handle, path)


def lock_name(text: str) -> str:
    """A file name for any title id: ids may hold slashes or be longer than a file name."""
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest() + ".lock"


def live_leases(folder: Path) -> set[str]:
    """Names of the leases whose writers are alive; files of dead writers are removed.

    Args:
        folder: Where leases lie, one file per ``ingest_id``.
    """
    if not folder.is_dir():
        return set()
    live = set()
    for path in sorted(folder.iterdir()):
        handle = acquire(path)
        if handle is None:
            live.add(path.name)
        else:
            release(handle, path)
    return live
