"""``mediafm suggest``: what to cut, show and sell of a title."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mediafm.cli.output import (
    CATALOG,
    CatalogOption,
    JsonOption,
    VersionOption,
    print_json,
    print_table,
    say,
)
from mediafm.cli.probing import PROBES, ProbesOption
from mediafm.errors import MediaFMError, describe_os_error
from mediafm.files import write_whole
from mediafm.timeline import format_time

if TYPE_CHECKING:
    from mediafm.suggest import Suggestions


app = typer.Typer(
    name="suggest",
    help="What to cut, show and sell of a title: clips, artwork, ad breaks, with reasons.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)
Title = Annotated[str, typer.Argument(help="The title's id, as `mediafm info` lists it.")]
Count = Annotated[int, typer.Option("--count", "-n", min=1, help="How many.")]
Spoilers = Annotated[bool, typer.Option("--spoilers", help="Also from the last part of the title.")]


@app.command("clips")
def clips(
    title: Title,
    catalog: CatalogOption = CATALOG,
    count: Count = 5,
    shortest: Annotated[str, typer.Option(help="Least length, seconds or 0:05.")] = "5",
    longest: Annotated[str, typer.Option(help="Greatest length, seconds or 1:00.")] = "60",
    spoilers: Spoilers = False,
    probes: ProbesOption = PROBES,
    version: VersionOption = None,
    json: JsonOption = False,
) -> None:
    """Suggest promotional clips, from shot to shot and without cutting speech.

    Ranked by the fitted probes clip-retrieval and clip-popularity; without them by what stands
    out, and that is said.

    Example: [bold]mediafm suggest clips big-buck-bunny[/bold]
    """
    from mediafm.catalog import Catalog
    from mediafm.suggest import FittedProbes, suggest_clips
    from mediafm.timeline import parse_time

    opened = Catalog.open(catalog)
    found = suggest_clips(
        opened,
        title,
        count,
        probes=FittedProbes(opened, probes, version),
        version=version,
        shortest=parse_time(shortest),
        longest=parse_time(longest),
        spoilers=spoilers,
    )
    _show(found, json, ["from", "to"])


@app.command("artwork")
def artwork(
    title: Title,
    catalog: CatalogOption = CATALOG,
    count: Count = 5,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for the pictures, as JPEG.")
    ] = None,
    spoilers: Spoilers = False,
    version: VersionOption = None,
    json: JsonOption = False,
) -> None:
    """Suggest keyframes for posters and tiles: sharp, typical, unlike one another.

    Example: [bold]mediafm suggest artwork big-buck-bunny --out artwork[/bold]
    """
    from mediafm.catalog import Catalog
    from mediafm.suggest import suggest_artwork
    from mediafm.suggest.artwork import Picture

    opened = Catalog.open(catalog)
    found = suggest_artwork(opened, title, count, version=version, spoilers=spoilers)
    if out is not None:
        for rank, picture in enumerate(found.found, 1):
            assert isinstance(picture, Picture)
            jpeg = opened.keyframe(title, picture.shot)
            path = out / f"{rank:02d}-{title}-shot{picture.shot:04d}.jpg"
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                write_whole(path, jpeg or b"")
            except OSError as error:
                raise MediaFMError(
                    f"cannot be written ({describe_os_error(error)})", where=path
                ) from None
            if not json:
                say(str(path))
    _show(found, json, ["from"])


@app.command("ad-breaks")
def ad_breaks(
    title: Title,
    catalog: CatalogOption = CATALOG,
    spacing: Annotated[
        str, typer.Option(help="Least time between breaks, and from both ends.")
    ] = "8:00",
    exclude: Annotated[
        list[str] | None,
        typer.Option(help="Category that must not be beside a break; may be repeated."),
    ] = None,
    probes: ProbesOption = PROBES,
    version: VersionOption = None,
    json: JsonOption = False,
) -> None:
    """Suggest places for advertisements: between scenes, away from speech, with what is around.

    Example: [bold]mediafm suggest ad-breaks big-buck-bunny --spacing 2:00[/bold]
    """
    from mediafm.catalog import Catalog
    from mediafm.suggest import FittedProbes, suggest_breaks
    from mediafm.timeline import parse_time

    opened = Catalog.open(catalog)
    found = suggest_breaks(
        opened,
        title,
        probes=FittedProbes(opened, probes, version),
        version=version,
        spacing=parse_time(spacing),
        exclude=exclude or (),
    )
    _show(found, json, ["at"])


def _show(found: Suggestions, json: bool, times: list[str]) -> None:
    if json:
        print_json(asdict(found))
        return
    rows = []
    for rank, one in enumerate(found.found, 1):
        reasons = list(one.reasons)
        for side in ("before", "after"):
            if kinds := getattr(one, side, ()):
                reasons.append(f"{side}: {', '.join(kinds)}")
        span = (one.span.start, one.span.end)[: len(times)]
        rows.append((rank, *map(format_time, span), f"{one.score:.2f}", "\n".join(reasons)))
    if rows:
        title = f"{found.title_id}: {found.kind}, by {', '.join(found.by)}"
        print_table(title, ["#", *(f"={t}" for t in times), "#score", "why"], rows)
    for note in found.notes:
        say(note)
