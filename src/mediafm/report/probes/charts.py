"""Bars, forests and curves as HTML and SVG that need no script.

Bars and forests are tables whose marks lie at percentages of a cell: they are read by screen
readers, wrap on narrow screens and take the colours of the page. Curves are SVG.
"""

from __future__ import annotations

import html
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mediafm.probes.summary import Comparison, Row, TaskSummary
from mediafm.report.probes import words
from mediafm.report.probes.curve import Point

_STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.5, 1.0)
_KNOWN = ("video", "audio", "text")
_HIGH, _WIDE = 300, 620
_LEFT, _RIGHT, _TOP, _FOOT = 44, 172, 14, 40
_LINES = {"joined": "joined", "context": "context"}


@dataclass(frozen=True, slots=True)
class Scale:
    """A number line.

    Args:
        low: Its left end.
        high: Its right end.
        step: Between two ticks.
    """

    low: float
    high: float
    step: float

    def at(self, value: float) -> float:
        """Percent of the way from left to right; values beyond the ends lie on them."""
        share = (value - self.low) / (self.high - self.low)
        return round(100 * min(max(share, 0.0), 1.0), 3)

    @property
    def ticks(self) -> list[float]:
        """The values that are named: zero is one of them."""
        first = math.ceil(self.low / self.step - 1e-9)
        last = math.floor(self.high / self.step + 1e-9)
        return [round(i * self.step, 6) for i in range(first, last + 1)]


def scale(values: Sequence[float], most: int = 6) -> Scale:
    """A number line from zero, or from below it, that holds all values that are finite."""
    held = [value for value in values if math.isfinite(value)]
    low, high = min([0.0, *held]), max([0.0, *held])
    if high - low < 1e-6:
        high = low + 0.1
    room = 0.04 * (high - low)
    low, high = (low - room if low < 0 else 0.0), (high + room if high > 0 else 0.0)
    step = next((s for s in _STEPS if (high - low) / s <= most), 1.0)
    return Scale(low, high, step)


def esc(text: object) -> str:
    """Text of others in HTML, also within quotes."""
    return html.escape(" ".join(str(text).split()))


def colour(row: Row, place: int) -> str:
    """The class that gives a row its colour."""
    role, name = row.contender.role, row.contender.features
    if role != "single":
        return f"r-{role}"
    return f"m-{name}" if name in _KNOWN else f"m-{place % 3}"


def bars(task: TaskSummary, ceiling: float | None) -> str:
    """Values of all contenders of a task, with intervals, seeds, chance and ceiling."""
    values = [v for row in task.rows for v in (row.value, row.low, row.high, *row.runs)]
    axis = scale([*values, task.chance, ceiling or 0.0])
    lines = _line("chance", axis, task.chance) + (
        _line("ceiling", axis, ceiling) if ceiling else ""
    )
    zero = axis.at(0)
    body, before = [], ""
    for place, row in enumerate(task.rows):
        role = row.contender.role
        left, right = sorted((zero, axis.at(row.value) if math.isfinite(row.value) else zero))
        look = f"left:{left}%;width:{right - left:.3f}%"
        marks = f'<i class="bar {colour(row, place)}" style="{look}"></i>'
        if len(row.runs) > 1:
            marks += "".join(
                f'<i class="seed" style="left:{axis.at(v)}%"></i>'
                for v in row.runs
                if math.isfinite(v)
            )
        marks += _whisker(axis, row.low, row.high)
        name = row.contender.name
        said = (
            f"{name}: {words.number(row.value)} ({words.span(row.low, row.high)}); "
            f"{words.describe(row.contender)}"
        )
        seeds = ", ".join(words.number(v) for v in row.runs)
        said += f"; seeds {seeds}" if len(row.runs) > 1 else ""
        first = ' class="first"' if role != before and before else ""
        before = role
        body.append(
            f'<tr{first} title="{esc(said)}"><th scope="row">{broken(name)}</th>'
            f'<td class="track" style="{_grid(axis)}">{lines}{marks}</td>'
            f"<td class=num>{words.number(row.value)}</td>"
            f'<td class="num soft">{words.span(row.low, row.high)}</td></tr>'
        )
    legend = [f'<span class="key chance">chance {words.number(task.chance)}</span>']
    if ceiling:
        legend.append(f'<span class="key ceiling">ceiling {words.number(ceiling)}</span>')
    return (
        f'<table class="chart">{_columns("value", "span")}'
        '<thead><tr><th scope="col">contender</th>'
        f'<th scope="col" class="keys">{"".join(legend)}</th>'
        '<th scope="col" class="num">value</th><th scope="col" class="num">95%</th></tr></thead>'
        f"<tbody>{''.join(body)}</tbody>{_axis(axis)}</table>"
    )


