"""A media file with what is cheap to know about it."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from mediafm.catalog import TitleRecord
from mediafm.fingerprint import file_fingerprint, fingerprint
from mediafm.media.metadata import TitleMetadata, read_metadata
from mediafm.media.sidecars import MediaItem
from mediafm.media.subtitle_names import choose_subtitles


@dataclass(frozen=True)
class Content:
    """What a title was made of; in the catalog a string, ``media+sidecars+recogniser+sources``.

    Args:
        media: Fingerprint of the media file.
        sidecars: Fingerprint of what stands beside it.
        recogniser: Fingerprint of the speech recogniser that was asked for cues, if one was.
        sources: Further modality to the digest of what it read from elsewhere for the title.
    """

    media: str
    sidecars: str
    recogniser: str = ""
    sources: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> Content:
        """Reads it back."""
        media, sidecars, recogniser, sources = [*text.split("+"), "", "", ""][:4]
        pairs = (pair.partition("=") for pair in sources.split(",") if pair)
        return cls(media, sidecars, recogniser, {modality: d for modality, _, d in pairs})

    def __str__(self) -> str:
        sources = ",".join(f"{modality}={d}" for modality, d in sorted(self.sources.items()))
        return "+".join((self.media, self.sidecars, self.recogniser, sources)).rstrip("+")


@dataclass(frozen=True)
class Candidate:
    """A media file that may have to be ingested.

    Args:
        item: The file and its sidecars.
        title_id: Its name in the catalog.
        metadata: What is said about it.
        notes: What a user should know of what is said.
        subtitles: The files that count.
        size: Bytes of the media file.
        mtime_ns: When it was written, nanoseconds since 1970.
        sidecars: Fingerprint of what stands beside it and is taken from there.
    """

    item: MediaItem
    title_id: str
    metadata: TitleMetadata
    notes: tuple[str, ...]
    subtitles: tuple[Path, ...]
    size: int
    mtime_ns: int
    sidecars: str

    @functools.cached_property
    def content(self) -> Content:
        """What it is made of; reads the whole file."""
        return Content(file_fingerprint(self.item.path), self.sidecars)

    @property
    def path(self) -> str:
        """Where it lies."""
        return str(self.item.path.resolve())

    def describe(
        self, record: TitleRecord, content: Content | None, notes: Sequence[str]
    ) -> TitleRecord:
        """What is said about it and where it lies, put into a record.

        Args:
            record: What the media says.
            content: What the title was made of.
            notes: What a user should know.
        """
        metadata = self.metadata
        return replace(
            record,
            title=metadata.title or self.item.path.stem,
            kind=metadata.kind or "other",
            series_id=metadata.series_id,
            season=metadata.season,
            episode=metadata.episode,
            year=metadata.year,
            synopsis=metadata.synopsis,
            tags=metadata.tags,
            genres=metadata.genres,
            ids=dict(metadata.ids),
            path=self.path,
            size=self.size,
            mtime_ns=self.mtime_ns,
            content=str(content or ""),
            notes=tuple(notes),
        )


def look(item: MediaItem, languages: Sequence[str]) -> Candidate:
    """Looks at a media file and its sidecars; does not open the media.

    Args:
        item: The file and its sidecars.
        languages: Preferred languages of subtitles.

    Raises:
        MediaError: A sidecar cannot be read.
    """
    stat = item.path.stat()
    found = read_metadata(item.path, item.metadata, title_id=item.title_id)
    subtitles = choose_subtitles(item.subtitles, languages, stem=item.path.stem)
    # A table of titles serves many: what it says of this one counts, not the file.
    beside = [found.metadata.model_dump(), [path.name for path in subtitles]]
    return Candidate(
        item=item,
        title_id=found.metadata.id or item.title_id,
        metadata=found.metadata,
        notes=tuple(found.notes),
        subtitles=tuple(subtitles),
        size=stat.st_size,
        mtime_ns=stat.st_mtime_ns,
        sidecars=fingerprint([*beside, file_fingerprint(*subtitles)]),
    )
