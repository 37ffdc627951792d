"""What shots are compared by: their embeddings in context, or what encoders say of each alone.

Shapes: N shots of a title, F the width of a vector.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from mediafm.catalog import Catalog, indexes
from mediafm.catalog.fused import CatalogFusion, fuse
from mediafm.catalog.nearest import Near
from mediafm.errors import MediaFMError, StaleError

Vectors = npt.NDArray[np.float32]
Vector = npt.NDArray[np.float32]

CONTEXT, FUSED = "context", "fused"

_DEPTH = 10
"""Nearest shots by each modality that are ranked, as a multiple of the root of all shots.

Many, for two reasons: an index compares what is stored, mean and all; and shots that are the best
by all modalities together are seldom among the first by one. Of the ten best of 100,000 and
of 200,000 shots .955 to 1 are found (``benchmarks/search_alone.py``).
"""

_NARROW = 64
"""Numbers per shot up to which all shots are compared: they are quickly read."""

_FLAT = 8.0
"""Directions that shots spread over, of all modalities together, up to which all are compared,
however wide vectors are: in few, directions from the mean lie so dense that the nearest by what is
stored are others. With 2.4 the indexes find half of the ten best, with 10 nearly all
(``benchmarks/search_alone.py``)."""

_AT_ONCE = 8192  # shots whose features are held at once


class Space(Protocol):
    """A way to describe shots, by unit vectors.

    Attributes:
        whole: The fusion of all modalities, where the space has made it.
    """

    whole: CatalogFusion | None

    def title(self, title_id: str) -> Vectors:
        """The vectors ``x_NF`` of a title's shots; zeros for a shot of which nothing is known."""

    def each(self, titles: Sequence[str] | None) -> Iterator[tuple[str, Vectors]]:
        """Titles and the vectors of their shots; those without are left out."""

    def nearest(self, query_F: Vector, count: int, titles: Sequence[str] | None) -> list[Near]:
        """Shots whose vectors point most nearly where a query does, best first."""


class Context:
    """Contextual embeddings of a version.

    Args:
        catalog: The catalog.
        version: Its name; the current one by default.
    """

    def __init__(self, catalog: Catalog, version: str | None = None):
        self.catalog, self.version = catalog, catalog.version(version).name
        self.whole: CatalogFusion | None = None

    def title(self, title_id: str) -> Vectors:
        """See :class:`Space`."""
        return self.catalog.embeddings(self.version, title_id)

    def each(self, titles: Sequence[str] | None) -> Iterator[tuple[str, Vectors]]:
        """See :class:`Space`."""
        for title, x_NH in self.catalog.iter_embeddings(self.version, titles):
            yield title.title_id, x_NH

    def nearest(self, query_F: Vector, count: int, titles: Sequence[str] | None) -> list[Near]:
        """See :class:`Space`."""
        return self.catalog.nearest(query_F, count, version=self.version, titles=titles)


class Alone:
    """Features of each shot alone: of all modalities, or of some.

    The vectors depend on a mean over the catalog, and are not stored. Of up to
    :data:`~mediafm.catalog.indexes.EXACT` shots all are compared; of more, those whose stored
    features of one modality at least are near, by its index. Features that are narrow or spread
    over few directions are all compared.

    Args:
        catalog: The catalog.
        title_id: A title that the means are taken over for certain.
        modalities: Which; all by default.
    """

    def __init__(self, catalog: Catalog, title_id: str, modalities: Sequence[str] | None = None):
        self.catalog = catalog
        # Of all: whoever explains what is found asks for the other means next.
        self.whole: CatalogFusion | None = CatalogFusion.of(catalog, title_id)
        self.fusion = self.whole if modalities is None else self.whole.only(modalities)

    def title(self, title_id: str) -> Vectors:
        """See :class:`Space`."""
        for _, x_NF in self.each([title_id]):
            return x_NF
        raise StaleError("the title was removed", where=title_id, do="open the catalog again")

    def each(self, titles: Sequence[str] | None) -> Iterator[tuple[str, Vectors]]:
        """See :class:`Space`."""
        for title in self.catalog.title_features(titles, self.fusion.modalities):
            yield title.title_id, self.fusion(title)

    def nearest(self, query_F: Vector, count: int, titles: Sequence[str] | None) -> list[Near]:
        """See :class:`Space`."""
        width = sum(map(len, self.fusion.means.values()))
        wide = width > _NARROW and sum(self.fusion.directions.values()) > _FLAT
        if wide and shots_in(self.catalog, titles) > indexes.EXACT:
            best = _best(count, self._candidates(query_F, count, titles), query_F)
            if len(best) == count:
                return best
        everything = (
            ([(name, i) for i in range(len(x_NF))], x_NF) for name, x_NF in self.each(titles)
        )
        return _best(count, everything, query_F)

    def _candidates(
        self, query_F: Vector, count: int, titles: Sequence[str] | None
    ) -> Iterator[tuple[list[tuple[str, int]], Vectors]]:
        """Shots that are near by the stored features of a modality, and their vectors."""
        # Titles are told apart afterwards: the index cannot, and would be asked again and again.
        within = {t.title_id for t in self.catalog.titles()} if titles is None else set(titles)
        shots = shots_in(self.catalog, titles)
        share = shots / shots_in(self.catalog, None)
        number = int(max(count, _DEPTH * math.sqrt(shots)) / share)
        found: set[tuple[str, int]] = set()
        for modality, x_D in self.fusion.stored(query_F).items():
            near = self.catalog.nearest_features(modality, x_D, number)
            found |= {(name, shot) for name, shot, _ in near if name in within}
        ordered = sorted(found)
        for start in range(0, len(ordered), _AT_ONCE):
            some = ordered[start : start + _AT_ONCE]
            features, present = self.catalog.shot_features(some, self.fusion.modalities)
            yield some, fuse(features, present, self.fusion.means)


def shots_in(catalog: Catalog, titles: Sequence[str] | None) -> int:
    """How many shots titles have; all titles by default."""
    wanted = None if titles is None else set(titles)
    return sum(t.shots for t in catalog.titles() if wanted is None or t.title_id in wanted)


def _best(
    count: int, parts: Iterable[tuple[list[tuple[str, int]], Vectors]], query_F: Vector
) -> list[Near]:
    best: list[Near] = []
    for shots, x_NF in parts:
        score_N = np.where(x_NF.any(axis=1), x_NF @ query_F, -np.inf)
        order = np.argsort(-score_N, kind="stable")[:count]
        shown = [i for i in order.tolist() if score_N[i] > -np.inf]
        own = [Near(shots[i][0], shots[i][1], float(score_N[i])) for i in shown]
        best = heapq.nlargest(count, [*best, *own], key=lambda near: near.cosine)
    return best


def space_of(
    catalog: Catalog, features: str, title_id: str, version: str | None = None
) -> Context | Alone:
    """The space that a user names.

    Args:
        catalog: The catalog.
        features: ``context``; ``fused`` for all encoders' features; or one modality.
        title_id: The title of the query.
        version: Of the contextual embeddings; the current one by default.

    Raises:
        MediaFMError: There are no such features, or a version is named that they do not depend on.
        CatalogError: There is no such version.
    """
    if features == CONTEXT:
        return Context(catalog, version)
    known = [FUSED, *catalog.encoders()]
    if features not in known:
        raise MediaFMError(
            f"there are no features '{features}'", do=f"choose {' or '.join([CONTEXT, *known])}"
        )
    if version is not None:
        raise MediaFMError(f"features '{features}' are the same for every version")
    return Alone(catalog, title_id, None if features == FUSED else [features])
