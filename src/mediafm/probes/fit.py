"""A probe that is kept: measured with groups held out, then fitted on all clips."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from mediafm.probes.artifact import Probe
from mediafm.probes.bench import Bench
from mediafm.probes.bootstrap import Interval, mean_interval
from mediafm.probes.evaluate import Evaluation, fit_all
from mediafm.probes.iab import display_names
from mediafm.probes.labels import LabelSet
from mediafm.probes.metrics import METRICS
from mediafm.probes.study import Contender
from mediafm.strict_json import without_nan


@dataclass(frozen=True, slots=True)
class Fitted:
    """A probe, and how it was measured.

    Args:
        probe: Fitted on all clips; where the task splits by a value, on all but the measured ones.
        run: The measurement with groups held out.
        interval: Of the metric, over groups.
    """

    probe: Probe
    run: Evaluation
    interval: Interval

    @property
    def untold(self) -> list[str]:
        """The classes that get the same probability for every clip, by their names.

        Calibration found nothing to go by. A ranking has no classes to tell apart.
        """
        head = self.probe.head
        if head.kind == "ranking":
            return []
        return [self.probe.names[c] for c in np.flatnonzero(head.slope_C <= 0).tolist()]


def fit_probe(bench: Bench, labels: LabelSet, contender: Contender) -> Fitted:
    """Measures a contender by a task, then fits its head to be kept.

    Args:
        bench: Measures, and reads the features.
        labels: Of the task.
        contender: What the head reads, of one version at most.

    Raises:
        MediaFMError: The features do not exist, or know the answer.
    """
    spec, version = bench.spec(contender), next(iter(contender.versions), None)
    [run] = bench.measure(labels, contender)
    interval = mean_interval(METRICS[run.metric], [run.predictions])
    task = labels.task
    measured = {
        "metric": run.metric,
        **asdict(interval),
        "chance": run.chance,
        "clips": len(run.predictions.title_N),
        "groups": len(run.predictions.groups),
        "fitted_on": len(labels) if labels.tested_N is None else int((~labels.tested_N).sum()),
    }
    made_by = bench.made_by(spec, version)
    # A model that is named instead of a version's belongs to none.
    of_version = "model" in made_by and bench.model is None
    probe = Probe(
        task.name,
        fit_all(labels, bench.vectors(labels, spec, version), seed=bench.seed).head,
        spec,
        made_by,
        display_names(task, labels.classes),
        without_nan(measured),
        bench.catalog.version(version).name if of_version else "",
    )
    return Fitted(probe, run, interval)
