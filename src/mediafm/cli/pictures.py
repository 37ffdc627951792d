"""``--picture``: what a command found, as a sheet of keyframes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mediafm.cli.output import say
from mediafm.errors import MediaFMError
from mediafm.timeline import Span, format_time

if TYPE_CHECKING:
    from mediafm.catalog import Catalog
    from mediafm.report import Row
    from mediafm.search import Found, Hit
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
        what = picture.suffix or "a file without suffix"
        raise MediaFMError(
            f"a picture cannot be written as {what}", where=picture, do="name a .png file"
        )


def shot_rows(hits: Sequence[Hit], query: tuple[str, int]) -> list[Row]:
    """Shots beside the one that was asked about."""
    from mediafm.report import Cell, Row

    cells = [Cell(hit.title_id, hit.shot, f"{hit.score:.2f}") for hit in hits]
    return [Row("like this shot", cells, Cell(*query))]


def clip_rows(catalog: Catalog, hits: Sequence[Hit], query: tuple[str, Span]) -> list[Row]:
    """A row of shots per clip, that of the query first."""
    from mediafm.report import span_row

    rows = [span_row(catalog, f"like this clip   {query[0]}   {query[1]}", *query)]
    for hit in hits:
        name = f"{hit.score:.2f}   {hit.title_id}   {_when(hit.span.start)}"
        rows.append(span_row(catalog, name, hit.title_id, hit.span))
    return rows


def title_rows(catalog: Catalog, hits: Sequence[Hit], query: str) -> list[Row]:
    """Some shots of each title, the one that was asked about first."""
    from mediafm.report import span_row

    found = [("like this title", query), *((f"{hit.score:.2f}", hit.title_id) for hit in hits)]
    return [
        span_row(catalog, f"{note}   {title_id}", title_id, catalog.clip(title_id).clip.span)
        for note, title_id in found
    ]


def found_row(found: Sequence[Found]) -> Row:
    """What a sentence found, with the ways that did."""
    from mediafm.report import Cell, Row

    return Row("", [Cell(hit.title_id, hit.shot, ", ".join(hit.because)) for hit in found])


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
    draw(catalog, picture, rows, f"{found.title_id}: scenes, by {found.by}", quiet)


def draw_suggestions(
    catalog: Catalog, picture: Path | None, found: Suggestions, quiet: bool = False
) -> None:
    """Draws a row per clip; keyframes side by side; the shots on both sides of each ad break."""
    from mediafm.report import Cell, Row, span_row
    from mediafm.suggest.artwork import Picture
    from mediafm.suggest.tags import Tagged

    rows: list[Row] = []
    tags: dict[Span, list[str]] = {}
    for one in found.found:
        if isinstance(one, Tagged):
            tags.setdefault(one.span, []).append(f"{one.probe}: {', '.join(one.names) or '-'}")
    for span, said in tags.items():
        name = f"{_when(span.start)}   {'   '.join(said)}"
        rows.append(span_row(catalog, name, found.title_id, span))
    keyframes = [one for one in found.found if isinstance(one, Picture)]
    for rank, one in enumerate(found.found if not tags else (), 1):
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
    draw(catalog, picture, rows, heading, quiet)


def _when(time: int) -> str:
    return format_time(time).partition(".")[0]


def draw(
    catalog: Catalog,
    picture: Path | None,
    rows: Sequence[Row],
    heading: str,
    quiet: bool = False,
) -> None:
    """Draws rows, where a picture is wanted, and says where it is."""
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
