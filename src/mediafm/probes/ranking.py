"""How well scores rank the clips of a title.

Shapes: T titles with K clips each.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

_CELLS = 1 << 20
"""Pairs of clips that are compared at once, of which a handful of arrays are alive."""


def kendall_tau(truth_TK: Array, score_TK: Array) -> Array:
    """Kendall's tau-b of each title (Kendall 1945, "The treatment of ties in ranking problems").

    Args:
        truth_TK: Rate of each clip.
        score_TK: Score of each clip.

    Returns:
        ``(T,)``, from -1 to 1; 0 where all scores are tied, since such a head ranks nothing; NaN
        where the truth has no order: fewer than two clips, or all rates equal.
    """
    titles, clips = truth_TK.shape
    agreement, ordered, ranked = np.zeros((3, titles * clips), dtype=np.int64)
    step = max(1, _CELLS // max(clips, 1))
    for begin in range(0, titles * clips, step):
        some = slice(begin, begin + step)
        truth, score = (_above(x_TK, some) for x_TK in (truth_TK, score_TK))
        agreement[some] = (truth * score).sum(axis=1, dtype=np.int64)
        ordered[some] = np.count_nonzero(truth, axis=1)
        ranked[some] = np.count_nonzero(score, axis=1)
    # All three count every pair of clips twice.
    agreement_T, ordered_T, ranked_T = (
        count.reshape(titles, clips).sum(axis=1) for count in (agreement, ordered, ranked)
    )
    # In floating point, where the product cannot overflow; the root of a square is exact.
    product_T = ordered_T.astype(np.float64) * ranked_T
    tau_T: Array = agreement_T / np.sqrt(np.maximum(product_T, 1))
    tau_T[ordered_T == 0] = np.nan
    return tau_T


def _above(x_TK: Array, some: slice) -> npt.NDArray[np.int8]:
    """Some clips, counted through all titles, against all clips of their title: 1, 0 or -1."""
    at = np.arange(x_TK.size)[some]
    one, others = x_TK.reshape(-1, 1)[at], x_TK[at // x_TK.shape[1]]
    # Not the sign of the difference, which may overflow.
    sign: npt.NDArray[np.int8] = (one > others).astype(np.int8) - (one < others).astype(np.int8)
    return sign


def winner(truth_TK: Array, score_TK: Array) -> Array:
    """Whether the clip with the highest score is one with the highest rate.

    Args:
        truth_TK: Rate of each clip.
        score_TK: Score of each clip.

    Returns:
        ``(T,)``, 0 or 1; between them where scores are tied: the expectation when one of the tied
        clips is picked at random. NaN where no clip is better than another.
    """
    if truth_TK.shape[1] < 2:
        return np.full(len(truth_TK), np.nan)
    best_TK = truth_TK == truth_TK.max(axis=1, keepdims=True)
    picked_TK = score_TK == score_TK.max(axis=1, keepdims=True)
    share_T: Array = (best_TK & picked_TK).sum(axis=1) / picked_TK.sum(axis=1)
    share_T[best_TK.all(axis=1)] = np.nan
    return share_T
