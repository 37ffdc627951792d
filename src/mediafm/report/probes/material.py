"""Everything that a probe report shows, measured and read at one time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version

from mediafm.catalog import EncoderRecord, VersionRecord
from mediafm.probes.bench import Bench
from mediafm.probes.iab import display_names
from mediafm.probes.study import Contender
from mediafm.probes.summary import TaskSummary, summarise
from mediafm.probes.task import Task
from mediafm.report.probes.curve import Point, curves
from mediafm.report.probes.mistakes import Mistake, worst


@dataclass(frozen=True, slots=True)
class Material:
    """A probe report.

    Args:
        catalog: Where the catalog is.
        titles: Its titles.
        shots: Its shots.
        encoders: What made the features.
        versions: Those that were measured.
        contenders: What was measured, or should have been.
        tasks: What was measured, by task.
        points: Task to its label curve; empty where it was not asked for.
        mistakes: Task to the worst mistakes of the contender that speaks for the model.
        ceilings: Task to the best value that its labels allow, where it is known.
        skipped: What could not be measured, and why.
        draws: Resamples behind every interval.
        seed: That of the bench.
        command: What the user typed; empty where no command was.
        made_at: ISO time.
        made_by: Name and version of this program.
    """

    catalog: str
    titles: int
    shots: int
    encoders: tuple[EncoderRecord, ...]
    versions: tuple[VersionRecord, ...]
    contenders: tuple[Contender, ...]
    tasks: tuple[TaskSummary, ...]
    points: dict[str, list[Point]]
    mistakes: dict[str, list[Mistake]]
    ceilings: dict[str, float]
    skipped: tuple[str, ...]
    draws: int
    seed: int
    command: str
    made_at: str
    made_by: str


def collect(
    bench: Bench,
    tasks: Sequence[Task],
    contenders: Sequence[Contender],
    *,
    draws: int = 1000,
    curve_draws: int = 3,
    ceilings: Mapping[str, float] | None = None,
    command: str = "",
) -> Material:
    """Measures what a report shows.

    Args:
        bench: Measures; keeps what it measured in its folder.
        tasks: What is asked.
        contenders: What is compared.
        draws: Resamples of the groups behind every interval.
        curve_draws: Draws of the labels in the curve; 0 for no curve.
        ceilings: See :class:`Material`.
        command: Likewise.

    Raises:
        MediaFMError: Nothing could be measured.
    """
    study = bench.run(tasks, contenders)
    with bench.progress.task("intervals", len(study.measurements), "measurements") as bar:
        found = summarise(study, draws, bar.advance)
    points, lacking = curves(bench, found, curve_draws) if curve_draws else ({}, [])
    mistakes = {}
    for task in found:
        row = task.ours or max(task.rows, key=lambda row: row.value)
        own = study.of(task.name)[row.contender.name]
        shown = display_names(task.labels.task, task.labels.classes)
        named = replace(task.labels, classes=shown)
        mistakes[task.name] = worst(own, named, bench.catalog, bench.seed)
    titles = bench.catalog.titles()
    wanted = dict.fromkeys(name for contender in contenders for name in contender.versions)
    held = {record.name: record for record in bench.catalog.versions()}
    return Material(
        bench.catalog.uri,
        len(titles),
        sum(title.shots for title in titles),
        tuple(bench.catalog.encoders().values()),
        tuple(held[name] for name in wanted if name in held),
        tuple(contenders),
        tuple(found),
        points,
        mistakes,
        dict(ceilings or {}),
        (*study.skipped, *lacking),
        draws,
        bench.seed,
        command,
        datetime.now(UTC).isoformat(timespec="seconds"),
        _program(),
    )


def _program() -> str:
    try:
        return f"mediafm {version('mediafm')}"
    except PackageNotFoundError:  # a checkout that is not installed
        return "mediafm"
