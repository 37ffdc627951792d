"""The picture of training runs: four panels over one axis, and a legend of what differs."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator

from mediafm.errors import MediaFMError
from mediafm.files import save
from mediafm.report.runs import Curve, Run, Validation, caveats, comparable, differing, setting
from mediafm.report.style import DPI, FAINT, SOFT, Board, fit, quiet, write

By = Literal["step", "seconds", "shots"]

SUFFIXES = (".png", ".svg")
NAME = "runs.png"

# Okabe and Ito's colours, which the colour-blind tell apart, without the yellow that white eats.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#1b1f24")
_DASHES: tuple[Any, ...] = ("-", (0, (5, 1.4)), (0, (1, 1.2)), (0, (5, 1.4, 1, 1.4)))
_AXIS = {"step": "steps", "seconds": "seconds of training steps", "shots": "shots seen"}

_LEFT, _WIDE, _HIGH = 0.85, 4.75, 2.55
_MARGIN = 1.0  # right of a panel: names of the baselines
_ACROSS = _WIDE + _MARGIN + 0.55
_WIDTH = _LEFT + _ACROSS + _WIDE + _MARGIN
_TOP, _DOWN = 1.3, _HIGH + 0.75
_ROW = 0.27
_BLIND = "no context"
_ALIKE = 5e-3  # the same baselines, on masks that another seed drew
_POINTS = 2000  # of a curve; a panel has 570 pixels


@dataclass(frozen=True, slots=True)
class _Look:
    """A run and how it is drawn."""

    run: Run
    colour: str
    dash: Any


@dataclass(frozen=True, slots=True)
class _Panel:
    """What a panel shows of the validations."""

    title: str
    words: str
    value: Callable[[Validation], float | None]
    key: str = ""  # of the baselines; empty where there are none


_PANELS = (
    _Panel("Cosine", "of prediction and masked shot", lambda v: v.cosine, "cosine"),
    _Panel(
        "Reciprocal rank",
        "of the true shot in its title",
        lambda v: v.reciprocal_rank,
        "reciprocal_rank",
    ),
    _Panel("Effective rank", "directions the embeddings use", lambda v: v.effective_rank),
)


def target(out: Path) -> Path:
    """The file that a path stands for: itself, ``runs.png`` in a folder, or with ``.png``.

    Raises:
        MediaFMError: Another suffix.
    """
    if out.is_dir():
        return out / NAME
    if not out.suffix:
        return out.with_name(f"{out.name}.png")
    if out.suffix.lower() not in SUFFIXES:
        raise MediaFMError(
            f"curves cannot be drawn as {out.suffix}", where=out, do="name a .png or a .svg file"
        )
    return out


def plot_runs(runs: Sequence[Run], out: Path, by: By = "step") -> Path:
    """Draws loss, cosine, reciprocal rank and effective rank of training runs.

    Args:
        runs: The runs, in the order of the legend.
        out: A ``.png`` or ``.svg`` file, or a folder for ``runs.png``.
        by: What the curves lie over: steps, seconds of training, or shots seen.

    Returns:
        The file written.

    Raises:
        MediaFMError: Another suffix, or a file that cannot be written.
    """
    file = target(out)
    looks = [
        _Look(run, _COLOURS[i % len(_COLOURS)], _DASHES[i // len(_COLOURS) % len(_DASHES)])
        for i, run in enumerate(runs)
    ]
    # Many settings need the whole width, as long as that does not make a column of dozens.
    columns = 1 if len(runs) == 1 or (len(runs) <= 8 and len(differing(runs)) > 2) else 2
    rows = -(-len(runs) // columns)
    said = _said(runs)
    top = _TOP + 0.2 * (len(said) - 1)
    legend = top + 2 * _DOWN - 0.1
    board = Board(_WIDTH, legend + rows * _ROW + 0.35)
    _head(board, runs, said)
    places = [(_LEFT, top), (_LEFT + _ACROSS, top)]
    places += [(left, high + _DOWN) for left, high in places]
    axes = [_axes(board, left, top) for left, top in places]
    _loss(axes[0], looks, by)
    for panel, own in zip(_PANELS, axes[1:], strict=True):
        _validations(own, panel, looks, by)
    last = max((float(_places(r, by)[-1]) for r in runs if len(_places(r, by))), default=1.0)
    for i, own in enumerate(axes):
        own.set_xlim(-0.012 * last, last * 1.012 or 1.0)
        own.tick_params(labelbottom=i >= 2)
        if i >= 2:
            own.set_xlabel(_AXIS[by], color=SOFT, size=9.5)
    _legend(board, looks, legend, columns)
    buffer = io.BytesIO()
    with quiet():
        board.figure.savefig(buffer, format=file.suffix.lower()[1:], dpi=DPI)
    save(file, buffer.getvalue())
    return file


def _said(runs: Sequence[Run]) -> list[str]:
    if len(runs) == 1:
        return ["A ring marks the weights that are kept."]
    keys = differing(runs)
    words = f"They differ in {', '.join(keys)}." if keys else "They differ in no setting."
    return [f"{words} Rings mark the weights that are kept.", *caveats(runs)]


def _head(board: Board, runs: Sequence[Run], said: Sequence[str]) -> None:
    room = _WIDTH - _LEFT - 0.3
    name = runs[0].name if len(runs) == 1 else f"{len(runs)} training runs"
    fit(board.write(_LEFT, 0.5, name, size=19, weight="bold"), room)
    for i, line in enumerate(said):
        fit(board.write(_LEFT, 0.78 + 0.2 * i, line, size=9.5, color=SOFT), room)


def _axes(board: Board, left: float, top: float) -> Axes:
    axes = board.axes(left, top, _WIDE, _HIGH)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.0f}"))
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.tick_params(labelsize=9, colors=SOFT, length=0)
    axes.grid(color=FAINT, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines["bottom"].set_visible(True)
    axes.spines["bottom"].set_color(SOFT)
    return axes


def _title(axes: Axes, title: str, words: str) -> None:
    name = write(axes, 0, 1.05, title, size=12, weight="bold", transform=axes.transAxes)
    after = (name.get_window_extent().width / DPI + 0.12) / _WIDE
    rest = write(axes, after, 1.05, words, size=9, color=SOFT, transform=axes.transAxes)
    fit(rest, _WIDE * (1 - after) + _MARGIN)


def _places(run: Run, by: By) -> Curve:
    """Where the steps of a run lie on the axis."""
    if by == "step":
        return run.curves["step"]
    return np.nancumsum(run.curves[by])


def _loss(axes: Axes, looks: Sequence[_Look], by: By) -> None:
    _title(axes, "Training loss", "cosine distance; pale: every step, line: moving mean")
    kept = []
    for z, look in enumerate(reversed(looks)):
        y = look.run.curves["loss"]
        there = np.isfinite(y)
        x, y = _places(look.run, by)[there], y[there]
        if not len(y):
            continue
        smooth = moving_mean(y, 2 * (len(y) // 40) + 1)
        thin = slice(None, None, max(1, len(y) // _POINTS))
        axes.plot(x[thin], y[thin], color=look.colour, alpha=0.22, linewidth=0.7, zorder=2)
        axes.plot(x[thin], smooth[thin], color=look.colour, ls=look.dash, lw=1.7, zorder=3 + z)
        kept.append(np.concatenate([smooth, np.percentile(y, [2, 98])]))
    if kept:  # the scale is the lines', so that one bad batch does not flatten them
        _scale(axes, [float(v) for curve in kept for v in (curve.min(), curve.max())])
    else:
        _nothing(axes, "no step is logged yet")


def moving_mean(y: Curve, width: int) -> Curve:
    """Mean over a centred window; at both ends over the part of it that there is.

    Args:
        y: A curve without gaps.
        width: Points of the window, odd.
    """
    sums = np.concatenate([[0.0], np.cumsum(y)])
    place = np.arange(len(y))
    first, end = np.maximum(place - width // 2, 0), np.minimum(place + width // 2 + 1, len(y))
    mean: Curve = (sums[end] - sums[first]) / (end - first)
    return mean


def _validations(axes: Axes, panel: _Panel, looks: Sequence[_Look], by: By) -> None:
    seen: list[float] = []
    for z, look in enumerate(reversed(looks), 3):
        run = look.run
        pairs = [(v.step, y) for v in run.validations if (y := panel.value(v)) is not None]
        if not pairs:
            continue
        steps, y = np.array(pairs).T
        # A validation lies where its last step ended; the one before training at 0.
        ends = np.concatenate([[0.0], _places(run, by)])
        x = ends[np.searchsorted(run.curves["step"], steps, side="right")]
        mark = "o" if len(x) <= 40 else ""
        colour = look.colour
        axes.plot(x, y, marker=mark, ms=2.6, color=colour, ls=look.dash, lw=1.7, zorder=z)
        kept = steps == run.best_step
        axes.plot(x[kept], y[kept], "o", ms=7, mfc="white", mec=colour, mew=1.7, zorder=30)
        seen += y.tolist()
    if not seen:
        _title(axes, panel.title, panel.words)
        _nothing(axes, "no validation is logged yet")
        return
    named, drawn = _baselines(axes, panel.key, looks, seen) if panel.key else ({}, "")
    _title(axes, panel.title, "; ".join(filter(None, [panel.words, drawn])))
    _scale(axes, seen)
    _name(axes, named)


def _baselines(
    axes: Axes, key: str, looks: Sequence[_Look], seen: list[float]
) -> tuple[dict[str, float], str]:
    """Draws what needs no model and adds to ``seen`` what has to be in view.

    Before training ``no context`` knows nothing yet, and is left out.

    Returns:
        The lines to be named, and what was drawn in words.
    """
    held = [
        {name: v[key] for name, v in look.run.baselines.items() if key in v and name != _BLIND}
        for look in looks
    ]
    known = [values for values in held if values]
    if not known:
        return {}, ""
    every = {name for values in known for name in values}
    alike = comparable([look.run for look in looks]) and all(
        max(same) - min(same) < _ALIKE
        for name in every
        for same in [[values[name] for values in known if name in values]]
    )
    if not alike:
        for look, values in zip(looks, held, strict=True):
            if values:
                best = max(values.values())
                seen.append(best)
                axes.axhline(best, color=look.colour, lw=1, ls=(0, (2, 2)), alpha=0.8, zorder=2)
        return {}, "dotted: the best without a model"
    seen.append(max(known[0].values()))
    # The others may take up to half of the panel; farther ones would flatten the curves.
    floor = min(seen) - (max(seen) - min(seen))
    named = {name: y for name, y in known[0].items() if y >= floor}
    seen += named.values()
    for y in named.values():
        axes.axhline(y, color=SOFT, lw=0.9, ls=(0, (2, 2)), zorder=2)
    return named, "dotted: without a model"


def _scale(axes: Axes, values: Sequence[float]) -> None:
    low, high = min(values), max(values)
    room = max(0.06 * (high - low), 1e-3 * max(abs(high), 1e-3))
    axes.set_ylim(low - room, high + room)


def _name(axes: Axes, named: dict[str, float]) -> None:
    """Writes names beside lines: apart from each other, and none above the panel."""
    low, high = axes.get_ylim()
    names = sorted(named, key=named.__getitem__)
    places = [(named[name] - low) / (high - low) for name in names]
    least = 0.145 / _HIGH
    for i in range(1, len(places)):
        places[i] = max(places[i], places[i - 1] + least)
    top = 1.0
    for i in reversed(range(len(places))):
        places[i] = min(places[i], top)
        top = places[i] - least
    for name, y in zip(names, places, strict=True):
        how = {"size": 8, "color": SOFT, "va": "center", "transform": axes.transAxes}
        write(axes, 1.015, y, name, **how)


def _nothing(axes: Axes, words: str) -> None:
    axes.set_yticks([])
    write(axes, 0.5, 0.5, words, size=10, color=SOFT, ha="center", transform=axes.transAxes)


def _legend(board: Board, looks: Sequence[_Look], top: float, columns: int) -> None:
    keys = differing([look.run for look in looks])
    room = (_WIDTH - _LEFT - 0.4) / columns
    rows = -(-len(looks) // columns)
    for i, look in enumerate(looks):
        left = _LEFT + room * (i // rows)
        y = top + 0.3 + _ROW * (i % rows)
        line = Line2D(
            [left / board.width, (left + 0.42) / board.width],
            [1 - (y - 0.045) / board.height] * 2,
            **{"color": look.colour, "linestyle": look.dash, "linewidth": 2.4},
        )
        board.figure.add_artist(line)
        name = board.write(left + 0.54, y, look.run.name, size=10, weight="bold")
        fit(name, room * 0.5)
        after = 0.54 + name.get_window_extent().width / DPI + 0.12
        words = "  ·  ".join(f"{key} {show(setting(look.run, key))}" for key in keys)
        if look.run.state != "finished":
            words = "  ·  ".join(filter(None, [look.run.state, words]))
        fit(board.write(left + after, y, words, size=9.5, color=SOFT), room - after - 0.2)


def show(value: Any) -> str:
    """A setting as people read it."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list):
        return "+".join(map(str, value)) or "none"
    return str(value)
