"""The arithmetic behind the pictures: self-similarity, its neighbours, and its limits."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

CELLS = 800
"""Cells to which a matrix is bounded; more than a screen shows, and 640 kB as bytes."""

_ROWS = 512  # rows of a product that are held at once


def pool(x_ND: Vectors, limit: int = CELLS) -> tuple[Vectors, npt.NDArray[np.int64]]:
    """Averages runs of neighbouring shots, so that at most ``limit`` are left.

    The product of two averages is the average of the products, so the matrix of the pooled rows
    is the block-wise mean of the matrix of all rows, which is never made.

    Args:
        x_ND: One row per shot.
        limit: Rows that may be left, at least 1.

    Returns:
        ``x_CD`` and the ``C + 1`` edges: cell ``c`` holds shots ``edges[c]`` to ``edges[c + 1]``.
    """
    count = len(x_ND)
    per_cell = max(1, -(-count // limit))
    edges = np.append(np.arange(0, count, per_cell), count).astype(np.int64)
    if per_cell == 1:
        return x_ND, edges
    sums_CD = np.add.reduceat(x_ND, edges[:-1], axis=0)
    return (sums_CD / np.diff(edges)[:, None]).astype(np.float32), edges


def over_time(x_ND: Vectors, times_N2: npt.NDArray[np.int64], cells: int) -> Vectors:
    """Averages shots over equal slices of time, each weighted by its part of the slice.

    Args:
        x_ND: One row per shot.
        times_N2: Start and end of every shot in microseconds, ordered by start.
        cells: Number of slices ``G`` between the first start and the last end.

    Returns:
        ``x_GD``; NaN in slices that no shot touches.
    """
    starts_N, ends_N = times_N2[:, 0], times_N2[:, 1]
    edges = np.linspace(starts_N.min(), ends_N.max(), cells + 1)
    reached_N = np.maximum.accumulate(ends_N)  # sorted, even where imported shots overlap
    first_G = np.searchsorted(reached_N, edges[:-1], side="right")
    last_G = np.searchsorted(starts_N, edges[1:], side="left")
    x_GD = np.full((cells, x_ND.shape[1]), np.nan, np.float32)
    for cell, (first, last) in enumerate(zip(first_G, last_G, strict=True)):
        part = slice(first, last)
        weight_S = np.minimum(ends_N[part], edges[cell + 1]) - np.maximum(
            starts_N[part], edges[cell]
        )
        weight_S = np.maximum(weight_S, 0)
        if (total := weight_S.sum()) > 0:
            x_GD[cell] = (weight_S / total) @ x_ND[part]
    return x_GD


def cosines(x_CD: Vectors) -> Vectors:
    """All products of unit rows, ``s_CC``, within -1 .. 1."""
    s_CC: Vectors = np.clip(x_CD @ x_CD.T, -1.0, 1.0, dtype=np.float32)
    return s_CC


def colour_limits(s_CC: Vectors) -> tuple[float, float]:
    """The cosines that get the first and the last colour.

    The diagonal is left out, since it is 1 whatever the film. The upper limit is high because
    scenes are blocks on the diagonal: a few per cent of the pairs, and what there is to see.

    Args:
        s_CC: A self-similarity matrix; NaN is left out.
    """
    away = s_CC[~np.eye(len(s_CC), dtype=bool)]
    away = away[np.isfinite(away)]
    if not len(away):
        return 0.0, 1.0
    low, high = (float(value) for value in np.percentile(away, (10.0, 98.5)))
    if high - low < 0.02:  # all alike, as two shots are: no contrast to be made of noise
        low, high = min(low, high - 0.02), max(high, low + 0.02)
    return low, high


def most_similar(
    x_ND: Vectors, count: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """The most similar other shots of each shot, best first.

    Args:
        x_ND: Unit rows.
        count: How many; fewer where the title is shorter.

    Returns:
        Shot indices and cosines, each ``(N, K)``.
    """
    shots = len(x_ND)
    count = min(count, shots - 1)
    index_NK = np.zeros((shots, count), np.int64)
    cosine_NK = np.zeros((shots, count), np.float32)
    for start in range(0, shots if count else 0, _ROWS):
        s_RN = np.clip(x_ND[start : start + _ROWS] @ x_ND.T, -1.0, 1.0)
        rows = np.arange(len(s_RN))
        s_RN[rows, start + rows] = -np.inf
        best_RK = np.argpartition(-s_RN, count - 1, axis=1)[:, :count]
        order = np.argsort(-np.take_along_axis(s_RN, best_RK, 1), axis=1, kind="stable")
        best_RK = np.take_along_axis(best_RK, order, 1)
        index_NK[start : start + _ROWS] = best_RK
        cosine_NK[start : start + _ROWS] = np.take_along_axis(s_RN, best_RK, 1)
    return index_NK, cosine_NK
