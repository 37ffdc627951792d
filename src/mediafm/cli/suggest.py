"""Commands that put embeddings and probes to work: ``scenes``."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

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
from mediafm.timeline import US, format_time


def scenes(
    title: Annotated[str, typer.Argument(help="The title's id, as `mediafm info` lists it.")],
    catalog: CatalogOption = CATALOG,
    probes: ProbesOption = PROBES,
    version: VersionOption = None,
    json: JsonOption = False,
) -> None:
    """Cut a title into story segments: by a fitted probe, else where the embeddings change.

    Example: [bold]mediafm scenes big-buck-bunny[/bold]
    """
    from mediafm.catalog import Catalog
    from mediafm.search.explain import words
    from mediafm.suggest import FittedProbes, find_scenes

    opened = Catalog.open(catalog)
    found = find_scenes(opened, title, FittedProbes(opened, probes, version), version=version)
    if json:
        print_json(asdict(found))
        return
    print_table(
        f"{title}: {len(found.scenes)} scenes",
        ["#", "from", "to", "#seconds", "#shots", f"#{found.by}", "said"],
        [
            (
                scene.index,
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


def _short(text: str) -> str:
    import textwrap

    return textwrap.shorten(text.replace("\n", " / "), 70, placeholder="…")
