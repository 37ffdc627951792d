"""The rows under the matrices, along one time axis: novelty, filmstrip, modalities, cues."""

from __future__ import annotations

import statistics

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection
from matplotlib.patches import Rectangle
from PIL import Image

from mediafm.report.material import Material, picture
from mediafm.report.similarity import Mask
from mediafm.report.style import (
    CONTEXTUAL,
    CUE,
    DPI,
    FAINT,
    FILM,
    INK,
    RAW,
    SOFT,
    Board,
    fit,
    modality_colour,
)
from mediafm.suggest.scenes import novelty
from mediafm.timeline import US, Cue

_NOVELTY, _FILM, _THUMB, _CUTS = 0.5, 1.06, 0.8, 0.12
_MODALITY, _CUES, _LABELS = 0.17, 0.13, 0.2
_GAP = 0.1
_TEXT = 2.1  # inches for the text of a cue
_DENSE = 0.02  # inches between two cuts under which they are no longer told apart


class Strips:
    """The rows; their height is known before they are drawn.

    Args:
        material: The title.
        width: Inches.
    """

    def __init__(self, material: Material, width: float):
        self.material, self.width = material, width
        self.span = (material.start / US, material.end / US)
        self.curves = [
            (name, novelty(x_ND)[1:], colour)
            for name, x_ND, colour in (
                ("raw", material.raw_NF, RAW),
                ("contextual", material.contextual_NH, CONTEXTUAL),
            )
            if x_ND is not None and len(x_ND) > 1
        ]
        self.thumbs = choose(material, self.span, width, _THUMB)
        self.film = _FILM if self.thumbs else 0.0
        self.height = self.film + _CUTS + 2 * _GAP + _MODALITY * len(material.present) + 0.06
        self.height += _NOVELTY * len(self.curves) + 0.1 * bool(self.curves)
        self.height += (_GAP + _CUES + _LABELS) * bool(material.cues)

    def draw(self, board: Board, left: float, top: float) -> None:
        """Draws all rows.

        Args:
            board: Where.
            left: Inches.
            top: Inches.
        """
        if self.curves:
            tall = _NOVELTY * len(self.curves)
            _novelty(self._row(board, left, top, tall), self.curves, self._cuts())
            for place, (name, _, colour) in enumerate(reversed(self.curves)):
                middle = top + _NOVELTY * (place + 0.5)
                self._label(board, left, middle - 0.075, name, color=colour)
                self._label(board, left, middle + 0.075, "novelty", size=7.5)
            top += tall + 0.1
        if self.thumbs:
            _film(board, left, top, self.width, self.thumbs)
            top += self.film
        top += _GAP
        self._ticks(self._row(board, left, top, _CUTS))
        self._label(board, left, top + _CUTS / 2, "cuts")
        top += _CUTS + _GAP
        for place, (modality, present_N) in enumerate(self.material.present.items()):
            row = self._row(board, left, top, _MODALITY - 0.035)
            colour = modality_colour(modality, place)
            self._presence(row, present_N, colour)
            self._label(board, left, top + _MODALITY / 2 - 0.015, modality, color=colour)
            top += _MODALITY
        if self.material.cues:
            top += _GAP
            self._label(board, left, top + _CUES / 2, "cues")
            self._cues(self._row(board, left, top, _CUES))
            self._texts(board, left, top + _CUES + 0.13)

    def _row(self, board: Board, left: float, top: float, height: float) -> Axes:
        axes = board.axes(left, top, self.width, height)
        axes.set_xlim(*self.span)
        return axes

    def _label(self, board: Board, left: float, middle: float, text: str, **how: object) -> None:
        style = {"size": 8.5, "color": SOFT, "ha": "right", "va": "center", **how}
        fit(board.write(left - 0.1, middle, text, **style), left - 0.2)

    def _cuts(self) -> npt.NDArray[np.float64]:
        return self.material.times_N2[1:, 0] / US

    def _inches(self, seconds: float) -> float:
        return (seconds - self.span[0]) / (self.span[1] - self.span[0]) * self.width

    def _ticks(self, axes: Axes) -> None:
        cuts = self._cuts()
        crowded = len(cuts) * _DENSE > self.width
        axes.set_ylim(0, 1)
        axes.vlines(cuts, 0, 1, color=INK, linewidth=0.4 if crowded else 0.8)
        axes.set_facecolor("none")

    def _presence(self, axes: Axes, present_N: Mask, colour: str) -> None:
        times_N2 = self.material.times_N2 / US
        axes.set_ylim(0, 1)
        axes.add_patch(Rectangle((self.span[0], 0), np.diff(self.span)[0], 1, color=FAINT, lw=0))
        apart = len(times_N2) * _DENSE * 2 < self.width
        runs = times_N2[present_N] if apart else merge(times_N2[present_N])
        bars = [(start, end - start) for start, end in runs]
        axes.broken_barh(
            bars, (0, 1), facecolors=colour, edgecolors="white", linewidth=0.5 if apart else 0
        )

    def _cues(self, axes: Axes) -> None:
        axes.set_ylim(0, 1)
        thin = (self.span[1] - self.span[0]) / (self.width * DPI) * 1.5  # seen, however short
        for kind, colour in CUE.items():
            bars = [
                (cue.span.start / US, max(cue.span.duration / US, thin))
                for cue in self.material.cues
                if cue.kind == kind
            ]
            axes.broken_barh(bars, (0, 1), facecolors=colour, alpha=0.85, linewidth=0)

    def _texts(self, board: Board, left: float, baseline: float) -> None:
        """Writes the longest cue of every stretch of the axis that has room for one."""
        stretches = max(1, int(self.width / _TEXT))
        longest: dict[int, Cue] = {}
        for cue in self.material.cues:
            place = int(self._inches(cue.span.start / US) / self.width * stretches)
            held = longest.get(place)
            if 0 <= place < stretches and (held is None or len(cue.text) > len(held.text)):
                longest[place] = cue
        free = 0.0
        for _, cue in sorted(longest.items()):
            at = max(self._inches(cue.span.start / US), free)
            room = min(_TEXT, self.width - at) - 0.15
            line = board.write(left + at, baseline, _quoted(cue), size=7.5, color=SOFT)
            if room > 0.6 and fit(line, room):
                free = at + line.get_window_extent().width / DPI + 0.15
            else:
                line.remove()