def forest(found: Sequence[Comparison], names: Sequence[str], head: str, axis: Scale) -> str:
    """Differences with intervals beside zero.

    Args:
        found: The differences.
        names: What each row is called.
        head: Heading of the names.
        axis: Their number line.
    """
    body = []
    for comparison, name in zip(found, names, strict=True):
        low, high, value = comparison.low, comparison.high, comparison.value
        marks = f'<i class="zero" style="left:{axis.at(0)}%"></i>'
        if not math.isnan(low):
            left, right = axis.at(low), axis.at(high)
            marks += f'<i class="range" style="left:{left}%;width:{right - left:.3f}%"></i>'
        if not math.isnan(value):
            marks += f'<i class="point" style="left:{axis.at(value)}%"></i>'
        said = f"{comparison.ours} minus {comparison.theirs}: {words.gain(comparison)}"
        body.append(
            f'<tr class="o-{comparison.outcome}" title="{esc(said)}">'
            f'<th scope="row">{broken(name)}</th>'
            f'<td class="track" style="{_grid(axis)}">{marks}</td>'
            f"<td class=num>{words.signed(value)}</td>"
            f'<td class="num soft">{words.span(low, high)}</td>'
            f"<td class=outcome>{words.OUTCOMES[comparison.outcome]}</td></tr>"
        )
    return (
        f'<table class="chart forest">{_columns("value", "span", "said")}'
        f'<thead><tr><th scope="col" colspan="2">{esc(head)}</th>'
        '<th scope="col" class="num">diff.</th><th scope="col" class="num">95%</th>'
        f'<th scope="col">outcome</th></tr></thead><tbody>{"".join(body)}</tbody>'
        f"{_axis(axis, sign=True)}</table>"
    )


def _columns(*kinds: str) -> str:
    return (
        "<colgroup>"
        + "".join(f'<col class="{k}">' for k in ("name", "track", *kinds))
        + "</colgroup>"
    )


def differences(found: Sequence[Comparison]) -> Scale:
    """The number line of differences."""
    return scale([v for c in found for v in (c.value, c.low, c.high)], 4)


def broken(name: str) -> str:
    """A name that breaks after a plus, a colon or a comma, and nowhere else."""
    parts = re.split(r"(?<=[+:,])", name)
    return "".join(
        f'{" " * part.startswith(" ")}<span class="n">{esc(part)}</span>' for part in parts if part
    )


def _grid(axis: Scale) -> str:
    """Where the vertical lines of a track lie."""
    first = axis.at(axis.ticks[0])
    wide = 100 * axis.step / (axis.high - axis.low)
    return f"--first:{first}%;--step:{wide:.3f}%"


def _line(kind: str, axis: Scale, value: float) -> str:
    return "" if math.isnan(value) else f'<i class="{kind}" style="left:{axis.at(value)}%"></i>'


def _whisker(axis: Scale, low: float, high: float) -> str:
    if math.isnan(low):
        return ""
    left, right = axis.at(low), axis.at(high)
    return f'<i class="whisker" style="left:{left}%;width:{right - left:.3f}%"></i>'


def _axis(axis: Scale, *, sign: bool = False) -> str:
    digits = 2 if axis.step < 0.1 or axis.step == 0.25 else 1
    ticks = []
    for value in axis.ticks:
        text = words.number(value, digits) if value else "0"
        text = f"+{text}" if sign and value > 0 else text
        ticks.append(f'<b style="left:{axis.at(value)}%">{text}</b>')
    cell = f'<td class="axis">{"".join(ticks)}</td>'
    return f'<tfoot aria-hidden="true"><tr><td></td>{cell}</tr></tfoot>'


