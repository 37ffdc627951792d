"""``mediafm demo``: the whole way, from films to a picture, in one command."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mediafm.catalog import Catalog
from mediafm.cli.look import print_titles
from mediafm.cli.output import print_table, reporter, say
from mediafm.fingerprint import fingerprint
from mediafm.progress import Progress
from mediafm.timeline import format_time

if TYPE_CHECKING:
    from mediafm.ingest import IngestReport

EXAMPLES = 3
HITS = 5
PROBES = "probes"


def demo(
    media: Annotated[
        Path | None, typer.Argument(help="Your films; a rendered sample catalog by default.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for everything.")] = Path("demo"),
) -> None:
    """Go the whole way: films, catalog, model, embeddings, similar shots, a picture, probes.

    Example: [bold]mediafm demo /path/to/films[/bold]
    """
    from mediafm.embed import embed
    from mediafm.ingest import ingest
    from mediafm.pretrain import pretrain

    progress = reporter()
    out.mkdir(parents=True, exist_ok=True)
    last = 5 if media is None else 4
    films = media or _sample(out / "films", progress)
    place = out / (
        "catalog" if media is None else f"catalog-{fingerprint(str(media.resolve()))[:8]}"
    )
    say(f"1/{last}  ingest {films} -> {place}")
    report = ingest(films, place, progress=progress)
    say(f"     {report.summary()}")
    catalog = Catalog.open(place)
    if not catalog.titles():  # nothing to go on with: why is the last thing that is said
        _finish(report)
    ingests = sorted(title.ingest_id for title in catalog.titles())
    model = out / f"model-{fingerprint(ingests)[:8]}"
    say(f"2/{last}  pretrain a small model -> {model}")
    trained = pretrain(catalog, model, progress=progress)
    say(f"3/{last}  embed {sum(title.shots for title in catalog.titles())} shots in context")
    # The name carries the model's fingerprint: a model trained anew never meets another's version.
    name = f"{model.name}-{trained.model.fingerprint[:8]}"
    version = embed(catalog, model, name, progress=progress).version.name
    catalog.promote(version)  # a demo on more films has a new model, and goes on with it
    say(f"4/{last}  look")
    catalog.refresh()
    print_titles(catalog)
    pictures = _examples(catalog, version, out)
    pictures += _picture(catalog, version, out)
    if media is None:
        pictures += _probes(catalog, version, films / "labels", out, progress)
    say(f"\n{trained.verdict.text}\n")
    say("Pictures:")
    for path in pictures:
        say(f"  {path}")
    title = max(catalog.titles(), key=lambda title: title.shots).title_id
    middle = catalog.shots(title)[catalog.title(title).shots // 2].span.start
    program = shlex.quote(sys.argv[0] if sys.argv else "mediafm")
    say("Go on:")
    say(f"  export MEDIAFM_CATALOG={shlex.quote(str(place))}")
    probes = f" --probes {shlex.quote(str(out / PROBES))}" if media is None else ""
    say(f"  {program} serve{probes}  # the page: see, search and cut")
    say(f"  {program} info {shlex.quote(title)}")
    say(f"  {program} similar {shlex.quote(f'{title}@{format_time(middle)}')} --elsewhere")
    say(f"  {program} plot {shlex.quote(title)}")
    if media is None:
        say("  make demo MEDIA=/path/to/your/films")
    _finish(report)


def _finish(report: IngestReport) -> None:
    """Says which films are missing; fails if one is."""
    for outcome in report.failed:
        say(f"failed: {outcome.reason}")
    if report.failed:
        raise typer.Exit(1)


def _sample(folder: Path, progress: Progress) -> Path:
    from mediafm.sample import generate

    say(f"0/5  render sample films -> {folder}")
    generate(folder, progress=progress)
    return folder


def _probes(
    catalog: Catalog, version: str, labels: Path, out: Path, progress: Progress
) -> list[Path]:
    """Measures every task on the sample's labels, draws the report and keeps the probes."""
    from dataclasses import replace

    from mediafm.probes.bench import Bench
    from mediafm.probes.fit import fit_probe
    from mediafm.probes.study import Contender
    from mediafm.probes.task import built_in, load_task
    from mediafm.report.probes import report
    from mediafm.report.probes.make import read_ceilings

    say("5/5  probes: what a linear layer reads from the embeddings")
    tasks = []
    for task in map(load_task, built_in()):
        if not (labels / task.labels.name).exists():
            continue  # of what people choose
        # Seven series are too few to hold whole ones out: other episodes of theirs are seen.
        split = replace(task.split, by="title", folds=5)
        names = labels / "taxonomy.tsv" if task.name == "ad-relevancy" else task.taxonomy
        tasks.append(task.replace(labels=labels / task.labels.name, split=split, taxonomy=names))
    bench = Bench(catalog, out / "measured", progress=progress)
    contenders = [
        Contender("concatenated", "concatenated", role="joined"),
        Contender("untrained", "untrained", (version,), role="untrained"),
        Contender("context", "context", (version,)),
        Contender("context+concatenated", "context+concatenated", (version,)),
    ]
    ceilings = read_ceilings(labels / "ceiling.json", tasks)
    files = report(bench, tasks, contenders, out / "report", curve_draws=0, ceilings=ceilings)
    study, rows = bench.run(tasks, contenders), []
    for task in tasks:
        found = study.of(task.name)
        runs = [found[contender.name].runs[0] for contender in contenders]
        last = (ceilings.get(task.name, float("nan")), runs[0].chance)
        cells = [f"{value:.2f}" for value in (*(run.value for run in runs), *last)]
        rows.append((task.name, task.metric, *cells))
    heads = [f"#{name}" for name in (*(c.name for c in contenders), "ceiling", "chance")]
    print_table("Read by linear heads on titles held out", ["task", "metric", *heads], rows)
    for task in tasks:
        fit_probe(bench, study.labels[task.name], contenders[-1]).probe.save(
            out / PROBES / task.name
        )
    return [file for file in files if file.suffix == ".html"]


def _examples(catalog: Catalog, version: str, out: Path) -> list[Path]:
    """Prints and draws the most similar shots of three shots from different titles."""
    from mediafm.report import Cell, Row, sheet
    from mediafm.search import similar

    rows = []
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
        found = [Cell(hit.title_id, hit.shot, f"{hit.score:.2f}") for hit in hits]
        rows.append(Row("Like this shot", found, Cell(title.title_id, shot.index)))
    return [sheet(catalog, rows, out / "similar.png", "Most similar shots")]


def _picture(catalog: Catalog, version: str, out: Path) -> list[Path]:
    from mediafm.report import plot

    title = max(catalog.titles(), key=lambda title: title.shots)
    return plot(catalog, title.title_id, out, version)
