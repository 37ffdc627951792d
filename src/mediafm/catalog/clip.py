"""Clips in context: any span of a title, described by what is stored of its shots.

Shapes: N shots of a title, K shots that a span covers, H the width of an embedding.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from mediafm.errors import CatalogError
from mediafm.timeline import Clip, Cue, Shot, Span


class ClipSource(Protocol):
    """What a clip needs of its catalog."""

    def shots(self, title_id: str) -> list[Shot]:
        """The shots of a title."""

    def cues(self, title_id: str) -> list[Cue]:
        """The timed text of a title."""

    def embeddings(self, name: str | None, title_id: str) -> npt.NDArray[np.float32]:
        """Contextual embeddings of a title."""


@dataclass(frozen=True)
class CatalogClip:
    """A span of a title, as :meth:`Catalog.clip` gives it.

    Args:
        catalog: Where the title is.
        clip: The title and the span.
    """

    catalog: ClipSource
    clip: Clip

    def shots(self) -> list[Shot]:
        """The shots that the span covers, in part or whole."""
        shots = self.catalog.shots(self.clip.title_id)
        first, covered_K = shots_of(times_of(shots), self.clip.span)
        return shots[first : first + len(covered_K)]

    def cues(self) -> list[Cue]:
        """The timed text that shows within the span."""
        cues = self.catalog.cues(self.clip.title_id)
        return [cue for cue in cues if self.clip.span.touches(cue.span)]

    def embedding(self, version: str | None = None) -> npt.NDArray[np.float32]:
        """The clip in context: the mean of its shots' vectors from the pass over the title.

        Args:
            version: Name of the version; the current one by default.

        Returns:
            ``e_H``, unit-normed; each shot weighs as long as it is in the clip.

        Raises:
            CatalogError: There is no such version, or the title is not embedded in it.
        """
        e_NH = self.catalog.embeddings(version, self.clip.title_id)
        times_N2 = times_of(self.catalog.shots(self.clip.title_id))
        first, covered_K = shots_of(times_N2, self.clip.span)
        return pooled(e_NH[first : first + len(covered_K)], covered_K)


def unit(x_ND: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
    """Rows of length one; zero rows stay zero."""
    x_ND = np.asarray(x_ND, np.float32)
    norm_N1 = np.linalg.norm(x_ND, axis=1, keepdims=True)
    unit_ND: npt.NDArray[np.float32] = np.zeros_like(x_ND)
    np.divide(x_ND, norm_N1, out=unit_ND, where=norm_N1 > 1e-12)
    return unit_ND


def pooled(
    e_KH: npt.NDArray[np.float32], weight_K: npt.NDArray[np.float64]
) -> npt.NDArray[np.float32]:
    """The weighted mean of vectors, unit-normed.

    Args:
        e_KH: Vectors.
        weight_K: Their weights, one above 0 at least.

    Returns:
        ``e_H``.
    """
    mean_H = (weight_K / weight_K.sum()) @ e_KH
    unit_H: npt.NDArray[np.float32] = (mean_H / max(float(np.linalg.norm(mean_H)), 1e-12)).astype(
        np.float32
    )
    return unit_H


def times_of(shots: list[Shot]) -> npt.NDArray[np.int64]:
    """Start and end of shots, ``(N, 2)`` microseconds."""
    pairs = [(shot.span.start, shot.span.end) for shot in shots]
    return np.array(pairs, np.int64).reshape(-1, 2)


def shots_of(times_N2: npt.NDArray[np.int64], span: Span) -> tuple[int, npt.NDArray[np.float64]]:
    """The shots that a span covers.

    Args:
        times_N2: Start and end of the shots, microseconds, in order.
        span: The span.

    Returns:
        The first shot, and how much of each shot from it on lies in the span, microseconds.

    Raises:
        CatalogError: It covers none.
    """
    first = int(np.searchsorted(times_N2[:, 1], span.start, side="right"))
    last = int(np.searchsorted(times_N2[:, 0], span.end, side="left"))
    own_K2 = times_N2[first:last]
    covered_K = np.minimum(own_K2[:, 1], span.end) - np.maximum(own_K2[:, 0], span.start)
    if not len(own_K2) or not covered_K.sum():
        raise CatalogError(f"no shot lies in {span}")
    return first, covered_K.astype(np.float64)
