"""How near probes come to the known ceilings of the sample, and what they make of shuffled labels.

    python benchmarks/ceilings.py --out /tmp/ceilings     # 40 films: about half an hour

Renders the sample, takes it in, pretrains without labels, and measures every built-in task with
titles held out (ten folds). The ceiling is what a predictor reaches that knows the truth but not
the noise in the labels; ``chance`` that of a constant score, as in the reports.

The control gives the labels of each clip to another clip, at random, and does everything again.
``no link`` is what the same scores are worth when their rows are dealt anew (a ranking's within
each title): a head without information about the clips has it, which may know how frequent a class
is. ``p`` is the share of such deals that reach the score: small where shuffled labels can be read.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import datetime
import os
import platform
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mediafm import Catalog
from mediafm.embed import embed
from mediafm.files import write_whole
from mediafm.ingest import ingest
from mediafm.pretrain import TrainConfig, pretrain
from mediafm.probes.bench import Bench
from mediafm.probes.bootstrap import mean_interval
from mediafm.probes.metrics import METRICS, Predictions
from mediafm.probes.study import Contender
from mediafm.probes.task import Task, built_in, load_task
from mediafm.progress import Lines
from mediafm.report.probes.make import read_ceilings
from mediafm.sample.generate import generate

READOUT = "context:sides2:sides8+concatenated"
"""The one of ``examples/sitcom``; nothing was chosen on the sample."""
FOLDS = 10
SHUFFLES = 5
DEALS = 500


def tasks_of(labels: Path) -> list[Task]:
    """The built-in tasks with titles held out: seven series are too few to hold out whole ones."""
    found = []
    for task in map(load_task, built_in()):
        if not (labels / task.labels.name).exists():
            continue  # of what people choose
        split = dataclasses.replace(task.split, by="title", folds=FOLDS)
        found.append(task.replace(labels=labels / task.labels.name, split=split))
    return found


def shuffle(source: Path, target: Path, seed: int) -> None:
    """Writes a label file in which each clip has the rows of another one."""
    with source.open(newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    of_clip: dict[tuple[str, ...], list[list[str]]] = {}
    for row in rows:
        of_clip.setdefault(tuple(row[:3]), []).append(row[3:])
    said = list(of_clip.values())
    order = np.random.default_rng(seed).permutation(len(said))
    dealt = [
        [*clip, *rest] for clip, i in zip(of_clip, order, strict=True) for rest in said[int(i)]
    ]
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *dealt])


def no_link(predictions: Predictions, metric: str, seed: int) -> tuple[float, float]:
    """Mean of the metric when rows of scores are dealt anew, and share of deals that reach it.

    A ranking's rows stay in their title: others do not change its order.
    """
    rng, p = np.random.default_rng(seed), predictions
    value, values = METRICS[metric].value(p), []
    title_N = p.title_N if metric in ("kendall", "top-1") else np.zeros_like(p.title_N)
    sorted_N = np.argsort(title_N, kind="stable")
    for _ in range(DEALS):
        dealt_N = np.empty_like(sorted_N)
        dealt_N[sorted_N] = np.lexsort((rng.random(len(title_N)), title_N))
        dealt = dataclasses.replace(p, score_NC=p.score_NC[dealt_N])
        values.append(METRICS[metric].value(dealt))
    return statistics.fmean(values), (1 + sum(v >= value for v in values)) / (1 + DEALS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--out", type=Path, default=Path("ceilings"), help="folder for everything")
    parser.add_argument("--titles", type=int, default=40)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--log", type=Path, help="file for the tables, e.g. under results/")
    options = parser.parse_args()
    started, out, progress = time.perf_counter(), options.out, Lines()
    films, place = out / "films", out / "catalog"
    generate(films, options.titles, progress=progress)
    report = ingest(films, place, progress=progress)
    if report.failed:
        raise SystemExit(report.summary())
    catalog = Catalog.open(place)
    versions = []
    for seed in options.seeds:
        model = out / f"model-{seed}"
        pretrain(catalog, model, TrainConfig(seed=seed), progress)
        versions.append(embed(catalog, model, model.name, layers="all").version.name)
    catalog.refresh()
    lines = [
        f"{datetime.date.today()}, {platform.machine()}, {os.cpu_count()} threads",
        f"{options.titles} films, {sum(t.shots for t in catalog.titles()):,} shots, seeds "
        f"{', '.join(map(str, options.seeds))}; {FOLDS} folds of titles; models saw all films, "
        "never their labels",
    ]
    lines += measure(catalog, films / "labels", out, versions, progress)
    lines += control(catalog, films / "labels", out, versions[0], progress)
    lines += ["", f"{(time.perf_counter() - started) / 60:.0f} min"]
    text = "\n".join(lines) + "\n"
    print(text)
    if options.log:
        write_whole(options.log, text.encode())


def measure(
    catalog: Catalog, labels: Path, out: Path, versions: Sequence[str], progress: Lines
) -> list[str]:
    """A table of all tasks: values with intervals over titles, ceilings and chance."""
    names = tuple(versions)
    contenders = [
        Contender("concatenated", "concatenated"),
        Contender("window", "concatenated:window4"),
        Contender("untrained", READOUT.replace("context", "untrained"), names),
        Contender("context", READOUT, names),
    ]
    tasks = tasks_of(labels)
    ceilings = read_ceilings(labels / "ceiling.json", tasks)
    study = Bench(catalog, out / "measured", progress=progress).run(tasks, contenders)
    rows = [["task", "metric", *(c.name for c in contenders), "context, 95%", "ceiling", "chance",
             "of the way"]]  # fmt: skip
    for task in tasks:
        found = study.of(task.name)
        inside = mean_interval(METRICS[task.metric], found["context"].predictions)
        values = [statistics.fmean(r.value for r in found[c.name].runs) for c in contenders]
        ceiling, chance = ceilings[task.name], found["context"].runs[0].chance
        rows.append([
            task.name, task.metric, *(f"{v:.3f}" for v in values),
            f"{inside.low:.3f} .. {inside.high:.3f}", f"{ceiling:.3f}", f"{chance:.3f}",
            f"{(values[-1] - chance) / (ceiling - chance):.0%}",
        ])  # fmt: skip
    head = [
        "",
        f"context: {READOUT}, layers all; untrained: the same of random weights",
        "of the way: from chance to the ceiling",
        "",
    ]
    return [*head, *table(rows), *(f"skipped: {line}" for line in study.skipped)]


def control(catalog: Catalog, labels: Path, out: Path, version: str, progress: Lines) -> list[str]:
    """A table of all tasks on shuffled labels."""
    bench = Bench(catalog, out / "measured", progress=progress)
    contender = Contender("context", READOUT, (version,))
    found: dict[str, list[tuple[float, float, float]]] = {}
    skipped: list[str] = []
    for number in range(SHUFFLES):
        folder = out / f"shuffled-{number}"
        tasks = tasks_of(folder)
        for name in sorted({task.labels.name for task in tasks}):
            shuffle(labels / name, folder / name, number)
        study = bench.run(tasks, [contender])
        skipped += study.skipped
        for task in tasks:
            [run] = study.of(task.name)["context"].runs
            deal, p = no_link(run.predictions, run.metric, number)
            found.setdefault(task.name, []).append((run.value, deal, p))
    rows = [["task", "shuffled", "least .. most", "no link", "p"]]
    for name, runs in found.items():
        values, deals, ps = zip(*runs, strict=True)
        rows.append([
            name, f"{statistics.fmean(values):.3f}", f"{min(values):.3f} .. {max(values):.3f}",
            f"{statistics.fmean(deals):.3f}", " ".join(f"{p:.2f}" for p in ps),
        ])  # fmt: skip
    head = ["", f"labels shuffled among clips, {SHUFFLES} times", ""]
    return [*head, *table(rows), *(f"skipped: {line}" for line in skipped)]


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as lines, the first column left, the others right."""
    wide = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        "  ".join(
            [row[0].ljust(wide[0]), *(c.rjust(w) for c, w in zip(row[1:], wide[1:], strict=True))]
        )
        for row in rows
    ]


if __name__ == "__main__":
    main()
