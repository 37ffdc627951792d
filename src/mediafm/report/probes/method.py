"""The last section of the page: how everything was measured, and what is wrong with the labels."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from mediafm.probes.summary import Row, TaskSummary
from mediafm.report.probes import words
from mediafm.report.probes.charts import esc
from mediafm.report.probes.material import Material
from mediafm.timeline import US

_FOLDED = 12


def method(material: Material) -> str:
    """Tasks and their labels, contenders, versions, encoders, settings, the command."""
    parts = [
        "<h3>Tasks</h3>",
        table(
            [
                *("task", "kind", "metric", "#clips", "#measured", "#fitted on", "#titles"),
                *("#groups", "#classes", "split", "labels"),
            ],
            [_task(task) for task in material.tasks],
        ),
        *(_labels(task) for task in material.tasks),
        "<h3>Contenders</h3>",
        table(
            ["contender", "what it is", "versions"],
            [(c.name, words.describe(c), ", ".join(c.versions)) for c in material.contenders],
        ),
        "<h3>Penalties that the folds chose, and time</h3>",
        table(
            ["contender", *(task.name for task in material.tasks), "#seconds"], _penalties(material)
        ),
    ]
    if material.versions:
        rows = [
            (
                v.name,
                v.fingerprint,
                v.dim,
                Path(v.model).name,
                _day(v.created_at),
                ", ".join(f"{key} {value}" for key, value in v.settings.items()),
            )
            for v in material.versions
        ]
        head = ["version", "fingerprint", "#width", "model", "embedded", "settings"]
        parts += ["<h3>Versions</h3>", table(head, rows)]
    parts += [
        "<h3>Encoders</h3>",
        table(
            ["modality", "encoder", "fingerprint", "#width"],
            [(e.modality, e.name, e.fingerprint, e.dim) for e in material.encoders],
        ),
        "<h3>Settings</h3><dl>",
        "<dt>heads</dt><dd>Linear: logistic regression per class, for rankings over pairs of "
        "clips of a title. Features are standardised and the penalty is chosen by folds, both on "
        "the training side. Groups are never divided.</dd>"
        f"<dt>intervals</dt><dd>95%, percentile bootstrap, {material.draws:,} draws of whole "
        "groups. A contender with several versions (seeds) counts with their mean: intervals say "
        "what other groups would change, not other seeds.</dd>"
        f"<dt>seed</dt><dd>{material.seed}</dd>"
        f"<dt>catalog</dt><dd>{esc(material.catalog)}</dd>"
        f"<dt>made</dt><dd>{esc(material.made_at)} by {esc(material.made_by)}</dd>",
        f"<dt>command</dt><dd><code>{esc(material.command)}</code></dd>"
        if material.command
        else "",
        "</dl>",
    ]
    return f'<div class="method">{"".join(parts)}</div>'


def _task(task: TaskSummary) -> tuple[object, ...]:
    labels, spec = task.labels, task.labels.task
    return (
        task.name,
        spec.kind,
        spec.metric,
        f"{len(labels):,}",
        f"{task.measured:,}",
        f"{task.rows[0].fitted:,}",
        f"{len({clip.title_id for clip in labels.clips}):,}",
        f"{len(set(labels.groups)):,}",
        len(labels.classes),
        words.split(task),
        spec.labels.name,
    )


def _labels(task: TaskSummary) -> str:
    """What is wrong with the labels of a task; nothing is hidden, long lists are folded."""
    lines = [*task.labels.notes, *(str(problem) for problem in task.labels.problems)]
    if not lines:
        return ""
    items = [f"<li>{esc(line)}</li>" for line in lines]
    title = f"<b>Labels of {esc(task.name)}: what to know</b>"
    if len(items) <= _FOLDED:
        return f'<div class="warn">{title}<ul>{"".join(items)}</ul></div>'
    first, rest = "".join(items[:_FOLDED]), "".join(items[_FOLDED:])
    return (
        f'<div class="warn">{title}<ul>{first}</ul><details><summary>and '
        f"{len(items) - _FOLDED:,} more</summary><ul>{rest}</ul></details></div>"
    )


def _penalties(material: Material) -> list[list[object]]:
    rows: dict[str, dict[str, Row]] = {}
    for task in material.tasks:
        for row in task.rows:
            rows.setdefault(row.contender.name, {})[task.name] = row
    return [
        [
            name,
            *(_span(found[task.name]) if task.name in found else "–" for task in material.tasks),
            f"{sum(row.seconds for row in found.values()):.1f}",
        ]
        for name, found in rows.items()
    ]


def _span(row: Row) -> str:
    chosen = sorted({penalty for run in row.penalties for penalty in run})
    if len(chosen) > 2:
        return f"{chosen[0]:.2g} to {chosen[-1]:.2g}"
    return ", ".join(f"{penalty:.2g}" for penalty in chosen)


def _day(time: int) -> str:
    return datetime.fromtimestamp(time / US, UTC).strftime("%Y-%m-%d %H:%M") if time else ""


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A plain table; headings that begin with ``#`` stand over numbers."""
    kinds = ["num" if name.startswith("#") else "text" for name in head]
    names = "".join(
        f'<th scope="col" class="{kind}">{esc(name.removeprefix("#"))}</th>'
        for name, kind in zip(head, kinds, strict=True)
    )
    body = "".join(
        "<tr>"
        + "".join(
            f'<td class="{kind}">{esc(cell)}</td>' for cell, kind in zip(row, kinds, strict=True)
        )
        + "</tr>"
        for row in rows
    )
    return (
        f'<div class="scroll"><table class="list"><thead><tr>{names}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )
