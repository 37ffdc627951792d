"""Shots that are like a shot, by the cosine of their contextual embeddings."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import Literal

import numpy as np

from mediafm.catalog import Catalog
from mediafm.catalog.fused import CatalogFusion
from mediafm.errors import MediaFMError
from mediafm.timeline import Shot, Span, format_time, parse_time

Features = Literal["context", "fused"]


@dataclass(frozen=True, slots=True, order=True)
class Hit:
    """A shot that was found.

    Args:
        score: Cosine with the query, -1 .. 1.
        title_id: Its title.
        shot: Its number.
        span: Its time.
    """

    score: float
    title_id: str
    shot: int
    span: Span


def parse_place(text: str) -> tuple[str, int]:
    """Reads a place in a catalog as a user types it.

    Args:
        text: ``TITLE@00:03:10`` or ``TITLE@190.5``; without a time, the beginning.

    Returns:
        The title's id and microseconds.

    Raises:
        MediaFMError: There is no time after the ``@``.
    """
    title_id, at, time = text.rpartition("@")
    return (title_id, parse_time(time)) if at else (text, 0)


def shot_at(catalog: Catalog, title_id: str, time: int) -> Shot:
    """The shot that is on screen at a time.

    Args:
        catalog: The catalog.
        title_id: The title.
        time: Microseconds.

    Raises:
        CatalogError: There is no such title.
        MediaFMError: The title is not that long.
    """
    shots = catalog.shots(title_id)
    if not shots:
        raise MediaFMError("the title has no shots", where=title_id)
    for shot in shots:
        if shot.span.contains(time):
            return shot
    raise MediaFMError(
        f"there is no shot at {format_time(time)}; the title runs from "
        f"{format_time(shots[0].span.start)} to {format_time(shots[-1].span.end)}",
        where=title_id,
    )


def similar(
    catalog: Catalog,
    title_id: str,
    time: int,
    count: int = 10,
    *,
    version: str | None = None,
    features: Features = "context",
    elsewhere: bool = False,
) -> tuple[Shot, list[Hit]]:
    """Finds the shots most similar to the one on screen at a time.

    Every shot of the catalog is compared, title by title.

    Args:
        catalog: The catalog.
        title_id: The title of the query.
        time: When, microseconds.
        count: How many to find.
        version: Name of the embeddings' version; the current one by default.
        features: ``context`` compares contextual embeddings, ``fused`` what the encoders say of
            each shot alone (:class:`~mediafm.catalog.fused.CatalogFusion`).
        elsewhere: Leave out the query's own title.

    Returns:
        The shot asked about and the hits, best first, without it.

    Raises:
        CatalogError: There is no such title or version, or the title is not embedded in it.
    """
    shot = shot_at(catalog, title_id, time)
    if features == "fused":
        fusion = CatalogFusion.of(catalog, title_id)
        query_H = fusion(next(catalog.title_features([title_id])))[shot.index]
        vectors = ((title.title_id, fusion(title)) for title in catalog.title_features())
    else:
        query_H = catalog.embeddings(version, title_id)[shot.index]
        vectors = ((title.title_id, x_NH) for title, x_NH in catalog.iter_embeddings(version))
    best: list[tuple[float, str, int]] = []
    for name, x_NH in vectors:
        own = name == title_id
        if own and elsewhere:
            continue
        scores_N = x_NH @ query_H
        if own:
            scores_N[shot.index] = -np.inf
        for index in np.argsort(-scores_N)[:count].tolist():
            if np.isfinite(scores_N[index]):
                best.append((float(scores_N[index]), name, index))
        best = heapq.nlargest(count, best)
    spans = {name: catalog.shots(name) for name in {hit[1] for hit in best}}
    return shot, [Hit(s, name, i, spans[name][i].span) for s, name, i in best]
