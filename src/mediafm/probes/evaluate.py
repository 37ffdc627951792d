"""Measuring a task: heads fitted on some groups, measured on others.

Shapes: N clips, D components, C classes.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mediafm.probes.designs import Designs
from mediafm.probes.head import Array
from mediafm.probes.heads import Examples, Fit, fit
from mediafm.probes.labels import LabelSet
from mediafm.probes.metrics import METRICS, Predictions
from mediafm.probes.splits import deal


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A task, measured.

    Args:
        predictions: Of every clip that was measured, by a head that was not fitted on its group.
        metric: Name of the metric.
        penalties: What each fold chose.
        fitted: Clips that were fitted on: the mean over the folds.
        seconds: How long it took.
    """

    predictions: Predictions
    metric: str
    penalties: tuple[float, ...]
    fitted: int
    seconds: float

    @property
    def value(self) -> float:
        """The metric."""
        return METRICS[self.metric].value(self.predictions)

    @property
    def chance(self) -> float:
        """What a head that knows nothing is expected to reach."""
        return METRICS[self.metric].chance(self.predictions)


def sides(labels: LabelSet, seed: int = 0) -> list[npt.NDArray[np.bool_]]:
    """The clips that are measured together, split by split."""
    if labels.tested_N is not None:
        return [labels.tested_N]
    y_NC = None if labels.task.kind == "ranking" else labels.y_NC
    fold_N = deal(labels.groups, labels.task.split.folds, seed, y_NC)
    return [fold_N == k for k in range(fold_N.max() + 1)]


def evaluate(
    labels: LabelSet,
    x_ND: Array,
    *,
    seed: int = 0,
    budget: int = 0,
    designs: Designs | None = None,
) -> Evaluation:
    """Measures features by a task.

    Args:
        labels: The labelled clips.
        x_ND: Their features, in the same order.
        seed: Deals groups into folds, and draws the labels of a budget.
        budget: Clips to fit on at most, drawn at random; 0 for all.
        designs: Keeps the last design, for another task over the same clips.

    Returns:
        Predictions for all clips that are measured.
    """
    started = time.perf_counter()
    task = labels.task
    examples = Examples(x_ND, labels.y_NC, labels.groups, [c.title_id for c in labels.clips])
    score_NC = np.full(labels.y_NC.shape, np.nan)
    penalties, fitted = [], []
    for number, tested_N in enumerate(sides(labels, seed)):
        train = np.flatnonzero(~tested_N)
        if budget:
            train = np.random.default_rng([seed, number, 9]).permutation(train)[:budget]
        found = fit(
            task.kind,
            examples.part(np.sort(train)),
            labels.classes,
            task.metric,
            balance=task.balance,
            seed=seed,
            designs=designs,
        )
        # Classes of one head are ranked together by calibrated scores. Between folds these would
        # set groups apart: an offset tells how frequent a class is elsewhere, so the rarer here.
        one = labels.tested_N is not None
        score_NC[tested_N] = (found.head.logits if one else found.head.scores)(x_ND[tested_N])
        penalties.append(found.head.penalty)
        fitted.append(len(train))
    measured = ~np.isnan(score_NC).any(axis=1)
    return Evaluation(
        examples.part(measured).predictions(score_NC[measured], labels.classes),
        task.metric,
        tuple(penalties),
        round(float(np.mean(fitted))),
        time.perf_counter() - started,
    )


def fit_all(labels: LabelSet, x_ND: Array, *, seed: int = 0) -> Fit:
    """Fits the head that is kept: on all clips, or on those that a split by value fits on."""
    examples = Examples(x_ND, labels.y_NC, labels.groups, [c.title_id for c in labels.clips])
    if labels.tested_N is not None:
        examples = examples.part(~labels.tested_N)
    task = labels.task
    return fit(task.kind, examples, labels.classes, task.metric, balance=task.balance, seed=seed)
