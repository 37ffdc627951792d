"""The command that compares training runs: ``runs``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast, get_args

import typer

from mediafm.cli.output import JsonOption, clock, console, print_json, print_table, say
from mediafm.errors import MediaFMError
from mediafm.timeline import US

if TYPE_CHECKING:
    from mediafm.report.run_files import Found
    from mediafm.report.runs import Run


def runs(
    folders: Annotated[
        list[Path] | None,
        typer.Argument(help="Folders of runs, or folders above them; this one by default."),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(help="Also draw the curves, as a .png or .svg file.")
    ] = None,
    by: Annotated[
        str, typer.Option(help="What the curves lie over: step, seconds or shots.")
    ] = "step",
    sort: Annotated[
        str | None,
        typer.Option(
            help="Column or setting to sort by; cosine by default, or reciprocal_rank where "
            "cosines do not compare."
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Compare training runs: what they reached, what they cost, and in what they differ.

    Example: [bold]mediafm runs experiments --plot runs.png[/bold]
    """
    from mediafm.report.run_files import read_runs
    from mediafm.report.runs import comparable, differing, sort_runs

    # Matplotlib takes a second to load, and an option that cannot be met is said at once.
    if plot is not None:
        from mediafm.report.curves import By, plot_runs, target

        if by not in get_args(By):
            raise MediaFMError(
                f"curves cannot lie over '{by}'", do=f"choose {', '.join(get_args(By))}"
            )
        target(plot)
    found = read_runs(folders or [Path()])
    ordered = sort_runs(found.runs, sort)
    drawn = None if plot is None else plot_runs(ordered, plot, cast("By", by))
    if json:
        print_json(
            {
                "runs": [{**run.measures(), "settings": run.settings} for run in ordered],
                "differing": differing(ordered),
                "cosines_compare": comparable(ordered),
                "notes": _notes(found, ordered, sort),
                "plot": None if drawn is None else str(drawn),
            }
        )
        return
    _results(ordered)
    _validation(ordered)
    _cost(ordered)
    for note in _notes(found, ordered, sort):
        say(note)
    if drawn is None:
        say("the curves: the same with --plot runs.png")
    else:
        say(str(drawn))


def _results(ordered: Sequence[Run]) -> None:
    from mediafm.report.curves import show
    from mediafm.report.runs import differing, setting

    columns = ["state", "#done", "#cosine", "#margin", "#reciprocal rank", "verdict"]
    rows = []
    for run in ordered:
        measures = run.measures()
        numbers = [_show(measures[key], ".3f") for key in ("cosine", "reciprocal_rank")]
        numbers.insert(1, _show(measures["margin"], "+.3f"))
        steps = f"{run.steps}/{_show(run.of_steps)}"
        rows.append([run.state, steps, *numbers, run.verdict.get("outcome") or "–"])
    keys = differing(ordered)
    names = [run.name for run in ordered]
    cells = [[show(setting(run, key)) for key in keys] for run in ordered]
    title = "Runs" if len(ordered) > 1 else names[0]
    both = [[name, *own, *row] for name, own, row in zip(names, cells, rows, strict=True)]
    if _fits(["run", *keys, *columns], both):
        print_table(title, ["run", *keys, *columns], both)
        return
    print_table(title, ["run", *columns], [[n, *row] for n, row in zip(names, rows, strict=True)])
    beside = [[name, *own] for name, own in zip(names, cells, strict=True)]
    if not _fits(["run", *keys], beside):  # settings below each other
        turned = [[key, *own] for key, *own in zip(keys, *cells, strict=True)]
        print_table("What differs", ["setting", *names], turned)
    else:
        print_table("What differs", ["run", *keys], beside)


def _fits(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> bool:
    """Whether a table can be drawn without breaking words."""
    words = [[len(word) for word in heading.lstrip("#").split()] for heading in columns]
    cells = zip(*rows, strict=True)
    wide = [
        max([*heads, *(len(str(cell)) for cell in column)])
        for heads, column in zip(words, cells, strict=True)
    ]
    return sum(wide) + 3 * len(wide) + 1 <= console().width


def _validation(ordered: Sequence[Run]) -> None:
    measured = [run.measures() for run in ordered]
    held = sorted((values["modality"] for values in measured), key=len, reverse=True)
    modalities = list(dict.fromkeys(name for by in held for name in by))
    print_table(
        "At the best step, and the verdict's margin",
        [
            *("run", "#best step", "#effective rank", *(f"#{name}" for name in modalities)),
            *("best baseline", "#verdict: margin"),
        ],
        [
            (
                values["run"],
                _show(values["best_step"]),
                _show(values["effective_rank"], ".1f"),
                *(_show(values["modality"].get(name), ".3f") for name in modalities),
                values["best_baseline"] or "–",
                _verdict(values["verdict"]),
            )
            for values in measured
        ],
    )


def _verdict(verdict: dict[str, Any]) -> str:
    try:
        low, high = verdict["interval"]
        return f"{verdict['margin']:+.3f} ± {(high - low) / 2:.3f}"
    except (TypeError, ValueError, KeyError):  # none, or not as we write it
        return "–"


def _cost(ordered: Sequence[Run]) -> None:
    rows = []
    for run in ordered:
        values = run.measures()
        waiting = None if values["waiting"] is None else 100 * values["waiting"]
        rows.append(
            (
                run.name,
                _show(values["parameters"], ","),
                values["precision"] or "–",
                _show(values["processes"]),
                _show(values["shots_per_s"], ",.0f"),
                _show(waiting, ".1f"),
                _show(values["memory_gb"], ".2f"),
                _time(values["seconds"]),
            )
        )
    columns = ("#parameters", "precision", "#processes", "#shots/s", "#waiting %", "#memory GB")
    print_table("Cost", ["run", *columns, "#time"], rows)


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    return f"{seconds:.1f} s" if seconds < 60 else clock(round(seconds * US))


def _show(value: Any, how: str = "") -> str:
    try:
        return "–" if value is None else format(value, how)
    except (TypeError, ValueError):  # a log that somebody edited
        return str(value)


def _notes(found: Found, ordered: Sequence[Run], sort: str | None) -> list[str]:
    from mediafm.report.runs import caveats, comparable

    lines = caveats(ordered)
    if not comparable(ordered) and sort is None:
        lines[0] += " The runs are sorted by them."
    for run in ordered:
        if run.state == "stopped":
            start = "begins anew" if run.checkpoint is None else f"goes on at {run.checkpoint}"
            lines.append(
                f"{run.name}: stopped at step {run.steps}; the command that began it {start}"
            )
        lines += run.notes
    return [*lines, *(f"left out: {line}" for line in found.left_out)]
