"""What a catalog holds, as plain records: titles, encoders, features, failures, versions."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class TitleRecord:
    """A movie, an episode, a podcast, a live event: one row of ``titles``.

    Args:
        title_id: Name that the user types; unique in the catalog.
        ingest_id: The write that brought it; its children carry the same id.
        title: Name for people.
        kind: ``movie``, ``episode``, ``podcast``, ``live`` or ``other``.
        series_id: The series it belongs to: the default group of a split.
        season: Season number.
        episode: Episode number.
        year: Year of release.
        synopsis: What it is about.
        tags: Free keywords.
        genres: Genres.
        ids: Identifiers elsewhere, by scheme (``imdb``, ``eidr``).
        path: The media file, empty for imported features.
        size: Its size in bytes.
        mtime_ns: Its modification time, in nanoseconds since 1970.
        content: Fingerprint of the media file and its sidecars.
        settings: Fingerprint of the ingest settings (detector, encoders, options).
        duration: Microseconds from the first shot's start to the last shot's end.
        start_offset: Container time of the title's zero, in microseconds.
        timecode: Source timecode of the title's zero, as written in the file.
        frame_rate: Average frame rate as a fraction (``24000/1001``), for timecodes only.
        width: Picture width in square pixels, upright.
        height: Picture height in square pixels, upright.
        shots: Number of shots.
        cues: Number of cues.
        notes: What a user should know (``stream 4: bitmap subtitles are not read``).
        committed_at: When the row was written, microseconds since 1970 (UTC).
    """

    title_id: str
    ingest_id: str
    title: str = ""
    kind: str = "other"
    series_id: str | None = None
    season: int | None = None
    episode: int | None = None
    year: int | None = None
    synopsis: str | None = None
    tags: tuple[str, ...] = ()
    genres: tuple[str, ...] = ()
    ids: dict[str, str] = field(default_factory=dict)
    path: str = ""
    size: int = 0
    mtime_ns: int = 0
    content: str = ""
    settings: str = ""
    duration: int = 0
    start_offset: int = 0
    timecode: str | None = None
    frame_rate: str | None = None
    width: int = 0
    height: int = 0
    shots: int = 0
    cues: int = 0
    notes: tuple[str, ...] = ()
    committed_at: int = 0

    @property
    def group(self) -> str:
        """What a split keeps together: the series, else the title."""
        return self.series_id or self.title_id


@dataclass(frozen=True, slots=True)
class EncoderRecord:
    """The frozen encoder that made one features table.

    Args:
        modality: ``video``, ``audio``, ``text`` or any other name.
        name: Name for people, as a user would choose it.
        fingerprint: Digest of name, weights and settings.
        dim: Width of its vectors.
        settings: What went into the fingerprint, for error messages and ``info``.
    """

    modality: str
    name: str
    fingerprint: str
    dim: int
    settings: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EncoderMark:
    """What became of one encoder's vectors; the latest row of an encoder counts.

    Args:
        modality: The modality; ``metadata`` for the vectors of title metadata.
        fingerprint: The encoder's fingerprint.
        status: ``filling``, ``current`` or ``retired``.
        at: When, microseconds since 1970 (UTC).
        name: The name under which the encoder is found since; empty where this row says nothing
            of it. The latest row that does counts, else what the table of vectors says.
    """

    modality: str
    fingerprint: str
    status: str
    at: int
    name: str = ""


@dataclass(frozen=True, slots=True)
class TitleFeatures:
    """Everything that a model reads of one title.

    Args:
        title_id: The title.
        ingest_id: The write that the features come from.
        group: What a split keeps together.
        times_N2: Start and end of every shot in microseconds, int64.
        features: Modality to ``x_ND`` (float16); rows of absent shots hold zeros.
        present: Modality to a boolean row per shot: whether the modality is there.
        metadata: Metadata field (``synopsis``, ``tags``) to its vector ``m_D`` (float16).
    """

    title_id: str
    ingest_id: str
    group: str
    times_N2: npt.NDArray[np.int64]
    features: dict[str, npt.NDArray[np.float16]]
    present: dict[str, npt.NDArray[np.bool_]]
    metadata: dict[str, npt.NDArray[np.float16]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.times_N2)


@dataclass(frozen=True, slots=True)
class Failure:
    """A title that could not be ingested, and why.

    Args:
        path: The file.
        reason: One line.
        at: When, microseconds since 1970 (UTC).
    """

    path: str
    reason: str
    at: int


@dataclass(frozen=True, slots=True)
class VersionRecord:
    """One model's contextual embeddings over the catalog.

    Args:
        name: Name that the user types.
        fingerprint: Digest of the model's weights and of how the embedding is taken from it.
        dim: Width of the vectors.
        model: Where the model was loaded from.
        encoders: Modality to the encoder fingerprint that the model was trained on.
        settings: How the embedding is taken (layer, window), for ``info``.
        created_at: When, microseconds since 1970 (UTC).
    """

    name: str
    fingerprint: str
    dim: int
    model: str = ""
    encoders: dict[str, str] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)
    created_at: int = 0
