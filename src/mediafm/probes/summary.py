"""What a study says: values with intervals, differences, switches, classes.

Numbers only; ``report`` draws them. Which contenders a report has unless told otherwise is here
too: the staircase from single modalities to embeddings in context.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from mediafm.catalog import Catalog
from mediafm.errors import MediaFMError
from mediafm.probes.bootstrap import Difference, Resampled, resampled
from mediafm.probes.evaluate import sides
from mediafm.probes.iab import display_names
from mediafm.probes.labels import LabelSet
from mediafm.probes.metrics import METRICS, Predictions, per_class
from mediafm.probes.study import Contender, Measurement, Study
from mediafm.timeline import Clip

ROLES = ("single", "joined", "window", "untrained", "context", "extra", "switch", "rival")
"""Of contenders, in the order of the staircase; ``extra`` is what a user asked for beside it."""
ALONE = "in context against the clip alone"


@dataclass(frozen=True, slots=True)
class Row:
    """A contender, measured by a task.

    Args:
        contender: What was measured.
        value: The metric, averaged over the runs.
        low: Lower end of the interval over groups; NaN where there is none.
        high: Upper end.
        runs: The metric of every run (version or seed).
        fitted: Clips that were fitted on: the mean over folds.
        penalties: Chosen by the folds of every run.
        seconds: What measuring took.
    """

    contender: Contender
    value: float
    low: float
    high: float
    runs: tuple[float, ...]
    fitted: int
    penalties: tuple[tuple[float, ...], ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Comparison(Difference):
    """A paired difference of two contenders by a task.

    Args:
        about: Which question it answers: ``staircase``, or a switch in words.
        ours: Name of what should be better.
        theirs: Name of what it is compared with.
    """

    about: str
    ours: str
    theirs: str


@dataclass(frozen=True, slots=True)
class ClassLine:
    """A class of a task.

    Args:
        id: As the labels hold it.
        name: As people read it: the name of an id where the task has a taxonomy.
        positives: Measured clips that have it.
        judged: Measured clips of which it is known.
        prevalence: The share of them that have it: what chance reaches.
        ap: Contender to average precision, averaged over runs.
    """

    id: str
    name: str
    positives: int
    judged: int
    prevalence: float
    ap: dict[str, float]


@dataclass(frozen=True, slots=True)
class TaskSummary:
    """A task, as a report shows it.

    Args:
        labels: Its labelled clips.
        measured: Clips that were measured.
        groups: Groups that they belong to: what intervals are drawn from.
        chance: What a head that knows nothing reaches.
        rows: Of the contenders, in the order of the staircase.
        gains: The contextual contenders minus each other one.
        switches: What one setting changes.
        classes: The classes, where there are several.
    """

    labels: LabelSet
    measured: int
    groups: int
    chance: float
    rows: tuple[Row, ...]
    gains: tuple[Comparison, ...]
    switches: tuple[Comparison, ...]
    classes: tuple[ClassLine, ...]

    @property
    def name(self) -> str:
        """Of the task."""
        return self.labels.task.name

    def of(self, *roles: str) -> list[Row]:
        """The rows of some roles."""
        return [row for row in self.rows if row.contender.role in roles]

    @property
    def ours(self) -> Row | None:
        """The contextual contender that speaks for the model: the joined one, if there is one."""
        found = self.of("context")
        return found[-1] if found else None

    @property
    def shown(self) -> list[str]:
        """Contenders for tables and curves with few columns: concatenated, and in context."""
        return [row.contender.name for row in self.of("joined", "context")]


def staircase(
    catalog: Catalog,
    versions: Sequence[str] = (),
    rivals: Mapping[str, Sequence[str]] | None = None,
    features: Sequence[str] = (),
) -> list[Contender]:
    """The contenders of a report.

    Args:
        catalog: What has features and versions.
        versions: Seeds of one recipe; the current version by default.
        rivals: Name of another recipe to its versions, such as the same one trained by AdamW.
        features: Further ones, as users type them.

    Returns:
        Single modalities, all concatenated, with their neighbours, an untrained network, in
        context, and variants of that. Without a version: what needs none.

    Raises:
        MediaFMError: There is no such version.
    """
    modalities = list(catalog.encoders())
    found = [Contender(name, name, role="single") for name in modalities if len(modalities) > 1]
    found.append(Contender("concatenated", "concatenated", role="joined"))
    for name in ("concatenated:window4", "concatenated:around1"):
        found.append(Contender(name, name, role="window"))
    own = tuple(versions)
    if not own and catalog.versions():
        own = (catalog.version().name,)
    if own:
        records = [catalog.version(name) for name in own]
        for name, role in (("untrained", "untrained"), ("context", "context")):
            for text in (name, f"{name}+concatenated"):
                found.append(Contender(text, text, own, role=role))
    for text in features:
        found.append(Contender(text, text, own, role="extra"))
    if own:
        alone = Contender("context, clip alone", "context", own, alone=True, role="switch")
        found.append(alone)
        if any(record.settings.get("global", "none") != "none" for record in records):
            name = "context, without [GLOBAL]"
            found.append(Contender(name, "context", own, use_metadata=False, role="switch"))
    for rival, theirs in (rivals or {}).items():
        names = tuple(catalog.version(name).name for name in theirs)
        for text in ("context", "context+concatenated"):
            found.append(Contender(f"{text}, {rival}", text, names, role="rival"))
    unique: dict[str, Contender] = {}
    for contender in found:
        unique.setdefault(contender.name, contender)
    return list(unique.values())


def summarise(
    study: Study, draws: int = 1000, advance: Callable[[float], None] = lambda _: None
) -> list[TaskSummary]:
    """Turns measurements into what a report shows.

    Args:
        study: The measurements.
        draws: Resamples of the groups.
        advance: Called with 1 after each measurement.
    """
    return [
        _summary(labels, list(study.of(name).values()), draws, advance)
        for name, labels in study.labels.items()
        if study.of(name)
    ]


def _summary(
    labels: LabelSet, found: list[Measurement], draws: int, advance: Callable[[float], None]
) -> TaskSummary:
    found.sort(key=lambda m: _place(m.contender))
    held: dict[str, _Held] = {}
    for own in found:
        metric = METRICS[own.runs[0].metric]
        held[own.contender.name] = _Held(own, resampled(metric, own.predictions, draws=draws))
        advance(1)
    ours = [h for h in reversed(held.values()) if h.contender.role == "context"]
    gains = [
        _compare(mine, one, "staircase")
        for mine in ours
        for one in held.values()
        if mine is not one
    ]
    switches = []
    for one in held.values():
        if one.contender.role not in ("switch", "rival"):
            continue
        for mine in ours:
            if mine.contender.features == one.contender.features:
                switches.append(_compare(mine, one, question(mine.contender, one.contender)))
    order = list(dict.fromkeys(s.about for s in switches))
    switches.sort(key=lambda s: order.index(s.about))
    chance = float(np.mean([run.chance for run in found[0].runs]))
    seen = found[0].predictions[0]
    return TaskSummary(
        labels,
        len(seen.title_N),
        len(seen.groups),
        chance,
        tuple(map(_row, held.values())),
        tuple(gains),
        tuple(switches),
        tuple(_classes(found, display_names(labels.task, labels.classes))),
    )


def _place(contender: Contender) -> int:
    return ROLES.index(contender.role) if contender.role in ROLES else len(ROLES)


@dataclass(frozen=True, slots=True)
class _Held:
    """A measurement, in all resamples."""

    measurement: Measurement
    values: Resampled

    @property
    def contender(self) -> Contender:
        return self.measurement.contender

    @property
    def name(self) -> str:
        return self.contender.name


def _row(held: _Held) -> Row:
    runs, found = held.measurement.runs, held.values.interval()
    return Row(
        held.contender,
        found.value,
        found.low,
        found.high,
        tuple(run.value for run in runs),
        round(float(np.mean([run.fitted for run in runs]))),
        tuple(run.penalties for run in runs),
        sum(run.seconds for run in runs),
    )


def _compare(ours: _Held, theirs: _Held, about: str) -> Comparison:
    found = ours.values.minus(theirs.values)
    return Comparison(**asdict(found), about=about, ours=ours.name, theirs=theirs.name)


def question(ours: Contender, theirs: Contender) -> str:
    """What a switch asks, in words."""
    if theirs.alone:
        return ALONE
    if not theirs.use_metadata:
        return "with [GLOBAL] against without"
    rival = theirs.name.removeprefix(f"{theirs.features}, ")
    return f"{', '.join(ours.versions)} against {rival}"


def _classes(found: Sequence[Measurement], names: Sequence[str]) -> list[ClassLine]:
    if len(found[0].predictions[0].classes) < 2:
        return []
    first = per_class(found[0].predictions[0])
    ap: list[dict[str, float]] = [{} for _ in first]
    for own in found:
        values_RC = [[line.ap for line in per_class(p)] for p in own.predictions]
        for c, value in enumerate(np.mean(values_RC, axis=0).tolist()):
            ap[c][own.contender.name] = value
    return [
        ClassLine(line.name, name, line.positives, line.judged, line.prevalence, values)
        for line, name, values in zip(first, names, ap, strict=True)
    ]


def measured_clips(labels: LabelSet, predictions: Predictions, seed: int = 0) -> list[Clip]:
    """The clips that the rows of predictions stand for.

    Args:
        labels: Of the task.
        predictions: Of an evaluation of them.
        seed: That of the evaluation.

    Raises:
        MediaFMError: They are not of these labels.
    """
    tested_N = np.any(sides(labels, seed), axis=0)
    clips = [clip for clip, tested in zip(labels.clips, tested_N, strict=True) if tested]
    if len(clips) != len(predictions.title_N):
        raise MediaFMError("the predictions are of other clips", where=labels.task.name)
    return clips
