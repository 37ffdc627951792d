"""What goes wrong, as HTTP says it: a status, and one line in ``{"error": ...}``."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from mediafm.errors import MediaFMError, StorageError

# Folders of a full path, but not the addresses of the API that errors name.
_FOLDERS = re.compile(r"(?<![\w:/.~])/(?!api\b)(?:[^\s/:;,'\"()]+/)+")


class NotFoundError(MediaFMError):
    """There is no such thing: 404."""


class RefusedError(MediaFMError):
    """It is there, but is not given out: 403."""


class NotNowError(MediaFMError):
    """It does not fit the state of things: 409."""


class UnavailableError(MediaFMError):
    """The catalog cannot be read now: 503."""


STATUS: dict[type[MediaFMError], int] = {
    NotFoundError: 404,
    RefusedError: 403,
    NotNowError: 409,
    UnavailableError: 503,
    StorageError: 503,
}
"""The status of an error; 400 of any other that says what the asker did wrong."""


def status_of(error: MediaFMError) -> int:
    """The HTTP status of an error: what the file system refuses is no fault of the asker."""
    other = 503 if isinstance(error.__context__, OSError) else 400
    return next((code for kind, code in STATUS.items() if isinstance(error, kind)), other)


def public(error: MediaFMError) -> str:
    """An error's line for somebody elsewhere: without the folders of this machine."""
    if isinstance(error, StorageError):
        return f"the catalog: {error.what.partition(' (')[0]}"  # what Lance says names files
    where = error.where
    if where and ("/" in where or "\\" in where) and "://" not in where:
        where = Path(where).name
    return _FOLDERS.sub("", str(MediaFMError(error.what, where=where, do=error.do)))


def public_notes(notes: Iterable[str]) -> list[str]:
    """Notes, likewise."""
    return [_FOLDERS.sub("", note) for note in notes]