def curve(task: TaskSummary, points: Sequence[Point]) -> str:
    """Score against number of labels, on a logarithmic axis."""
    roles = {row.contender.name: row.contender.role for row in task.rows}
    names = list(dict.fromkeys(point.contender for point in points))
    counts = sorted({point.labels for point in points})
    axis = scale([v for p in points for v in (p.low, p.high)] + [task.chance])
    first, last = math.log(counts[0]), math.log(max(counts[-1], counts[0] + 1))
    wide, high = _WIDE - _LEFT - _RIGHT, _HIGH - _TOP - _FOOT

    def x(labels: int) -> float:
        return round(_LEFT + wide * (math.log(labels) - first) / (last - first), 1)

    def y(value: float) -> float:
        return round(_TOP + high * (1 - axis.at(value) / 100), 1)

    parts = []
    for tick in axis.ticks:
        text = words.number(tick, 2) if tick else "0"
        parts.append(
            f'<path class="grid" d="M{_LEFT} {y(tick)}h{wide}"/>'
            f'<text class="tick" x="{_LEFT - 7}" y="{y(tick) + 4}" text-anchor="end">{text}</text>'
        )
    for count in _apart(counts, x):
        text = f"{count:,}" if count < counts[-1] or count in (10, 100) else f"{count:,} (all)"
        parts.append(
            f'<path class="grid" d="M{x(count)} {_TOP}v{high}"/><text class="tick" x="{x(count)}" '
            f'y="{_TOP + high + 17}" text-anchor="middle">{text}</text>'
        )
    parts.append(
        f'<text class="tick" x="{_LEFT + wide / 2}" y="{_HIGH - 4}" text-anchor="middle">'
        "labelled clips to fit on</text>"
    )
    if not math.isnan(task.chance):
        parts.append(f'<path class="chance" d="M{_LEFT} {y(task.chance)}h{wide}"/>')
    ends = []
    for name in names:
        own = [p for p in points if p.contender == name and math.isfinite(p.value)]
        if not own:
            continue
        joined = "+" in name and roles[name] == "context"
        look = f"l-{_LINES.get(roles[name], 'joined')}{' both' if joined else ''}"
        band = [f"{x(p.labels)},{y(p.high)}" for p in own]
        band += [f"{x(p.labels)},{y(p.low)}" for p in reversed(own)]
        parts.append(f'<polygon class="band {look}" points="{" ".join(band)}"/>')
        line = " ".join(f"{x(p.labels)},{y(p.value)}" for p in own)
        parts.append(f'<polyline class="line {look}" points="{line}"/>')
        for p in own:
            said = f"{name}, {p.labels:,} labels: {words.number(p.value)}"
            if p.draws > 1:
                said += f" ({words.span(p.low, p.high)} in {p.draws} draws)"
            parts.append(
                f'<circle class="dot {look}" cx="{x(p.labels)}" cy="{y(p.value)}" r="3.2">'
                f"<title>{esc(said)}</title></circle>"
            )
        ends.append((y(own[-1].value), name, look))
    if not math.isnan(task.chance):
        ends.append((y(task.chance), f"chance {words.number(task.chance)}", "tick"))
    for place, name, look in _spread(ends):
        where = f'x="{_LEFT + wide + 9}" y="{place + 4:.1f}"'
        parts.append(f'<text class="name {look}" {where}>{esc(name)}</text>')
    said = f"{task.labels.task.metric} of {words.listed(names)} against number of labelled clips"
    return (
        f'<svg viewBox="0 0 {_WIDE} {_HIGH}" role="img" aria-label="{esc(said)}">'
        f"{''.join(parts)}</svg>"
    )


def _apart(counts: Sequence[int], place: Callable[[int], float]) -> list[int]:
    """Counts whose names do not run into each other: the last one stays."""
    kept = [counts[-1]]
    for count in reversed(counts[:-1]):
        if place(kept[-1]) - place(count) >= 50:
            kept.append(count)
    return kept[::-1]


def _spread(ends: list[tuple[float, str, str]]) -> list[tuple[float, str, str]]:
    """Names beside lines, apart from each other and within the picture."""
    ends = sorted(ends)
    places = [end[0] for end in ends]
    for i in range(1, len(places)):
        places[i] = max(places[i], places[i - 1] + 15)
    limit = _HIGH - _FOOT + 4.0
    for i in reversed(range(len(places))):
        places[i] = min(places[i], limit)
        limit = places[i] - 15
    return [(place, name, look) for place, (_, name, look) in zip(places, ends, strict=True)]
