"""The training cache: a flat copy of what training reads of a catalog, built once.

A build writes beside its place, ``NAME.building``, notes in a journal what is safely on the disk,
and takes its place when it is whole. One that was stopped goes on from the journal.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import re
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
import numpy.typing as npt

from mediafm.catalog.records import EncoderRecord, TitleFeatures, TitleRecord
from mediafm.errors import CatalogError, describe_os_error
from mediafm.files import sync, write_whole
from mediafm.fingerprint import fingerprint
from mediafm.pretrain.columns import (
    FORMAT,
    MANIFEST,
    TITLES,
    VERSION,
    Layout,
    StoredTitle,
    files_of,
    read_manifest,
    write_manifest,
)
from mediafm.pretrain.store import ShotStore
from mediafm.progress import Progress

JOURNAL = "journal.json"
# Bytes and seconds between two entries in the journal: what a kill may cost.
_SAFE, _SAFE_SECONDS = 1 << 28, 15.0


class FeatureSource(Protocol):
    """What training needs of a catalog; ``mediafm.catalog.Catalog`` is one."""

    @property
    def uri(self) -> str:
        """Where it lies."""

    def titles(self) -> list[TitleRecord]:
        """All titles, sorted by ``title_id``."""

    def encoders(self) -> dict[str, EncoderRecord]:
        """Modality to the encoder that made its features."""

    def metadata_encoder(self) -> EncoderRecord | None:
        """The encoder that made the metadata vectors."""

    def feature_versions(self) -> dict[str, int]:
        """Table to a number that changes whenever its vectors do."""

    def title_features(self, ids: Sequence[str] | None = None) -> Iterator[TitleFeatures]:
        """Features of some titles, in the order of the ids; of all by default."""


def known_encoders(source: FeatureSource) -> dict[str, EncoderRecord]:
    """The encoders of a catalog, that of the title metadata under ``metadata``."""
    made = source.metadata_encoder()
    return {**source.encoders(), **({"metadata": made} if made else {})}


def source_key(source: FeatureSource) -> str:
    """Digest of what a catalog holds now: a cache of another digest is outdated."""
    content = {
        "version": VERSION,
        "titles": [(t.title_id, t.ingest_id, t.group, t.shots) for t in source.titles()],
        "encoders": {name: e.fingerprint for name, e in known_encoders(source).items()},
        # Vectors change under the same ingests and encoders when a modality is filled in for more
        # titles, or a table of signals gets new numbers.
        "tables": source.feature_versions(),
    }
    return fingerprint(content)


def where_of(source: FeatureSource) -> str:
    """Where a catalog lies, the same from every folder."""
    return source.uri if "://" in source.uri else str(Path(source.uri).absolute())


def empty(folder: Path, mark: str) -> None:
    """Removes all but the file that says that the folder is ours: a kill leaves it so."""
    for path in folder.iterdir():
        if path.name != mark:
            path.unlink()


def build_store(source: FeatureSource, folder: Path, progress: Progress) -> ShotStore:
    """Copies a catalog into a training cache, in bounded memory.

    An unfinished build of the same state of the catalog is continued.

    Args:
        source: The catalog.
        folder: The cache; an older one there is replaced.
        progress: Where to report.

    Returns:
        The cache, open.

    Raises:
        CatalogError: Features that do not fit together, a folder that holds something else or
            cannot be written; what was written stays, for the next call to go on from.
    """
    folder = Path(folder)
    building = folder.with_name(f"{folder.name}.building")
    try:
        foreign = folder.exists() and not (folder.is_dir() and _is_ours(folder))
        if foreign or (building.exists() and not _is_ours(building)):
            raise CatalogError(
                "is not empty and holds no training cache",
                where=folder if foreign else building,
                do="remove it, or name another folder",
            )
        with _Build(source, building) as build:
            build.run(progress)
        if folder.exists():  # outdated; those who have it open keep it
            empty(folder, MANIFEST)
            (folder / MANIFEST).unlink(missing_ok=True)
        building.rename(folder)
        sync(folder.parent)
        (folder / JOURNAL).unlink()
    except OSError as error:
        raise CatalogError(
            f"the training cache cannot be written ({describe_os_error(error)})",
            where=folder,
            do="the same command goes on from here; MEDIAFM_TRAINING_CACHE names another place",
        ) from None
    store = ShotStore.open(folder)
    progress.say(f"{folder}: training cache of {len(store):,} shots")
    return store


def _is_ours(folder: Path) -> bool:
    """Whether a folder may be emptied: a cache that says so, of nothing but its own files."""
    own = re.compile(
        rf"\.?({re.escape(MANIFEST)}|{re.escape(JOURNAL)}|{re.escape(TITLES)})(-[0-9a-f]{{12}})?"
        r"|times\.i64|(features|metadata)-[^/]+\.(f16|here)"
    )
    held = [path for path in folder.iterdir() if not path.name.startswith(".")]
    if not all(own.fullmatch(path.name) and not path.is_dir() for path in folder.iterdir()):
        return False
    if not held or folder / MANIFEST in held:  # which nobody else calls a file
        return True
    return folder / JOURNAL in held and FORMAT.encode() in (folder / JOURNAL).read_bytes()


class _Build:
    """One build, from the journal on.

    Args:
        source: The catalog.
        folder: Where it is written.
    """

    def __init__(self, source: FeatureSource, folder: Path):
        self._source, self._folder = source, folder
        self._key, self._encoders = source_key(source), known_encoders(source)
        self._titles: list[StoredTitle] = []
        first = 0
        for t in source.titles():
            self._titles.append(StoredTitle(t.title_id, t.ingest_id, t.group, first, t.shots))
            first += t.shots
        self._shots = first
        self._done, self._unsafe, self._noted, self._layout = 0, 0, time.monotonic(), Layout()
        self._files: dict[str, int] = {}

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        journal: dict[str, Any] = {}
        with contextlib.suppress(OSError, ValueError, CatalogError):
            journal = read_manifest(self._folder / JOURNAL)
        if journal.get("key") == self._key and self._is_there(journal):
            self._done = journal["done"]
            self._layout = Layout(*(journal[f.name] for f in dataclasses.fields(Layout)))
        else:
            empty(self._folder, JOURNAL)
            self._journal()  # first of all: it says that the folder is ours
        return self

    def _is_there(self, journal: dict[str, Any]) -> bool:
        """Whether the files hold at least what the journal says that they do."""
        layout = Layout(*(journal[f.name] for f in dataclasses.fields(Layout)))
        files = files_of(layout, self._row(journal["done"]), journal["done"])
        try:
            return all(
                (self._folder / file).stat().st_size >= size * rows
                for file, size, rows in files.values()
            )
        except OSError:
            return False

    def __exit__(self, *args: object) -> None:
        for descriptor in self._files.values():
            os.close(descriptor)

    def run(self, progress: Progress) -> None:
        """Writes what is missing."""
        self._cut()
        rest = [title.title_id for title in self._titles[self._done :]]
        with progress.task("training cache", self._shots, "shots") as task:
            task.advance(self._row(self._done))
            for features in self._source.title_features(ids=rest) if rest else ():
                self._write(features)
                task.advance(len(features))
                if self._unsafe >= _SAFE or time.monotonic() - self._noted > _SAFE_SECONDS:
                    self._note()
        self._finish()

    def _cut(self) -> None:
        """Gives the files the length of the titles that are done, whatever these lack."""
        row = self._row(self._done)
        for file, size, rows in files_of(self._layout, row, self._done).values():
            os.ftruncate(self._file(file), size * rows)

    def _row(self, title: int) -> int:
        return self._titles[title].first if title < len(self._titles) else self._shots

    def _write(self, features: TitleFeatures) -> None:
        number, place = self._done, self._titles[self._done]
        if (features.title_id, len(features)) != (place.title_id, place.shots):
            raise CatalogError(
                f"the title has {len(features)} shots, {place.shots} were expected",
                where=place.title_id,
                do="ingest the title again",
            )
        found, metadata = self._layout.take(features, number, place.first)
        files = files_of(self._layout, self._shots, len(self._titles))
        here = np.ones(1, np.bool_)
        # What a title lacks is not written: a hole in a file reads as zeros, which mean absent.
        self._put(*files["times"][:2], place.first, np.asarray(features.times_N2, "<i8"))
        for name, (x_ND, present_N) in found.items():
            self._put(*files[f"features-{name}"][:2], place.first, x_ND.astype("<f2", copy=False))
            self._put(*files[f"features.here-{name}"][:2], place.first, present_N)
        for name, m_D in metadata.items():
            self._put(*files[f"metadata-{name}"][:2], number, m_D.astype("<f2", copy=False))
            self._put(*files[f"metadata.here-{name}"][:2], number, here)
        self._done += 1

    def _put(self, file: str, row: int, first: int, values: npt.NDArray[Any]) -> None:
        if not values.size:
            return
        view = np.ascontiguousarray(values).reshape(-1).view(np.uint8).data
        descriptor, at = self._file(file), row * first
        self._unsafe += len(view)
        while len(view):
            count = os.pwrite(descriptor, view, at)
            view, at = view[count:], at + count

    def _file(self, name: str) -> int:
        if name not in self._files:
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
            self._files[name] = os.open(self._folder / name, flags, 0o644)
        return self._files[name]

    def _note(self) -> None:
        """Brings what was written to the disk, then says so."""
        self._cut()
        for descriptor in self._files.values():
            os.fsync(descriptor)
        self._journal()
        self._unsafe, self._noted = 0, time.monotonic()

    def _journal(self) -> None:
        journal = {
            "uri": where_of(self._source),
            "key": self._key,
            "done": self._done,
            **dataclasses.asdict(self._layout),
        }
        write_manifest(self._folder / JOURNAL, journal)

    def _finish(self) -> None:
        files = files_of(self._layout, self._shots, len(self._titles))
        self._note()
        rows_of_titles = ((t.title_id, t.ingest_id, t.group, t.shots) for t in self._titles)
        lines = (json.dumps(row, ensure_ascii=False) for row in rows_of_titles)
        write_whole(self._folder / TITLES, "".join(f"{line}\n" for line in lines).encode())
        manifest = {
            "uri": where_of(self._source),
            "key": self._key,
            "fingerprint": self._layout.fingerprint(self._titles, self._encoders),
            "titles": len(self._titles),
            "shots": self._shots,
            **dataclasses.asdict(self._layout),
            "encoders": {name: dataclasses.asdict(e) for name, e in self._encoders.items()},
            "files": {file: row * rows for file, row, rows in files.values()},
        }
        write_manifest(self._folder / MANIFEST, manifest)
