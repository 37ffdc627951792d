"""How sure a metric is: intervals over groups, and paired differences.

Shots and clips of one episode, and episodes of one series, resemble each other, so rows are not
independent evidence. Whole groups are therefore drawn with replacement and the metric is taken
again, many times; the interval spans the middle of these values: the percentile bootstrap (Efron
and Tibshirani 1993, "An Introduction to the Bootstrap", chapter 13). It says how the value would
move with other series. What another seed of the training would change is averaged over seeds
that are given together, and is not in the interval.

Shapes:
    G groups    B resamples    R resamples and, before them, the data as they are
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from mediafm.probes.metrics import Array, Mask, Metric, Predictions

_CELLS = 1 << 21
"""Cells of the weights that are held at once, 16 MB; metrics make a copy or two of them."""


FEWEST = 6
"""Groups below which nothing is called better or worse. Where two are equally good, all of k groups
lean to the same side, and with them every resample, with a probability of 2 / 2**k: 3% of 6."""

Outcome = Literal["better", "same", "worse", "unknown"]


@dataclass(frozen=True, slots=True)
class Interval:
    """A value and where it would lie with other groups.

    Args:
        value: Of all groups as they are, NaN where the metric is not defined.
        low: Lower end; NaN where fewer than two groups tell anything.
        high: Upper end, likewise.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Difference(Interval):
    """How much better ours are than theirs on the same rows.

    Args:
        value: Ours minus theirs.
        low: Lower end.
        high: Upper end.
        p_above: Share of the resamples in which ours are better, equal ones counted half; NaN
            where there is no interval.
        groups: Groups that tell anything.
    """

    p_above: float
    groups: int

    @property
    def outcome(self) -> Outcome:
        """``better`` or ``worse`` where the interval leaves out zero.

        ``unknown`` where there are fewer than :data:`FEWEST` groups.
        """
        if math.isnan(self.low) or self.groups < FEWEST:
            return "unknown"
        if self.low > 0:
            return "better"
        return "worse" if self.high < 0 else "same"


def resamples(groups: int, draws: int, seed: int | np.random.Generator) -> Array:
    """Draws as many groups as there are, with replacement, again and again.

    Args:
        groups: Number of groups.
        draws: Number of resamples.
        seed: Or a generator, which goes on where it was.

    Returns:
        ``weight_BG``: how many times each group was drawn. Each row sums to ``groups``.
    """
    if not groups:
        return np.zeros((draws, 0))
    rng = np.random.default_rng(seed)
    return rng.multinomial(groups, np.full(groups, 1 / groups), size=draws).astype(np.float64)


