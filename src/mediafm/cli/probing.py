"""What the commands of ``mediafm probe`` and ``mediafm report`` share: options, cells of tables."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mediafm.cli.output import print_table, reporter, say
from mediafm.errors import MediaFMError
from mediafm.strict_json import without_nan

if TYPE_CHECKING:
    from mediafm.probes.bench import Bench
    from mediafm.probes.bootstrap import Interval
    from mediafm.probes.features import FeatureSpec
    from mediafm.probes.gate import Judgement
    from mediafm.probes.labels import LabelSet
    from mediafm.probes.study import Study
    from mediafm.probes.task import Task

PROBES = Path("mediafm-probes")
FEATURES = "context"
ROUGH = 10
"""Groups below which a percentile bootstrap covers too little."""

ProbesOption = Annotated[Path, typer.Option("--probes", help="Folder of the fitted probes.")]
ModelOption = Annotated[
    Path | None,
    typer.Option("--model", "-m", help="The model, where its version does not find it."),
]
LabelsOption = Annotated[
    Path | None, typer.Option("--labels", "-l", help="Label file instead of the task's own.")
]
AloneOption = Annotated[
    bool, typer.Option("--alone", help="Embed each clip alone, out of the context of its title.")
]
NoGlobalOption = Annotated[
    bool, typer.Option("--no-global", help="Embed without the titles' metadata in [GLOBAL].")
]
WorkOption = Annotated[
    Path | None, typer.Option(help="Folder where measurements are kept, to go on from there.")
]


def open_bench(catalog: str, model: Path | None, work: Path | None, json: bool) -> Bench:
    """What measures on a catalog."""
    from mediafm.catalog import Catalog
    from mediafm.probes.bench import Bench

    return Bench(Catalog.open(catalog), work, model=model, progress=reporter(json))


def check_model(model: Path | None, specs: Sequence[FeatureSpec]) -> None:
    """Refuses a model that would not be asked.

    Raises:
        MediaFMError: None of the features is computed by a model.
    """
    if model is not None and not any(spec.needs_model for spec in specs):
        raise MediaFMError(
            "--model is not used: these features are read from a stored version",
            do="leave it out, and name the version with --version where it is not the current one",
        )


def keep_apart(out: Path, source: Path | None) -> None:
    """Refuses to write over the file that is read.

    Raises:
        MediaFMError: They are one file.
    """
    if source is not None and out.exists() and source.exists() and out.samefile(source):
        raise MediaFMError("is the file of the clips", where=out, do="name another --out")


def load_tasks(names: list[str], labels: Path | None) -> list[Task]:
    """Tasks by file or name, with the label files that the user named."""
    from mediafm.probes.task import load_task

    if labels is not None and len(names) > 1 and not labels.is_dir():
        raise MediaFMError(
            f"--labels names one file, and there are {len(names)} tasks",
            do="name the folder of the label files, or one task",
        )
    found = []
    for name in names:
        task = load_task(name)
        if labels is not None:
            task = task.replace(labels=labels / task.labels.name if labels.is_dir() else labels)
        found.append(task)
    return found


def named(text: str, alone: bool, no_global: bool) -> str:
    """Features as tables name them."""
    return text + ", clip alone" * alone + ", without [GLOBAL]" * no_global


def show_labels(labels: LabelSet) -> None:
    """Prints what is wrong with labels, and what else a user should know of them."""
    for line in [*labels.summary(), *labels.notes]:
        say(f"  {line}")


def about_labels(labels: LabelSet) -> dict[str, list[str]]:
    """What :func:`show_labels` prints, for JSON; every row that is wrong."""
    return {"wrong": [str(problem) for problem in labels.problems], "notes": list(labels.notes)}


def counted(number: int, one: str, several: str = "") -> str:
    """``1 clip``, ``2 clips``."""
    return f"{number:,} {one if number == 1 else several or one + 's'}"


def measured_on(labels: LabelSet, groups: int) -> str:
    """What a measurement stands on, in a line."""
    split = labels.task.split
    how = f"split by {split.column}" if split.column else "in folds of whole groups"
    rough = ": intervals are rough" if 1 < groups < ROUGH else ""
    titles = len({clip.title_id for clip in labels.clips})
    return (
        f"{counted(len(labels), 'clip')} of {counted(titles, 'title')}, "
        f"{counted(len(labels.classes), 'class', 'classes')}; measured on {groups} groups "
        f"({split.by}) {how}{rough}"
    )


def show_skipped(skipped: list[str]) -> None:
    """Prints what could not be measured."""
    for line in skipped:
        say(f"skipped: {line}")


def number(value: Any) -> str:
    """A cell with a number; a dash where there is none."""
    return f"{value:.3f}" if isinstance(value, int | float) and math.isfinite(value) else "-"


def cells(interval: Interval) -> tuple[str, str]:
    """The cells of a value and its interval."""
    if math.isnan(interval.low):
        return number(interval.value), "too few groups"
    return number(interval.value), f"{interval.low:.3f} .. {interval.high:.3f}"


def signed(interval: Interval | None) -> str:
    """The cell of a difference and its interval."""
    if interval is None:
        return ""
    if math.isnan(interval.low):
        return f"{interval.value:+.3f}"
    return f"{interval.value:+.3f} ({interval.low:+.3f} .. {interval.high:+.3f})"


def judgements(found: Sequence[Judgement], study: Study) -> dict[str, Any]:
    """What :func:`show_judgements` prints, for JSON."""
    return {
        "tasks": without_nan([asdict(j) | {"outcome": j.outcome} for j in found]),
        "labels": {task: about_labels(own) for task, own in study.labels.items()},
        "skipped": study.skipped,
    }


def show_judgements(
    ours: str, theirs: str, found: Sequence[Judgement], study: Study, passed: bool
) -> None:
    """Prints what the gate said."""
    from mediafm.probes.bootstrap import FEWEST

    for own in study.labels.values():
        show_labels(own)
    print_table(
        f"{ours} against {theirs}",
        ["task", "metric", f"#{ours}", f"#{theirs}", "#difference, 95%", "outcome"],
        [
            (
                j.task,
                j.metric,
                number(j.ours.value),
                number(j.theirs.value),
                signed(j.difference),
                j.outcome,
            )
            for j in found
        ],
    )
    for j in found:
        if j.outcome == "unknown":
            runs = study.of(j.task)[ours].runs
            say(
                f"{j.task}: measured on {counted(len(runs[0].predictions.groups), 'group')}; "
                f"{FEWEST} are needed to tell a difference from noise"
            )
    show_skipped(study.skipped)
    say("passed: no task is worse beyond noise" if passed else "failed")
