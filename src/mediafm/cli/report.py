"""The command that says what embeddings are worth: ``report``."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mediafm.cli.output import CATALOG, CatalogOption, JsonOption, print_json, reporter, say
from mediafm.errors import MediaFMError

if TYPE_CHECKING:
    from mediafm.probes.task import Task


def report(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[TASK]...",
            help="Task files or names; by default the built-in tasks with a file in --labels.",
        ),
    ] = None,
    catalog: CatalogOption = CATALOG,
    labels: Annotated[
        Path | None,
        typer.Option("--labels", "-l", help="Folder of the label files, by the tasks' file names."),
    ] = None,
    version: Annotated[
        list[str] | None,
        typer.Option(help="Version to measure; repeat for the seeds of one recipe."),
    ] = None,
    rival: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=V1,V2", help="Versions of another recipe, such as adamw=adamw-0,adamw-1."
        ),
    ] = None,
    features: Annotated[
        list[str] | None,
        typer.Option("--features", "-f", help="Further features; see mediafm probe eval."),
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option("--model", "-m", help="The model, where its version does not find it."),
    ] = None,
    out: Annotated[
        Path,
        typer.Option(
            "--out", "-o", help="Folder or name of .html, .md and .json; a suffix picks one."
        ),
    ] = Path("report"),
    work: Annotated[
        Path | None,
        typer.Option(help="Folder where measurements are kept; beside the report by default."),
    ] = None,
    ceiling: Annotated[
        Path | None,
        typer.Option(help="JSON file: task to the best value that its labels allow."),
    ] = None,
    draws: Annotated[int, typer.Option(min=1, help="Resamples behind every interval.")] = 1000,
    quick: Annotated[bool, typer.Option("--quick", help="No curve by number of labels.")] = False,
    json: JsonOption = False,
) -> None:
    """Measure what context adds, and write a report: HTML, Markdown and JSON.

    Single modalities, all of them, with neighbours, an untrained model and embeddings in context
    meet the same tasks. Interrupted, the same command goes on.

    Example: [bold]mediafm report --labels films/labels --version seed-0 --version seed-1[/bold]
    """
    from mediafm.catalog import Catalog
    from mediafm.probes.bench import Bench
    from mediafm.probes.summary import staircase
    from mediafm.report.probes import report as write
    from mediafm.report.probes import targets
    from mediafm.report.probes.make import read_ceilings

    files = targets(out)
    tasks = _tasks(names or [], labels)
    held = Catalog.open(catalog)
    rivals = _rivals(rival or [])
    for text in [*(version or []), *(name for names in rivals.values() for name in names)]:
        held.version(text)  # a name that is wrong is said before anything is measured
    contenders = staircase(held, version or [], rivals, features or [])
    ceilings = read_ceilings(ceiling, tasks) if ceiling else None
    stem = files[0].with_suffix("")
    bench = Bench(
        held,
        work or stem.with_name(f"{stem.name}-work"),
        model=model,
        progress=reporter(json),
    )
    for contender in contenders:
        bench.spec(contender)
    command = "mediafm " + shlex.join(a for a in sys.argv[1:] if a != "--debug")
    written = write(
        bench,
        tasks,
        contenders,
        out,
        draws=draws,
        curve_draws=0 if quick else 3,
        ceilings=ceilings,
        command=command,
    )
    if json:
        print_json({"files": [str(file) for file in written]})
        return
    for file in written:
        say(str(file))


def _tasks(names: list[str], labels: Path | None) -> list[Task]:
    from mediafm.probes.task import built_in, load_task

    if labels is not None and not labels.is_dir():
        raise MediaFMError(
            "is no folder", where=labels, do="name the folder that holds the label files"
        )
    tasks = []
    for name in names or built_in():
        task = load_task(name)
        # A task file of the user's knows where its labels are.
        if labels is not None and (name in built_in() or not task.labels.exists()):
            task = task.replace(labels=labels / task.labels.name)
        tasks.append(task)
    if not names:
        tasks = [task for task in tasks if task.labels.exists()]
        if not tasks:
            files = ", ".join(sorted({load_task(name).labels.name for name in built_in()}))
            raise MediaFMError(
                "no task is named, and there are no labels of a built-in one",
                where=labels,
                do=f"name task files, or the folder with any of {files}: --labels",
            )
    for i, task in enumerate(tasks):
        if task.name in [other.name for other in tasks[:i]]:
            raise MediaFMError(f"two tasks are named '{task.name}'", do="set name in their files")
    return tasks


def _rivals(texts: list[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for text in texts:
        name, _, rest = text.partition("=")
        versions = [part.strip() for part in rest.split(",") if part.strip()]
        if not name.strip() or not versions:
            raise MediaFMError(f"--rival {text} names no versions", do="write NAME=VERSION,VERSION")
        if name.strip() in found:
            raise MediaFMError(f"--rival {name.strip()} is said twice", do="say it once")
        found[name.strip()] = versions
    return found
