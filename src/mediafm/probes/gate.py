"""Whether one model may replace another: better, worse or the same, task by task."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from mediafm.errors import MediaFMError
from mediafm.probes.bench import Bench
from mediafm.probes.bootstrap import Difference, Interval, mean_difference, mean_interval
from mediafm.probes.metrics import METRICS
from mediafm.probes.study import Contender, Measurement
from mediafm.probes.task import Task

Outcome = Literal["better", "same", "worse", "unknown"]


@dataclass(frozen=True, slots=True)
class Judgement:
    """One task of a gate.

    Args:
        task: Its name.
        metric: By which it was judged.
        ours: The model in question.
        theirs: The model that it would replace.
        difference: Paired, over groups.
    """

    task: str
    metric: str
    ours: Interval
    theirs: Interval
    difference: Difference

    @property
    def outcome(self) -> Outcome:
        """``better`` or ``worse`` where the interval of the difference leaves out zero.

        ``unknown`` where there are too few groups for an interval.
        """
        if math.isnan(self.difference.low):
            return "unknown"
        if self.difference.low > 0:
            return "better"
        return "worse" if self.difference.high < 0 else "same"


def compare(ours: Measurement, theirs: Measurement, *, draws: int = 1000) -> Difference:
    """The paired difference of two measurements by one task.

    Seeds are paired in order, and each run counts as often as the others of its side, also where
    the two have unlike numbers of them: what is compared are the means over the runs.

    Args:
        ours: What should be better.
        theirs: What it is compared with.
        draws: Resamples of the groups.
    """
    mine, others = ours.predictions, theirs.predictions
    paired = [
        (mine[i % len(mine)], others[i % len(others)])
        for i in range(math.lcm(len(mine), len(others)))
    ]
    return mean_difference(METRICS[ours.runs[0].metric], paired, draws=draws)


def gate(
    bench: Bench, tasks: Sequence[Task], ours: Contender, theirs: Contender
) -> tuple[list[Judgement], list[str]]:
    """Judges a model against another.

    Args:
        bench: Measures them.
        tasks: By which to judge.
        ours: The model in question.
        theirs: The model that it would replace.

    Returns:
        One judgement per task, and what could not be judged.

    Raises:
        MediaFMError: Nothing could be judged.
    """
    study = bench.run(tasks, [ours, theirs])
    found = []
    for task in tasks:
        both = study.of(task.name)
        if len(both) < 2:
            continue
        a, b = both[ours.name], both[theirs.name]
        metric = METRICS[task.metric]
        found.append(
            Judgement(
                task.name,
                task.metric,
                mean_interval(metric, a.predictions),
                mean_interval(metric, b.predictions),
                compare(a, b),
            )
        )
    if not found:
        raise MediaFMError("nothing could be judged: " + "; ".join(study.skipped))
    return found, study.skipped
