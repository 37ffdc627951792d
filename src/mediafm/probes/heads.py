"""Linear heads: what a probe fits on frozen embeddings.

A head standardises its input by the training side, and is linear: one logistic regression per
class, or, for a ranking, one over the pairs of clips of a title (Herbrich et al. 2000; the linear
case of RankNet, Burges et al. 2005). How much it is regularised is chosen by folds inside the
training side, of whole groups, by the metric of the task; what the folds say of their own clips
also calibrates the probabilities and sets the thresholds.

Shapes: N clips, D components, C classes, K folds, P pairs, T titles.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mediafm.errors import MediaFMError
from mediafm.probes.calibration import best_threshold, platt
from mediafm.probes.designs import Designs, moments, standardised_all
from mediafm.probes.head import Array, Floats, Head, Matrix, sigmoid
from mediafm.probes.metrics import METRICS, Predictions
from mediafm.probes.solver import Pairs, Rows, Solution, solve
from mediafm.probes.splits import deal
from mediafm.probes.task import Kind

Mask = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.int64]

PENALTIES = tuple(float(x) for x in np.logspace(1, -5, 13))
"""Half decades, strong to weak, each relative to the mean loss of a row or pair."""
DEFAULT_PENALTY = 0.1
"""Where there is nothing to choose by."""
FOLDS = 3
_PATIENCE = 3
"""Penalties in a row that are worse than the best before weaker ones, which take longest, are left
out: one and a half decades."""
_INSIDE = 1e-6
"""Tolerance of the solver on the folds: by then the metric has stopped to move."""
_FEW = 5
"""Positives and negatives below which neither calibration nor threshold is fitted."""
_MOST_PAIRS = 1 << 17
"""Pairs of one title; from more, those of about 500 clips, so many are drawn."""


@dataclass(frozen=True, slots=True)
class Examples:
    """What a head is fitted on.

    Args:
        x_ND: Features.
        y_NC: Labels: 1, 0, NaN where nobody judged; rates for a ranking.
        groups: The group of each clip.
        titles: The title of each clip.
    """

    x_ND: Array
    y_NC: Matrix
    groups: Sequence[str]
    titles: Sequence[str]

    def part(self, at_N: npt.NDArray[np.bool_] | npt.NDArray[np.int64]) -> Examples:
        """Some of them."""
        index = np.flatnonzero(at_N) if at_N.dtype == np.bool_ else at_N
        return Examples(
            self.x_ND[index],
            self.y_NC[index],
            [self.groups[i] for i in index],
            [self.titles[i] for i in index],
        )

    def predictions(self, score_NC: Matrix, classes: Sequence[str]) -> Predictions:
        """Scores of these clips beside the truth."""
        groups, group_N = np.unique(np.asarray(self.groups), return_inverse=True)
        title_N = np.unique(np.asarray(self.titles), return_inverse=True)[1]
        return Predictions(
            self.y_NC, score_NC, title_N, group_N, tuple(classes), tuple(groups.tolist())
        )


@dataclass(frozen=True, slots=True)
class Fit:
    """A head, and how it was chosen.

    Args:
        head: The head.
        curve: The metric on the inner folds by penalty; empty where there was only one title.
        inside: Predictions of the inner folds at the chosen penalty; ``None`` likewise.
    """

    head: Head
    curve: dict[float, float]
    inside: Predictions | None


def fit(
    kind: Kind,
    examples: Examples,
    classes: Sequence[str],
    metric: str,
    *,
    balance: bool = False,
    penalties: Sequence[float] = PENALTIES,
    seed: int = 0,
    designs: Designs | None = None,
) -> Fit:
    """Fits a head.

    The penalty is one for all classes: each alone has too few positives to choose by.

    Args:
        kind: What the labels say.
        examples: The training side.
        classes: Names of the columns of the labels.
        metric: By which the penalty is chosen.
        balance: Whether both answers weigh the same, however rare one of them is. Probabilities
            are calibrated to the real rates nevertheless.
        penalties: To choose among.
        seed: Deals the groups into folds.
        designs: Keeps the last design, for another task over the same clips.

    Returns:
        The head, fitted on all examples with the penalty that did best on the folds.

    Raises:
        MediaFMError: There are no clips or no classes, or features are not finite.
    """
    if not examples.y_NC.size:
        clips, columns = examples.y_NC.shape
        raise MediaFMError(f"a head needs clips and classes, there are {clips} and {columns}")
    problem = _Problem.of(kind, examples, balance, designs or Designs())
    # A single group, such as the only series, is divided into its titles.
    units = examples.groups if len(set(examples.groups)) > 1 else examples.titles
    inside = _Inside({}, min(penalties, key=lambda p: abs(math.log(p / DEFAULT_PENALTY))), None)
    if len(set(units)) > 1:
        fold_N = deal(units, FOLDS, seed, None if kind == "ranking" else examples.y_NC)
        inside = problem.by_folds(fold_N, examples, classes, metric, penalties, inside)
    solution = solve(problem.rows, problem.y, inside.penalty, problem.weights(None))
    slope_C, offset_C, threshold_C = _calibrate(kind, examples.y_NC, inside.best, balance)
    head = Head(
        kind=kind,
        classes=tuple(classes),
        mean_D=problem.mean_D,
        std_D=problem.std_D,
        weight_DC=(problem.rows.basis_DR @ solution.v_RC).float().numpy(),
        bias_C=solution.bias_C.float().numpy(),
        slope_C=slope_C,
        offset_C=offset_C,
        threshold_C=threshold_C,
        penalty=inside.penalty,
    )
    return Fit(head, inside.curve, inside.best)


@dataclass(frozen=True, slots=True)
class _Inside:
    """What the inner folds found: see :class:`Fit`."""

    curve: dict[float, float]
    penalty: float
    best: Predictions | None


@dataclass(frozen=True, slots=True)
class _Problem:
    """Labels as the solver wants them: rows, or the pairs of a ranking.

    Args:
        mean_D: Of the features.
        std_D: Likewise.
        rows: The design.
        y: The labels, ``(N, C)`` or ``(P, 1)``.
        weight: 0 where nobody judged.
        clip: The clip of each row, ``(1, N)``, or the two of each pair, ``(2, P)``.
        balance: See :func:`fit`.
    """

    mean_D: Floats
    std_D: Floats
    rows: Rows
    y: Tensor
    weight: Tensor
    clip: Codes
    balance: bool

    @classmethod
    def of(cls, kind: Kind, examples: Examples, balance: bool, designs: Designs) -> _Problem:
        if kind == "ranking":
            mean_D, std_D = moments(examples.x_ND)
            z_ND = standardised_all(examples.x_ND, mean_D, std_D)
            first_P, second_P, weight_P = pairs(examples.y_NC[:, 0], examples.titles)
            title_N = torch.from_numpy(_codes(examples.titles))
            pairs_of = Pairs(z_ND, title_N, torch.from_numpy(first_P), torch.from_numpy(second_P))
            weight = torch.from_numpy(weight_P).to(z_ND.dtype)[:, None]
            clip = np.stack([first_P, second_P])
            return cls(mean_D, std_D, pairs_of, torch.ones_like(weight), weight, clip, False)
        mean_D, std_D, rows = designs.of(examples.x_ND)
        dtype = rows.z_NR.dtype
        known = torch.from_numpy(~np.isnan(examples.y_NC)).to(dtype)
        y = torch.from_numpy(np.nan_to_num(examples.y_NC)).to(dtype)
        return cls(mean_D, std_D, rows, y, known, np.arange(len(y))[None], balance)

    def weights(self, fitted_N: Mask | None) -> Tensor:
        """Weights of the rows, those of some clips only, and balanced among these."""
        weight = self.weight
        if fitted_N is not None:
            weight = weight * torch.from_numpy(fitted_N[self.clip].all(axis=0))[:, None]
        if self.balance:
            total, yes = weight.sum(dim=0), (weight * self.y).sum(dim=0)
            scale = total / 2
            weight = weight * torch.where(
                self.y == 1, scale / yes.clamp_min(1), scale / (total - yes).clamp_min(1)
            )
        return weight

    def by_folds(
        self,
        fold_N: Codes,
        examples: Examples,
        classes: Sequence[str],
        metric: str,
        penalties: Sequence[float],
        inside: _Inside,
    ) -> _Inside:
        """Chooses a penalty: each clip is judged by the head that was fitted on other folds."""
        folds, columns = int(fold_N.max()) + 1, self.y.shape[1]
        # Column k * C + c is class c, fitted without fold k.
        weight = torch.cat([self.weights(fold_N != k) for k in range(folds)], dim=1)
        y = self.y.repeat(1, folds)
        score_NC = np.zeros((len(fold_N), columns))
        empty = examples.predictions(score_NC, classes)
        highest, since = -math.inf, 0
        start: Solution | None = None
        for penalty in sorted(penalties, reverse=True):
            start = solve(self.rows, y, penalty, weight, start, tolerance=_INSIDE)
            # Of every clip only the columns of its fold count: one product is still the fastest.
            of_NKC = (self.rows.z_NR @ start.v_RC + start.bias_C).unflatten(1, (folds, columns))
            score_NC = of_NKC[torch.arange(len(fold_N)), torch.from_numpy(fold_N)].double().numpy()
            found = dataclasses.replace(empty, score_NC=score_NC)
            inside.curve[penalty] = value = METRICS[metric].value(found)
            since += 1
            if value > highest:  # NaN, where there is nothing to measure, is not
                inside, highest, since = _Inside(inside.curve, penalty, found), value, 0
            if since >= _PATIENCE:
                break
        return inside


def _codes(names: Sequence[str]) -> Codes:
    return np.asarray(np.unique(np.asarray(names), return_inverse=True)[1], np.int64)


def pairs(rate_N: Array, titles: Sequence[str]) -> tuple[Codes, Codes, Matrix]:
    """Pairs of clips of one title with different rates.

    Args:
        rate_N: What the clips of a title are ordered by; NaN where it is not known.
        titles: The title of each clip.

    Returns:
        ``first_P`` and ``second_P``: places of the clip with the higher rate, and of the other;
        and ``weight_P``, by which a title counts as much as it has clips, not pairs.
    """
    code_N = _codes(titles)
    order = np.argsort(code_N, kind="stable")
    order = order[~np.isnan(rate_N[order])]
    firsts, seconds, weights = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)], [np.zeros(0)]
    for own in np.split(order, np.flatnonzero(np.diff(code_N[order])) + 1):
        clips = len(own)
        if clips * (clips - 1) // 2 <= _MOST_PAIRS:
            i, j = np.triu_indices(clips, 1)
        else:
            i, j = np.random.default_rng(0).integers(0, clips, (2, _MOST_PAIRS))
        i, j = own[i], own[j]
        higher, differ = rate_N[i] > rate_N[j], rate_N[i] != rate_N[j]
        firsts.append(np.where(higher, i, j)[differ])
        seconds.append(np.where(higher, j, i)[differ])
        weights.append(np.full(differ.sum(), clips / max(differ.sum(), 1)))
    return np.concatenate(firsts), np.concatenate(seconds), np.concatenate(weights)


def _calibrate(
    kind: Kind, y_NC: Matrix, inside: Predictions | None, balance: bool
) -> tuple[Floats, Floats, Floats]:
    """Slopes and offsets of the probabilities, and thresholds."""
    slope_C, offset_C, threshold_C = np.array([[1.0], [0.0], [0.5]]).repeat(y_NC.shape[1], axis=1)
    for c in range(y_NC.shape[1] if kind != "ranking" else 0):
        known_N = ~np.isnan(y_NC[:, c])
        y_N = y_NC[known_N, c] == 1
        yes, no = int(y_N.sum()), int((~y_N).sum())
        if balance and yes and no:  # what balancing did to the intercept
            offset_C[c] = math.log(yes / no)
        if inside is not None and min(yes, no) >= _FEW:
            s_N = inside.score_NC[known_N, c]
            slope_C[c], offset_C[c] = platt(s_N, y_N)
            # A head that knows nothing would say yes to all: the best F1 of a constant.
            if slope_C[c] > 0:
                threshold_C[c] = best_threshold(sigmoid(slope_C[c] * s_N + offset_C[c]), y_N)
    return slope_C.astype(np.float32), offset_C.astype(np.float32), threshold_C.astype(np.float32)
