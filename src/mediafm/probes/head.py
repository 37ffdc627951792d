"""A fitted linear head: all that applying a probe needs.

Shapes: N clips, D components, C classes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mediafm.errors import MediaFMError
from mediafm.probes.task import Kind

Array = npt.NDArray[np.floating]
Matrix = npt.NDArray[np.float64]
Floats = npt.NDArray[np.float32]

_ROWS = 1 << 13
"""Rows that are converted at a time."""


@dataclass(frozen=True, slots=True)
class Head:
    """A fitted linear head.

    Args:
        kind: What it answers.
        classes: Names of the columns.
        mean_D: Subtracted from the features.
        std_D: The features are divided by it; where it is 0 on the training side, left out.
        weight_DC: Of standardised features.
        bias_C: Intercepts.
        slope_C: Platt's scaling: ``logit = slope * score + offset``.
        offset_C: Likewise.
        threshold_C: Probability from which on the class is given: the best F1 on the folds.
        penalty: What was chosen.
    """

    kind: Kind
    classes: tuple[str, ...]
    mean_D: Floats
    std_D: Floats
    weight_DC: Floats
    bias_C: Floats
    slope_C: Floats
    offset_C: Floats
    threshold_C: Floats
    penalty: float

    def scores(self, x_ND: Array) -> Matrix:
        """Scores ``s_NC``: logits before calibration, or what orders the clips of a title.

        Raises:
            MediaFMError: The features have another width.
        """
        if x_ND.ndim != 2 or x_ND.shape[1] != len(self.mean_D):
            raise MediaFMError(
                f"the head takes features of shape (clips, {len(self.mean_D)}), not {x_ND.shape}"
            )
        score_NC = np.empty((len(x_ND), len(self.classes)))
        for some in slices(len(x_ND)):
            z_ND = standardised(x_ND[some], self.mean_D, self.std_D).astype(np.float32)
            score_NC[some] = z_ND @ self.weight_DC + self.bias_C
        return score_NC

    def logits(self, x_ND: Array) -> Matrix:
        """Calibrated scores: those of heads that were fitted on other clips compare with them.

        Raises:
            MediaFMError: The features have another width.
        """
        return self.scores(x_ND) * self.slope_C + self.offset_C

    def probabilities(self, x_ND: Array) -> Matrix:
        """Calibrated probabilities ``p_NC``; those of a multi-class head sum to 1.

        Raises:
            MediaFMError: The features have another width.
            ValueError: The head is a ranking, whose scores only order.
        """
        if self.kind == "ranking":
            raise ValueError("a ranking has scores, but no probabilities")
        p_NC = sigmoid(self.logits(x_ND))
        if self.kind == "multi-class":
            p_NC /= p_NC.sum(axis=1, keepdims=True)
        return p_NC


def sigmoid(x: Matrix) -> Matrix:
    """The logistic function, never quite 0 or 1."""
    return np.asarray(1 / (1 + np.exp(-np.clip(x, -60, 60))))


def slices(rows: int) -> Iterator[slice]:
    """Parts of that many rows which are converted at once."""
    return (slice(at, at + _ROWS) for at in range(0, rows, _ROWS))


def standardised(x_ND: Array, mean_D: Floats, std_D: Floats) -> Array:
    """Features with mean 0 and deviation 1; 0 where a component is constant."""
    z_ND: Array = (x_ND - mean_D.astype(np.float64)) / np.where(std_D > 0, std_D, np.inf)
    return z_ND
