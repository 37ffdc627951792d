"""``mediafm demo``: the whole way, from films to a picture, in one command."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from mediafm.catalog import Catalog
from mediafm.cli.look import print_titles
from mediafm.cli.output import print_table, reporter, say
from mediafm.fingerprint import fingerprint
from mediafm.progress import Progress
from mediafm.timeline import format_time

EXAMPLES = 3
HITS = 5


def demo(
    media: Annotated[
        Path | None, typer.Argument(help="Your films; a rendered sample catalog by default.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for everything.")] = Path("demo"),
) -> None:
    """Go the whole way: films, catalog, model, embeddings, similar shots, a picture.

    Example: [bold]mediafm demo /path/to/films[/bold]
    """
    from mediafm.embed import embed
    from mediafm.ingest import ingest
    from mediafm.pretrain import pretrain

    progress = reporter()
    out.mkdir(parents=True, exist_ok=True)
    films = media or _sample(out / "films", progress)
    place = out / (
        "catalog" if media is None else f"catalog-{fingerprint(str(media.resolve()))[:8]}"
    )
    say(f"1/4  ingest {films} -> {place}")
    report = ingest(films, place, progress=progress)
    say(f"     {report.summary()}")
    catalog = Catalog.open(place)
    ingests = sorted(title.ingest_id for title in catalog.titles())
    model = out / f"model-{fingerprint(ingests)[:8]}"
    say(f"2/4  pretrain a small model -> {model}")
    trained = pretrain(catalog, model, progress=progress)
    say(f"3/4  embed {sum(title.shots for title in catalog.titles())} shots in context")
    # The name carries the model's fingerprint: a model trained anew never meets another's version.
    name = f"{model.name}-{trained.model.fingerprint[:8]}"
    version = embed(catalog, trained.model, name, progress=progress).version.name
    say("4/4  look")
    catalog.refresh()
    print_titles(catalog)
    pictures = _examples(catalog, version, out)
    pictures += _picture(catalog, version, out)
    say(f"\n{trained.verdict.text}\n")
    say("Pictures:")
    for path in pictures:
        say(f"  {path}")
    title = max(catalog.titles(), key=lambda title: title.shots).title_id
    middle = catalog.shots(title)[catalog.title(title).shots // 2].span.start
    program = shlex.quote(sys.argv[0] if sys.argv else "mediafm")
    say("Go on:")
    say(f"  export MEDIAFM_CATALOG={shlex.quote(str(place))}")
    say(f"  {program} info {shlex.quote(title)}")
    say(f"  {program} similar {shlex.quote(f'{title}@{format_time(middle)}')} --elsewhere")
    say(f"  {program} plot {shlex.quote(title)}")
    if media is None:
        say("  make demo MEDIA=/path/to/your/films")
    for outcome in report.failed:
        say(f"failed: {outcome.reason}")
    if report.failed:
        raise typer.Exit(1)


def _sample(folder: Path, progress: Progress) -> Path:
    from mediafm.sample import generate

    say(f"0/4  render sample films -> {folder}")
    generate(folder, progress=progress)
    return folder


def _examples(catalog: Catalog, version: str, out: Path) -> list[Path]:
    """Prints and draws the most similar shots of three shots from different titles."""
    from mediafm.report import Example, similar_sheet
    from mediafm.search import similar

    examples = []
    titles = sorted(catalog.titles(), key=lambda title: -title.shots)
    for number in range(min(EXAMPLES, sum(title.shots for title in titles))):
        title = titles[number % len(titles)]
        shots = catalog.shots(title.title_id)
        time = shots[len(shots) * (number + 1) // (EXAMPLES + 1)].span.start
        shot, hits = similar(catalog, title.title_id, time, HITS, version=version)
        print_table(
            f"Most similar to {title.title_id}@{format_time(shot.span.start)}",
            ["#", "place", "#cosine"],
            [
                (rank, f"{hit.title_id}@{format_time(hit.span.start)}", f"{hit.score:.3f}")
                for rank, hit in enumerate(hits, 1)
            ],
        )
        found = [(hit.title_id, hit.shot, hit.score) for hit in hits]
        examples.append(Example((title.title_id, shot.index), found))
    return [similar_sheet(catalog, examples, out / "similar.png")]


def _picture(catalog: Catalog, version: str, out: Path) -> list[Path]:
    from mediafm.report import plot

    title = max(catalog.titles(), key=lambda title: title.shots)
    return plot(catalog, title.title_id, out, version)
