"""What shots are compared by: their embeddings in context, or what encoders say of each alone.

Shapes: N shots of a title, F the width of a vector.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from mediafm.catalog import Catalog
from mediafm.catalog.fused import CatalogFusion
from mediafm.catalog.nearest import Near
from mediafm.errors import MediaFMError

Vectors = npt.NDArray[np.float32]
Vector = npt.NDArray[np.float32]

CONTEXT, FUSED = "context", "fused"


class Space(Protocol):
    """A way to describe shots, by unit vectors."""

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

    Every shot is compared: the vectors depend on a mean over the catalog, and are not stored.

    Args:
        catalog: The catalog.
        title_id: A title that the means are taken over for certain.
        modalities: Which; all by default.
    """

    def __init__(self, catalog: Catalog, title_id: str, modalities: Sequence[str] | None = None):
        self.catalog = catalog
        self.fusion = CatalogFusion.of(catalog, title_id, modalities)

    def title(self, title_id: str) -> Vectors:
        """See :class:`Space`."""
        [(_, x_NF)] = self.each([title_id])
        return x_NF

    def each(self, titles: Sequence[str] | None) -> Iterator[tuple[str, Vectors]]:
        """See :class:`Space`."""
        for title in self.catalog.title_features(titles, self.fusion.modalities):
            yield title.title_id, self.fusion(title)

    def nearest(self, query_F: Vector, count: int, titles: Sequence[str] | None) -> list[Near]:
        """See :class:`Space`."""
        best: list[Near] = []
        for name, x_NF in self.each(titles):
            score_N = np.where(x_NF.any(axis=1), x_NF @ query_F, -np.inf)
            order = np.argsort(-score_N, kind="stable")[:count]
            own = [Near(name, int(i), float(score_N[i])) for i in order if score_N[i] > -np.inf]
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
