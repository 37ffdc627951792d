"""How a score grows with the number of labelled clips that a head is fitted on."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mediafm.errors import MediaFMError
from mediafm.probes.bench import Bench
from mediafm.probes.study import Contender
from mediafm.probes.summary import Row, TaskSummary

BUDGETS = (10, 30, 100, 300, 1000, 3000, 10000, 30000)
_STEADY = 1000
"""Clips above which another draw hardly changes the score: one is enough."""


@dataclass(frozen=True, slots=True)
class Point:
    """A contender fitted on so many clips.

    Args:
        contender: Its name.
        labels: Clips that were fitted on.
        value: The metric, averaged over draws of the clips (and, with all clips, over seeds).
        low: The lowest of them.
        high: The highest.
        draws: How many there are.
    """

    contender: str
    labels: int
    value: float
    low: float
    high: float
    draws: int


@dataclass(frozen=True, slots=True)
class _Fit:
    task: TaskSummary
    row: Row
    budget: int
    draw: int


def curves(
    bench: Bench, tasks: Sequence[TaskSummary], draws: int
) -> tuple[dict[str, list[Point]], list[str]]:
    """Measures the contenders that a report shows with fewer labels.

    Args:
        bench: Measures them, and keeps what it measured.
        tasks: What was measured with all labels.
        draws: Draws of the clips; each also takes another version, where there are several.

    Returns:
        Task to its points, by contender and number of labels; and what could not be measured.
    """
    plan = [
        _Fit(task, row, budget, draw)
        for task in tasks
        for row in task.rows
        if row.contender.name in task.shown
        # The features of a draw are made once for all budgets.
        for draw in range(draws)
        for budget in BUDGETS
        if budget < 0.9 * row.fitted and (draw == 0 or budget <= _STEADY)
    ]
    values: dict[tuple[str, str, int], list[float]] = {}
    skipped: dict[str, None] = {}
    # A bench of its own: the draw is its seed, while the loaded models are shared.
    own = copy.copy(bench)
    with bench.progress.task("label curve", len(plan), "probes") as bar:
        for fit in plan:
            name = fit.row.contender.name
            bar.note(f"{name} by {fit.task.name}, {fit.budget} labels")
            own.seed = bench.seed + fit.draw
            try:
                [run] = own.measure(
                    fit.task.labels, _one(fit.row.contender, fit.draw), budget=fit.budget
                )
                values.setdefault((fit.task.name, name, fit.budget), []).append(run.value)
            except MediaFMError as error:
                skipped[f"{fit.task.name}, {name}, {fit.budget} labels: {error}"] = None
            bar.advance(1)
    found: dict[str, list[Point]] = {}
    for task in tasks:
        for row in [row for row in task.rows if row.contender.name in task.shown]:
            name = row.contender.name
            pairs = [(b, values.get((task.name, name, b), [])) for b in BUDGETS]
            pairs = [*pairs, (row.fitted, list(row.runs))]
            found.setdefault(task.name, []).extend(
                _point(name, labels, own_values) for labels, own_values in pairs if own_values
            )
    return found, list(skipped)


def _one(contender: Contender, draw: int) -> Contender:
    versions = contender.versions
    if not versions:
        return contender
    return dataclasses.replace(contender, versions=(versions[draw % len(versions)],))


def _point(name: str, labels: int, values: list[float]) -> Point:
    return Point(name, labels, float(np.mean(values)), min(values), max(values), len(values))
