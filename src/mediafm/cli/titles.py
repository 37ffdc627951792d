"""Commands that look after titles: ``remove``, ``relink``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from mediafm.cli.output import CATALOG, CatalogOption, JsonOption, print_json, reporter, say


def remove(
    titles: Annotated[
        list[str] | None,
        typer.Argument(metavar="[TITLE]...", help="Ids of titles; none: what is left of others."),
    ] = None,
    catalog: CatalogOption = CATALOG,
    json: JsonOption = False,
) -> None:
    """Remove titles and every byte of them: vectors, pictures, timed text, in every version.

    The media files stay where they are.

    Example: [bold]mediafm remove big-buck-bunny[/bold]
    """
    from mediafm.catalog import Catalog

    held = Catalog.open(catalog)
    unique = list(dict.fromkeys(titles or ()))
    for title_id in unique:
        held.title(title_id)  # a name that is wrong is said before anything is removed
    if not unique:
        held.erase_removed()
    with reporter(json).task("remove", len(unique), "titles") as task:
        for title_id in unique:
            task.note(title_id)
            held.erase(title_id)
            task.advance(1)
    if json:
        print_json({"removed": unique})
    else:
        say(f"{len(unique)} title{'s' * (len(unique) != 1)} removed from {catalog}")


def relink(
    old: Annotated[Path, typer.Argument(help="Folder or file that was.")],
    new: Annotated[Path, typer.Argument(help="Folder or file that is.")],
    catalog: CatalogOption = CATALOG,
    json: JsonOption = False,
) -> None:
    """Tell titles that their media files have moved; nothing is read or encoded again.

    Example: [bold]mediafm relink /mnt/old/films /mnt/new/films[/bold]
    """
    from mediafm.catalog import Catalog
    from mediafm.ingest.relink import relink as run

    found = run(Catalog.open(catalog), old, new)
    if json:
        print_json(asdict(found))
    else:
        say(f"{len(found.moved)} titles relinked")
        for title_id in found.missing:
            say(f"  {title_id}: there is no such file in {new}")
        for title_id in found.different:
            say(f"  {title_id}: the file in {new} is another one; ingest it")
    if found.missing or found.different:
        raise typer.Exit(1)