def interval(
    metric: Metric,
    predictions: Predictions,
    *,
    draws: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """Percentile bootstrap over groups.

    Resamples in which the metric is not defined are left out, and groups that cannot change the
    metric, such as those without a judged row, are not drawn.

    Args:
        metric: What to measure.
        predictions: Of rows that the head was not fitted on.
        draws: Number of resamples.
        seed: Decides the resamples.
        level: Share of the resamples within the interval.

    Returns:
        The value with its interval.
    """
    return mean_interval(metric, [predictions], draws=draws, seed=seed, level=level)


def mean_interval(
    metric: Metric,
    predictions: Sequence[Predictions],
    *,
    draws: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """Mean of the metric over seeds, with its interval over groups.

    All seeds see the same resamples: the interval covers groups, while seeds are averaged.

    Args:
        metric: What to measure.
        predictions: One per seed. Their rows may differ, such as negatives that a seed drew; their
            groups may not.
        draws: Number of resamples.
        seed: Decides the resamples.
        level: Share of the resamples within the interval.

    Returns:
        The mean value with its interval.

    Raises:
        ValueError: Where the groups differ.
    """
    return resampled(metric, predictions, draws=draws, seed=seed).interval(level)


def difference(
    metric: Metric,
    ours: Predictions,
    theirs: Predictions,
    *,
    draws: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> Difference:
    """Paired difference: both are measured in the same resamples.

    What makes a series hard for both falls out, so the interval is narrower than those of the two
    values suggest.

    Args:
        metric: What to measure.
        ours: What should be better.
        theirs: What it is compared with, over the same rows in the same order.
        draws: Number of resamples.
        seed: Decides the resamples.
        level: Share of the resamples within the interval.

    Returns:
        Ours minus theirs with its interval.

    Raises:
        ValueError: Where the rows differ.
    """
    return mean_difference(metric, [ours], [theirs], draws=draws, seed=seed, level=level)


def mean_difference(
    metric: Metric,
    ours: Sequence[Predictions],
    theirs: Sequence[Predictions],
    *,
    draws: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> Difference:
    """The difference of two means over seeds, paired over the groups.

    Args:
        metric: What to measure.
        ours: One per seed, over the same groups.
        theirs: Likewise, over the same rows; they may be of another number.
        draws: Number of resamples.
        seed: Decides the resamples.
        level: Share of the resamples within the interval.

    Returns:
        The difference of the means with its interval.

    Raises:
        ValueError: Where rows or groups differ.
    """
    mine = resampled(metric, ours, draws=draws, seed=seed)
    return mine.minus(resampled(metric, theirs, draws=draws, seed=seed), level)


@dataclass(frozen=True, slots=True, eq=False)
class Resampled:
    """The mean of a metric over seeds, with all groups and in every resample.

    Args:
        value_R: With all groups; then in the resamples, of which there are none where fewer than
            two groups tell anything.
        groups: Groups that tell anything.
        predictions: What was measured.
        drawn: Number of resamples and their seed.
    """

    value_R: Array
    groups: int
    predictions: tuple[Predictions, ...]
    drawn: tuple[int, int]

    def interval(self, level: float = 0.95) -> Interval:
        """The value with its interval."""
        return Interval(float(self.value_R[0]), *_ends(self.value_R[1:], level))

    def minus(self, theirs: Resampled, level: float = 0.95) -> Difference:
        """The paired difference: both see the same resamples.

        Raises:
            ValueError: They do not, or the two measured other rows.
        """
        if self.drawn != theirs.drawn:
            raise ValueError("the two were resampled in different ways")
        for one in theirs.predictions:
            _check_pair(self.predictions[0], one)
        value_R = self.value_R - theirs.value_R
        value_B = value_R[1:][~np.isnan(value_R[1:])]
        above = ((value_B > 0) + 0.5 * (value_B == 0)).mean() if len(value_B) else math.nan
        return Difference(float(value_R[0]), *_ends(value_B, level), float(above), self.groups)


def resampled(
    metric: Metric, predictions: Sequence[Predictions], *, draws: int = 1000, seed: int = 0
) -> Resampled:
    """Measures in resamples of the groups, once for all intervals and differences.

    Args:
        metric: What to measure.
        predictions: One per seed; see :func:`mean_interval`.
        draws: Number of resamples.
        seed: Decides the resamples.

    Raises:
        ValueError: Where the groups differ.
    """
    if not predictions:
        raise ValueError("there are no predictions to measure")
    if draws < 1:
        raise ValueError(f"draws is {draws}, it needs one or more")
    if any(p.groups != predictions[0].groups for p in predictions):
        raise ValueError("the groups differ from seed to seed")
    counts_G = np.any([metric.counts(p) for p in predictions], axis=0)
    # NaN where any seed has no value.
    values = [
        np.mean([metric.values(p, part_RG) for p in predictions], axis=0)
        for part_RG in _weights(counts_G, draws, seed)
    ]
    return Resampled(np.concatenate(values), int(counts_G.sum()), tuple(predictions), (draws, seed))


def _weights(counts_G: Mask, draws: int, seed: int) -> Iterator[Array]:
    """Weights of one, then the resamples, in parts that bound the memory."""
    groups = int(counts_G.sum())
    rows = 1 + (draws if groups > 1 else 0)
    # One generator for all parts: they hold what one large draw would.
    rng = np.random.default_rng(seed)
    step = max(2, _CELLS // max(len(counts_G), 1))
    for begin in range(0, rows, step):
        part_RG = np.zeros((min(step, rows - begin), len(counts_G)))
        drawn_BG = part_RG[0 if begin else 1 :]
        drawn_BG[:, counts_G] = resamples(groups, len(drawn_BG), rng)
        if not begin:
            part_RG[0] = 1
        yield part_RG


def _ends(value_B: Array, level: float) -> tuple[float, float]:
    if not 0 < level < 1:
        raise ValueError(f"level is {level}, not between 0 and 1")
    value_B = value_B[~np.isnan(value_B)]
    if not len(value_B):
        return math.nan, math.nan
    low, high = np.quantile(value_B, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _check_pair(ours: Predictions, theirs: Predictions) -> None:
    for name in ("classes", "groups"):
        if getattr(ours, name) != getattr(theirs, name):
            raise ValueError(f"the two predictions differ in their {name}")
    for name in ("title_N", "group_N", "truth_NC"):
        a: Any = getattr(ours, name)
        b: Any = getattr(theirs, name)
        if not np.array_equal(a, b, equal_nan=name == "truth_NC"):
            raise ValueError(f"the two predictions are not over the same rows: {name} differs")
