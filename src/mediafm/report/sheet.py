"""Sheets: shots as pictures in rows, with what is known of each written below."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from mediafm.catalog import Catalog
from mediafm.catalog.clip import shots_of, times_of
from mediafm.errors import MediaFMError
from mediafm.files import save
from mediafm.report.material import cue_texts, picture, stamp
from mediafm.timeline import Span

_WIDTH = 15.0
_EDGE = 0.4
_GAP, _APART = 0.16, 0.5
_CAPTION, _LINE = 0.14, 0.17
_TALL = 2.6  # portrait pictures would make a row as high as the page
_FEWEST, MOST = 4, 8
"""Pictures in a row: fewer are not drawn larger, more go into the next row."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A shot on a sheet.

    Args:
        title_id: Its title.
        shot: Its number.
        note: What stands before its time, such as a cosine.
    """

    title_id: str
    shot: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """Shots side by side.

    Args:
        name: What stands over them.
        cells: The shots.
        query: What they were found for: stands apart on the left, framed.
    """

    name: str
    cells: Sequence[Cell]
    query: Cell | None = None


@dataclass(frozen=True, slots=True)
class _Drawn:
    image: Image.Image | None
    lines: tuple[str, ...]


def span_row(catalog: Catalog, name: str, title_id: str, span: Span, most: int = MOST) -> Row:
    """A row for a part of a title: its shots, some of them where there are many.

    Args:
        catalog: The catalog.
        name: What stands over them.
        title_id: The title.
        span: The part.
        most: How many shots are drawn.
    """
    first, covered_K = shots_of(times_of(catalog.shots(title_id)), span)
    count = len(covered_K)
    places = np.unique(np.linspace(0, count - 1, min(most, count)).round().astype(int))
    if len(places) < count:
        name += f"   ({len(places)} of {count} shots)"
    return Row(name, [Cell(title_id, first + int(place)) for place in places])


def sheet(catalog: Catalog, rows: Sequence[Row], out: Path, heading: str) -> Path:
    """Draws shots in rows; a row of more than :data:`MOST` goes on in the next.

    Args:
        catalog: The catalog.
        rows: The rows.
        out: A ``.png`` file.
        heading: What stands over all.

    Returns:
        The file written.

    Raises:
        MediaFMError: Nothing to draw, an unknown title or shot, another suffix, or a file that
            cannot be written.
    """
    out = Path(out)
    if out.suffix.lower() != ".png":
        what = out.suffix or "a file without suffix"
        raise MediaFMError(f"a sheet cannot be written as {what}", where=out, do="name a .png file")
    wrapped = [row for row in _wrapped(rows) if row.cells or row.query]
    if not wrapped:
        raise MediaFMError("there is nothing to draw", where=out)
    save(out, _draw(catalog, wrapped, heading))
    return out


def _wrapped(rows: Iterable[Row]) -> Iterable[Row]:
    for row in rows:
        room = MOST - (row.query is not None)
        yield Row(row.name, row.cells[:room], row.query)
        for start in range(room, len(row.cells), MOST):
            yield Row("", row.cells[start : start + MOST])


def _drawn(catalog: Catalog, cell: Cell, named: bool) -> _Drawn:
    title = catalog.title(cell.title_id)
    jpeg = catalog.keyframe(cell.title_id, cell.shot)  # names the shots there are, if it is none
    span = catalog.shots(cell.title_id)[cell.shot].span
    said = cue_texts(catalog.cues(cell.title_id), span.start, span.end)
    when = f"{stamp(span.start)}   shot {cell.shot}"
    lines = [f"{cell.note}   {when}".strip(), said]
    if named:
        lines.insert(0, " ".join((title.title or cell.title_id).split()))
    return _Drawn(picture(jpeg, 360), tuple(line for line in lines if line))


def _draw(catalog: Catalog, rows: Sequence[Row], heading: str) -> bytes:
    from mediafm.report.style import CONTEXTUAL, INK, SOFT, Board, fit, render

    queries = any(row.query is not None for row in rows)
    columns = max(len(row.cells) + (row.query is not None) for row in rows)
    # A query stands apart by a wider gap; the last picture ends at the edge of the sheet.
    apart = _APART - _GAP if queries else 0.0
    columns = max(columns, _FEWEST)
    wide = (_WIDTH - 2 * _EDGE - apart - _GAP * (columns - 1)) / columns
    shown = {
        cell.title_id for row in rows for cell in (*row.cells, *([row.query] if row.query else []))
    }
    drawn = [
        [
            _drawn(catalog, cell, named=len(shown) > 1)
            for cell in (*([row.query] if row.query else []), *row.cells)
        ]
        for row in rows
    ]
    heights = [_height(cells, wide) for cells in drawn]
    captions = [_CAPTION + _LINE * max(len(cell.lines) for cell in cells) for cells in drawn]
    board = Board(_WIDTH, 0.65 + sum(heights) + sum(captions) + 0.36 * len(rows))
    fit(board.write(_EDGE, 0.5, heading, size=17, weight="bold"), _WIDTH - 2 * _EDGE)
    top = 0.95
    for row, cells, tall, caption in zip(rows, drawn, heights, captions, strict=True):
        asked = row.query is not None
        room = wide if asked else _WIDTH - 2 * _EDGE
        fit(board.write(_EDGE, top, row.name, size=10, color=CONTEXTUAL), room)
        if asked:
            board.write(_EDGE + wide + _GAP + apart, top, "found", size=10, color=SOFT)
        for place, cell in enumerate(cells):
            left = _EDGE + place * (wide + _GAP) + apart * (place > 0 and asked)
            axes = board.picture((left, top + 0.1, wide, tall), cell.image)
            for spine in axes.spines.values():
                spine.set(visible=asked and place == 0, color=CONTEXTUAL, linewidth=2.5)
            below = top + 0.1 + tall
            for number, line in enumerate(cell.lines):
                colour = INK if number == 0 else SOFT
                text = board.write(left, below + 0.2 + number * _LINE, line, size=8.5, color=colour)
                fit(text, wide)
        top += tall + caption + 0.36
    return render(board.figure)


def _height(cells: Sequence[_Drawn], wide: float) -> float:
    shapes = [cell.image.width / cell.image.height for cell in cells if cell.image is not None]
    return min(wide / float(np.median(shapes)), _TALL) if shapes else wide * 9 / 16
