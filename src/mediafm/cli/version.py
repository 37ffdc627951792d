"""``mediafm version``: which embeddings a catalog has, and which of them readers see."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from mediafm.cli.output import (
    CATALOG,
    CatalogOption,
    JsonOption,
    print_json,
    print_table,
    reporter,
    say,
)
from mediafm.cli.probing import (
    FEATURES,
    LabelsOption,
    ModelOption,
    WorkOption,
    judgements,
    load_tasks,
    open_bench,
    show_judgements,
)
from mediafm.errors import MediaFMError

if TYPE_CHECKING:
    from mediafm.catalog import VersionRecord

app = typer.Typer(
    name="version",
    help="Versions of contextual embeddings: fill one in, validate it, make it current.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)

Name = Annotated[str, typer.Argument(metavar="VERSION")]


@app.command("list")
def list_(catalog: CatalogOption = CATALOG, json: JsonOption = False) -> None:
    """List the versions, and what each is good for.

    Example: [bold]mediafm version list[/bold]
    """
    from mediafm.catalog import Catalog
    from mediafm.versions import describe

    held = Catalog.open(catalog)
    rows = [describe(held, version) for version in held.versions()]
    if json:
        print_json(rows)
    elif not rows:
        say("it has no embeddings yet; make some with mediafm embed")
    else:
        print_table(
            f"Versions in {catalog}",
            ["version", "state", "validated", "#width", "model", "made"],
            [(r["name"], r["state"], r["gate"], r["dim"], r["model"], r["made"]) for r in rows],
        )


@app.command("backfill")
def backfill(
    name: Name,
    catalog: CatalogOption = CATALOG,
    model: ModelOption = None,
    json: JsonOption = False,
) -> None:
    """Embed the titles that a version lacks; interrupted, the same command goes on.

    Example: [bold]mediafm version backfill new-model[/bold]
    """
    from mediafm.catalog import Catalog
    from mediafm.versions import backfill as run

    result = run(Catalog.open(catalog), name, model, reporter(json))
    if json:
        print_json(asdict(result))
        return
    say(f"{result.shots} shots of {result.titles} titles embedded, {result.skipped} were there")
    if not result.current:
        say(f"next: mediafm version validate {name} TASK..., or promote {name}")


@app.command("validate")
def validate(
    name: Name,
    names: Annotated[list[str], typer.Argument(metavar="TASK...", help="Task files or names.")],
    catalog: CatalogOption = CATALOG,
    labels: LabelsOption = None,
    against: Annotated[
        str | None, typer.Option(help="Version that it would replace; the current one by default.")
    ] = None,
    features: Annotated[
        str, typer.Option("--features", "-f", help="See mediafm probe eval.")
    ] = FEATURES,
    work: WorkOption = None,
    json: JsonOption = False,
) -> None:
    """Judge a version by the probe gate against the current one, and note what came out.

    Exit status: 0 if no task is worse, 1 if one is, or if one cannot be judged.

    Example: [bold]mediafm version validate new-model clip-tone --labels tones.csv[/bold]
    """
    from mediafm.versions import validate as run

    bench = open_bench(catalog, None, work, json)
    noted, found, study = run(
        bench, name, load_tasks(names, labels), against=against, features=features
    )
    if json:
        # `tasks` of the note are outcomes; those of the judgements say the same and more.
        print_json({**asdict(noted), **judgements(found, study)})
    else:
        show_judgements(name, noted.against, found, study, noted.passed)
        if noted.passed:
            say(f"next: mediafm version promote {name}")
    if not noted.passed:
        raise typer.Exit(1)


@app.command("promote")
def promote(
    name: Name,
    catalog: CatalogOption = CATALOG,
    force: Annotated[bool, typer.Option("--force", help="Although it failed the gate.")] = False,
    json: JsonOption = False,
) -> None:
    """Make a version current: readers who name none see it from now on.

    Example: [bold]mediafm version promote new-model[/bold]
    """
    from mediafm.catalog import Catalog

    held = Catalog.open(catalog)
    before, checks = held.current_version(), held.validations(name)
    if checks and not checks[-1].passed and not force:
        worse = [task for task, out in checks[-1].tasks.items() if out in ("worse", "unknown")]
        raise MediaFMError(
            f"failed the gate against '{checks[-1].against}' ({', '.join(worse) or 'skipped'})",
            where=f"version '{name}'",
            do="validate it again, or promote it all the same with --force",
        )
    held.promote(name)
    _say_current(before, name, json)
    if not json and not checks:
        say("it was not validated by any task (mediafm version validate)")


@app.command("rollback")
def rollback(catalog: CatalogOption = CATALOG, json: JsonOption = False) -> None:
    """Make the version current that was so before.

    Example: [bold]mediafm version rollback[/bold]
    """
    from mediafm.catalog import Catalog

    held = Catalog.open(catalog)
    before = held.current_version()
    _say_current(before, held.rollback().version, json)


def _say_current(before: VersionRecord | None, name: str, json: bool) -> None:
    old = before.name if before is not None else None
    if json:
        print_json({"current": name, "before": old})
    elif old == name:
        say(f"{name} is current already")
    else:
        say(
            f"{name} is current"
            + (f", {old} was; back with mediafm version rollback" if old else "")
        )


@app.command("delete")
def delete(name: Name, catalog: CatalogOption = CATALOG, json: JsonOption = False) -> None:
    """Delete a version and its embeddings; not the current one.

    Example: [bold]mediafm version delete old-model[/bold]
    """
    from mediafm.catalog import Catalog

    Catalog.open(catalog).delete_version(name)
    if json:
        print_json({"deleted": name})
    else:
        say(f"version {name} is deleted")
