"""Commands that bring titles into a catalog: ``sample``, ``ingest``, ``import``."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mediafm.cli.encoding import (
    AudioOption,
    CacheOption,
    DeviceOption,
    SetOption,
    TextOption,
    VideoOption,
    WithOption,
    choose,
)
from mediafm.cli.output import CATALOG, CatalogOption, JsonOption, print_json, reporter, say
from mediafm.errors import EncoderError
from mediafm.timeline import US

if TYPE_CHECKING:
    from mediafm.ingest import IngestReport


def sample(
    out: Annotated[Path, typer.Argument(help="Folder to write the films to.")] = Path("films"),
    titles: Annotated[int, typer.Option(help="How many films.")] = 10,
    seed: Annotated[int, typer.Option(help="Other seeds give other films.")] = 0,
    seconds: Annotated[
        float | None, typer.Option(help="Length of each film; a little over a minute by default.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Render a small catalog of films to try everything on.

    Example: [bold]mediafm sample films[/bold]
    """
    from mediafm.sample import generate

    paths = generate(out, titles=titles, seed=seed, seconds=seconds, progress=reporter(json))
    if json:
        print_json([str(path) for path in paths])
    else:
        say(f"{len(paths)} films in {out}")
        say(f"next: mediafm ingest {out}")


def ingest(
    paths: Annotated[list[Path], typer.Argument(help="Media files and folders.")],
    catalog: CatalogOption = CATALOG,
    detector: Annotated[
        str, typer.Option(help="Shot detector: transnetv2, or content (fast, hard cuts only).")
    ] = "transnetv2",
    min_shot: Annotated[
        float, typer.Option(help="Seconds; shorter pieces and flashes join a neighbour.")
    ] = 0.2,
    max_shot: Annotated[float, typer.Option(help="Seconds; longer takes are cut there.")] = 30.0,
    language: Annotated[
        list[str] | None,
        typer.Option(help="Preferred language of streams and subtitles; may be repeated."),
    ] = None,
    transcribe: Annotated[
        bool, typer.Option("--transcribe", help="Write down speech where there is no timed text.")
    ] = False,
    recogniser: Annotated[
        str, typer.Option(help="Whisper for --transcribe: whisper-base, or hf:NAME.")
    ] = "whisper-base",
    encoders: SetOption = "",
    video: VideoOption = "",
    audio: AudioOption = "",
    text: TextOption = "",
    others: WithOption = None,
    device: DeviceOption = "auto",
    cache: CacheOption = True,
    json: JsonOption = False,
) -> None:
    """Find the shots of films and encode them: one pass over each new or changed file.

    Example: [bold]mediafm ingest /path/to/films[/bold]
    """
    from mediafm.ingest import IngestConfig
    from mediafm.ingest import ingest as run
    from mediafm.shots import ShotConfig

    if transcribe and not recogniser:
        raise EncoderError("no recogniser was named", do="leave --recogniser out, or name one")
    config = IngestConfig(
        encoders=choose(encoders, video, audio, text, others),
        shots=ShotConfig(detector, round(min_shot * US), round(max_shot * US)),
        languages=tuple(language or ()),
        transcribe=recogniser if transcribe else "",
        device=device,
        cache=cache,
    )
    finish(run(list(paths), catalog, config, reporter(json)), catalog, json)


def import_(
    file: Annotated[Path, typer.Argument(help="Parquet or Arrow file, one row per shot.")],
    catalog: CatalogOption = CATALOG,
    time_unit: Annotated[
        str, typer.Option(help="Unit of numbers in start and end: s, ms or us.")
    ] = "s",
    source: Annotated[
        str, typer.Option(help="Name of what made the vectors; the file's name by default.")
    ] = "",
    json: JsonOption = False,
) -> None:
    """Fill a catalog from embeddings that you have: title_id, start, end, one column a modality.

    Example: [bold]mediafm import shots.parquet --time-unit us[/bold]
    """
    from mediafm.ingest.importer import import_features

    report = import_features(
        file, catalog, time_unit=time_unit, source=source, progress=reporter(json)
    )
    finish(report, catalog, json)


def finish(report: IngestReport, catalog: str, json: bool) -> None:
    """Says what became of the files; fails if one failed.

    Raises:
        typer.Exit: With status 1 if a file failed.
    """
    if json:
        print_json({"catalog": catalog, "outcomes": [asdict(o) for o in report.outcomes]})
    else:
        say(f"{report.summary()} (catalog {catalog})")
        for outcome in report.failed:
            say(f"  {outcome.reason}")
    wrong = keep_versions(catalog, json)
    if report.failed or wrong:
        raise typer.Exit(1)


def keep_versions(catalog: str, json: bool) -> list[str]:
    """Gives what came new to the versions that are current or were, and says so.

    Returns:
        A line for each version that could not be brought up to date.
    """
    from mediafm.catalog import Catalog

    held = Catalog.open(catalog)
    if not held.live_versions():
        return []
    from mediafm.versions import keep_complete

    made, wrong = keep_complete(held, reporter(json))
    if made and not json:
        say(f"{made} embeddings of titles made for the versions in use")
    for line in wrong:
        print(f"warning: {line}", file=sys.stderr)
    return wrong
