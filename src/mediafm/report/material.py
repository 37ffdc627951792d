"""Everything that a picture of one title shows, read from the catalog at one time."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from mediafm.catalog import Catalog, TitleRecord, VersionRecord
from mediafm.catalog.clip import unit
from mediafm.catalog.fused import CatalogFusion, Mask, Vectors
from mediafm.errors import MediaFMError
from mediafm.timeline import US, Cue


@dataclass(frozen=True, slots=True)
class Material:
    """One title, ready to be drawn.

    Args:
        title: The title.
        times_N2: Start and end of every shot in microseconds.
        cues: Timed text in the order of time.
        keyframes: The JPEG of every shot, ``None`` where there is none.
        encoders: Modality to the name of its encoder, in the order of display.
        present: Modality to a boolean row per shot.
        raw_NF: Fused features, unit rows; ``None`` in a catalog without features.
        recipe: How ``raw_NF`` was made, in words.
        contextual_NH: Contextual embeddings, unit rows; ``None`` where there are none.
        version: Where the contextual embeddings come from.
        missing: What is missing and what to run, where there are no contextual embeddings.
    """

    title: TitleRecord
    times_N2: npt.NDArray[np.int64]
    cues: list[Cue]
    keyframes: list[bytes | None]
    encoders: dict[str, str]
    present: dict[str, Mask]
    raw_NF: Vectors | None
    recipe: str
    contextual_NH: Vectors | None
    version: VersionRecord | None
    missing: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.times_N2)

    @property
    def start(self) -> int:
        """Where the time axis begins, in microseconds."""
        return int(self.times_N2[:, 0].min())

    @property
    def end(self) -> int:
        """Where the time axis ends, in microseconds; always after the start."""
        return max(int(self.times_N2[:, 1].max()), self.start + 1)

    @property
    def name(self) -> str:
        """The name for people, on one line."""
        return " ".join((self.title.title or self.title.title_id).split())

    @property
    def facts(self) -> list[str]:
        """Shots, duration, cues: what the line under the name says."""
        shots = len(self)
        found = [f"{shots} shot{'s' * (shots != 1)}", clock(self.end - self.start)]
        if self.cues:
            found.append(f"{len(self.cues)} cue{'s' * (len(self.cues) != 1)}")
        return found

    @property
    def made_by(self) -> str:
        """The encoders, as one phrase."""
        return ", ".join(f"{modality} {name}" for modality, name in self.encoders.items())


def collect(catalog: Catalog, title_id: str, version: str | None) -> Material:
    """Reads what a picture shows.

    Args:
        catalog: The catalog.
        title_id: The title.
        version: The version of contextual embeddings; the current one by default, and if there is
            none of this title, the material goes without.

    Raises:
        MediaFMError: No such title or version, the title has no shots, or it is not embedded in
            the version that was named.
    """
    title = catalog.title(title_id)
    if not title.shots:
        raise MediaFMError("the title has no shots to draw", where=title_id)
    held = catalog.encoders()
    fusion = CatalogFusion.of(catalog, title_id)
    order = list(fusion.modalities)
    [features] = catalog.title_features([title_id], order)
    contextual_NH, record, missing = _contextual(catalog, title, version)
    return Material(
        title=title,
        times_N2=features.times_N2,
        cues=sorted(catalog.cues(title_id)),
        keyframes=catalog.keyframes(title_id),
        encoders={modality: held[modality].name for modality in order},
        present=features.present,
        raw_NF=fusion(features) if order else None,
        recipe=fusion.recipe,
        contextual_NH=contextual_NH,
        version=record,
        missing=missing,
    )


def _contextual(
    catalog: Catalog, title: TitleRecord, name: str | None
) -> tuple[Vectors | None, VersionRecord | None, tuple[str, ...]]:
    if name is None and not catalog.versions():
        return None, None, ("No contextual embeddings yet", "mediafm pretrain", "mediafm embed")
    version = catalog.version(name)
    if name is None and title.ingest_id not in catalog.embedded_ingests(version.name):
        lacking = f"Version {version.name} does not hold this title yet"
        return None, None, (lacking, "mediafm embed")
    return unit(catalog.embeddings(version.name, title.title_id)), version, ()


def picture(jpeg: bytes | None, height: int) -> Image.Image | None:
    """Decodes a keyframe.

    Args:
        jpeg: The file, or ``None``.
        height: Height in pixels that is needed; more is reduced to it.

    Returns:
        An RGB picture, ``None`` where there is none or it is damaged.
    """
    if jpeg is None:
        return None
    try:
        with Image.open(io.BytesIO(jpeg)) as image:
            image.draft("RGB", (image.width * height // image.height, height))
            found = image.convert("RGB")
    except (OSError, ValueError, ZeroDivisionError, Image.DecompressionBombError):
        return None
    if found.height > height:
        width = max(1, round(found.width * height / found.height))
        found = found.resize((width, height), Image.Resampling.BICUBIC, reducing_gap=2.0)
    return found


def cue_texts(cues: list[Cue], start: int, end: int) -> str:
    """What is said between two times (microseconds), on one line."""
    found = [cue.text for cue in cues if cue.span.start < end and cue.span.end > start]
    return " ".join(" / ".join(found).split())


def clock(time: int) -> str:
    """Writes microseconds as people say a length: ``9:56``, ``1:32:05``, ``2.4 s``."""
    if time < 10 * US:
        return f"{time / US:.1f} s"
    minutes, seconds = divmod(round(time / US), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"


def stamp(time: int, *, hours: bool = False) -> str:
    """Writes microseconds as ``mm:ss``, or ``h:mm:ss`` where a title is that long."""
    minutes, seconds = divmod(time // US, 60)
    if hours or minutes >= 60:
        return f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}"
    return f"{minutes:02d}:{seconds:02d}"
