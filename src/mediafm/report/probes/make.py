"""Measures and writes a probe report."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mediafm.errors import MediaFMError, describe_os_error
from mediafm.files import save
from mediafm.probes.bench import Bench
from mediafm.probes.study import Contender
from mediafm.probes.task import Task
from mediafm.report.probes.data import to_json
from mediafm.report.probes.markdown import to_markdown
from mediafm.report.probes.material import Material, collect
from mediafm.report.probes.page import to_html

WRITERS: dict[str, Callable[[Material], str]] = {
    ".html": to_html,
    ".md": to_markdown,
    ".json": to_json,
}
NAME = "report"


def targets(out: Path) -> list[Path]:
    """The files that a path stands for.

    Args:
        out: A file with one of the three suffixes; a path without suffix for all three; a folder
            for ``report.html``, ``report.md`` and ``report.json`` in it.

    Raises:
        MediaFMError: Another suffix.
    """
    if out.is_dir():
        out = out / NAME
    if out.suffix.lower() in WRITERS:
        return [out]
    if out.suffix:
        raise MediaFMError(
            f"a report cannot be written as {out.suffix}",
            where=out,
            do=f"name a {', '.join(WRITERS)} file, or no suffix for all",
        )
    return [out.with_name(out.name + suffix) for suffix in WRITERS]


def report(
    bench: Bench,
    tasks: Sequence[Task],
    contenders: Sequence[Contender],
    out: Path,
    *,
    draws: int = 1000,
    curve_draws: int = 3,
    ceilings: Mapping[str, float] | None = None,
    command: str = "",
) -> list[Path]:
    """Measures contenders by tasks and writes what came out.

    A bench with a folder keeps every measurement: a report that is interrupted goes on, and one
    that is made again measures nothing anew.

    Args:
        bench: Measures.
        tasks: What is asked.
        contenders: What is compared; :func:`~mediafm.probes.summary.staircase` has the usual ones.
        out: See :func:`targets`.
        draws: Resamples of the groups behind every interval.
        curve_draws: Draws of the labels at every point of the label curve; 0 for no curve.
        ceilings: Task to the best value that its labels allow.
        command: What the user typed, to be repeated.

    Returns:
        The files written.

    Raises:
        MediaFMError: Nothing could be measured, or a file cannot be written.
    """
    files = targets(out)
    material = collect(
        bench,
        tasks,
        contenders,
        draws=draws,
        curve_draws=curve_draws,
        ceilings=ceilings,
        command=command,
    )
    for file in files:
        save(file, WRITERS[file.suffix.lower()](material).encode("utf-8"))
    return files


def read_ceilings(path: Path, tasks: Sequence[Task]) -> dict[str, float]:
    """Reads the best values that labels allow, such as ``ceiling.json`` of the sample.

    Args:
        path: JSON: the task, the last word of its name, or its label file without suffix, to a
            number or to an object with ``ceiling``.
        tasks: The tasks.

    Returns:
        Name of a task to its ceiling, for the tasks that have one.

    Raises:
        MediaFMError: It cannot be read or holds something else.
    """
    try:
        held = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise MediaFMError(f"cannot be read ({describe_os_error(error)})", where=path) from None
    except ValueError:
        raise MediaFMError("is no JSON", where=path) from None
    if not isinstance(held, dict):
        raise MediaFMError("is no mapping of tasks to values", where=path)
    found = {}
    for task in tasks:
        keys = (task.name, task.name.rsplit("-", 1)[-1], task.labels.stem)
        key = next((key for key in keys if key in held), None)
        value: Any = None if key is None else held[key]
        if isinstance(value, dict):
            value = value.get("ceiling")
        if value is None:
            continue
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not math.isfinite(value)
        ):
            raise MediaFMError(f"'{key}' is {value!r}, must be a number", where=path)
        found[task.name] = float(value)
    return found