def _quoted(cue: Cue) -> str:
    text = " ".join(cue.text.split())
    return f"“{text}”" if cue.kind == "speech" else text


def merge(times_P2: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Joins spans that touch; a bar for each of thousands of shots would be a grey smear."""
    if not len(times_P2):
        return times_P2
    apart = times_P2[1:, 0] > np.maximum.accumulate(times_P2[:, 1])[:-1] + 1e-6
    first = np.flatnonzero(np.r_[True, apart])
    last = np.r_[first[1:] - 1, len(times_P2) - 1]
    ends = np.maximum.accumulate(times_P2[:, 1])
    return np.stack([times_P2[first, 0], ends[last]], axis=1)


def _novelty(
    axes: Axes,
    curves: list[tuple[str, npt.NDArray[np.float64], str]],
    cuts: npt.NDArray[np.float64],
) -> None:
    """Draws a stem per cut, contextual up and raw down: what lies between cuts has no novelty."""
    thick = float(np.clip(1100 / len(cuts), 0.5, 2.6))
    for name, values, colour in curves:
        up = name == "contextual" or len(curves) == 1
        height = np.clip(values, 0, None) / max(float(values.max()), 1e-9)
        axes.vlines(cuts, 0, height if up else -height, color=colour, linewidth=thick)
    axes.set_ylim(-1 if len(curves) == 2 else 0, 1)
    axes.axhline(0, color=SOFT, linewidth=0.6)


def choose(
    material: Material, span: tuple[float, float], width: float, height: float
) -> list[tuple[float, float, Image.Image]]:
    """The keyframes that fit side by side, evenly in time.

    The axis is cut into slots as wide as a picture; a slot shows the shot at its middle, or the
    nearest one within the slot that has a picture. A shot of several slots is shown once.

    Args:
        material: The title.
        span: First and last second of the axis.
        width: Inches of the strip.
        height: Inches of a picture.

    Returns:
        Middle (inches from the left), width (inches) and picture, from left to right.
    """
    pixels = round(height * DPI)
    held = [i for i, jpeg in enumerate(material.keyframes) if jpeg is not None]
    some = (picture(material.keyframes[i], pixels) for i in held[:: max(1, len(held) // 5)])
    shapes = [image.width / image.height for image in some if image is not None]
    if not shapes:
        return []
    wide = min(statistics.median(shapes) * height, width)
    slots = max(1, round(width / (wide + 0.04)))  # a little smaller rather than one less
    edges = np.linspace(*span, slots + 1)
    starts = material.times_N2[held, 0] / US
    ends = material.times_N2[held, 1] / US
    runs: list[tuple[int, int, int]] = []  # shot, first slot, last slot
    for slot in range(slots):
        middle = (edges[slot] + edges[slot + 1]) / 2
        away = np.maximum(np.maximum(starts - middle, middle - ends), 0)
        nearest = int(np.argmin(away))
        if starts[nearest] > edges[slot + 1] or ends[nearest] < edges[slot]:
            continue
        if runs and runs[-1][0] == held[nearest]:
            runs[-1] = (held[nearest], runs[-1][1], slot)
        else:
            runs.append((held[nearest], slot, slot))
    room = width / slots
    found = []
    for shot, first, last in runs:
        image = picture(material.keyframes[shot], pixels)
        if image is not None:
            broad = min(image.width / image.height * height, room * (last - first + 1) - 0.02)
            found.append((room * (first + last + 1) / 2, broad, image))
    return found


def _film(
    board: Board,
    left: float,
    top: float,
    width: float,
    thumbs: list[tuple[float, float, Image.Image]],
) -> None:
    """Draws the strip: pictures on black, with the holes that make it film."""
    film = board.axes(left, top, width, _FILM - 0.02)
    film.set_facecolor(FILM)
    film.add_patch(Rectangle((0, 0), width, _FILM, color=FILM, lw=0))
    film.set_xlim(0, width)
    film.set_ylim(0, _FILM)
    holes = [
        Rectangle((x, y), 0.075, 0.045)
        for x in np.arange(0.04, width - 0.08, 0.16)
        for y in (0.04, _FILM - 0.085)
    ]
    film.add_collection(PatchCollection(holes, facecolor="white", alpha=0.85, linewidth=0))
    for middle, broad, image in thumbs:
        tall = min(_THUMB, broad * image.height / image.width)
        frame = board.axes(left + middle - broad / 2, top + (_FILM - 0.02 - tall) / 2, broad, tall)
        frame.imshow(np.asarray(image), aspect="auto", interpolation="lanczos")
