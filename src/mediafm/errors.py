"""Errors that a user can act on: what, where, what to do, in one line."""

from __future__ import annotations

import errno
from pathlib import Path

_LONGEST = 2000


def one_line(text: str) -> str:
    """Text of others as it may be shown: one line, no control characters, not endless."""
    text = "".join(c if c.isprintable() else repr(c)[1:-1] for c in " ".join(text.split()))
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


class MediaFMError(Exception):
    """One line for the user: where, what is wrong, what to do.

    Args:
        what: What is wrong, without the place.
        where: The file, folder, title or option concerned.
        do: What the user can do about it.
    """

    def __init__(self, what: str, *, where: str | Path | None = None, do: str | None = None):
        self.what = one_line(what)
        self.where = None if where is None else one_line(str(where))
        self.do = None if do is None else one_line(do)
        super().__init__(str(self))

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        advice = f"; {self.do}" if self.do else ""
        return f"{place}{self.what}{advice}"

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.what, self.where, self.do))


def _rebuild(kind: type[MediaFMError], what: str, where: str | None, do: str | None) -> Exception:
    return kind(what, where=where, do=do)


class MediaError(MediaFMError):
    """A media file or a sidecar that cannot be read."""


class CatalogError(MediaFMError):
    """A catalog that is missing, damaged, read-only or does not fit what is asked of it."""


class StaleError(CatalogError):
    """Rows are gone since the catalog was opened; opened again, it says what there is now."""


class StorageError(CatalogError):
    """The disk or the object store fails: nothing that an asker did, and it may pass."""


class TitleDataError(CatalogError):
    """Rows of one title that the catalog does not take: wrong shape, NaN, shots out of order."""


class FingerprintError(CatalogError):
    """Vectors that different encoders, weights or settings made would be mixed."""


class EncoderError(MediaFMError):
    """An encoder whose weights are missing or not the expected ones, or that failed."""


class ModelError(MediaFMError):
    """A model or checkpoint that cannot be loaded or does not fit the catalog."""


class MissingExtraError(MediaFMError):
    """An optional dependency that is not installed.

    Args:
        package: What is missing, as the user would name it.
        extra: The extra of ours that brings it.
        purpose: What it is needed for.
    """

    def __init__(self, package: str, *, extra: str, purpose: str):
        MediaFMError.__init__(
            self,
            f"{purpose} needs {package}, which is not installed",
            do=f"pip install 'mediafm[{extra}]'",
        )
        self._args = (package, extra, purpose)

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild_extra, self._args)


def _rebuild_extra(package: str, extra: str, purpose: str) -> Exception:
    return MissingExtraError(package, extra=extra, purpose=purpose)


def describe_os_error(error: OSError) -> str:
    """Names an operating-system failure in words (``no space left on the disk``).

    Args:
        error: The error as Python raised it.

    Returns:
        A short phrase without the path.
    """
    words = {
        errno.ENOSPC: "no space left on the disk",
        errno.EDQUOT: "the disk quota is used up",
        errno.EROFS: "the file system is read-only",
        errno.EACCES: "permission denied",
        errno.EPERM: "not permitted",
        errno.ENOENT: "no such file or folder",
        errno.EISDIR: "it is a folder",
        errno.EEXIST: "a file of that name is there already",
        errno.ENOTDIR: "a part of the path is a file, not a folder",
        errno.EIO: "the disk reports a read or write error",
        errno.EFBIG: "the file would grow over the allowed size",
    }
    return words.get(error.errno or 0, error.strerror or str(error))
