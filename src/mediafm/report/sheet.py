"""A sheet of examples: a shot, and the shots most similar to it, as pictures in a row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from mediafm.catalog import Catalog
from mediafm.errors import MediaFMError
from mediafm.report import output
from mediafm.report.material import cue_texts, picture, stamp

_WIDTH = 15.0
_EDGE = 0.4
_GAP = 0.16
_CAPTION, _SAID = 0.5, 0.2
_TALL = 2.6  # portrait pictures would make a row as high as the page
_MOST = 8


@dataclass(frozen=True, slots=True)
class Example:
    """A shot and what was found for it.

    Args:
        query: Title and shot that was asked for.
        hits: Title, shot and cosine of what was found, best first.
        name: What stands over the row; the query's title by default.
    """

    query: tuple[str, int]
    hits: Sequence[tuple[str, int, float]]
    name: str = ""


@dataclass(frozen=True, slots=True)
class _Cell:
    title_id: str
    image: Image.Image | None
    lines: tuple[str, str, str]


def similar_sheet(
    catalog: Catalog, examples: Sequence[Example], out: Path, heading: str = "Most similar shots"
) -> Path:
    """Draws queries on the left and their neighbours beside them, a row per query.

    Args:
        catalog: The catalog.
        examples: The rows; at most 8 hits of each are drawn.
        out: A ``.png`` file.
        heading: What stands over all.

    Returns:
        The file written.

    Raises:
        MediaFMError: No examples, an unknown title or shot, another suffix, or a file that cannot
            be written.
    """
    out = Path(out)
    if out.suffix.lower() != ".png":
        raise MediaFMError("a sheet is a picture", where=out, do="name a .png file")
    if not examples:
        raise MediaFMError("there are no examples to draw", where=out, do="give one or more")
    rows = []
    for example in examples:
        shots = [(*example.query, None), *example.hits[:_MOST]]
        rows.append((example, [_cell(catalog, *shot) for shot in shots]))
    output.write(out, _draw(rows, heading))
    return out


def _cell(catalog: Catalog, title_id: str, shot: int, cosine: float | None) -> _Cell:
    title = catalog.title(title_id)
    jpeg = catalog.keyframe(title_id, shot)  # names the shots there are, if this is none of them
    span = catalog.shots(title_id)[shot].span
    said = cue_texts(catalog.cues(title_id), span.start, span.end)
    when = f"{stamp(span.start)}   shot {shot}"
    if cosine is not None:
        when = f"{cosine:.2f}   {when}"
    name = " ".join((title.title or title_id).split())
    return _Cell(title_id, picture(jpeg, 360), (name, when, said))


def _draw(rows: list[tuple[Example, list[_Cell]]], heading: str) -> bytes:
    from mediafm.report.style import CONTEXTUAL, FILM, INK, SOFT, Board, fit, render

    columns = max(len(cells) for _, cells in rows)
    # The query stands apart by a wider gap; the last hit ends at the edge of the sheet.
    apart = 0.5
    wide = (_WIDTH - 2 * _EDGE - apart - _GAP * max(columns - 2, 0)) / max(columns, 4)
    heights = [_height(cells, wide) for _, cells in rows]
    captions = [_CAPTION + _SAID * any(cell.lines[2] for cell in cells) for _, cells in rows]
    board = Board(_WIDTH, 0.65 + sum(heights) + sum(captions) + 0.36 * len(rows))
    fit(board.write(_EDGE, 0.5, heading, size=17, weight="bold"), _WIDTH - 2 * _EDGE)
    top = 0.95
    for (example, cells), tall, caption in zip(rows, heights, captions, strict=True):
        name = example.name or "Like this shot"
        fit(board.write(_EDGE, top, name, size=10, color=CONTEXTUAL), wide)
        board.write(_EDGE + wide + apart, top, "found", size=10, color=SOFT)
        for place, cell in enumerate(cells):
            left = _EDGE + place * (wide + _GAP) + (apart - _GAP) * (place > 0)
            axes = board.axes(left, top + 0.1, wide, tall)
            axes.set_facecolor(FILM)
            axes.set_xlim(0, wide)
            axes.set_ylim(0, tall)
            if cell.image is not None:
                scale = min(wide / cell.image.width, tall / cell.image.height)
                x, y = cell.image.width * scale / 2, cell.image.height * scale / 2
                box = (wide / 2 - x, wide / 2 + x, tall / 2 - y, tall / 2 + y)
                axes.imshow(np.asarray(cell.image), extent=box, aspect="auto")
                axes.set_xlim(0, wide)
                axes.set_ylim(0, tall)
            for spine in axes.spines.values():
                spine.set(visible=place == 0, color=CONTEXTUAL, linewidth=2.5)
            below = top + 0.1 + tall
            fit(board.write(left, below + 0.2, cell.lines[0], size=8.5, color=INK), wide)
            fit(board.write(left, below + 0.37, cell.lines[1], size=8.5, color=SOFT), wide)
            if cell.lines[2]:
                said = board.write(left, below + 0.54, cell.lines[2], size=7.5, color=SOFT)
                said.set_fontstyle("italic")
                fit(said, wide)
        top += tall + caption + 0.36
    return render(board.figure)


def _height(cells: list[_Cell], wide: float) -> float:
    shapes = [cell.image.width / cell.image.height for cell in cells if cell.image is not None]
    return min(wide / float(np.median(shapes)), _TALL) if shapes else wide * 9 / 16
