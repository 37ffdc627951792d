"""One line for the user where the file system, the object store or Lance fails."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from mediafm.errors import MediaFMError, StorageError, describe_os_error

# Lance reports the operating system's error as text inside an OSError, RuntimeError or ValueError
# without errno. What is looked for, what is said, what the user can do.
_TEXTS = (
    ("No space left", "no space left on the disk", "free some space and run the same command"),
    ("Disk quota exceeded", "the disk quota is used up", "free some space and run it again"),
    ("Permission denied", "permission denied", "check the owner and the mode of the folder"),
    ("Operation not permitted", "not permitted", "check the owner and the mode of the folder"),
    ("Read-only file system", "the file system is read-only", "use a catalog on another disk"),
    ("Too many open files", "too many open files", "raise the limit (ulimit -n)"),
    ("AccessDenied", "the object store denies access", "check the credentials and the policy"),
    ("Input/output error", "the disk reports a read or write error", "check the disk"),
)
_FROM_LANCE = re.compile(r"LanceError|rust/lance|Dataset at path|External error|Not found")
_SOURCE_PLACE = re.compile(r",? ?/\S+\.rs:\d+:\d+.*", re.DOTALL)


@contextmanager
def guard(where: str) -> Iterator[None]:
    """Turns failures of the storage into a :class:`StorageError` of one line.

    Args:
        where: The catalog, as the user wrote it.

    Raises:
        StorageError: Instead of what the storage raised; our own errors pass unchanged.
    """
    try:
        yield
    except MediaFMError:
        raise
    except (OSError, RuntimeError, ValueError) as error:
        if "KeyboardInterrupt" in str(error):  # it came while Lance was reading
            raise KeyboardInterrupt from None
        told = _translate(error, where)
        if told is None:
            raise
        raise told from error


def _translate(error: Exception, where: str) -> StorageError | None:
    text = str(error)
    for needle, what, do in _TEXTS:
        if needle in text:
            return StorageError(what, where=where, do=do)
    if isinstance(error, OSError) and error.errno is not None:
        place = error.filename if isinstance(error.filename, str) else where
        return StorageError(describe_os_error(error), where=place)
    if isinstance(error, OSError) or _FROM_LANCE.search(text):
        line = _SOURCE_PLACE.sub("", text).strip() or type(error).__name__
        return StorageError(f"the storage failed ({line[:240]})", where=where)
    return None


def is_missing(error: Exception) -> bool:
    """Whether Lance says that a table, a version or a data file is not there."""
    return "ot found" in str(error)


def is_conflict(error: Exception) -> bool:
    """Whether Lance says that somebody else committed first."""
    text = str(error)
    return "onflict" in text or "incompatible with concurrent" in text
