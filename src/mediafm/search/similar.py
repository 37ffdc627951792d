"""Shots, clips and titles that are like one, by the cosine of their vectors.

Shapes: N shots of a title, K shots of a clip, W windows, F the width of a vector.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from mediafm.catalog import Catalog, indexes
from mediafm.catalog.clip import pooled, shots_of, times_of, unit
from mediafm.errors import CatalogError, MediaFMError
from mediafm.search.explain import why
from mediafm.search.filters import EVERYWHERE, Filter
from mediafm.search.spaces import CONTEXT, Context, Space, Vector, Vectors, shots_in, space_of
from mediafm.timeline import Clip, Shot, Span, format_time, parse_time

_CANDIDATES = 50
"""Nearest shots in whose titles similar clips are looked for, per clip that is wanted."""


@dataclass(frozen=True, slots=True, order=True)
class Hit:
    """What was found: a shot, a clip or a title.

    Args:
        score: Cosine with the query, -1 .. 1.
        title_id: Its title.
        shot: The number of its first shot.
        span: Its time.
        because: Modality to the cosine of what its encoder alone says of both, without what it
            says of everything; modalities that one of the two lacks are left out.
        text: What is said in it.
    """

    score: float
    title_id: str
    shot: int
    span: Span
    because: dict[str, float] = field(default_factory=dict, compare=False)
    text: str = field(default="", compare=False)


def parse_clip(text: str) -> tuple[str, int, int | None]:
    """Reads a clip or a place.

    Args:
        text: ``TITLE@3:10-3:24``, or ``TITLE@3:10``.

    Returns:
        The title's id, the start and the end, microseconds; no end for a place.

    Raises:
        MediaFMError: There is no time after the ``@``, or none after the dash.
    """
    title_id, at, times = text.rpartition("@")
    if not at:
        raise MediaFMError(f"'{text}' names no time", do="write TITLE@3:10 or TITLE@3:10-3:24")
    start, dash, end = times.partition("-")
    if not start or (dash and not end):
        raise MediaFMError(f"'{times}' lacks a time", do="write TITLE@3:10 or TITLE@3:10-3:24")
    return title_id, parse_time(start), parse_time(end) if dash else None


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
    features: str = CONTEXT,
    elsewhere: bool = False,
    where: Filter = EVERYWHERE,
) -> tuple[Shot, list[Hit]]:
    """Finds the shots most similar to the one on screen at a time.

    Args:
        catalog: The catalog.
        title_id: The title of the query.
        time: When, microseconds.
        count: How many to find.
        version: Name of the embeddings' version; the current one by default.
        features: ``context`` compares contextual embeddings; ``fused`` what the encoders say of
            each shot alone (:class:`~mediafm.catalog.fused.CatalogFusion`); a modality what its
            encoder alone does.
        elsewhere: Leave out the query's own title.
        where: Where to look.

    Returns:
        The shot asked about and the hits, best first, without it.

    Raises:
        CatalogError: There is no such title or version, or the title is not embedded in it.
    """
    shot = shot_at(catalog, title_id, time)
    space = space_of(catalog, features, title_id, version)
    query_F = _known(space.title(title_id)[shot.index], title_id, shot.span, features)
    within = where.within(catalog, without=[title_id] if elsewhere else ())
    found: list[Hit] = []
    number = count + 1
    while True:
        near = space.nearest(query_F, number, within)
        found = []
        for name, index, cosine in near:
            if (name, index) == (title_id, shot.index):
                continue
            span = _span(catalog, name, index)
            if span is not None and where.holds(span):
                found.append(Hit(cosine, name, index, span))
        if len(found) >= count or len(near) < number:
            break
        number *= 4  # a part of each title is left out, or titles were removed meanwhile
    return shot, why(catalog, Clip(title_id, shot.span), found[:count], fusion=space.whole)


def similar_clips(
    catalog: Catalog,
    title_id: str,
    span: Span,
    count: int = 10,
    *,
    version: str | None = None,
    features: str = CONTEXT,
    elsewhere: bool = False,
    where: Filter = EVERYWHERE,
) -> list[Hit]:
    """Finds clips like a clip: of whole shots, about as long, none overlapping another.

    A clip is the mean of its shots' vectors, each as long as it lasts, as
    :meth:`~mediafm.catalog.clip.CatalogClip.embedding`. Every run of shots of a title that is
    nearest to the length asked for is one that may be found.

    Args:
        catalog: The catalog.
        title_id: The title of the query.
        span: Its part.
        count: How many to find.
        version: Name of the embeddings' version; the current one by default.
        features: See :func:`similar`.
        elsewhere: Leave out the query's own title.
        where: Where to look.

    Raises:
        CatalogError: There is no such title, version or span.
    """
    span = catalog.clip(title_id, span.start, span.end).clip.span
    space = space_of(catalog, features, title_id, version)
    first, covered_K = shots_of(times_of(catalog.shots(title_id)), span)
    own_KF = space.title(title_id)[first : first + len(covered_K)]
    query_F = _known(pooled(own_KF, covered_K), title_id, span, features)
    within = where.within(catalog, without=[title_id] if elsewhere else ())
    if shots_in(catalog, within) > indexes.EXACT:
        # Where the shots that are most like the clip are.
        near = space.nearest(query_F, _CANDIDATES * count, within)
        within = sorted({found.title_id for found in near})
    best: list[Hit] = []
    for name, x_NF in space.each(within):
        shots = _shots_of(catalog, name)
        if len(shots) != len(x_NF):
            continue  # removed meanwhile
        taken = [span] if name == title_id else []
        for score, start, end in _windows(x_NF, times_of(shots), query_F, span.duration):
            window = Span(shots[start].span.start, shots[end - 1].span.end)
            if where.holds(window) and not any(window.overlap(other) for other in taken):
                taken.append(window)
                best.append(Hit(score, name, start, window))
                if len(taken) > count:
                    break
        best = heapq.nlargest(count, best, key=lambda hit: hit.score)
    return why(catalog, Clip(title_id, span), best, fusion=space.whole)


def similar_titles(
    catalog: Catalog,
    title_id: str,
    count: int = 10,
    *,
    version: str | None = None,
    features: str = CONTEXT,
    where: Filter = EVERYWHERE,
) -> list[Hit]:
    """Finds titles like a title: by the mean of their shots' vectors, each as long as it lasts.

    The mean over all titles is taken off first: what all have in common says nothing.

    Args:
        catalog: The catalog.
        title_id: The title.
        count: How many to find.
        version: Name of the embeddings' version; the current one by default.
        features: See :func:`similar`.
        where: Which titles to look at.

    Raises:
        CatalogError: There is no such title or version, or the title is not embedded in it.
    """
    space = space_of(catalog, features, title_id, version)
    space.title(title_id)  # says what is wrong with it
    vectors = TitleVectors.over(catalog, space)
    if title_id not in vectors:
        raise CatalogError(
            f"nothing is known of it by {features}", where=title_id, do="compare by other features"
        )
    within = where.within(catalog)
    near = vectors.nearest(title_id, count, within=within)
    found = [Hit(score, name, 0, _whole(catalog, name)) for score, name in near]
    own = Clip(title_id, _whole(catalog, title_id))
    return why(catalog, own, found, fusion=space.whole, cues=False)


@dataclass(frozen=True, slots=True)
class TitleVectors:
    """One vector per title, to compare titles by.

    Args:
        names: The titles.
        x_TF: The mean of each one's shots, each as long as it lasts, without the mean of all
            titles where there are more than two; unit rows.
        rows: The row of each title.
    """

    names: list[str]
    x_TF: Vectors
    rows: dict[str, int]

    def __contains__(self, title_id: str) -> bool:
        return title_id in self.rows

    @classmethod
    def of(cls, catalog: Catalog, version: str | None = None) -> TitleVectors:
        """Those of all titles that are embedded in a version, the current one by default.

        Raises:
            CatalogError: There is no such version.
        """
        return cls.over(catalog, Context(catalog, version))

    @classmethod
    def over(cls, catalog: Catalog, space: Space) -> TitleVectors:
        """Those of all titles in a space."""
        names: list[str] = []
        vectors: list[Vector] = []
        for name, x_NF in space.each(None):
            times_N2 = times_of(_shots_of(catalog, name))
            if not x_NF.any() or len(times_N2) != len(x_NF):
                continue  # nothing is known of it, or it was removed meanwhile
            names.append(name)
            vectors.append(pooled(x_NF, (times_N2[:, 1] - times_N2[:, 0]).astype(np.float64)))
        x_TF = np.stack(vectors) if vectors else np.zeros((0, 0), np.float32)
        if len(names) > 2:
            x_TF = x_TF - x_TF.mean(axis=0)
        return cls(names, unit(x_TF), {name: row for row, name in enumerate(names)})

    def nearest(
        self, title_id: str, count: int, *, within: Sequence[str] | None = None
    ) -> list[tuple[float, str]]:
        """Cosine and name of the titles nearest to one of them, best first, without it.

        Args:
            title_id: The title.
            count: How many.
            within: Which titles may be found; all by default.
        """
        score_T = self.x_TF @ self.x_TF[self.rows[title_id]]
        score_T[self.rows[title_id]] = -np.inf
        if within is not None:
            allowed = [self.rows[name] for name in within if name in self.rows]
            score_T[np.setdiff1d(np.arange(len(score_T)), allowed)] = -np.inf
        order = np.argsort(-score_T, kind="stable")[:count].tolist()
        return [(float(score_T[t]), self.names[t]) for t in order if score_T[t] > -np.inf]


def _windows(
    x_NF: Vectors, times_N2: npt.NDArray[np.int64], query_F: Vector, duration: int
) -> list[tuple[float, int, int]]:
    """Runs of shots of about a length, best first.

    Returns:
        Cosine with the query, first shot, first shot after.
    """
    length_N = times_N2[:, 1] - times_N2[:, 0]
    # From every shot on, as many shots as come nearest to the length.
    ends_N = np.searchsorted(times_N2[:, 1], times_N2[:, 0] + duration, side="left")
    ends_N = np.minimum(ends_N, len(x_NF) - 1)
    over_N = times_N2[ends_N, 1] - times_N2[:, 0] - duration
    under_N = times_N2[:, 0] + duration - times_N2[np.maximum(ends_N - 1, 0), 1]
    ends_N = np.where((under_N < over_N) & (ends_N > np.arange(len(x_NF))), ends_N, ends_N + 1)
    sum_NF = np.concatenate([np.zeros_like(x_NF[:1]), x_NF * length_N[:, None] / 1e6])
    sum_NF = np.cumsum(sum_NF, axis=0, dtype=np.float64)
    mean_WF = sum_NF[ends_N] - sum_NF[:-1]
    norm_W = np.linalg.norm(mean_WF, axis=1)
    score_W = np.where(norm_W > 1e-9, mean_WF @ query_F / np.maximum(norm_W, 1e-9), -np.inf)
    # What the end of the title cuts short is no clip like it, unless the title is no longer.
    lasts_W = times_N2[ends_N - 1, 1] - times_N2[:, 0]
    least = min(duration, int(lasts_W.max())) / 2
    score_W[lasts_W < least] = -np.inf
    order = np.argsort(-score_W, kind="stable")
    return [(float(score_W[w]), int(w), int(ends_N[w])) for w in order if score_W[w] > -np.inf]


def _known(query_F: Vector, title_id: str, span: Span, features: str) -> Vector:
    if not query_F.any():
        raise CatalogError(
            f"nothing is known of {span} by {features}",
            where=title_id,
            do="compare by other features, or name another part of it",
        )
    return query_F


def _shots_of(catalog: Catalog, title_id: str) -> list[Shot]:
    """The shots of a title; none where it was removed meanwhile."""
    try:
        return catalog.shots(title_id)
    except CatalogError:
        if catalog.find(title_id) is None:
            raise
        return []


def _span(catalog: Catalog, title_id: str, shot: int) -> Span | None:
    shots = _shots_of(catalog, title_id)
    return shots[shot].span if shot < len(shots) else None


def _whole(catalog: Catalog, title_id: str) -> Span:
    shots = _shots_of(catalog, title_id)
    return Span(shots[0].span.start, shots[-1].span.end) if shots else Span(0, 0)
