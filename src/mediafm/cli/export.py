"""``mediafm export``: shots, scenes, suggestions and clips as files of other programs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mediafm.cli.output import CATALOG, CatalogOption, JsonOption, VersionOption, print_json, say
from mediafm.cli.probing import PROBES, ProbesOption, counted, keep_apart

if TYPE_CHECKING:
    from mediafm.catalog import Catalog
    from mediafm.export import Mark

app = typer.Typer(
    name="export",
    help="Shots, scenes, suggested clips or your own, as edit lists, chapters or tables.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)
Title = Annotated[str, typer.Argument(help="The title's id, as `mediafm info` lists it.")]
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
    probes: ProbesOption = PROBES,
    version: VersionOption = None,
    json: JsonOption = False,
) -> None:
    """The clips that are suggested of a title, or those of a file.

    Example: [bold]mediafm export clips big-buck-bunny -o clips.otio[/bold]
    """
    from mediafm.catalog import Catalog
    from mediafm.errors import MediaFMError
    from mediafm.export import Mark, marks_of_suggestions
    from mediafm.probes.clip_finder import read_clips
    from mediafm.probes.label_file import summary
    from mediafm.suggest import FittedProbes, suggest_clips

    if (title is None) == (file is None):
        raise MediaFMError("name a title, or a file of clips", do="mediafm export clips TITLE")
    keep_apart(out, file)
    opened = Catalog.open(catalog)
    notes: list[str] = []
    if file is not None:
        found, wrong = read_clips(file, opened)
        marks = [Mark(clip, f"{clip.title_id} {clip.span}") for clip in found]
        notes = summary(wrong)
    else:
        assert title is not None
        held = FittedProbes(opened, probes, version)
        suggested = suggest_clips(opened, title, count, probes=held, version=version)
        marks, notes = marks_of_suggestions(opened, suggested), list(suggested.notes)
    _write(opened, marks, out, title or "clips", "clip", json, notes)
    if file is not None and notes:
        raise typer.Exit(1)


def _write(
    catalog: Catalog,
    marks: list[Mark],
    out: Path,
    name: str,
    what: str,
    json: bool,
    notes: Sequence[str] = (),
) -> None:
    from mediafm.export import ADAPTERS, unsteady, write_marks

    write_marks(catalog, marks, out, name)
    if out.suffix.lower() in ADAPTERS:
        notes = [*notes, *unsteady(catalog, marks)]
    if json:
        print_json({"file": str(out), f"{what}s": len(marks), "notes": list(notes)})
        return
    say(f"{counted(len(marks), what)} in {out}")
    for note in notes:
        say(note)
