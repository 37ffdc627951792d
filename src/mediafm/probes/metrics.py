"""What probes are measured with, in many resamples of the groups at once.

A resample is a weight per group: how many times its rows count. All of a metric that weights do
not change (the order of the rows, the value of a title) is worked out once for all resamples.

Shapes:
    N rows    C classes    G groups    B resamples    T titles with K clips each
    M judged rows of a class, or judged entries of all    L levels of one block    U its groups
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mediafm.probes.ranking import kendall_tau, winner

Array = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

_LEVELS = 64
"""Levels whose counts are weighted by one matrix product. More waste time where there are as many
groups as rows, fewer where there are few groups."""
_CELLS = 1 << 20
"""Cells of the large arrays, of which a handful of 8 MB each are alive at once."""


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """What a head said of rows it was not fitted on, beside the truth.

    Args:
        truth_NC: NaN where nobody judged the row for that class. 0 or 1 for classes; for rankings
            there is one column: the rate to rank by, such as the CTR.
        score_NC: Scores of the head, finite; only their order counts.
        title_N: Code of the title of each row.
        group_N: Code of the group of each row, such as its series, an index into ``groups``.
        classes: Names of the columns.
        groups: Names of the groups.

    Raises:
        ValueError: Where shapes, codes or values do not fit one another.
    """

    truth_NC: Array
    score_NC: Array
    title_N: Codes
    group_N: Codes
    classes: tuple[str, ...]
    groups: tuple[str, ...]

    def __post_init__(self) -> None:
        rows = len(self.title_N)
        for name in ("truth_NC", "score_NC"):
            shape = getattr(self, name).shape
            if shape != (rows, len(self.classes)):
                wanted = f"({rows}, {len(self.classes)})"
                raise ValueError(f"{name} is {shape}, not {wanted} as titles and classes say")
        if self.title_N.shape != (rows,) or self.group_N.shape != (rows,):
            raise ValueError(f"title_N is {self.title_N.shape}, group_N {self.group_N.shape}")
        if rows and not 0 <= self.group_N.min() <= self.group_N.max() < len(self.groups):
            raise ValueError(f"group_N holds codes outside of the {len(self.groups)} groups")
        if not np.isfinite(self.score_NC).all():
            raise ValueError("score_NC is not finite")
        if np.isinf(self.truth_NC).any():
            raise ValueError("truth_NC is infinite")


@dataclass(frozen=True, slots=True)
class Metric:
    """A number that says how good predictions are, higher is better.

    Args:
        name: As users write it in task files.
        values: Predictions and ``weight_BG``, how many times each group counts in each resample,
            to the value in each resample, ``(B,)``; NaN where it is not defined. Weights of one
            give the value of the predictions themselves.
        chance: The value expected of scores that know nothing.
        counts: Which groups can change the value, ``(G,)``: one without a judged row is no
            evidence.
    """

    name: str
    values: Callable[[Predictions, Array], Array]
    chance: Callable[[Predictions], float]
    counts: Callable[[Predictions], Mask]

    def value(self, predictions: Predictions) -> float:
        """The value of predictions as they are."""
        return float(self.values(predictions, np.ones((1, len(predictions.groups))))[0])


class ClassResult(NamedTuple):
    """One class of a probe with several."""

    name: str
    positives: int
    judged: int
    ap: float
    """NaN without positives."""
    prevalence: float
    """What a constant score reaches; NaN without judged rows."""


def per_class(predictions: Predictions) -> list[ClassResult]:
    """Average precision of every class, in the order of the columns."""
    once_1G = np.ones((1, len(predictions.groups)))
    results = []
    for c, name in enumerate(predictions.classes):
        truth_M, score_M, group_M = _entries(predictions, c)
        positives, judged = int(truth_M.sum()), len(truth_M)
        ap = float(average_precision(truth_M, score_M, group_M, once_1G)[0])
        share = positives / judged if judged else math.nan
        results.append(ClassResult(name, positives, judged, ap, share))
    return results


def average_precision(truth_M: Array, score_M: Array, group_M: Codes, weight_BG: Array) -> Array:
    """Average precision in every resample, with step interpolation as in scikit-learn.

    The sum over thresholds of the recall gained there times the precision there; rows with equal
    scores pass the threshold together. With whole weights all counts are exact, so the order of
    the rows does not change the last digit.

    Args:
        truth_M: 0 or 1.
        score_M: Finite.
        group_M: Code of the group of each row.
        weight_BG: How many times each group counts.

    Returns:
        ``(B,)``, NaN where no positive has a weight.

    Raises:
        ValueError: Where a truth is neither 0 nor 1, or weights are not one per group.
    """
    if not ((truth_M == 0) | (truth_M == 1)).all():
        raise ValueError("average precision needs truths of 0 or 1")
    _check_weights(group_M, weight_BG)
    positive_M, group_M, stop_L = _levels(truth_M, score_M, group_M)
    ap_B = np.full(len(weight_BG), np.nan)
    if not len(stop_L):
        return ap_B
    step = _CELLS // (2 * _LEVELS)
    for begin in range(0, len(weight_BG), step):
        weight_GB = np.ascontiguousarray(weight_BG[begin : begin + step].T)
        ap_B[begin : begin + step] = _sum_over_levels(positive_M, group_M, stop_L, weight_GB)
    return ap_B


def _levels(truth_M: Array, score_M: Array, group_M: Codes) -> tuple[Mask, Codes, Codes]:
    """Sorted positives and groups, and the row before which each level ends.

    Only thresholds that gain a positive are in the sum. A level is one of them and all rows since
    the one before, whose order is of no matter: a count per group is all that is needed.
    """
    order_M = np.argsort(-score_M, kind="stable")
    score_M, positive_M = score_M[order_M], truth_M[order_M] == 1
    last = np.flatnonzero(np.append(score_M[1:] != score_M[:-1], True)[: len(score_M)])
    stop_L = 1 + last[np.diff(np.cumsum(positive_M)[last], prepend=0) > 0]
    return positive_M, group_M[order_M], stop_L


def _sum_over_levels(positive_M: Mask, group_M: Codes, stop_L: Codes, weight_GB: Array) -> Array:
    """Average precision of sorted rows whose levels end before the rows ``stop_L``."""
    total_B, seen_B, hit_B = np.zeros((3, weight_GB.shape[1]))
    row = 0
    for begin in range(0, len(stop_L), _LEVELS):
        block_L = stop_L[begin : begin + _LEVELS]
        levels, rows = len(block_L), slice(row, int(block_L[-1]))
        group_U, column = np.unique(group_M[rows], return_inverse=True)
        size = np.diff(block_L, prepend=row)
        cell = np.repeat(np.arange(levels), size) * len(group_U) + column
        # How many rows, and below them how many positives, were seen up to each level.
        count = np.stack(
            [
                np.bincount(at, minlength=levels * len(group_U)).reshape(levels, -1)
                for at in (cell, cell[positive_M[rows]])
            ]
        )
        count_2LU = count.cumsum(axis=1).astype(np.float64)
        weighted_2LB = np.matmul(count_2LU, weight_GB[group_U])
        weighted_2LB += np.stack([seen_B, hit_B])[:, None]
        seen_LB, hit_LB = weighted_2LB
        gain_LB = np.diff(hit_LB, axis=0, prepend=hit_B[None])
        seen_B, hit_B = seen_LB[-1].copy(), hit_LB[-1].copy()
        # Nothing has a weight yet, then nothing is hit either: 0 / tiny is the 0 wanted here.
        hit_LB /= np.maximum(seen_LB, np.finfo(np.float64).tiny, out=seen_LB)
        total_B += np.einsum("lb,lb->b", gain_LB, hit_LB)
        row = rows.stop
    with np.errstate(invalid="ignore"):
        ap_B: Array = total_B / hit_B
    return ap_B


def _entries(predictions: Predictions, column: int | None) -> tuple[Array, Array, Codes]:
    """Truth, score and group of the judged rows of one class, or of all classes pooled."""
    wanted = slice(None) if column is None else slice(column, column + 1)
    truth_NC = predictions.truth_NC[:, wanted]
    judged_NC = ~np.isnan(truth_NC)
    group_M = predictions.group_N[judged_NC.nonzero()[0]]
    return truth_NC[judged_NC], predictions.score_NC[:, wanted][judged_NC], group_M


def _only_column(predictions: Predictions, name: str) -> None:
    if len(predictions.classes) != 1:
        raise ValueError(f"{name} is for one column, these have {len(predictions.classes)}")


def _check_weights(group_M: Codes, weight_BG: Array) -> None:
    if weight_BG.ndim != 2 or (len(group_M) and group_M.max() >= weight_BG.shape[1]):
        raise ValueError(f"weights {weight_BG.shape} are not one per resample and group")


def _scored(predictions: Predictions) -> Mask:
    """Columns with a positive."""
    return np.asarray((predictions.truth_NC > 0).any(axis=0))


def _judged(predictions: Predictions, *, where_scored: bool = False) -> Mask:
    """Groups with a judged row, of a class with a positive if asked for."""
    columns_C: Mask | slice = _scored(predictions) if where_scored else slice(None)
    row_N = (~np.isnan(predictions.truth_NC[:, columns_C])).any(axis=1)
    counts_G = np.zeros(len(predictions.groups), dtype=np.bool_)
    counts_G[predictions.group_N[row_N]] = True
    return counts_G


def _ap(predictions: Predictions, weight_BG: Array) -> Array:
    _only_column(predictions, "AP")
    return average_precision(*_entries(predictions, 0), weight_BG)


def _pooled_prevalence(predictions: Predictions) -> float:
    """Share of positives among the judged entries: the average precision of a constant score.

    A random order gets more where there are few rows (Bestgen 2015, "Exact expected average
    precision of the random baseline for system evaluation"): 0.22 instead of 0.1 with 2 positives
    in 20 rows, but less than 0.01 more from some 600 rows on.
    """
    truth_M = _entries(predictions, None)[0]
    return float(truth_M.mean()) if len(truth_M) else math.nan


def _ap_of_frequencies(predictions: Predictions) -> float:
    """Micro average precision of scores that know how frequent each class is, and nothing else.

    Above the share of positives where some classes are more frequent than others: a head reaches
    it by its intercepts alone.
    """
    truth_NC = predictions.truth_NC
    judged_C = ~np.isnan(truth_NC).all(axis=0)
    share_C = np.zeros(truth_NC.shape[1])
    share_C[judged_C] = np.nanmean(truth_NC[:, judged_C], axis=0)
    constant = dataclasses.replace(
        predictions, score_NC=np.broadcast_to(share_C, truth_NC.shape).copy()
    )
    return float(_micro_ap(constant, np.ones((1, len(predictions.groups))))[0])


def _macro_ap(predictions: Predictions, weight_BG: Array) -> Array:
    """Mean over the classes that have a positive in the resample.

    A class without positives is left out, where scikit-learn would count it as 0: its value says
    nothing of the head. NaN where no class has one.
    """
    sum_B, classes_B = np.zeros((2, len(weight_BG)))
    for c in range(len(predictions.classes)):
        ap_B = average_precision(*_entries(predictions, c), weight_BG)
        sum_B += np.nan_to_num(ap_B)
        classes_B += ~np.isnan(ap_B)
    with np.errstate(invalid="ignore"):
        mean_B: Array = sum_B / classes_B
    return mean_B


def _mean_prevalence(predictions: Predictions) -> float:
    truth_NC = predictions.truth_NC[:, _scored(predictions)]
    return float(np.nanmean(truth_NC, axis=0).mean()) if truth_NC.any() else math.nan


def _micro_ap(predictions: Predictions, weight_BG: Array) -> Array:
    return average_precision(*_entries(predictions, None), weight_BG)


_OfTitles = Callable[[Array, Array], Array]


def _by_group(of_titles: _OfTitles, predictions: Predictions) -> tuple[Array, Array]:
    """Sum of the titles' values and number of titles that have one, both ``(G,)``."""
    _only_column(predictions, "a ranking")
    kept_N = np.flatnonzero(~np.isnan(predictions.truth_NC[:, 0]))
    row_N = kept_N[np.argsort(predictions.title_N[kept_N], kind="stable")]
    first_T, clips_T = np.unique(predictions.title_N[row_N], return_index=True, return_counts=True)[
        1:
    ]
    sum_G, titles_G = np.zeros((2, len(predictions.groups)))
    # Titles with as many clips make a rectangle.
    for clips in np.unique(clips_T):
        row_TK = row_N[first_T[clips_T == clips][:, None] + np.arange(clips)]
        group_TK = predictions.group_N[row_TK]
        split_T = (group_TK != group_TK[:, :1]).any(axis=1)
        if split_T.any():
            names = sorted({predictions.groups[g] for g in group_TK[split_T][0]})
            title = predictions.title_N[row_TK[split_T][0, 0]]
            raise ValueError(f"title {title} is ranked as a whole, but is in {' and '.join(names)}")
        value_T = of_titles(predictions.truth_NC[row_TK, 0], predictions.score_NC[row_TK, 0])
        has_T = ~np.isnan(value_T)
        np.add.at(sum_G, group_TK[has_T, 0], value_T[has_T])
        np.add.at(titles_G, group_TK[has_T, 0], 1)
    return sum_G, titles_G


def _mean_over_titles(of_titles: _OfTitles, predictions: Predictions, weight_BG: Array) -> Array:
    _check_weights(predictions.group_N, weight_BG)
    sum_G, titles_G = _by_group(of_titles, predictions)
    with np.errstate(invalid="ignore"):
        mean_B: Array = (weight_BG @ sum_G) / (weight_BG @ titles_G)
    return mean_B


def _with_title(of_titles: _OfTitles, predictions: Predictions) -> Mask:
    counts_G: Mask = _by_group(of_titles, predictions)[1] > 0
    return counts_G


def _winner_by_chance(predictions: Predictions) -> float:
    """Mean over titles of the share of their clips that are best."""
    sum_G, titles_G = _by_group(lambda t_TK, s_TK: winner(t_TK, np.zeros_like(s_TK)), predictions)
    return float(sum_G.sum() / titles_G.sum()) if titles_G.any() else math.nan


def _no_agreement(predictions: Predictions) -> float:
    return 0.0


_ALL = (
    Metric("AP", _ap, _pooled_prevalence, _judged),
    Metric("macro AP", _macro_ap, _mean_prevalence, partial(_judged, where_scored=True)),
    Metric("micro AP", _micro_ap, _ap_of_frequencies, _judged),
    Metric(
        "kendall",
        partial(_mean_over_titles, kendall_tau),
        _no_agreement,
        partial(_with_title, kendall_tau),
    ),
    Metric(
        "top-1",
        partial(_mean_over_titles, winner),
        _winner_by_chance,
        partial(_with_title, winner),
    ),
)
METRICS: dict[str, Metric] = {metric.name: metric for metric in _ALL}
"""By the names that users write in task files."""
