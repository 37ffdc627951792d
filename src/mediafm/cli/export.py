"""``mediafm export``: places in titles and embeddings as files of other programs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mediafm.cli.output import (
    CATALOG,
    CatalogOption,
    JsonOption,
    Title,
    VersionOption,
    print_json,
    reporter,
    say,
)
from mediafm.cli.probing import PROBES, ProbesOption, counted, keep_apart
from mediafm.errors import MediaFMError

if TYPE_CHECKING:
    from mediafm.catalog import Catalog
    from mediafm.export import Mark

app = typer.Typer(
    name="export",
    help="Shots, scenes, clips, tags, ad breaks and embeddings as files of other programs.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)
Out = Annotated[
    Path,
    typer.Option("--out", "-o", help=".otio, .edl, .xml, .vtt, .csv, .jsonl or .parquet file."),
]


@app.command("shots")
def shots(
    title: Title, out: Out, catalog: CatalogOption = CATALOG, json: JsonOption = False
) -> None:
    """Every shot of a title.

    Example: [bold]mediafm export shots big-buck-bunny -o shots.edl[/bold]
    """
    from mediafm.catalog import Catalog
    from mediafm.export import marks_of_shots

    opened = Catalog.open(catalog)
    marks = marks_of_shots(opened, title)
    _write(opened, marks, out, title, "shot", json)


@app.command("scenes")
def scenes(
    title: Title,
    out: Out,
    catalog: CatalogOption = CATALOG,
    probes: ProbesOption = PROBES,
    version: VersionOption = None,
    json: JsonOption = False,
) -> None:
    """The scenes of a title, as chapters or as an edit list.

    Example: [bold]mediafm export scenes big-buck-bunny -o chapters.vtt[/bold]
    """
    from mediafm.catalog import Catalog
    from mediafm.export import marks_of_scenes
    from mediafm.suggest import FittedProbes, find_scenes

    opened = Catalog.open(catalog)
    found = find_scenes(opened, title, FittedProbes(opened, probes, version), version=version)
    marks = marks_of_scenes(opened, found)
    _write(opened, marks, out, title, "scene", json, found.notes)


@app.command("clips")
def clips(
    title: Annotated[
        str | None, typer.Argument(help="A title, for the clips that are suggested of it.")
    ] = None,
    out: Out = Path("clips.edl"),
    catalog: CatalogOption = CATALOG,
    file: Annotated[
        Path | None,
        typer.Option("--clips", help="Your own instead: CSV or Parquet with title_id, start, end."),
    ] = None,
    count: Annotated[int, typer.Option("--count", "-n", min=1, help="How many.")] = 5,
    shortest: Annotated[str, typer.Option(help="Least length, seconds or 0:05.")] = "5",
    longest: Annotated[str, typer.Option(help="Greatest length, seconds or 1:00.")] = "60",
    spoilers: Annotated[
        bool, typer.Option("--spoilers", help="Also from the last part of the title.")
    ] = False,
    probes: ProbesOption = PROBES,
    version: VersionOption = None,
    json: JsonOption = False,
) -> None:
    """The clips that are suggested of a title, or those of a file.

    Example: [bold]mediafm export clips big-buck-bunny -o clips.otio[/bold]
    """
    from mediafm.catalog import Catalog
    from mediafm.export import Mark, marks_of_suggestions
    from mediafm.probes.clip_finder import read_clips
    from mediafm.probes.label_file import summary
    from mediafm.suggest import FittedProbes, suggest_clips
    from mediafm.timeline import Clip, parse_time

    if (title is None) == (file is None):
        what = "neither a title nor a file is named" if title is None else "both are named"
        raise MediaFMError(
            f"{what}: the suggested clips of a title, or those of a file?",
            do="name a title, or a file with --clips",
        )
    keep_apart(out, file)
    opened = Catalog.open(catalog)
    notes: list[str] = []
    if file is not None:
        called: dict[Clip, str] = {}
        _, wrong = read_clips(file, opened, called)
        # In the order of the file: it is the order of the edit.
        marks = [
            Mark(clip, name or f"{clip.title_id} {clip.span}") for clip, name in called.items()
        ]
        notes = summary(wrong)
    else:
        assert title is not None
        held = FittedProbes(opened, probes, version)
        suggested = suggest_clips(
            opened,
            title,
            count,
            probes=held,
            version=version,
            shortest=parse_time(shortest),
            longest=parse_time(longest),
            spoilers=spoilers,
        )
        marks, notes = marks_of_suggestions(opened, suggested), list(suggested.notes)
    _write(opened, marks, out, title or "clips", "clip", json, notes)
    if file is not None and notes:
        raise typer.Exit(1)


@app.command("tags")
def tags(
    title: Title,
    out: Out,
    catalog: CatalogOption = CATALOG,
    probe: Annotated[
        list[str] | None,
        typer.Option("--probe", "-p", help="Only this fitted probe; may be repeated."),
    ] = None,
    probes: ProbesOption = PROBES,
    version: VersionOption = None,
    json: JsonOption = False,
) -> None:
    """The tags that are suggested of a title, scene by scene: a table, or a track of metadata.

    Example: [bold]mediafm export tags big-buck-bunny -o tags.vtt[/bold]
    """
    from mediafm.catalog import Catalog
    from mediafm.export import marks_of_suggestions
    from mediafm.suggest import FittedProbes, suggest_tags

    _check_form(out, "tags")
    opened = Catalog.open(catalog)
    held = FittedProbes(opened, probes, version)
    found = suggest_tags(opened, title, only=probe or (), probes=held, version=version)
    marks = marks_of_suggestions(opened, found)
    _write(opened, marks, out, title, "tag", json, found.notes, metadata=True)


@app.command("ad-breaks")
def ad_breaks(
    title: Title,
    out: Annotated[
        Path,
        typer.Option(
            "--out", "-o", help=".json with OpenRTB content objects, .vtt, .csv, .jsonl, .parquet."
        ),
    ],
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
    """The ad breaks that are suggested of a title, with what is around each.

    Example: [bold]mediafm export ad-breaks big-buck-bunny --spacing 2:00 -o breaks.json[/bold]
    """
    from mediafm.catalog import Catalog
    from mediafm.export import marks_of_suggestions, write_breaks
    from mediafm.suggest import FittedProbes, suggest_breaks
    from mediafm.timeline import parse_time

    _check_form(out, "ad breaks", ".json")
    opened = Catalog.open(catalog)
    found = suggest_breaks(
        opened,
        title,
        probes=FittedProbes(opened, probes, version),
        version=version,
        spacing=parse_time(spacing),
        exclude=exclude or (),
    )
    if out.suffix.lower() == ".json":
        write_breaks(opened, found, out)
        _say(out, len(found.found), "ad break", json, found.notes)
        return
    marks = marks_of_suggestions(opened, found)
    _write(opened, marks, out, title, "ad break", json, found.notes, metadata=True)


@app.command("embeddings")
def embeddings(
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            "-o",
            help=".npz or .parquet file; without suffix, the folder of a Hugging Face dataset.",
        ),
    ],
    title: Annotated[
        list[str] | None, typer.Option("--title", "-t", help="Only this title; may be repeated.")
    ] = None,
    catalog: CatalogOption = CATALOG,
    version: VersionOption = None,
    json: JsonOption = False,
) -> None:
    """The contextual embeddings of shots, for NumPy, as a table or as a dataset.

    Example: [bold]mediafm export embeddings -o embeddings.parquet[/bold]
    """
    from dataclasses import asdict

    from mediafm.catalog import Catalog
    from mediafm.export import write_embeddings

    opened = Catalog.open(catalog)
    done = write_embeddings(opened, out, version, title or None, reporter(json))
    if json:
        print_json(asdict(done) | {"file": str(done.file)})
        return
    shots, titles = counted(done.shots, "shot"), counted(done.titles, "title")
    say(f"{shots} of {titles} in {done.file}, version {done.version}")
    for note in done.notes:
        say(note)


def _check_form(out: Path, what: str, *more: str) -> None:
    """Refuses edit lists, for what overlaps or has no length."""
    from mediafm.export import ADAPTERS, SUFFIXES

    forms = (*more, *(suffix for suffix in SUFFIXES if suffix not in ADAPTERS))
    if out.suffix.lower() not in forms:
        raise MediaFMError(
            f"{what} cannot be written as {out.suffix or 'a file without suffix'}",
            where=out,
            do=f"name a {', '.join(forms)} file",
        )


def _write(
    catalog: Catalog,
    marks: list[Mark],
    out: Path,
    name: str,
    what: str,
    json: bool,
    notes: Sequence[str] = (),
    *,
    metadata: bool = False,
) -> None:
    from mediafm.export import ADAPTERS, unsteady, write_marks

    if not marks and notes:
        raise MediaFMError("there is nothing to write", where=out, do="; ".join(notes))
    write_marks(catalog, marks, out, name, metadata=metadata)
    if out.suffix.lower() in ADAPTERS:
        notes = [*notes, *unsteady(catalog, marks)]
    _say(out, len(marks), what, json, notes)


def _say(out: Path, count: int, what: str, json: bool, notes: Sequence[str]) -> None:
    if json:
        print_json({"file": str(out), f"{what.replace(' ', '_')}s": count, "notes": list(notes)})
        return
    say(f"{counted(count, what)} in {out}")
    for note in notes:
        say(note)
