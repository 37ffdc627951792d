"""Two versions over the same shots: how many of a shot's nearest neighbours they have in common.

Shapes: Q shots that are asked about, N shots of a title, K neighbours, H the width of a version.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mediafm.catalog import Catalog, TitleRecord
from mediafm.catalog.clip import unit
from mediafm.errors import CatalogError, MediaFMError
from mediafm.search import Hit
from mediafm.search.explain import why
from mediafm.timeline import Clip

SAMPLE = 2000
"""Shots that are asked about: of more, as many drawn by a fixed seed. The share of neighbours in
common over all shots is known within a hundredth then."""

CHANGED = 12
"""Shots whose neighbours are shown."""

_PER_TITLE = 2  # of them: the most changed shots of one title are often one scene

_SHOT_BITS = 32
_TOGETHER = 4096  # shots of a title that are compared at a time, however long it is

Scores = npt.NDArray[np.float32]
Shares = npt.NDArray[np.float64]
Place = tuple[str, int]
"""A title, and the number of its shot."""


@dataclass(frozen=True, slots=True)
class Changed:
    """A shot, and its neighbours in either version.

    Args:
        query: The shot.
        overlap: Share of the neighbours in common.
        a: Its neighbours in the one, nearest first.
        b: In the other.
    """

    query: Hit
    overlap: float
    a: list[Hit]
    b: list[Hit]


@dataclass(frozen=True, slots=True)
class Comparison:
    """How alike two versions are.

    Args:
        shots: How many were asked about.
        of: How many both versions have.
        k: Neighbours of each.
        overlap: Mean share of the neighbours in common.
        error: Half the width of its 95 % interval, over titles; 0 for a single title.
        by_title: Title, share and shots asked about; the lowest first.
        changed: The most changed shots.
        left_out: Titles that one of the versions lacks.
    """

    shots: int
    of: int
    k: int
    overlap: float
    error: float
    by_title: list[tuple[str, float, int]]
    changed: list[Changed]
    left_out: int


def compare(
    catalog: Catalog,
    a: str,
    b: str,
    *,
    title_id: str | None = None,
    count: int = 10,
    elsewhere: bool = False,
    sample: int = SAMPLE,
) -> Comparison:
    """Compares what two versions hold to be near.

    Args:
        catalog: The catalog.
        a: The one version.
        b: The other.
        title_id: Ask about shots of this title only; their neighbours may be anywhere.
        count: Neighbours of each shot.
        elsewhere: Leave out neighbours of the shot's own title.
        sample: Most shots to ask about.

    Raises:
        CatalogError: There is no such version.
        MediaFMError: They have no shots in common, or too few.
    """
    both = catalog.embedded_ingests(a) & catalog.embedded_ingests(b)
    titles = [title for title in catalog.titles() if title.shots and title.ingest_id in both]
    lacking = sum(title.shots > 0 for title in catalog.titles()) - len(titles)
    asked = [t for t in titles if title_id is None or t.title_id == title_id]
    if not asked:
        raise MediaFMError(
            f"versions '{a}' and '{b}' have no shots in common", where=title_id,
            do="bring both up to date with `mediafm embed`",
        )  # fmt: skip
    places = _sample(asked, sample)
    near = {name: _nearest(catalog, name, titles, places, count, elsewhere) for name in (a, b)}
    share_Q = _shares(near[a], near[b])
    known_Q = np.flatnonzero(~np.isnan(share_Q))
    if not len(known_Q):
        raise MediaFMError("there is one shot only: it has no neighbours", where=title_id)
    by_title: dict[str, list[float]] = defaultdict(list)
    for q in known_Q.tolist():
        by_title[places[q][0]].append(float(share_Q[q]))
    means = [(name, float(np.mean(shares)), len(shares)) for name, shares in by_title.items()]
    error = 0.0
    if len(means) > 1:  # shots of a title are not independent
        weight_T = np.array([shots for *_, shots in means]) / len(known_Q)
        gap_T = np.array([mean for _, mean, _ in means]) - share_Q[known_Q].mean()
        spread = (weight_T**2 * gap_T**2).sum() * len(means) / (len(means) - 1)
        error = 1.96 * float(np.sqrt(spread))
    changed = [
        _changed(catalog, places[q], float(share_Q[q]), near[a][q], near[b][q])
        for q in _most_changed(places, share_Q, near[a], near[b])
    ]
    return Comparison(
        shots=len(known_Q),
        of=sum(title.shots for title in asked),
        k=min(count, max(len(found) for found in near[a])),
        overlap=float(share_Q[known_Q].mean()),
        error=error,
        by_title=sorted(means, key=lambda row: (row[1], row[0])),
        changed=[one for one in changed if one is not None],
        left_out=lacking,
    )


def _sample(titles: list[TitleRecord], most: int) -> list[Place]:
    """All shots of titles, or as many drawn at random: in order either way."""
    all_shots = sum(title.shots for title in titles)
    drawn = np.arange(all_shots)
    if all_shots > most:
        drawn = np.sort(np.random.default_rng(0).choice(all_shots, most, replace=False))
    ends = np.cumsum([title.shots for title in titles])
    which = np.searchsorted(ends, drawn, side="right")
    return [
        (titles[t].title_id, int(i - ends[t] + titles[t].shots))
        for t, i in zip(which.tolist(), drawn.tolist(), strict=True)
    ]


def _nearest(
    catalog: Catalog,
    version: str,
    titles: list[TitleRecord],
    places: list[Place],
    count: int,
    elsewhere: bool,
) -> list[dict[Place, float]]:
    """The nearest shots of some, without themselves, nearest first, with their cosines.

    All are compared, in bounded memory: an index would find others in the one version than in the
    other. Shots without a direction have no neighbours and are nobody's.
    """
    rows: dict[str, list[int]] = defaultdict(list)
    for q, (name, _) in enumerate(places):
        rows[name].append(q)
    ids = [title.title_id for title in titles]
    number = {name: t for t, name in enumerate(ids)}
    query_QH = np.zeros((len(places), catalog.version(version).dim), np.float32)
    for title, x_NH in catalog.iter_embeddings(version, list(rows)):
        own = rows[title.title_id]
        query_QH[own] = unit(x_NH[[places[q][1] for q in own]])
    score_QK = np.full((len(places), 0), -np.inf, np.float32)
    found_QK = np.zeros((len(places), 0), np.int64)  # title and shot in one number
    for title, stored_NH in catalog.iter_embeddings(version, ids):
        for first in range(0, len(stored_NH), _TOGETHER):
            x_NH = unit(stored_NH[first : first + _TOGETHER])
            score_QN = query_QH @ x_NH.T
            score_QN[:, ~x_NH.any(axis=1)] = -np.inf
            for q in rows.get(title.title_id, []):
                if elsewhere:
                    score_QN[q] = -np.inf
                elif first <= places[q][1] < first + len(x_NH):
                    score_QN[q, places[q][1] - first] = -np.inf
            found_N = (number[title.title_id] << _SHOT_BITS) + first + np.arange(len(x_NH))
            score_QK, found_QK = _best(
                np.concatenate([score_QK, score_QN], axis=1),
                np.concatenate([found_QK, np.broadcast_to(found_N, score_QN.shape)], axis=1),
                count,
            )
    order_QK = np.argsort(-score_QK, axis=1, kind="stable")
    near: list[dict[Place, float]] = []
    for q, order_K in enumerate(order_QK):
        pairs = zip(found_QK[q, order_K].tolist(), score_QK[q, order_K].tolist(), strict=True)
        shown = [(found, score) for found, score in pairs if score > -np.inf]
        mask = (1 << _SHOT_BITS) - 1
        near.append({(ids[f >> _SHOT_BITS], f & mask): s for f, s in shown})
        if not query_QH[q].any():
            near[-1] = {}
    return near


def _best(
    score_QN: Scores, found_QN: npt.NDArray[np.int64], count: int
) -> tuple[Scores, npt.NDArray[np.int64]]:
    """The highest of each row, in any order."""
    if score_QN.shape[1] <= count:
        return score_QN, found_QN
    best_QK = np.argpartition(score_QN, -count, axis=1)[:, -count:]
    return np.take_along_axis(score_QN, best_QK, 1), np.take_along_axis(found_QN, best_QK, 1)


def _shares(one: list[dict[Place, float]], other: list[dict[Place, float]]) -> Shares:
    """Share of neighbours in common; NaN where a shot has none in either version."""
    share_Q = np.full(len(one), np.nan)
    for q, (own, its) in enumerate(zip(one, other, strict=True)):
        if own or its:
            share_Q[q] = len(own.keys() & its.keys()) / max(len(own), len(its))
    return share_Q


def _most_changed(
    places: list[Place],
    share_Q: Shares,
    one: list[dict[Place, float]],
    other: list[dict[Place, float]],
) -> list[int]:
    """Shots with the fewest neighbours in common; among equals those that both are surest of."""

    def sure(q: int) -> float:
        return sum(sum(near[q].values()) / max(len(near[q]), 1) for near in (one, other))

    ordered = sorted(np.flatnonzero(share_Q < 1).tolist(), key=lambda q: (share_Q[q], -sure(q)))
    taken: dict[str, int] = defaultdict(int)
    titles = len({name for name, _ in places})
    most = _PER_TITLE if titles * _PER_TITLE >= CHANGED else CHANGED
    shown = []
    for q in ordered:
        taken[places[q][0]] += 1
        if taken[places[q][0]] <= most:
            shown.append(q)
    return shown[:CHANGED]


def _changed(
    catalog: Catalog,
    place: Place,
    share: float,
    one: dict[Place, float],
    other: dict[Place, float],
) -> Changed | None:
    """The shot and its neighbours, with what speaks for them; nothing of titles just removed."""
    try:
        span = catalog.shots(place[0])[place[1]].span
        hits = [
            [Hit(score, n, shot, catalog.shots(n)[shot].span) for (n, shot), score in near.items()]
            for near in (one, other)
        ]
        query = Clip(place[0], span)
        own = why(catalog, query, [Hit(1.0, place[0], place[1], span)])[0]
        told = why(catalog, query, [*hits[0], *hits[1]])
    except (CatalogError, IndexError):
        return None
    return Changed(own, share, told[: len(hits[0])], told[len(hits[0]) :])
