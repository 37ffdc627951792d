"""What a catalog holds, as plain records: titles, encoders, features, failures, versions."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from mediafm.errors import CatalogError


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

    @classmethod
    def of(
        cls,
        title_id: str,
        features: Mapping[str, npt.ArrayLike],
        times_N2: npt.ArrayLike | None = None,
        *,
        group: str = "",
        metadata: Mapping[str, npt.ArrayLike] | None = None,
    ) -> TitleFeatures:
        """A title of features that come from elsewhere.

        Args:
            title_id: Its name.
            features: Modality to ``x_ND``, a row per shot; where a shot has none, zeros or NaN.
            times_N2: Start and end of every shot in microseconds; by default a second each.
            group: What a split keeps together, for example the series; by default the title.
            metadata: Metadata field to its vector ``m_D``.

        Raises:
            CatalogError: Rows that differ in number, that are no numbers, or beyond half
                precision; times that are none.
        """
        rows = {name: _numbers(title_id, name, x_ND, 2) for name, x_ND in features.items()}
        shots = len(next(iter(rows.values()))) if rows else 0
        for name, x_ND in rows.items():
            if len(x_ND) != shots:
                raise CatalogError(
                    f"{name} has {len(x_ND)} rows, others have {shots}", where=title_id
                )
        vectors = {
            name: _numbers(title_id, name, m_D, 1).astype(np.float16)
            for name, m_D in (metadata or {}).items()
        }
        if times_N2 is None:
            times_N2 = np.arange(shots)[:, None] * 1_000_000 + np.array([0, 1_000_000])
        times_N2 = np.asarray(times_N2)
        if times_N2.shape != (shots, 2) or times_N2.dtype.kind not in "iu":
            raise CatalogError(
                f"times have the shape {times_N2.shape} and the type {times_N2.dtype}, "
                f"must be ({shots}, 2) whole microseconds",
                where=title_id,
            )
        times_N2 = times_N2.astype(np.int64)
        if (times_N2[:, 1] < times_N2[:, 0]).any():
            raise CatalogError("a shot ends before it starts", where=title_id)
        present = {
            name: np.asarray(np.isfinite(x_ND).all(axis=1) & x_ND.any(axis=1))
            for name, x_ND in rows.items()
        }
        halves = {
            name: np.where(present[name][:, None], x_ND, 0).astype(np.float16)
            for name, x_ND in rows.items()
        }
        digest = hashlib.blake2b(times_N2.tobytes(), digest_size=8)
        for kind, held in (("features", halves), ("metadata", vectors)):
            for name, x in sorted(held.items()):
                digest.update(f"{kind} {name} {x.shape}".encode() + x.tobytes())
        return cls(
            title_id, digest.hexdigest(), group or title_id, times_N2, halves, present, vectors
        )

    def __len__(self) -> int:
        return len(self.times_N2)


def _numbers(title_id: str, name: str, values: npt.ArrayLike, dimensions: int) -> npt.NDArray[Any]:
    """Numbers that fit half precision; NaN does."""
    try:
        x = np.asarray(values)
    except ValueError:  # rows of different lengths
        x = np.empty(0, object)
    if x.dtype.kind not in "fiu" or x.ndim != dimensions:
        wanted = "a row of numbers per shot" if dimensions == 2 else "one row of numbers"
        raise CatalogError(
            f"{name} has the shape {x.shape} and the type {x.dtype}, must be {wanted}",
            where=title_id,
        )
    if (np.abs(x) > np.finfo(np.float16).max).any():
        raise CatalogError(
            f"{name} holds values beyond half precision (65,504)", where=title_id, do="scale them"
        )
    return x


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


@dataclass(frozen=True, slots=True)
class Promotion:
    """A version became current: what readers see who name none.

    Args:
        version: Its name.
        at: When, microseconds since 1970 (UTC).
    """

    version: str
    at: int


@dataclass(frozen=True, slots=True)
class Validation:
    """What the probe gate said of a version.

    Args:
        version: The version in question.
        fingerprint: What it was then.
        against: The version that it would replace.
        passed: Whether no task was worse beyond noise.
        tasks: Name of the task to its outcome (``better``, ``same``, ``worse``, ``unknown``).
        at: When, microseconds since 1970 (UTC).
    """

    version: str
    fingerprint: str
    against: str
    passed: bool
    tasks: dict[str, str] = field(default_factory=dict)
    at: int = 0
