"""Where scenes begin: by a probe, by novelty in context, by novelty of features, equally spaced.

    python examples/sitcom/run.py                        # catalog, models, labels of the sitcom
    python benchmarks/ceilings.py --out ceilings         # catalog, models, truth of the sample
    python benchmarks/scenes.py --sitcom sitcom --sample ceilings

F1 of the first shots of scenes against the truth, without the first shot of a title, which begins a
scene anyway; to the shot, and with a shot of slack on each side. Counts are summed over titles;
intervals resample episodes (sitcom) or films.

- sitcom: season 5, of which nothing is chosen by; the probe is fitted on seasons 1 to 4;
- sample: the truth file of its films; the probe is fitted on every second film, all are measured on
  the others.

Equal spacing gets the share of boundaries that the fitting side has. Novelty is the same for
embeddings and for fused features, with the level of `mediafm scenes`. Means over three models.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import datetime
import json
import platform
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from mediafm.catalog import Catalog
from mediafm.embed import Embedder
from mediafm.probes.bench import Bench
from mediafm.probes.bootstrap import FEWEST
from mediafm.probes.evaluate import fit_all
from mediafm.probes.features import ClipFeatures
from mediafm.probes.labels import load_labels
from mediafm.probes.study import Contender
from mediafm.probes.task import Task, load_task
from mediafm.suggest.scenes import LEVEL, novelty
from mediafm.timeline import Clip

ROOT = Path(__file__).parents[1]
READOUT = "context:sides2:sides8+concatenated"
SEEDS = 3
DRAWS = 1000
WAYS = ("equal spacing", "fused, novelty", "context, novelty", "probe")

Counts = np.ndarray
"""Found and true, found, true: of one title."""


def count(begins: np.ndarray, truth: np.ndarray, slack: int) -> Counts:
    """Hits, found, true; every true boundary is found once."""
    found, true = np.flatnonzero(begins[1:]), np.flatnonzero(truth[1:])
    left, hits = set(true.tolist()), 0
    for place in found.tolist():
        near = sorted(
            left & set(range(place - slack, place + slack + 1)), key=lambda t: abs(t - place)
        )
        if near:
            left.discard(near[0])
            hits += 1
    return np.array([hits, len(found), len(true)], float)


def f1(counts: np.ndarray) -> float:
    """F1 of summed counts."""
    hits, found, true = counts.sum(axis=0)
    return float(2 * hits / max(found + true, 1))


def spaced(shots: int, share: float) -> np.ndarray:
    """Boundaries at equal distances."""
    number = max(1, round(share * shots))
    begins = np.zeros(shots, bool)
    begins[np.round(np.arange(1, number + 1) * shots / (number + 1)).astype(int)] = True
    return begins


def measure(
    catalog: Catalog,
    task: Task,
    models: Sequence[Path],
    versions: Sequence[str],
    truth: dict[str, np.ndarray],
    groups: dict[str, str],
    share: float,
) -> tuple[list[str], dict[str, list[float]]]:
    """The lines of the table for one catalog, and the figures."""
    titles = {t.title_id: t for t in catalog.title_features(sorted(truth))}
    per: dict[str, list[np.ndarray]] = {}  # way to counts (titles, slacks, 3), one per model
    for model, version in zip(models, versions, strict=True):
        embedder = Embedder.load(model)
        contextual = dict(zip(titles, embedder.contextual(list(titles.values())), strict=True))
        probed = probe(catalog, task, version)
        ways: dict[str, Callable[[str], np.ndarray]] = {
            "equal spacing": lambda name: spaced(len(titles[name]), share),
            "fused, novelty": lambda name: novelty(embedder.fused(titles[name])) >= LEVEL,  # noqa: B023
            "context, novelty": lambda name: novelty(contextual[name]) >= LEVEL,  # noqa: B023
            "probe": probed,
        }
        for way, begins in ways.items():
            found = [
                [count(begins(name), truth[name], slack) for slack in (0, 1)] for name in titles
            ]
            per.setdefault(way, []).append(np.array(found))
    names = sorted({groups[name] for name in titles})
    member = np.array([[groups[title] == name for title in titles] for name in names], float)
    rng = np.random.default_rng(0)
    draws = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), DRAWS) @ member
    lines, figures = [], {}
    for way in WAYS:
        cells = []
        for slack in (0, 1):
            runs = [f1(own[:, slack]) for own in per[way]]
            cells.append(float(np.mean(runs)))
        hits, found, true = np.mean([own[:, 0].sum(axis=0) for own in per[way]], axis=0)
        gain = ""
        if way in ("context, novelty", "probe"):
            gain = " ".join(
                f"{mean:+.3f} ({low:+.3f} .. {high:+.3f})"
                for other in ("equal spacing", "fused, novelty")
                for mean, low, high in [difference(per[way], per[other], draws)]
            )
        lines.append(
            f"{way:<17} {cells[0]:>6.3f} {hits / max(found, 1):>9.3f} {hits / true:>7.3f} "
            f"{cells[1]:>8.3f}   {gain}"
        )
        print(lines[-1], flush=True)
        figures[way] = [round(cell, 4) for cell in cells]
    if len(names) < FEWEST:
        lines.append("too few groups for intervals")
    return lines, figures


def difference(
    ours: list[np.ndarray], theirs: list[np.ndarray], draws: np.ndarray
) -> tuple[float, float, float]:
    """Mean over the models of the difference to the shot, and its interval over groups."""

    def of(weights: np.ndarray, own: np.ndarray) -> np.ndarray:
        hits, found, true = (weights @ own[:, 0]).T
        return 2 * hits / np.maximum(found + true, 1)

    every = np.concatenate([np.ones((1, draws.shape[1])), draws])
    gains = np.mean(
        [of(every, a) - of(every, b) for a, b in zip(ours, theirs, strict=True)], axis=0
    )
    low, high = np.quantile(gains[1:], [0.025, 0.975])
    return float(gains[0]), float(low), float(high)


def probe(catalog: Catalog, task: Task, version: str) -> Callable[[str], np.ndarray]:
    """Fits on what the task does not measure; then says where the scenes of a title begin."""
    bench, labels = Bench(catalog), load_labels(task, catalog)
    spec = bench.spec(Contender(READOUT, READOUT, (version,)))
    head = fit_all(labels, bench.vectors(labels, spec, version)).head
    maker = ClipFeatures(catalog, spec, version)

    def begins(name: str) -> np.ndarray:
        x = maker.of([Clip(name, shot.span) for shot in catalog.shots(name)])
        return head.probabilities(x)[:, 0] >= head.threshold_C[0]

    return begins


def of_sitcom(folder: Path) -> tuple[list[str], dict[str, list[float]]]:
    """Season 5."""
    catalog = Catalog.open(folder / "all")
    with (folder / "season5.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["segment_boundary"]]
    said = {(r["title_id"], int(r["start_us"])): int(r["segment_boundary"]) for r in rows}
    fitted = [int(r["segment_boundary"]) for r in rows if r["part"] == "fit"]
    test = sorted({r["title_id"] for r in rows if r["part"] != "fit"})
    truth = {
        name: np.array([said.get((name, shot.span.start), 0) for shot in catalog.shots(name)])
        for name in test
    }
    part = next(r["part"] for r in rows if r["part"] != "fit")
    task = load_task(ROOT / "examples" / "sitcom" / "boundary.toml", folder / "season5.csv")
    task = task.replace(split=dataclasses.replace(task.split, test=(part,)))
    names = [f"muon-{seed}" for seed in range(SEEDS)]
    groups = {name: catalog.title(name).group for name in test}
    return measure(
        catalog, task, [folder / n for n in names], names, truth, groups, float(np.mean(fitted))
    )


def of_sample(folder: Path) -> tuple[list[str], dict[str, list[float]]]:
    """Every second film of the sample, against its truth file."""
    catalog = Catalog.open(folder / "catalog")
    titles = [title.title_id for title in catalog.titles()]
    test, begins = titles[1::2], {}
    for name in titles:
        truth = json.loads((folder / "films" / "truth" / f"{name}.truth.json").read_text())
        starts = np.array([scene["start_us"] for scene in truth["scenes"]])
        shots = np.array([shot.span.start for shot in catalog.shots(name)])
        begins[name] = np.isin(
            np.arange(len(shots)), np.abs(shots[:, None] - starts).argmin(axis=0)
        )
    with tempfile.TemporaryDirectory() as work:
        file = Path(work) / "labels.csv"
        with file.open("w", newline="") as out:
            writer = csv.writer(out)
            writer.writerow(["title_id", "start_us", "end_us", "segment_boundary", "part"])
            for name in titles:
                for shot, label in zip(catalog.shots(name), begins[name], strict=True):
                    row = [name, shot.span.start, shot.span.end, int(label)]
                    writer.writerow([*row, "test" if name in test else "fit"])
        task = load_task(ROOT / "examples" / "sitcom" / "boundary.toml", file)
        task = task.replace(split=dataclasses.replace(task.split, by="title", test=("test",)))
        share = float(np.mean(np.concatenate([begins[n] for n in titles if n not in test])))
        names = [f"model-{seed}" for seed in range(SEEDS)]
        truth_of = {name: begins[name] for name in test}
        return measure(
            catalog, task, [folder / n for n in names], names, truth_of, {n: n for n in test}, share
        )


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sitcom", type=Path, help="folder of examples/sitcom")
    parser.add_argument("--sample", type=Path, help="folder of benchmarks/ceilings.py")
    parser.add_argument("--log", type=Path, help="file for the table")
    options = parser.parse_args()
    head = (
        f"{'':<17} {'F1':>6} {'precision':>9} {'recall':>7} {'F1, ±1':>8}   F1 more than equal "
        "spacing, than fused novelty (95%)"
    )
    lines = [f"{datetime.date.today()}, {platform.machine()}, models of seeds 0 to {SEEDS - 1}"]
    if options.sitcom:
        print(head)
        found, figures = of_sitcom(options.sitcom)
        lines += ["", "sitcom, season 5", head, *found]
        record(figures)
    if options.sample:
        print(head)
        lines += ["", "sample, every second of 40 films", head, *of_sample(options.sample)[0]]
    print("\n" + "\n".join(lines))
    if options.log:
        options.log.write_text("\n".join(lines) + "\n")


def record(figures: dict[str, list[float]]) -> None:
    """Appends what was measured on season 5, as the example does."""
    git = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
    commit = subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip()
    line = {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "commit": commit,
        "seeds": list(range(SEEDS)),
        "scenes, F1 to the shot and with one of slack": figures,
    }
    with (ROOT / "benchmarks" / "records" / "season5.jsonl").open("a", encoding="utf-8") as records:
        records.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
