"""What all pictures share: colours, letters, and text that fits."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import numpy as np
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

DPI = 120

INK = "#1b1f24"
SOFT = "#6b7280"
FAINT = "#e7e9ec"
FILM = "#14161a"
RAW = "#8a93a3"
CONTEXTUAL = "#d9480f"
COLOURS = "magma"

MODALITY = {"video": "#3b6fb6", "audio": "#2f9e77", "text": "#c98a1b"}
OTHER = ("#8a5fb0", "#b0526f", "#4f8f9d")
CUE = {"speech": "#3a3f47", "sound": "#2f9e77", "description": "#8a5fb0"}

_LONGEST = 400  # letters of a text that are looked at; a line holds fewer
_SCRIPTS = ("Noto Sans CJK JP", "Noto Sans CJK SC", "Noto Sans Arabic", "Noto Sans Devanagari")


@contextmanager
def quiet() -> Iterator[None]:
    """Keeps quiet about letters that no font of the system has: they show as boxes."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield


@cache
def letters() -> list[str]:
    """DejaVu Sans, which comes with matplotlib, then what the system has for other scripts."""
    held = {font.name for font in font_manager.fontManager.ttflist}
    return ["DejaVu Sans", *(name for name in _SCRIPTS if name in held)]


def modality_colour(modality: str, place: int) -> str:
    """The colour of a modality; ``place`` tells those without a colour of their own apart."""
    return MODALITY.get(modality, OTHER[place % len(OTHER)])


def write(axes: Axes | Figure, x: float, y: float, text: str, **how: object) -> Text:
    """Text that may come from a file: dollar signs are no formulas, any script is tried."""
    style: dict[str, object] = {"color": INK, "family": letters(), **how}
    return axes.text(x, y, text, parse_math=False, **style)  # type: ignore[arg-type]


def _width(text: Text) -> float:
    with quiet():
        return text.get_window_extent().width


def fit(text: Text, inches: float) -> bool:
    """Cuts a text, with an ellipsis, to a width; whether more than a stub is left."""
    figure = text.get_figure(root=True)
    if figure is None:
        return False
    whole = text.get_text()
    limit = inches * figure.dpi
    # Bisection: a film script in one cue would else be measured a letter at a time.
    low, high = 0, min(len(whole), _LONGEST)
    if len(whole) <= _LONGEST and _width(text) <= limit:
        return True
    while low < high:
        middle = (low + high + 1) // 2
        text.set_text(whole[:middle].rstrip() + "…")
        if _width(text) <= limit:
            low = middle
        else:
            high = middle - 1
    text.set_text(whole[:low].rstrip() + "…")
    return low >= 4


def render(figure: Figure) -> bytes:
    """The figure as a PNG file."""
    buffer = io.BytesIO()
    with quiet():
        figure.savefig(buffer, format="png", dpi=figure.dpi, facecolor=figure.get_facecolor())
    return buffer.getvalue()


class Board:
    """A figure measured in inches from its top left corner.

    Args:
        width: Inches.
        height: Inches.
    """

    def __init__(self, width: float, height: float):
        self.width, self.height = width, height
        self.figure = Figure(figsize=(width, height), dpi=DPI, facecolor="white")
        FigureCanvasAgg(self.figure)

    def axes(self, left: float, top: float, width: float, height: float) -> Axes:
        """Axes in a box, without frame and ticks."""
        found = self.figure.add_axes(
            (
                left / self.width,
                1 - (top + height) / self.height,
                width / self.width,
                height / self.height,
            )
        )
        found.set_xticks([])
        found.set_yticks([])
        for spine in found.spines.values():
            spine.set_visible(False)
        return found

    def picture(self, box: tuple[float, float, float, float], image: Image.Image | None) -> Axes:
        """A picture in a box (left, top, width, height), black where it does not fill it."""
        left, top, wide, tall = box
        axes = self.axes(left, top, wide, tall)
        axes.set_facecolor(FILM)
        if image is not None:
            scale = min(wide / image.width, tall / image.height)
            x, y = image.width * scale / 2, image.height * scale / 2
            extent = (wide / 2 - x, wide / 2 + x, tall / 2 - y, tall / 2 + y)
            axes.imshow(np.asarray(image), extent=extent, aspect="auto")
        axes.set_xlim(0, wide)
        axes.set_ylim(0, tall)
        return axes

    def write(self, left: float, top: float, text: str, **how: object) -> Text:
        """Text whose baseline lies ``top`` inches below the upper edge."""
        return write(self.figure, left / self.width, 1 - top / self.height, text, **how)
