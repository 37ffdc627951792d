"""The report as Markdown, as GitHub draws it: the same numbers as tables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from mediafm.probes.summary import Comparison, TaskSummary
from mediafm.report.probes import words
from mediafm.report.probes.material import Material

_MARKS = re.compile(r"([\\`*_\[\]|~$])")


def to_markdown(material: Material) -> str:
    """The report as Markdown text."""
    lines = [
        f"# Probe report: {escape(_name(material.catalog))}",
        "",
        f"{material.titles:,} titles, {material.shots:,} shots; {material.made_at}, "
        f"{escape(material.made_by)}. Intervals: 95%, {material.draws:,} bootstrap draws over "
        "groups.",
        "",
    ]
    lines += table(
        ["task", "metric", "outcome", "in words"],
        [
            (t.name, t.labels.task.metric, words.OUTCOMES[words.verdict(t)], words.headline(t))
            for t in material.tasks
        ],
    )
    if material.skipped:
        lines += ["## Not measured", "", *(item(line) for line in material.skipped), ""]
    for task in material.tasks:
        lines += _task(material, task)
    lines += _method(material)
    return "\n".join(lines).rstrip() + "\n"


def escape(text: object) -> str:
    """Text of others as Markdown shows it: no marks, no HTML, one line."""
    plain = " ".join(str(text).split())
    return _MARKS.sub(r"\\\1", plain).replace("&", "&amp;").replace("<", "&lt;")


def item(text: object) -> str:
    """A line of a list; what would begin a list of its own does not."""
    return re.sub(r"^(- )([-+#=>])", r"\1\\\2", f"- {escape(text)}")


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """A table; columns whose name begins with ``#`` hold numbers. Cells are escaped."""
    lines = [
        f"| {' | '.join(escape(column.lstrip('#')) for column in columns)} |",
        f"| {' | '.join('---:' if column.startswith('#') else '---' for column in columns)} |",
    ]
    lines += [f"| {' | '.join(escape(cell) for cell in row)} |" for row in rows]
    return [*lines, ""]


def _name(uri: str) -> str:
    return uri.rstrip("/").rsplit("/", 1)[-1] or uri


def _task(material: Material, task: TaskSummary) -> list[str]:
    spec = task.labels.task
    lines = [f"## {escape(task.name)}", ""]
    if spec.about:
        lines += [escape(spec.about), ""]
    ceiling = material.ceilings.get(task.name)
    lines += [
        f"{escape(words.METRICS.get(spec.metric, spec.metric))}; chance "
        f"{words.number(task.chance)}"
        + (f", the most that the labels allow {words.number(ceiling)}" if ceiling else "")
        + f". {task.measured:,} clips measured; {escape(words.split(task))}.",
        "",
    ]
    lines += table(
        ["contender", f"#{spec.metric}", "#95%", "#seeds", "what it is"],
        [
            (
                row.contender.name,
                words.number(row.value),
                words.span(row.low, row.high),
                len(row.runs),
                words.describe(row.contender),
            )
            for row in task.rows
        ],
    )
    if task.gains:
        lines += ["### Differences, paired", "", *_comparisons(task.gains)]
    if task.switches:
        lines += ["### Switches", "", *_comparisons(task.switches, about=True)]
    if points := material.points.get(task.name):
        lines += ["### Number of labels", ""]
        names = list(dict.fromkeys(point.contender for point in points))
        held = {(p.contender, p.labels): words.number(p.value) for p in points}
        lines += table(
            ["#labelled clips", *(f"#{name}" for name in names)],
            [
                (f"{count:,}", *(held.get((name, count), "–") for name in names))
                for count in sorted({point.labels for point in points})
            ],
        )
    if task.classes:
        names = task.shown
        lines += ["### Classes", ""]
        lines += table(
            ["class", "#positives", "#prevalence", *(f"#AP, {name}" for name in names)],
            [
                (
                    line.name,
                    f"{line.positives:,}",
                    words.number(line.prevalence),
                    *(words.number(line.ap[name]) for name in names),
                )
                for line in task.classes
            ],
        )
    if mistakes := material.mistakes.get(task.name):
        lines += ["### Worst mistakes", ""]
        lines += table(
            ["clip", "what is wrong"],
            [
                (
                    "; ".join(
                        f"{s.role + ': ' if s.role else ''}{words.place(s)}" for s in mistake.scenes
                    ),
                    words.mistake(mistake),
                )
                for mistake in mistakes
            ],
        )
    if wrong := [*task.labels.notes, *task.labels.summary()]:
        lines += ["### Labels: what to know", "", *map(item, wrong)]
        lines += ["", "All of them are in the JSON.", ""]
    return lines


def _comparisons(found: Sequence[Comparison], *, about: bool = False) -> list[str]:
    columns = ["ours", "minus", "#difference", "#95%", "outcome"]
    rows = [
        (
            *((c.about,) if about else ()),
            c.ours,
            c.theirs,
            words.signed(c.value),
            words.span(c.low, c.high),
            words.OUTCOMES[c.outcome],
        )
        for c in found
    ]
    return table([*(["question"] if about else []), *columns], rows)


def _method(material: Material) -> list[str]:
    lines = ["## How it was measured", ""]
    if material.command:
        lines += [f"    {' '.join(material.command.split())}", ""]
    lines += table(
        ["version", "fingerprint", "#width", "model"],
        [(v.name, v.fingerprint, v.dim, Path(v.model).name) for v in material.versions],
    )
    lines += table(
        ["modality", "encoder", "fingerprint", "#width"],
        [(e.modality, e.name, e.fingerprint, e.dim) for e in material.encoders],
    )
    return lines
