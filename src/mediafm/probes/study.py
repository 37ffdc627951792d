"""Several features measured by several tasks: what a report draws, and what a gate decides by.

A **contender** is a way to describe clips: features in context, of single modalities, of a random
network. One that depends on a model is measured once per version that it names (the seeds of one
recipe), and its values are means over them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from mediafm.probes.evaluate import Evaluation
from mediafm.probes.labels import LabelSet
from mediafm.probes.metrics import Predictions


@dataclass(frozen=True, slots=True)
class Contender:
    """A way to describe clips.

    Args:
        name: What reports call it.
        features: As a user types them; see :meth:`FeatureSpec.parse`.
        versions: Versions of contextual embeddings: the seeds of one recipe; empty for the
            current one.
        alone: Whether the model sees the clip only.
        use_metadata: Whether [GLOBAL] sees the title's metadata.
        role: What it is in a report: ``single``, ``joined``, ``window``, ``untrained``,
            ``context``, ``switch`` (a variant of the contextual one) or ``rival`` (another model).
    """

    name: str
    features: str
    versions: tuple[str, ...] = ()
    alone: bool = False
    use_metadata: bool = True
    role: str = "context"


@dataclass
class Measurement:
    """A contender, measured by a task.

    Args:
        task: Name of the task.
        contender: What was measured.
        runs: One evaluation per version; one in all where no model is involved.
    """

    task: str
    contender: Contender
    runs: list[Evaluation]

    @property
    def predictions(self) -> list[Predictions]:
        """One per run."""
        return [run.predictions for run in self.runs]


@dataclass
class Study:
    """Everything that was measured.

    Args:
        labels: Task name to its labels.
        measurements: In the order of tasks and contenders.
        skipped: What could not be measured, and why.
    """

    labels: dict[str, LabelSet] = field(default_factory=dict)
    measurements: list[Measurement] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

    def of(self, task: str) -> dict[str, Measurement]:
        """Name of the contender to its measurement by one task."""
        return {m.contender.name: m for m in self.measurements if m.task == task}
