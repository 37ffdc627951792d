"""Commands that look into a catalog: ``plot``, ``info``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from mediafm.catalog import Catalog
from mediafm.cli.output import (
    CATALOG,
    CatalogOption,
    JsonOption,
    VersionOption,
    clock,
    print_json,
    print_table,
    say,
)
from mediafm.timeline import US, format_time


def plot(
    title: Annotated[str, typer.Argument(help="The title's id, as `mediafm info` lists it.")],
    catalog: CatalogOption = CATALOG,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="A .png or .html file, or a folder for both."),
    ] = None,
    version: VersionOption = None,
    json: JsonOption = False,
) -> None:
    """Draw what the model sees in a title: filmstrip, self-similarity, modalities, cues.

    Example: [bold]mediafm plot big-buck-bunny[/bold]
    """
    from mediafm.report import plot as draw

    opened = Catalog.open(catalog)
    record = opened.title(title)
    paths = draw(opened, record.title_id, out or Path(), version)
    if json:
        print_json([str(path) for path in paths])
    else:
        for path in paths:
            say(str(path))


def info(
    title: Annotated[str | None, typer.Argument(help="A title, to list its shots.")] = None,
    catalog: CatalogOption = CATALOG,
    json: JsonOption = False,
) -> None:
    """Show what is in a catalog, or in one of its titles.

    Example: [bold]mediafm info[/bold]
    """
    opened = Catalog.open(catalog)
    if title is None:
        _catalog_info(opened, json)
    else:
        _title_info(opened, title, json)


def _catalog_info(catalog: Catalog, json: bool) -> None:
    titles, coverage = catalog.titles(), catalog.coverage()
    encoders, versions, failures = catalog.encoders(), catalog.versions(), catalog.failures()
    shots, duration = sum(t.shots for t in titles), sum(t.duration for t in titles)
    size, current = catalog.size_bytes(), catalog.current_version()
    if json:
        print_json(
            {
                "catalog": catalog.uri,
                "titles": [asdict(t) for t in titles],
                "shots": shots,
                "hours": duration / US / 3600,
                "coverage": {name: list(counts) for name, counts in coverage.items()},
                "encoders": {name: asdict(e) for name, e in encoders.items()},
                "versions": [asdict(v) for v in versions],
                "current": current.name if current is not None else None,
                "size_bytes": size,
                "failures": [asdict(f) for f in failures],
            }
        )
        return
    print_titles(catalog)
    held = "" if size is None else f", {size / 1e6:.1f} MB"
    say(f"{len(titles)} titles, {shots} shots, {duration / US / 3600:.2f} hours{held}")
    for name, encoder in encoders.items():
        present, total = coverage.get(name, (0, 0))
        share = f"{100 * present / total:.0f}%" if total else "none"
        say(
            f"{name:8} {share:>4} of the shots, {encoder.name} ({encoder.dim} wide, "
            f"{encoder.fingerprint})"
        )
    for version in versions:
        embedded = len(catalog.embedded_ingests(version.name) & {t.ingest_id for t in titles})
        mark = ", current" if current is not None and current.name == version.name else ""
        done = f"{embedded} of {len(titles)} titles"
        say(f"version  {version.name}: {done}, {version.dim} wide{mark}")
    if not versions:
        say("version  none yet: mediafm pretrain, then mediafm embed")
    for failure in failures:
        say(f"failed   {failure.reason}")


def print_titles(catalog: Catalog) -> None:
    """Draws the table of titles, with their shots and what is present of each modality."""
    modalities, counts = list(catalog.encoders()), catalog.present_counts()
    rows = []
    for title in catalog.titles():
        present = counts.get(title.title_id, {})
        shares = [f"{100 * present.get(m, 0) / max(title.shots, 1):.0f}%" for m in modalities]
        rows.append(
            (
                title.title_id,
                title.title,
                title.kind,
                clock(title.duration),
                title.shots,
                title.cues,
                *shares,
            )
        )
    columns = ["id", "title", "kind", "#length", "#shots", "#cues", *(f"#{m}" for m in modalities)]
    print_table(f"Catalog {catalog.uri}", columns, rows)


def _title_info(catalog: Catalog, title_id: str, json: bool) -> None:
    title, shots, cues = catalog.title(title_id), catalog.shots(title_id), catalog.cues(title_id)
    if json:
        print_json(
            {
                "title": asdict(title),
                "shots": [asdict(shot) for shot in shots],
                "cues": [asdict(cue) for cue in cues],
            }
        )
        return
    rows = []
    for shot in shots:
        said = " / ".join(
            cue.text.replace("\n", " ") for cue in cues if shot.span.touches(cue.span)
        )
        end = "maximum length" if shot.forced else ""
        rows.append(
            (
                shot.index,
                format_time(shot.span.start),
                format_time(shot.span.end),
                f"{shot.span.duration / US:.2f}",
                end,
                said,
            )
        )
    print_table(
        f"{title.title} ({title_id})", ["#shot", "from", "to", "#seconds", "cut by", "cues"], rows
    )
    for note in title.notes:
        say(note)
