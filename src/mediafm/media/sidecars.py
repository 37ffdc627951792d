"""Discovery: media files in folders, their ids, and the files beside them."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mediafm.errors import MediaError, describe_os_error
from mediafm.media.metadata import TABLE_NAME
from mediafm.media.nfo import SHOW_NAME
from mediafm.media.subtitle_names import SUBTITLE_SUFFIXES, nfc, subtitle_name

VIDEO_SUFFIXES = frozenset(
    (
        *(".3gp", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg"),
        *(".mts", ".mxf", ".ogv", ".ts", ".webm", ".wmv"),
    )
)
AUDIO_SUFFIXES = frozenset((".aac", ".flac", ".m4a", ".mp3", ".ogg", ".opus", ".wav"))
MEDIA_SUFFIXES = VIDEO_SUFFIXES | AUDIO_SUFFIXES

_NOT_MEDIA = SUBTITLE_SUFFIXES | {".csv", ".json", ".nfo", ".txt", ".md", ".jpg", ".png", ".webp"}
_ALSO_CODE = frozenset((".ts", ".mts"))
_SUBTITLE_FOLDERS = frozenset(("subs", "subtitles"))
_SKIPPED_FOLDERS = frozenset(
    ("@eadir", "__macosx", "lost+found", "$recycle.bin", "system volume information")
)


@dataclass(frozen=True, slots=True)
class MediaItem:
    """A media file and what lies beside it.

    Args:
        path: The media file.
        title_id: Its default id; an ``id`` in its metadata goes before it.
        subtitles: Timed-text files of this title, sorted by name.
        metadata: Its own sidecars, then ``tvshow.nfo`` and ``titles.csv``, nearest folder first.
    """

    path: Path
    title_id: str
    subtitles: list[Path]
    metadata: list[Path]


@dataclass(frozen=True, slots=True)
class _Found:
    path: Path
    root: Path
    """The folder that the user named, or that of the file that the user named."""


def find_media(paths: Sequence[Path], *, notes: list[str] | None = None) -> list[MediaItem]:
    """Finds media in files and folders, recursively, with subtitles and metadata beside them.

    Hidden files and folders are left out, and links to folders that were seen. The default id is
    the path below the folder given, without suffix; for a file given, its name without suffix.
    Two files that would share an id keep their suffixes (``film.mp4``, ``film.mkv``), and get
    the name of the folder given before it where that is not enough.

    A sidecar is a file of the same folder, or of its ``subs`` or ``Subtitles``, whose name begins
    with the media's name without suffix and a dot; of several such names the longest counts.

    Args:
        paths: Files and folders.
        notes: Gets a line for each folder that cannot be read.

    Returns:
        One item per media file, sorted by path within each argument.

    Raises:
        MediaError: A path does not exist, is no media file, or a folder holds none.
    """
    notes = [] if notes is None else notes
    found: dict[str, _Found] = {}
    for path in paths:
        for media in _below(Path(path), notes):
            found.setdefault(os.path.realpath(media.path), media)
    items = list(found.values())
    named: dict[Path, set[str]] = defaultdict(set)
    for media in items:
        named[media.path.parent].add(nfc(media.path.stem))
    folders = {parent: _Folder.read(parent, stems) for parent, stems in named.items()}
    result: list[MediaItem] = []
    for media, title_id in zip(items, _ids(items), strict=True):
        folder, stem = folders[media.path.parent], nfc(media.path.stem)
        metadata = [*folder.metadata[stem], *_shared_metadata(media)]
        result.append(MediaItem(media.path, title_id, list(folder.subtitles[stem]), metadata))
    return result


def is_media(path: Path) -> bool:
    """Whether a file in a folder is taken for media, by its suffix.

    TypeScript shares ``.ts`` and ``.mts`` with MPEG streams; there the first bytes decide.
    """
    suffix = path.suffix.lower()
    if suffix not in MEDIA_SUFFIXES or path.name.startswith("."):
        return False
    if suffix not in _ALSO_CODE:
        return True
    try:
        with path.open("rb") as file:
            head = file.read(1024)
        head.decode("utf-8")
    except OSError:
        return True
    except UnicodeDecodeError as error:
        return error.start < len(head) - 4 or b"\0" in head
    return b"\0" in head or not head


def _below(path: Path, notes: list[str]) -> Iterator[_Found]:
    if path.is_dir():
        media = sorted(_walk(path, notes), key=lambda file: file.relative_to(path).parts)
        if not media:
            raise MediaError(
                "holds no media",
                where=path,
                do="looked for files ending in "
                + " ".join(sorted(suffix[1:] for suffix in MEDIA_SUFFIXES)),
            )
        yield from (_Found(file, path) for file in media)
    elif not os.path.lexists(path):
        raise MediaError("no such file or folder", where=path, do="check the path")
    elif not path.exists():
        raise MediaError("is a link to nothing", where=path, do="repair or remove the link")
    elif not path.is_file():
        raise MediaError("is neither a file nor a folder", where=path)
    elif path.suffix.lower() in _NOT_MEDIA:
        raise MediaError("is not a media file", where=path, do="name the media file beside it")
    else:
        yield _Found(path, path.parent)


def _walk(root: Path, notes: list[str]) -> Iterator[Path]:
    """Media below a folder; folders behind links come last, so that the real path is kept."""
    seen: set[str] = set()
    waiting, linked = [root], list[Path]()
    while waiting or linked:
        folder = waiting.pop() if waiting else linked.pop(0)
        real = os.path.realpath(folder)
        if real in seen:
            continue
        seen.add(real)
        try:
            with os.scandir(folder) as entries:
                listed = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            if folder == root:
                raise MediaError(
                    f"cannot be read ({describe_os_error(error)})", where=root
                ) from None
            notes.append(f"{folder}: left out ({describe_os_error(error)})")
            continue
        for entry in listed:
            if entry.name.startswith(".") or entry.name.lower() in _SKIPPED_FOLDERS:
                continue
            path = folder / entry.name
            if any("\ud800" <= c <= "\udfff" for c in entry.name):
                # Neither the catalog nor a terminal can hold such a name.
                notes.append(f"{os.fsencode(path)!r}: left out (its name is not UTF-8; rename it)")
                continue
            try:
                if entry.is_dir():
                    (linked if entry.is_symlink() else waiting).append(path)
                elif entry.is_file() and is_media(path):
                    yield path
            except OSError:  # a link that leads round in a circle
                notes.append(f"{path}: left out (it cannot be followed)")


def _ids(items: Sequence[_Found]) -> list[str]:
    relative = [nfc(item.path.relative_to(item.root).as_posix()) for item in items]
    bare = [
        name[: len(name) - len(nfc(i.path.suffix))] for name, i in zip(relative, items, strict=True)
    ]
    ids = _unless_shared(bare, relative)
    rooted = [
        f"{nfc(item.root.absolute().name)}/{name}"
        for item, name in zip(items, relative, strict=True)
    ]
    ids = _unless_shared(ids, rooted)
    return _unless_shared(ids, [nfc(item.path.absolute().as_posix()) for item in items])


def _unless_shared(ids: Sequence[str], longer: Sequence[str]) -> list[str]:
    count = Counter(ids)
    return [long if count[short] > 1 else short for short, long in zip(ids, longer, strict=True)]


@dataclass
class _Folder:
    """The sidecars of one folder, by the stem of the media that they belong to."""

    subtitles: dict[str, list[Path]]
    metadata: dict[str, list[Path]]

    @classmethod
    def read(cls, folder: Path, named: set[str]) -> _Folder:
        """Lists a folder; ``named`` are stems of media that the user named, whatever the suffix."""
        entries = _files(folder)
        stems = named | {nfc(path.stem) for path in entries if is_media(path)}
        subtitles: dict[str, list[Path]] = defaultdict(list)
        metadata: dict[str, list[Path]] = defaultdict(list)
        below = (path for sub in _subtitle_folders(folder) for path in _files(sub))
        for path in (*entries, *below):
            suffix = path.suffix.lower()
            if suffix in SUBTITLE_SUFFIXES and (stem := _owner(path, stems)) is not None:
                if not subtitle_name(path, stem=stem).other and _holds_text(path):
                    subtitles[stem].append(path)
            elif suffix in (".json", ".nfo") and path.parent == folder and nfc(path.stem) in stems:
                metadata[nfc(path.stem)].append(path)
        movie = folder / "movie.nfo"
        if len(stems) == 1 and stems != {"movie"} and movie in entries:
            metadata[next(iter(stems))].append(movie)
        return cls(subtitles, metadata)


def _files(folder: Path) -> list[Path]:
    try:
        return sorted(p for p in folder.iterdir() if not p.name.startswith(".") and p.is_file())
    except OSError:
        return []


def _subtitle_folders(folder: Path) -> Iterable[Path]:
    try:
        return sorted(
            p for p in folder.iterdir() if p.name.lower() in _SUBTITLE_FOLDERS and p.is_dir()
        )
    except OSError:
        return []


def _owner(path: Path, stems: set[str]) -> str | None:
    """The longest stem that the name begins with, followed by a dot."""
    name = nfc(path.name)
    while "." in name:
        name = name.rpartition(".")[0]
        if name in stems:
            return name
    return None


def _holds_text(path: Path) -> bool:
    """Whether a suffix that other things have too is timed text here."""
    suffix = path.suffix.lower()
    if suffix == ".sub":  # VobSub, which is pictures, comes with an index
        return not any(path.with_suffix(index).exists() for index in (".idx", ".IDX"))
    if suffix != ".xml":
        return True
    try:
        with path.open("rb") as file:
            head = file.read(4096).replace(b"\0", b"")
    except OSError:
        return False
    return b"<tt" in head or b":tt" in head


def _shared_metadata(media: _Found) -> list[Path]:
    """``tvshow.nfo`` of the folder or its parent, ``titles.csv`` of it and up to the root."""
    parents = media.path.absolute().parents
    shows = [path for path in (folder / SHOW_NAME for folder in parents[:2]) if path.is_file()]
    top = media.root.absolute()
    inside = [folder for folder in parents if folder == top or top in folder.parents]
    tables = [path for path in (folder / TABLE_NAME for folder in inside) if path.is_file()]
    return [*shows[:1], *tables]
