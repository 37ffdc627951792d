"""Commands that show how a title runs: ``scenes`` and ``arc``."""

from __future__ import annotations

import textwrap
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from mediafm.cli.output import (
    CATALOG,
    CatalogOption,
    JsonOption,
    Title,
    VersionOption,
    print_json,
    print_table,
    say,
)
from mediafm.cli.pictures import PictureOption, check_picture, draw_scenes
from mediafm.cli.probing import PROBES, ProbesOption
from mediafm.files import file_stem
from mediafm.timeline import US, format_time


def scenes(
    title: Title,
    catalog: CatalogOption = CATALOG,
    probes: ProbesOption = PROBES,
    version: VersionOption = None,
    picture: PictureOption = None,
    json: JsonOption = False,
) -> None:
    """Cut a title into story segments: by a fitted probe, else where the embeddings change.

    Example: [bold]mediafm scenes big-buck-bunny[/bold]
    """
    from mediafm.catalog import Catalog
    from mediafm.search.explain import words
    from mediafm.suggest import FittedProbes, find_scenes

    check_picture(picture)
    opened = Catalog.open(catalog)
    found = find_scenes(opened, title, FittedProbes(opened, probes, version), version=version)
    if json:
        print_json(asdict(found))
        draw_scenes(opened, picture, found, quiet=True)
        return
    print_table(
        f"{title}: {len(found.scenes)} scenes",
        ["#", "=from", "=to", "#seconds", "#shots", f"#{found.by}", "said"],
        [
            (
                scene.index + 1,
                format_time(scene.span.start),
                format_time(scene.span.end),
                f"{scene.span.duration / US:.1f}",
                scene.end - scene.first,
                f"{scene.score:.2f}",
                _short(words(opened, title, scene.span)),
            )
            for scene in found.scenes
        ],
    )
    for note in found.notes:
        say(note)
    say(f"right or wrong: mediafm suggest accept scenes {title}@TIME")
    draw_scenes(opened, picture, found)


def arc(
    name: Annotated[str, typer.Argument(metavar="TITLE", help="A title's id, or a series'.")],
    catalog: CatalogOption = CATALOG,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help=".png file; TITLE-arc.png by default.")
    ] = None,
    season: Annotated[int | None, typer.Option(help="Only this season of a series.")] = None,
    probe: Annotated[
        str | None,
        typer.Option("--probe", "-p", help="A fitted probe; clip-tone, if there, by default."),
    ] = None,
    classes: Annotated[
        list[str] | None,
        typer.Option(
            "--class",
            help="One of its classes; may be repeated; the six that change most by default.",
        ),
    ] = None,
    smooth: Annotated[
        str | None, typer.Option(help="Deviation of the window, seconds or 0:30.")
    ] = None,
    peaks: Annotated[int, typer.Option(min=0, help="How many peaks are named.")] = 6,
    probes: ProbesOption = PROBES,
    version: VersionOption = None,
    json: JsonOption = False,
) -> None:
    """Draw how a title, a season or a series runs: tone or any probe over time, peaks named.

    Example: [bold]mediafm arc big-buck-bunny --probe clip-tone[/bold]
    """
    from mediafm.catalog import Catalog
    from mediafm.report import plot_arc
    from mediafm.suggest import FittedProbes, find_arc
    from mediafm.suggest.arc import figure
    from mediafm.timeline import parse_time

    check_picture(out)
    opened = Catalog.open(catalog)
    found = find_arc(
        opened,
        name,
        season=season,
        probe=probe,
        classes=classes or (),
        probes=FittedProbes(opened, probes, version),
        version=version,
        smooth=parse_time(smooth) if smooth is not None else None,
        peaks=peaks,
    )
    path = None
    if out is not None or not json:
        ending = "" if season is None else f"-season-{season}"
        path = plot_arc(opened, found, out or Path(f"{file_stem(name)}{ending}-arc.png"))
    if json:
        print_json({**asdict(found), "picture": str(path) if path else None})
        return
    several = len(found.parts) > 1
    rows = [
        (
            number,
            peak.curve,
            *([peak.title_id] if several else []),
            format_time(peak.span.start),
            figure(peak.value),
            _short(peak.said),
        )
        for number, peak in enumerate(found.peaks, 1)
    ]
    if rows:
        columns = ["#", "highest", *(["=title"] if several else []), "=at", "#value", "said"]
        print_table(f"{found.name}, by {', '.join(found.by)}", columns, rows)
    elif peaks:
        say("nothing rises above the rest")
    for note in found.notes:
        say(note)
    say(str(path))


def _short(text: str) -> str:
    return textwrap.shorten(text.replace("\n", " / "), 70, placeholder="…")
