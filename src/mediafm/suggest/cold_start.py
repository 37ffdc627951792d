"""What can be said of a title that nobody has watched yet. ``mediafm suggest cold-start``.

The titles most like it, what probes say of it as a whole, what its neighbours are tagged with, and
the same as numbers: a row of features for a recommender.

Shapes: C classes.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mediafm.catalog import Catalog
from mediafm.errors import CatalogError, MediaFMError
from mediafm.files import saving
from mediafm.probes.artifact import Probe
from mediafm.progress import Progress, Silent
from mediafm.search import Hit, TitleVectors, similar_titles
from mediafm.suggest.fitted import FittedProbes, noted
from mediafm.suggest.tags import (
    NEAREST,
    NO_PROBE,
    Tagged,
    by_nearest,
    chosen,
    mean_over,
    scene_clips,
    tagged,
)
from mediafm.timeline import US

SUFFIXES = (".parquet", ".jsonl")
_BATCH = 256  # titles that are held at once


@dataclass(frozen=True, slots=True)
class ColdStart:
    """What is said of a new title.

    Args:
        title_id: The title.
        nearest: Titles like it, best first.
        tags: What probes say of the whole title, then genres and tags of the nearest titles.
        by: Probes, and what else decided.
        notes: What a user should know.
    """

    title_id: str
    nearest: list[Hit]
    tags: list[Tagged]
    by: tuple[str, ...]
    notes: tuple[str, ...] = ()


def cold_start(
    catalog: Catalog,
    title_id: str,
    count: int = 10,
    *,
    probes: FittedProbes | None = None,
    version: str | None = None,
) -> ColdStart:
    """Says what is known of a title from its content alone.

    Args:
        catalog: The catalog.
        title_id: The title.
        count: How many titles like it.
        probes: Where the probes are looked for; none by default.
        version: Version of the embeddings; the current one by default.

    Raises:
        CatalogError: There is no such title, or it is not embedded.
    """
    hits = similar_titles(catalog, title_id, max(count, NEAREST), version=version)
    wanted = chosen(probes)
    whole = catalog.clip(title_id).clip
    found, unknown = [], []
    if wanted and probes is not None:
        clips = scene_clips(catalog, title_id, probes, version)
        for probe in wanted:
            p_C = mean_over(probe, probes, clips)
            if np.isnan(p_C).any():
                unknown.append(f"nothing that probe '{probe.name}' reads is known of the title")
            else:
                found.append(tagged(probe, whole, p_C))
    voted, said = by_nearest(catalog, title_id, hits, version=version)
    notes = [*unknown, said if wanted else f"{NO_PROBE}: {said}"]
    by = (*(probe.name for probe in wanted), *(["nearest titles"] if hits else []))
    return ColdStart(title_id, hits[:count], [*found, *voted], by, noted(probes, notes))


def feature_rows(
    catalog: Catalog,
    titles: Sequence[str] | None = None,
    count: int = 10,
    *,
    probes: FittedProbes | None = None,
    version: str | None = None,
    left_out: list[str] | None = None,
    progress: Progress | None = None,
) -> Iterator[dict[str, Any]]:
    """Features of titles, for a recommender.

    Args:
        catalog: The catalog.
        titles: Which; all that are embedded by default.
        count: How many titles like each.
        probes: Where the probes are looked for; none by default.
        version: Version of the embeddings; the current one by default.
        left_out: Receives a line for each title that has no features.
        progress: Where to report, in titles.

    Yields:
        ``title_id``, ``title``, ``kind``, ``series_id``, ``year``, ``seconds``, ``shots``;
        ``embedding``, the mean of its shots in context, unit-normed; ``nearest`` and
        ``nearest_cosine``; and ``PROBE.CLASS``, the mean probability over the title's time, null
        where nothing that the probe reads is known of it; classes that the probe cannot tell are
        left out.

    Raises:
        CatalogError: There is no such title or version, or nothing is embedded.
    """
    vectors = TitleVectors.of(catalog, version)
    wanted = chosen(probes)
    ids = [title.title_id for title in catalog.titles()] if titles is None else list(titles)
    with (progress or Silent()).task("features", len(ids), "titles") as task:
        for title_id in ids:
            try:
                if title_id not in vectors:
                    raise CatalogError(
                        "the title is not embedded", where=title_id, do="run mediafm embed"
                    )
                yield _row(
                    catalog, title_id, vectors.nearest(title_id, count), wanted, probes, version
                )
            except CatalogError as error:
                if titles is not None:
                    raise
                if left_out is not None:  # or it was removed meanwhile
                    left_out.append(f"{title_id}: {error.what}")
            task.advance(1)


def _row(
    catalog: Catalog,
    title_id: str,
    near: Sequence[tuple[float, str]],
    wanted: Sequence[Probe],
    probes: FittedProbes | None,
    version: str | None,
) -> dict[str, Any]:
    title = catalog.title(title_id)
    row: dict[str, Any] = {
        "title_id": title_id,
        "title": title.title,
        "kind": title.kind,
        "series_id": title.series_id,
        "year": title.year,
        "seconds": title.duration / US,
        "shots": title.shots,
        "embedding": catalog.title_embedding(title_id, version).tolist(),
        "nearest": [name for _, name in near],
        "nearest_cosine": [round(score, 5) for score, _ in near],
    }
    if wanted and probes is not None:
        clips = scene_clips(catalog, title_id, probes, version)
        for probe in wanted:
            p_C = mean_over(probe, probes, clips)
            for c in probe.telling:
                p = float(p_C[c])
                row[f"{probe.name}.{probe.head.classes[c]}"] = (
                    None if math.isnan(p) else round(p, 5)
                )
    return row


def write_features(out: Path, rows: Iterator[dict[str, Any]]) -> int:
    """Writes rows of features to a Parquet or JSON Lines file, which appears whole or not at all.

    Args:
        out: The file; its suffix decides the form.
        rows: From :func:`feature_rows`.

    Returns:
        How many were written.

    Raises:
        MediaFMError: Another suffix, no rows, or the file cannot be written.
    """
    if out.suffix.lower() not in SUFFIXES:
        raise MediaFMError(
            f"features cannot be written as {out.suffix or 'a file without suffix'}",
            where=out,
            do=f"name a {' or '.join(SUFFIXES)} file",
        )
    first = next(rows, None)
    if first is None:
        raise MediaFMError("no title is embedded", where=out, do="run mediafm embed")
    written = 0
    with saving(out) as part, contextlib.ExitStack() as stack:
        if out.suffix.lower() == ".parquet":
            schema = _schema(first)
            writer = stack.enter_context(pq.ParquetWriter(part, schema))
        else:
            file = stack.enter_context(part.open("w", encoding="utf-8"))
        for batch in _batches(itertools.chain([first], rows)):
            written += len(batch)
            if out.suffix.lower() == ".parquet":
                writer.write_table(pa.Table.from_pylist(batch, schema=schema))
            else:
                file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in batch)
    return written


def _batches(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    while batch := list(itertools.islice(rows, _BATCH)):
        yield batch


def _schema(row: dict[str, Any]) -> pa.Schema:
    kinds = {
        "year": pa.int32(),
        "shots": pa.int32(),
        "embedding": pa.list_(pa.float32(), len(row["embedding"])),
        "nearest": pa.list_(pa.string()),
        "nearest_cosine": pa.list_(pa.float32()),
        **dict.fromkeys(("title_id", "title", "kind", "series_id"), pa.string()),
    }
    return pa.schema([(name, kinds.get(name, pa.float32())) for name in row])
