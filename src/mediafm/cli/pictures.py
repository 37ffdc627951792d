"""``--picture``: what a command found, as a sheet of keyframes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mediafm.cli.output import say
from mediafm.errors import MediaFMError
from mediafm.timeline import format_time

if TYPE_CHECKING:
    from mediafm.catalog import Catalog
    from mediafm.report import Row
    from mediafm.suggest import Segmentation, Suggestions

_BESIDE = 3  # shots on each side of an ad break

PictureOption = Annotated[
    Path | None, typer.Option("--picture", metavar="FILE.png", help="Also draw it, as a sheet.")
]


def check_picture(picture: Path | None) -> None:
    """Refuses before the work what its last step would refuse.

    Raises:
        MediaFMError: It is no ``.png`` file.
    """
    if picture is not None and picture.suffix.lower() != ".png":
        raise MediaFMError("a sheet is a picture", where=picture, do="name a .png file")


def draw_hits(
    catalog: Catalog,
    picture: Path | None,
    heading: str,
    hits: Iterable[tuple[str, int, str]],
    query: tuple[str, int] | None = None,
    quiet: bool = False,
) -> None:
    """Draws what was found: title, shot and a note of each, beside what was asked about."""
    from mediafm.report import Cell, Row

    cells = [Cell(*hit) for hit in hits]
    asked = Cell(*query) if query is not None else None
    name = "like this shot" if query is not None else ""
    _draw(catalog, picture, [Row(name, cells, asked)] if cells else [], heading, quiet)


def draw_scenes(
    catalog: Catalog, picture: Path | None, found: Segmentation, quiet: bool = False
) -> None:
    """Draws a row of shots per scene."""
    from mediafm.report import span_row

    rows = [
        span_row(
            catalog, f"{scene.index + 1}   {_when(scene.span.start)}", found.title_id, scene.span
        )
        for scene in found.scenes
    ]
    _draw(catalog, picture, rows, f"{found.title_id}: scenes, by {found.by}", quiet)


def draw_suggestions(
    catalog: Catalog, picture: Path | None, found: Suggestions, quiet: bool = False
) -> None:
    """Draws a row per clip; keyframes side by side; the shots on both sides of each ad break."""
    from mediafm.report import Cell, Row, span_row
    from mediafm.suggest.artwork import Picture

    rows: list[Row] = []
    keyframes = [one for one in found.found if isinstance(one, Picture)]
    for rank, one in enumerate(found.found, 1):
        name = f"{rank}   {one.score:.2f}   {_when(one.span.start)}   {one.reasons[0]}"
        if one.span.duration == 0:
            shots = catalog.shots(one.title_id)
            after = next(shot.index for shot in shots if shot.span.start >= one.span.start)
            before = range(max(0, after - _BESIDE), after)
            behind = range(after, min(after + _BESIDE, len(shots)))
            sides = [(shot, "before") for shot in before] + [(shot, "after") for shot in behind]
            rows.append(Row(name, [Cell(one.title_id, shot, note) for shot, note in sides]))
        elif not keyframes:
            rows.append(span_row(catalog, name, one.title_id, one.span))
    if keyframes:
        rows.append(Row("", [Cell(p.title_id, p.shot, f"{p.score:.2f}") for p in keyframes]))
    heading = f"{found.title_id}: {found.kind}, by {', '.join(found.by)}"
    _draw(catalog, picture, rows, heading, quiet)


def _when(time: int) -> str:
    return format_time(time).partition(".")[0]


def _draw(
    catalog: Catalog, picture: Path | None, rows: Sequence[Row], heading: str, quiet: bool
) -> None:
    from mediafm.report import sheet

    if picture is None:
        return
    if not rows:
        if not quiet:
            say(f"nothing to draw: {picture} is not written")
        return
    sheet(catalog, rows, picture, heading)
    if not quiet:
        say(str(picture))
