"""Whether one model may replace another: better, worse or the same, task by task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mediafm.errors import MediaFMError
from mediafm.probes.bench import Bench
from mediafm.probes.bootstrap import (
    Difference,
    Interval,
    Outcome,
    mean_difference,
    mean_interval,
)
from mediafm.probes.metrics import METRICS
from mediafm.probes.study import Contender, Measurement, Study
from mediafm.probes.task import Task


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
        """See :attr:`Difference.outcome`."""
        return self.difference.outcome


def compare(ours: Measurement, theirs: Measurement, *, draws: int = 1000) -> Difference:
    """The paired difference of two measurements by one task: of their means over the runs.

    Args:
        ours: What should be better.
        theirs: What it is compared with.
        draws: Resamples of the groups.
    """
    metric = METRICS[ours.runs[0].metric]
    return mean_difference(metric, ours.predictions, theirs.predictions, draws=draws)


def gate(
    bench: Bench, tasks: Sequence[Task], ours: Contender, theirs: Contender
) -> tuple[list[Judgement], Study]:
    """Judges a model against another.

    Args:
        bench: Measures them.
        tasks: By which to judge.
        ours: The model in question.
        theirs: The model that it would replace.

    Returns:
        One judgement per task, and the study they are from: it says what was skipped.

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
    return found, study


def passes(found: Sequence[Judgement], skipped: Sequence[str]) -> bool:
    """Whether every task could be judged, and none is worse."""
    return not skipped and all(j.outcome in ("better", "same") for j in found)


def gate_versions(
    bench: Bench, tasks: Sequence[Task], ours: str, theirs: str, features: str = "context"
) -> tuple[list[Judgement], Study]:
    """Judges a version against the one that it would replace; see :func:`gate`.

    Raises:
        CatalogError: There is no such version.
        MediaFMError: The two are one, the features are the same for every version, or nothing
            could be judged.
    """
    if ours == theirs:
        raise MediaFMError(f"'{ours}' cannot be judged against itself", do="name two versions")
    for name in (ours, theirs):
        bench.catalog.version(name)
    mine, others = (Contender(name, features, (name,)) for name in (ours, theirs))
    if not bench.spec(mine).reads_model:
        raise MediaFMError(
            f"features '{features}' are the same for every version",
            do="judge by context, or by what is made from it",
        )
    return gate(bench, tasks, mine, others)
