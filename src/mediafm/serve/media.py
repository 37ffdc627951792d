"""From a title to the one file that may be sent: the file that the catalog names, or none.

What may go out is a regular file that lies where the catalog says, of the size that was ingested,
and that FFmpeg takes for media. A link is followed where it leads inside the title's own folder or
inside a folder that the server was given; the file is opened once, without following links any
more, and everything after reads that descriptor.
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mediafm.catalog import TitleRecord
from mediafm.errors import MediaFMError, describe_os_error
from mediafm.fingerprint import fingerprint
from mediafm.serve.library import View
from mediafm.serve.playable import Playable, look
from mediafm.serve.problems import NotFoundError, NotNowError, RefusedError, public
from mediafm.serve.settings import Settings
from mediafm.serve.streaming import OpenFile

_DIGEST = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True, slots=True)
class Media:
    """Whether and how a title plays.

    Args:
        state: ``direct``: the file plays as it is. ``proxy``: it needs one. ``missing``: the file
            is gone. ``refused``: it is not given out. ``none``: there never was one.
        why: In words; empty where it plays.
        type: MIME type of what is played, with codecs where they are known.
    """

    state: Literal["direct", "proxy", "missing", "refused", "none"]
    why: str = ""
    type: str = ""


def state(view: View, title: TitleRecord) -> Media:
    """Whether and how a title plays.

    Args:
        view: The catalog.
        title: The title.
    """
    if not title.path:
        return Media(state="none", why="its features were imported, without a media file")
    try:
        with open_media(view.settings, title) as file:
            found = probe(view, file)
    except NotFoundError as error:
        return Media(state="missing", why=public(error))
    except MediaFMError as error:
        return Media(state="refused", why=public(error))
    return Media(state=found.state, why=found.why, type=found.type)


def probe(view: View, file: OpenFile) -> Playable:
    """What is in a file, looked at once as long as it is the same."""
    was = file.stat
    key = ("playable", was.st_dev, was.st_ino, was.st_size, was.st_mtime_ns)
    try:
        return view.once(key, lambda: look(file.descriptor))
    except OSError as error:
        return Playable("refused", f"cannot be read ({describe_os_error(error)})")


def content_of(title: TitleRecord, file: OpenFile | None = None) -> str:
    """What tells the content of a title's file from any other.

    Args:
        title: The title.
        file: The file as it is. Written since it was ingested, and of the same size, it may hold
            something else.
    """
    media = title.content.partition("+")[0]
    if not _DIGEST.fullmatch(media):
        media = fingerprint([title.title_id, title.ingest_id, title.path])
    since = ""
    if file is not None and file.stat.st_mtime_ns != title.mtime_ns:
        since = f"-{file.stat.st_mtime_ns:x}"
    return f"{media}-{title.size:x}{since}"


def open_media(settings: Settings, title: TitleRecord) -> OpenFile:
    """Opens the file of a title, if it may be sent; whether it is media is :func:`probe`'s to say.

    Args:
        settings: The further folders that media may lie in.
        title: The title.

    Returns:
        The file; the caller closes it.

    Raises:
        NotFoundError: There is no file, or not any more.
        RefusedError: It is no regular file, or a link leads out of the folders that may be read.
        NotNowError: It is not the file that was ingested.
    """
    if not title.path:
        raise NotFoundError("has no media file: its features were imported", where=title.title_id)
    path = Path(title.path)
    try:
        real = _allowed(path, settings)
        # Looked at first, since to open a device may set something in motion.
        if not stat.S_ISREG(real.lstat().st_mode):
            raise RefusedError("is not a regular file", where=path.name)
        file = OpenFile(_open_real(real), path.name)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        raise NotFoundError(
            "is not where it was ingested from",
            where=path.name,
            do="if it has moved: mediafm relink OLD NEW",
        ) from None
    except OSError as error:
        raise RefusedError(
            f"cannot be opened ({describe_os_error(error)})",
            where=path.name,
            do="let the server's user read it",
        ) from None
    wrong: MediaFMError | None = None
    if not stat.S_ISREG(file.stat.st_mode):
        wrong = RefusedError("is not a regular file", where=path.name)
    elif file.stat.st_size != title.size or not title.size:
        wrong = NotNowError(
            "has changed since it was ingested", where=path.name, do="run mediafm ingest again"
        )
    if wrong is not None:
        file.close()
        raise wrong
    return file


def _allowed(path: Path, settings: Settings) -> Path:
    """Where a path leads, if it may lead there."""
    if not path.is_absolute():
        raise RefusedError("has no full path in the catalog", where=path.name, do="ingest it again")
    real = Path(os.path.realpath(path, strict=True))
    folders = [path.parent, *settings.media]
    if not any(real.is_relative_to(os.path.realpath(folder)) for folder in folders):
        raise RefusedError(
            "is a link that leads out of its folder",
            where=path.name,
            do="to allow it, name the folder where the file lies with --media",
        )
    return real


def _open_real(real: Path) -> int:
    """Opens a path that has no links in it, whatever is put into its place meanwhile.

    Every folder is opened from the one before, and no link is followed, so that what is opened is
    what was checked. A pipe does not make it wait.
    """
    folder_flags = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC | getattr(os, "O_PATH", 0)
    file_flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
    folder = os.open(real.anchor, folder_flags)
    try:
        for part in real.parts[1:-1]:
            inner = os.open(part, folder_flags, dir_fd=folder)
            os.close(folder)
            folder = inner
        return os.open(real.name, file_flags, dir_fd=folder)
    finally:
        os.close(folder)
