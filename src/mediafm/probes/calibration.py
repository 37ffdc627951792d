"""From scores to probabilities, and from probabilities to answers.

Both are fitted on clips that the head was not fitted on.

Shapes: N clips.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import torch

from mediafm.probes.solver import Rows, solve

Matrix = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


def platt(score_N: Matrix, y_N: Mask) -> tuple[float, float]:
    """Logistic regression of the truth on one score (Platt 1999), with his smoothed targets.

    Args:
        score_N: Scores of clips that the head was not fitted on.
        y_N: Their truth, with both values.

    Returns:
        Slope and offset. Where higher scores are not likelier, the slope is 0 and the offset says
        the base rate to all.
    """
    yes, no = int(y_N.sum()), int((~y_N).sum())
    target_N = np.where(y_N, (yes + 1) / (yes + 2), 1 / (no + 2))
    middle, spread = score_N.mean(), score_N.std() or 1.0
    rows = Rows(torch.from_numpy((score_N - middle) / spread)[:, None])
    found = solve(rows, torch.from_numpy(target_N)[:, None], 1e-9)
    slope = float(rows.basis_DR @ found.v_RC) / spread
    if slope <= 0:
        share = target_N.mean()
        return 0.0, math.log(share / (1 - share))
    return slope, float(found.bias_C) - slope * middle


def best_threshold(p_N: Matrix, y_N: Mask) -> float:
    """The probability from which on to say yes: the best F1, half-way to the next one below."""
    order = np.argsort(-p_N, kind="stable")
    sorted_N, hits_N = p_N[order], np.cumsum(y_N[order])
    f1_N = 2 * hits_N / (np.arange(1, len(y_N) + 1) + y_N.sum())
    ends_N = np.append(sorted_N[:-1] > sorted_N[1:], True)
    best = int(np.argmax(np.where(ends_N, f1_N, -1)))
    below = sorted_N[best + 1] if best + 1 < len(sorted_N) else 0.0
    return float((sorted_N[best] + below) / 2)
