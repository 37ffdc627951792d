"""``mediafm suggest``: what to cut, show and sell of a title."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mediafm.cli import answers
from mediafm.cli.find import because
from mediafm.cli.output import (
    CATALOG,
    CatalogOption,
    JsonOption,
    Title,
    VersionOption,
    print_json,
    print_table,
    reporter,
    say,
)
from mediafm.cli.pictures import PictureOption, check_picture, draw_suggestions
from mediafm.cli.probing import PROBES, ProbesOption, counted
from mediafm.errors import MediaFMError
from mediafm.files import file_stem, save
from mediafm.timeline import format_time

if TYPE_CHECKING:
    from mediafm.catalog import Catalog
    from mediafm.suggest import Suggestion, Suggestions


app = typer.Typer(
    name="suggest",
    help="What to cut, show, sell and say of a title, with reasons; answers become labels.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)
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
    picture: PictureOption = None,
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

    check_picture(picture)
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
    _show(opened, found, json, ["from", "to"], picture)


@app.command("artwork")
def artwork(
    title: Title,
    catalog: CatalogOption = CATALOG,
    count: Count = 5,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for the pictures, as JPEG.")
    ] = None,
    spoilers: Spoilers = False,
    probes: ProbesOption = PROBES,
    version: VersionOption = None,
    picture: PictureOption = None,
    json: JsonOption = False,
) -> None:
    """Suggest keyframes for posters and tiles: sharp, typical, unlike one another.

    Example: [bold]mediafm suggest artwork big-buck-bunny --out artwork[/bold]
    """
    from mediafm.catalog import Catalog
    from mediafm.suggest import FittedProbes, suggest_artwork
    from mediafm.suggest.artwork import Picture

    check_picture(picture)
    opened = Catalog.open(catalog)
    held = FittedProbes(opened, probes, version)
    found = suggest_artwork(opened, title, count, probes=held, version=version, spoilers=spoilers)
    if out is not None:
        for rank, one in enumerate(found.found, 1):
            assert isinstance(one, Picture)
            jpeg = opened.keyframe(title, one.shot)
            if jpeg is not None:
                stem = f"{rank:02d}-{file_stem(title)}-shot{one.shot:04d}"
                path = save(out / f"{stem}.jpg", jpeg)
                if not json:
                    say(str(path))
    _show(opened, found, json, ["from"], picture)


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
    picture: PictureOption = None,
    json: JsonOption = False,
) -> None:
    """Suggest places for advertisements: between scenes, away from speech, with what is around.

    Example: [bold]mediafm suggest ad-breaks big-buck-bunny --spacing 2:00[/bold]
    """
    from mediafm.catalog import Catalog
    from mediafm.suggest import FittedProbes, suggest_breaks
    from mediafm.timeline import parse_time

    check_picture(picture)
    opened = Catalog.open(catalog)
    found = suggest_breaks(
        opened,
        title,
        probes=FittedProbes(opened, probes, version),
        version=version,
        spacing=parse_time(spacing),
        exclude=exclude or (),
    )
    _show(opened, found, json, ["at"], picture)


@app.command("tags")
def tags(
    title: Title,
    catalog: CatalogOption = CATALOG,
    probe: Annotated[
        list[str] | None,
        typer.Option("--probe", "-p", help="Only this fitted probe; may be repeated."),
    ] = None,
    probes: ProbesOption = PROBES,
    version: VersionOption = None,
    picture: PictureOption = None,
    json: JsonOption = False,
) -> None:
    """Suggest tags, scene by scene: tone, genre, whatever a fitted probe tells.

    Without a probe: genres and tags of the titles most like this one, and that is said.

    Example: [bold]mediafm suggest tags big-buck-bunny --probe clip-tone[/bold]
    """
    from mediafm.catalog import Catalog
    from mediafm.suggest import FittedProbes, suggest_tags
    from mediafm.suggest.tags import FIELDS

    check_picture(picture)
    opened = Catalog.open(catalog)
    held = FittedProbes(opened, probes, version)
    found = suggest_tags(opened, title, only=probe or (), probes=held, version=version)
    if json:
        print_json(asdict(found))
        draw_suggestions(opened, picture, found, quiet=True)
        return
    _show_tags(f"{title}: tags, by {', '.join(found.by)}", found.found)
    for note in found.notes:
        say(note)
    if found.found and found.by != FIELDS:
        task = found.by[1] if len(found.by) == 2 else "TASK"
        say(f"right or wrong: mediafm suggest accept tags {title}@FROM-TO --task {task}")
    draw_suggestions(opened, picture, found)


@app.command("cold-start")
def cold_start(
    title: Annotated[
        str | None, typer.Argument(help="A new title's id; none, with --out, for all titles.")
    ] = None,
    catalog: CatalogOption = CATALOG,
    count: Count = 10,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help=".parquet or .jsonl file of features for a recommender."),
    ] = None,
    probes: ProbesOption = PROBES,
    version: VersionOption = None,
    json: JsonOption = False,
) -> None:
    """Say what content alone tells of a title: titles like it, tags, features for a recommender.

    Example: [bold]mediafm suggest cold-start big-buck-bunny --out features.parquet[/bold]
    """
    from mediafm.catalog import Catalog
    from mediafm.suggest import FittedProbes
    from mediafm.suggest.cold_start import cold_start as find
    from mediafm.suggest.cold_start import feature_rows, write_features

    if title is None and out is None:
        raise MediaFMError(
            "name a title, or a file for the features of all titles",
            do="mediafm suggest cold-start TITLE, or --out features.parquet",
        )
    opened = Catalog.open(catalog)
    held = FittedProbes(opened, probes, version)
    answer: dict[str, object] = {}
    if title is not None:
        found = find(opened, title, count, probes=held, version=version)
        answer |= asdict(found)
        if not json:
            print_table(
                f"Titles like {title}",
                ["#", "=title", "#cosine", "alike in"],
                [
                    (rank, hit.title_id, f"{hit.score:.3f}", because(hit.because))
                    for rank, hit in enumerate(found.nearest, 1)
                ],
            )
            _show_tags(f"{title} as a whole", found.tags)
            for note in found.notes:
                say(note)
    if out is not None:
        left_out: list[str] = []
        rows = feature_rows(
            opened, None if title is None else [title], count, probes=held, version=version,
            left_out=left_out, progress=reporter(json),
        )  # fmt: skip
        written = write_features(out, rows)
        answer |= {"features": str(out), "rows": written, "left_out": left_out}
        if not json:
            say(f"{counted(written, 'title')} in {out}")
            for line in left_out[:10]:
                say(f"  {line}")
    if json:
        print_json(answer)


def _show_tags(heading: str, found: Sequence[Suggestion]) -> None:
    from mediafm.suggest.tags import Tagged

    rows = []
    for one in found:
        assert isinstance(one, Tagged)
        times = (format_time(one.span.start), format_time(one.span.end))
        rows.append((*times, one.probe, ", ".join(one.names) or "-", ", ".join(one.reasons)))
    if rows:
        print_table(heading, ["=from", "=to", "by", "tags", "why"], rows)


def _show(
    catalog: Catalog, found: Suggestions, json: bool, times: list[str], picture: Path | None
) -> None:
    if json:
        print_json(asdict(found))
        draw_suggestions(catalog, picture, found, quiet=True)
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
    if rows:
        place = "FROM-TO" if len(times) > 1 else "TIME"
        say(f"right or wrong: mediafm suggest accept {found.kind} {found.title_id}@{place}")
    draw_suggestions(catalog, picture, found)


app.command("accept")(answers.accept)
app.command("reject")(answers.reject)
app.command("correct")(answers.correct)
