"""What context is worth on a sitcom.

    python examples/sitcom/run.py SHOTS.parquet

Five seasons of shots with features and a human rater's labels. Models are pretrained on seasons
1 to 4 without labels, linear probes are fitted there, and a report says what they read from
features in context, beside the features alone, their neighbourhood, and a random network.

By default they are measured on validation episodes of seasons 1 to 4, as often as one likes.
``--season5`` measures season 5 and appends the figures to ``benchmarks/records/season5.jsonl``;
nothing may be chosen by it. Steps that are done are not repeated.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import datetime
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from mediafm import Catalog
from mediafm.embed import embed
from mediafm.files import write_whole
from mediafm.fingerprint import file_fingerprint
from mediafm.ingest.importer import import_features
from mediafm.model import Layers
from mediafm.probes.bench import Bench
from mediafm.probes.study import Contender
from mediafm.probes.task import Task, load_task
from mediafm.progress import Bars, Lines
from mediafm.report.probes import report

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
DATA = ROOT.parent / "shared" / "data" / "sitcom-shots.parquet"
RECORDS = ROOT / "benchmarks" / "records" / "season5.jsonl"
LAST_SEASON = 4
FIRST, EVERY = 3, 7
"""One episode in seven of seasons 1 to 4 validates, from the fourth on."""

RECIPE = {
    "steps": 400,
    "eval_every": 400,  # the last step is kept: the best cosine is not the best for probes
    "hide_ratio": 0.3,
    "mask_span": 3.0,
    "modality_dropout": 0.1,
}
"""Options of pretraining."""
LAYERS: Layers = "all"
READOUT = "context:sides2:sides8+concatenated"
"""What the heads read in the end. Recipe, layers and this were chosen on seasons 1 to 4."""
OPTIMIZERS = ("muon", "adamw")


def settle(shots: Path, out: Path) -> None:
    """Begins a folder, or refuses one that holds models of another recipe or of other shots."""
    settings = {"recipe": RECIPE, "layers": LAYERS, "shots": file_fingerprint(shots)}
    held = out / "settings.json"
    if not held.exists():
        prepare(shots, out)
        write_whole(held, json.dumps(settings, indent=1).encode())
    elif json.loads(held.read_text("utf-8")) != settings:
        sys.exit(f"{out}: begun with another recipe or other shots; name a new folder (--out)")


def prepare(shots: Path, out: Path) -> None:
    """Splits the file into what trains and what is measured, and the labels off.

    The series of a half is its episode: what a split must keep together.
    """
    table = pq.read_table(shots)
    episode = pa.array([name[:-1] for name in table["title_id"].to_pylist()])
    kept = ["title_id", "season", "start", "end", "text", "video", "audio"]
    features = table.select(kept).append_column("series_id", episode)
    out.mkdir(parents=True, exist_ok=True)
    pq.write_table(features, out / "all.parquet")
    early = pa.compute.less_equal(table["season"], LAST_SEASON)
    pq.write_table(features.filter(early), out / "early.parquet")
    seasons = dict(zip(episode.to_pylist(), table["season"].to_pylist(), strict=True))
    validate = set(sorted(e for e, s in seasons.items() if s <= LAST_SEASON)[FIRST::EVERY])
    names = ["title_id", "season", "start", "end", "location", "segment_boundary", "boundary_types"]
    rows = list(zip(*(table[name].to_pylist() for name in names), strict=True))
    for part in ("validation", "season5"):
        with (out / f"{part}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["title_id", "start_us", "end_us", "part", *names[4:]])
            for title_id, season, start, end, location, boundary, types in rows:
                side = "fit"
                if season > LAST_SEASON:
                    side = "season5"
                elif part == "validation" and title_id[:-1] in validate:
                    side = "validation"
                if part == "validation" and side == "season5":
                    continue
                # The rater gave no location to some shots: they are left out, and said.
                row = [location or "", int(boundary), "|".join(types or ())]
                writer.writerow([title_id, start, end, side, *row])


def pretrain(out: Path, seeds: Sequence[int], threads: int) -> None:
    """Pretrains all models, as many at once as there are cores for."""
    wanted = [(optimizer, seed) for seed in seeds for optimizer in OPTIMIZERS]
    options = [f"--set={name}={value}" for name, value in RECIPE.items()]
    running: list[subprocess.Popen[bytes]] = []
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "MEDIAFM_TRAINING_CACHE": str(out / "cache"),
    }
    try:
        for optimizer, seed in wanted:
            model = out / f"{optimizer}-{seed}"
            if (model / "model.safetensors").exists():
                continue
            while len([p for p in running if p.poll() is None]) >= threads:
                time.sleep(0.2)
            command = [sys.executable, "-m", "mediafm", "pretrain", "-c", str(out / "early")]
            command += [
                "-o",
                str(model),
                f"--seed={seed}",
                f"--set=optimizer={optimizer}",
                *options,
            ]
            print(f"pretrain {model.name}", flush=True)
            with (out / f"{model.name}.log").open("wb") as log:
                running.append(subprocess.Popen(command, stdout=log, stderr=log, env=environment))
        if any(process.wait() for process in running):
            sys.exit(f"a pretraining failed: see {out}/*.log")
    finally:
        for process in running:
            if process.poll() is None:
                process.terminate()


def contenders(seeds: Sequence[int]) -> list[Contender]:
    """The rows of the report, from a single modality to context."""
    muon, adamw = (tuple(f"{name}-{seed}" for seed in seeds) for name in OPTIMIZERS)
    rows = [Contender(name, name, role="single") for name in ("text", "video", "audio")]
    rows += [Contender("concatenated", "concatenated", role="joined")]
    rows += [
        Contender(name, name, role="window")
        for name in (
            "concatenated:around1",
            "concatenated:around2",
            "concatenated:window4",
            READOUT.split("+", 1)[0].replace("context", "concatenated"),
        )
    ]
    best = READOUT.replace("context", "untrained")
    names = dict.fromkeys(["untrained", "untrained+concatenated", best])
    rows += [Contender(name, name, muon, role="untrained") for name in names]
    names = dict.fromkeys(["context", "context+concatenated", READOUT])
    rows += [Contender(name, name, muon) for name in names]
    rows += [Contender("context, clip alone", "context", muon, alone=True, role="switch")]
    rows += [Contender(f"{READOUT}, AdamW", READOUT, adamw, role="rival")]
    return rows


def record(file: Path, seeds: Sequence[int]) -> None:
    """Appends what a report on season 5 says of its rows, and of what the last readout adds."""
    measured = json.loads(file.read_text("utf-8"))
    figures: dict[str, dict[str, dict[str, object]]] = {}
    for task in measured["tasks"]:
        figures[task["name"]] = own = {}
        for row in task["rows"]:
            runs = [round(value, 4) for value in row["runs"]]
            own[row["contender"]] = {"runs": runs, "interval": _interval(row)}
        for found in task["differences"]:
            if found["ours"] == READOUT:
                own[found["theirs"]]["best_minus_this"] = _interval(found)
    git = ["git", "-C", str(ROOT)]
    commit = subprocess.run(
        [*git, "describe", "--always", "--dirty"], capture_output=True, text=True, check=False
    )
    line = {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "commit": commit.stdout.strip(),
        "seeds": list(seeds),
        "recipe": RECIPE,
        "layers": LAYERS,
        "best": READOUT,
        "figures": figures,
    }
    with RECORDS.open("a", encoding="utf-8") as records:
        records.write(json.dumps(line) + "\n")


def _interval(found: dict[str, float]) -> list[float]:
    return [round(found[name], 4) for name in ("value", "low", "high")]


def tasks(out: Path, part: str) -> list[Task]:
    """The three tasks, measured on one part."""
    found = []
    for name in ("location", "boundary", "boundary-types"):
        task = load_task(HERE / f"{name}.toml", out / f"{part}.csv")
        found.append(task.replace(split=dataclasses.replace(task.split, test=(part,))))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("shots", type=Path, nargs="?", default=DATA)
    parser.add_argument("--out", type=Path, default=Path("sitcom"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--season5", action="store_true", help="measure on it, and record that")
    parser.add_argument("--quick", action="store_true", help="no curve by number of labels")
    options = parser.parse_args()
    out, started = options.out, time.perf_counter()
    progress = Bars() if sys.stderr.isatty() else Lines()
    settle(options.shots, out)
    for name in ("early", "all"):
        import_features(out / f"{name}.parquet", out / name, time_unit="us", source="sitcom")
    pretrain(out, options.seeds, options.threads)
    catalog = Catalog.open(out / "all")
    for optimizer in OPTIMIZERS:
        for seed in options.seeds:
            model = out / f"{optimizer}-{seed}"
            embed(catalog, model, model.name, layers=LAYERS)
    catalog.refresh()
    part = "season5" if options.season5 else "validation"
    bench = Bench(catalog, out / "work", progress=progress)
    rows, asked = contenders(options.seeds), tasks(out, part)
    files = report(bench, asked, rows, out / part, curve_draws=0 if options.quick else 1)
    if options.season5:
        record(out / f"{part}.json", options.seeds)
    for file in files:
        print(file)
    print(f"{(time.perf_counter() - started) / 60:.1f} min")


if __name__ == "__main__":
    main()
