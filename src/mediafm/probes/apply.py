"""Tags: what a fitted probe says of every shot of a catalog, or of clips.

Shapes: N shots or clips of one title, C classes.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from mediafm.catalog import Catalog
from mediafm.errors import CatalogError, MediaFMError, describe_os_error
from mediafm.files import whole_file
from mediafm.probes.artifact import Probe
from mediafm.probes.features import ClipFeatures, spec_text
from mediafm.progress import Progress, Silent
from mediafm.timeline import Clip

if TYPE_CHECKING:
    from mediafm.embed import Embedder

SUFFIXES = (".parquet", ".csv", ".jsonl")
_SCHEMA = pa.schema(
    [
        ("title_id", pa.string()),
        ("start_us", pa.int64()),
        ("end_us", pa.int64()),
        ("probe", pa.string()),
        ("class", pa.string()),
        ("score", pa.float64()),
        ("given", pa.bool_()),
    ]
)


@dataclass(frozen=True, slots=True)
class Tag:
    """What a probe says of a clip.

    Args:
        clip: The clip.
        name: The class.
        score: Calibrated probability; for a ranking, what orders the clips of a title.
        given: Whether the class is given: the probability reaches the threshold; the most
            probable one of a task with exactly one; the first clip of its title in a ranking.
    """

    clip: Clip
    name: str
    score: float
    given: bool


@dataclass
class Applied:
    """What was written: numbers of titles, of clips, and of tags that were given."""

    titles: int = 0
    clips: int = 0
    given: int = 0


def apply(
    probe: Probe,
    catalog: Catalog,
    clips: Sequence[Clip] | None = None,
    *,
    version: str | None = None,
    embedder: Embedder | None = None,
    titles: Sequence[str] | None = None,
    failed: list[str] | None = None,
    untagged: list[str] | None = None,
    progress: Progress | None = None,
) -> Iterator[tuple[str, list[Tag]]]:
    """Applies a probe, title by title.

    Args:
        probe: The probe; it must have been fitted on what made these features.
        catalog: The catalog.
        clips: Clips to tag; every shot by default.
        version: Stored version to read, the current one by default.
        embedder: The model, where the probe's features need it.
        titles: Titles to tag; all by default.
        failed: Receives a line for each title that cannot be tagged, and the others go on;
            without it the first one raises.
        untagged: Receives a line for each title of which some clips have none of the features:
            they get no tags.
        progress: Where to report, in titles.

    Yields:
        A title and its tags, one per clip and class, in the order of time.

    Raises:
        MediaFMError: There is no such title or version.
    """
    maker = ClipFeatures(catalog, probe.spec, version, embedder)
    by_title: dict[str, list[Clip]] = {}
    if clips is not None:
        for clip in clips:
            by_title.setdefault(clip.title_id, []).append(clip)
    wanted = titles or (
        list(by_title) if clips is not None else [t.title_id for t in catalog.titles()]
    )
    with (progress or Silent()).task("tag", len(wanted), "titles") as task:
        for title_id in wanted:
            own = by_title.get(title_id, [])
            try:
                if clips is None:
                    own = [Clip(title_id, shot.span) for shot in catalog.shots(title_id)]
                if own:
                    found = tags(probe, own, maker)
                    without = len(own) - len({tag.clip for tag in found})
                    if without and untagged is not None:
                        spec = spec_text(probe.spec)
                        untagged.append(f"{title_id}: {without} of {len(own)} have no {spec}")
                    yield title_id, found
            except CatalogError as error:
                if failed is None:
                    raise
                failed.append(str(error))
            task.advance(1)


def tags(probe: Probe, clips: Sequence[Clip], maker: ClipFeatures) -> list[Tag]:
    """The tags of clips of one title; none of a clip without any of the features."""
    x_ND = maker.of(clips)
    if x_ND.shape[1] != len(probe.head.mean_D):
        raise MediaFMError(
            f"reads {len(probe.head.mean_D)} components, the catalog gives {x_ND.shape[1]}",
            where=f"probe '{probe.name}'",
            do="fit it anew (mediafm probe fit)",
        )
    known_N: npt.NDArray[np.bool_] = np.any(x_ND != 0, axis=1)
    clips, x_ND = [c for c, known in zip(clips, known_N, strict=True) if known], x_ND[known_N]
    if not clips:
        return []
    head, names = probe.head, probe.names
    if head.kind == "ranking":
        score_NC = head.scores(x_ND)
        given_NC = score_NC == score_NC.max(axis=0)
    else:
        score_NC = head.probabilities(x_ND)
        given_NC = score_NC >= head.threshold_C
        if head.kind == "multi-class":
            given_NC = score_NC == score_NC.max(axis=1, keepdims=True)
    return [
        Tag(clip, name, float(score_NC[i, c]), bool(given_NC[i, c]))
        for i, clip in enumerate(clips)
        for c, name in enumerate(names)
    ]


def write_tags(
    out: Path, probe: Probe, found: Iterator[tuple[str, list[Tag]]], *, every: bool = False
) -> Applied:
    """Writes tags to a Parquet, CSV or JSON Lines file, which appears whole or not at all.

    Args:
        out: The file; its suffix decides the form.
        probe: Whose tags.
        found: From :func:`apply`.
        every: Also classes that are not given; those of a ranking always.

    Raises:
        MediaFMError: Another suffix, or the file cannot be written.
    """
    if out.suffix.lower() not in SUFFIXES:
        raise MediaFMError(
            f"tags cannot be written as {out.suffix or 'a file without suffix'}",
            where=out,
            do=f"name a {', '.join(SUFFIXES)} file",
        )
    done = Applied()
    every = every or probe.head.kind == "ranking"

    def rows() -> Iterator[list[dict[str, Any]]]:
        for _, own in found:
            done.titles += 1
            done.clips += len({tag.clip for tag in own})
            done.given += sum(tag.given for tag in own)
            yield [
                {
                    "title_id": tag.clip.title_id,
                    "start_us": tag.clip.span.start,
                    "end_us": tag.clip.span.end,
                    "probe": probe.name,
                    "class": tag.name,
                    "score": round(tag.score, 6),
                    "given": tag.given,
                }
                for tag in own
                if every or tag.given
            ]

    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(out) as part:
            if out.suffix.lower() == ".parquet":
                with pq.ParquetWriter(part, _SCHEMA) as writer:
                    for batch in rows():
                        writer.write_table(pa.Table.from_pylist(batch, schema=_SCHEMA))
            else:
                with part.open("w", encoding="utf-8", newline="") as file:
                    _text(file, rows(), out.suffix.lower())
    except OSError as error:
        raise MediaFMError(f"cannot be written ({describe_os_error(error)})", where=out) from None
    return done


def _text(file: IO[str], rows: Iterator[list[dict[str, Any]]], suffix: str) -> None:
    writer = csv.DictWriter(file, _SCHEMA.names)
    if suffix == ".csv":
        writer.writeheader()
    for batch in rows:
        if suffix == ".csv":
            writer.writerows(batch)
        else:
            file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in batch)
