"""The picture of one title: two self-similarities over a filmstrip, as a PNG."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes

from mediafm.report.material import Material, stamp
from mediafm.report.similarity import Vectors, colour_limits, cosines, over_time, pool
from mediafm.report.strips import Strips
from mediafm.report.style import COLOURS, DPI, FAINT, SOFT, Board, fit, render, write
from mediafm.timeline import US

_WIDTH = 15.0
_LEFT, _RIGHT = 0.95, 0.55
_SIDE = 6.1  # of a matrix
_BAR = 0.13  # width of a colour scale
_TOP = 1.45  # where the matrices begin
_STEPS = (0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200)


def draw(material: Material) -> bytes:
    """Draws a title.

    Args:
        material: The title.

    Returns:
        A PNG file of some 1800 x 1400 pixels, lower where there are no cues or keyframes.
    """
    strips = Strips(material, width=_WIDTH - _LEFT - _RIGHT)
    top = _TOP + _SIDE + 0.5
    board = Board(_WIDTH, top + strips.height + 1.0)
    _head(board, material)
    ticks = time_ticks(material.start, material.end, 7)
    raw = ("Raw", "features of the encoders, shot by shot")
    _panel(board, _LEFT, raw, material, material.raw_NF, ticks)
    version = material.version
    words = f"version {version.name}, every shot seen within the title" if version else ""
    second = _WIDTH - _RIGHT - 0.52 - _SIDE
    _panel(board, second, ("Contextual", words), material, material.contextual_NH, ticks)
    strips.draw(board, _LEFT, top)
    _foot(board, material, top + strips.height, time_ticks(material.start, material.end, 14))
    return render(board.figure)


def _head(board: Board, material: Material) -> None:
    room = _WIDTH - _LEFT - _RIGHT
    fit(board.write(_LEFT, 0.55, material.name, size=22, weight="bold"), room)
    facts = list(material.facts)
    if material.version is not None:
        facts.append(f"version {material.version.name}")
    if material.made_by:
        facts.append(material.made_by)
    fit(board.write(_LEFT, 0.85, "   ·   ".join(facts), size=10.5, color=SOFT), room)


def _panel(
    board: Board,
    left: float,
    heading: tuple[str, str],
    material: Material,
    x_ND: Vectors | None,
    ticks: list[tuple[float, str]],
) -> None:
    name = board.write(left, _TOP - 0.14, heading[0], size=14, weight="bold")
    after = name.get_window_extent().width / DPI + 0.14
    fit(board.write(left + after, _TOP - 0.14, heading[1], size=10, color=SOFT), _SIDE - after)
    axes = board.axes(left, _TOP, _SIDE, _SIDE)
    if x_ND is None:
        _instead(axes, material)
        return
    low, high = colour_limits(cosines(_present(pool(x_ND)[0])))
    pixels = round(_SIDE * DPI)
    start, end = material.start / US, material.end / US
    image = axes.imshow(
        cosines(over_time(x_ND, material.times_N2, pixels)),
        cmap=COLOURS,
        vmin=low,
        vmax=high,
        extent=(start, end, end, start),
        interpolation="nearest",
        aspect="auto",
    )
    axes.set_facecolor(FAINT)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_ticks([t for t, _ in ticks], labels=[label for _, label in ticks])
    axes.tick_params(labelsize=9, colors=SOFT, length=3)
    axes.tick_params(axis="y", labelleft=left == _LEFT)  # both squares have the same times
    scale = board.axes(left + _SIDE + 0.1, _TOP + _SIDE - 1.5, _BAR, 1.5)
    bar = board.figure.colorbar(image, cax=scale)
    bar.set_ticks([low, high], labels=[f"{low:.2f}", f"{high:.2f}"])
    bar.outline.set_visible(False)
    scale.tick_params(labelsize=8, colors=SOFT, length=0, pad=3)
    write(scale, 0, 1.06, "cosine", size=8, color=SOFT, transform=scale.transAxes)


def _present(x_CD: Vectors) -> Vectors:
    """Leaves out shots without any modality, whose cosines of 0 say nothing."""
    kept_CD: Vectors = x_CD[np.linalg.norm(x_CD, axis=1) > 1e-6]
    return kept_CD


def _instead(axes: Axes, material: Material) -> None:
    """What stands where there is no matrix: why, and what to run."""
    axes.set_facecolor("#f6f7f8")
    lines = material.missing if material.raw_NF is not None else ("The catalog has no features",)
    write(axes, 0.5, 0.56, lines[0], size=13, ha="center", transform=axes.transAxes)
    if lines[1:]:
        how = "Run   " + "   then   ".join(lines[1:])
        write(axes, 0.5, 0.5, how, size=11, color=SOFT, ha="center", transform=axes.transAxes)


def _foot(board: Board, material: Material, top: float, ticks: list[tuple[float, str]]) -> None:
    axes = board.axes(_LEFT, top, _WIDTH - _LEFT - _RIGHT, 0.02)
    axes.set_xlim(material.start / US, material.end / US)
    axes.set_xticks([t for t, _ in ticks], labels=[label for _, label in ticks])
    axes.tick_params(axis="x", labelsize=9, colors=SOFT, length=3)
    axes.spines["bottom"].set_visible(True)
    axes.spines["bottom"].set_color(SOFT)
    lines = (
        "Each point of a square compares two moments of the title; bright squares along the "
        "diagonal are scenes. Each square has its own colour scale, from the 10th to the 98.5th "
        "percentile. Novelty: how much more than usual changes at a cut.",
        f"Raw: {material.recipe}. Contextual: as the catalog stores it.",
    )
    for place, line in enumerate(lines):
        text = board.write(_LEFT, top + 0.62 + 0.17 * place, line, size=8, color=SOFT)
        fit(text, _WIDTH - _LEFT - _RIGHT)


def time_ticks(start: int, end: int, most: int) -> list[tuple[float, str]]:
    """Round times and how to write them.

    Args:
        start: First time, microseconds.
        end: Last time.
        most: How many ticks fit.

    Returns:
        Seconds and label of every tick.
    """
    first, last = start / US, end / US
    step = next((s for s in _STEPS if (last - first) / s <= most), _STEPS[-1])
    if (last - first) / step > most:  # a week of a live channel
        step *= np.ceil((last - first) / step / most)
    times: npt.NDArray[np.float64] = np.arange(np.ceil(first / step), last / step + 1e-9) * step
    if step < 1:
        return [(float(t), f"{t:.1f} s") for t in times]
    return [(float(t), stamp(round(t) * US, hours=last >= 3600)) for t in times]
