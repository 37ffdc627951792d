"""The picture of an arc: a row per curve, and under them the moments at their peaks."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from mediafm.catalog import Catalog
from mediafm.report.material import clock, picture, stamp
from mediafm.report.picture import time_ticks
from mediafm.report.style import FAINT, INK, MODALITY, OTHER, SOFT, Board, fit, render, write
from mediafm.suggest.arc import Arc, Curve, Peak, figure
from mediafm.timeline import US

_WIDTH = 15.0
_LEFT, _RIGHT = 1.75, 0.55
_TOP = 1.35
_ROW, _GAP = 0.72, 0.16
_CARD, _BETWEEN, _PER_ROW = 2.0, 0.14, 6
_CAPTION = 0.75
_COLOURS = ("#d9480f", MODALITY["video"], MODALITY["audio"], MODALITY["text"], *OTHER)


def draw(catalog: Catalog, arc: Arc, *, keyframes: bool = True) -> bytes:
    """Draws an arc, as a PNG file; see :func:`mediafm.report.plot_arc`."""
    jpegs = [
        catalog.keyframe(peak.title_id, peak.shot) if keyframes else None for peak in arc.peaks
    ]
    images = [picture(jpeg, 300) for jpeg in jpegs]
    wide = _WIDTH - _LEFT - _RIGHT
    curves_end = _TOP + len(arc.curves) * (_ROW + _GAP)
    card = (_WIDTH - 2 * _RIGHT - (_PER_ROW - 1) * _BETWEEN) / _PER_ROW
    shapes = [image.width / image.height for image in images if image is not None]
    tall = min(card / float(np.median(shapes)), _CARD) if shapes else 0.0
    rows = -(-len(arc.peaks) // _PER_ROW)
    board = Board(_WIDTH, curves_end + 0.75 + rows * (tall + _CAPTION) + 0.2)
    fit(board.write(_RIGHT, 0.55, arc.name, size=22, weight="bold"), _WIDTH - 2 * _RIGHT)
    facts = [clock(arc.duration), f"by {', '.join(arc.by)}", f"smoothed over {clock(arc.smooth)}"]
    if len(arc.parts) > 1:
        facts.insert(0, f"{len(arc.parts)} titles")
    fit(board.write(_RIGHT, 0.85, "   ·   ".join(facts), size=10.5, color=SOFT), wide)
    # Probabilities compare with one another; what is measured in other units does not.
    shared = len({curve.unit for curve in arc.curves}) == 1
    most = max((max(curve.values) for curve in arc.curves), default=0.0)
    for place, curve in enumerate(arc.curves):
        top = _TOP + place * (_ROW + _GAP)
        colour = _COLOURS[place % len(_COLOURS)]
        own = [(n, peak) for n, peak in enumerate(arc.peaks, 1) if peak.curve == curve.name]
        limit = most if shared else max(curve.values)
        _row(board, arc, curve, (top, limit, colour), own)
    _axis(board, arc, curves_end - _GAP)
    colours = {c.name: _COLOURS[i % len(_COLOURS)] for i, c in enumerate(arc.curves)}
    for n, (peak, image) in enumerate(zip(arc.peaks, images, strict=True)):
        left = _RIGHT + (n % _PER_ROW) * (card + _BETWEEN)
        top = curves_end + 0.75 + (n // _PER_ROW) * (tall + _CAPTION)
        if tall:
            board.picture((left, top, card, tall), image)
        _caption(board, arc, peak, n + 1, (left, top + tall, card), colours[peak.curve])
    return render(board.figure)


def _row(
    board: Board,
    arc: Arc,
    curve: Curve,
    place: tuple[float, float, str],
    peaks: list[tuple[int, Peak]],
) -> None:
    top, limit, colour = place
    axes = board.axes(_LEFT, top, _WIDTH - _LEFT - _RIGHT, _ROW)
    time_G = np.asarray(arc.times) / US
    value_G = np.asarray(curve.values)
    axes.set_xlim(0, arc.duration / US)
    axes.set_ylim(0, max(limit, 1e-9) * 1.12)
    axes.axhline(0, color=FAINT, linewidth=1)
    for part in arc.parts:
        start, end = part.offset / US, (part.offset + part.span.duration) / US
        own = (time_G >= start) & (time_G <= end)
        axes.fill_between(time_G[own], value_G[own], color=colour, alpha=0.28, linewidth=0)
        axes.plot(time_G[own], value_G[own], color=colour, linewidth=1.4)
        if part.offset:
            axes.axvline(start, color=SOFT, linewidth=0.6, alpha=0.5)
    for number, peak in peaks:
        _number(axes, peak, number, colour)
    middle = top + _ROW / 2
    name = board.write(_LEFT - 0.12, middle, curve.name, size=10.5, color=colour, ha="right")
    fit(name, _LEFT - _RIGHT - 0.1)
    unit = board.write(_LEFT - 0.12, middle + 0.17, curve.unit, size=7.5, color=SOFT, ha="right")
    fit(unit, _LEFT - _RIGHT - 0.1)
    write(
        axes, 1.009, min(float(value_G.max()) / max(limit, 1e-9) / 1.12, 1.0),
        figure(float(value_G.max())), size=8, color=SOFT, va="center", transform=axes.transAxes,
    )  # fmt: skip


def _number(axes: Axes, peak: Peak, number: int, colour: str) -> None:
    at = (peak.time / US, peak.value)
    axes.plot(*at, "o", color=colour, markersize=13, clip_on=False, zorder=5)
    write(
        axes, *at, str(number),
        size=8, color="white", weight="bold", ha="center", va="center_baseline", zorder=6,
    )  # fmt: skip


def _axis(board: Board, arc: Arc, top: float) -> None:
    axes = board.axes(_LEFT, top, _WIDTH - _LEFT - _RIGHT, 0.02)
    axes.set_xlim(0, arc.duration / US)
    if len(arc.parts) == 1:
        first = arc.parts[0].span
        ticks = [
            (time - first.start / US, name) for time, name in time_ticks(first.start, first.end, 14)
        ]
    else:
        ticks = [((p.offset + p.span.duration / 2) / US, p.name) for p in arc.parts]
        step = -(-len(ticks) // 24)
        ticks = ticks[::step]
        ticks = [(at, name if len(name) < 20 else name[:18] + "…") for at, name in ticks]
    axes.set_xticks([t for t, _ in ticks], labels=[label for _, label in ticks])
    crowded = sum(len(name) for _, name in ticks) > 150
    axes.tick_params(axis="x", labelsize=7 if crowded else 9, colors=SOFT, length=3, labelcolor=INK)
    axes.spines["bottom"].set_visible(True)
    axes.spines["bottom"].set_color(SOFT)


def _caption(
    board: Board,
    arc: Arc,
    peak: Peak,
    number: int,
    place: tuple[float, float, float],
    colour: str,
) -> None:
    left, top, wide = place
    head = f"{number}   {peak.curve} {figure(peak.value)}"
    fit(board.write(left, top + 0.2, head, size=9.5, color=colour, weight="bold"), wide)
    where = stamp(peak.span.start)
    if len(arc.parts) > 1:
        name = next(part.name for part in arc.parts if part.title_id == peak.title_id)
        where = f"{name}   {where}"
    fit(board.write(left, top + 0.38, f"{where}   shot {peak.shot}", size=8.5, color=SOFT), wide)
    if peak.said:
        said = board.write(left, top + 0.55, f"“{peak.said}”", size=8, color=INK)
        said.set_fontstyle("italic")
        fit(said, wide)
