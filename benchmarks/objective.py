"""Which defaults of pretraining are better, on seasons 1-4 of a sitcom.

    python benchmarks/objective.py treatment           # three seeds of every variant of a study
    python benchmarks/objective.py treatment --table   # the table of what is recorded so far

A study is a list of variants, each a few changes to ``TrainConfig``; the first is what the others
are compared with. A run trains on all but the validation episodes and is measured on these, at
masks that are the same for all runs, whatever was masked in training. Each run is a line of
``records/sitcom.jsonl``, written when it ends; the same command again continues after the last, and
studies share the runs that they have in common.

MSM cosines compare within one treatment only; across treatments the rank of the true shot and the
probes decide. The step that is kept is chosen on the validation episodes too, for all variants.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import hashlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

import sitcom
from mediafm.errors import MediaFMError
from mediafm.model import Fusion
from mediafm.pretrain import TrainConfig, evaluate, pretrain
from mediafm.pretrain.evaluate import MODEL, effective_rank

Options = dict[str, Any]
Variant = Options | list[Options]
"""Changes to ``TrainConfig``; or several, of which the first seed chooses by :data:`CHOSEN_BY`."""

RATES = (1e-3, 2e-3, 4e-3, 8e-3, 16e-3)
"""Of Muon; AdamW has a quarter, beside Muon as alone: the same grid for both."""
STUDIES: dict[str, dict[str, Variant]] = {
    "optimizer": {
        "muon": [{"muon_lr": rate, "adam_lr": rate / 4} for rate in RATES],
        "adamw": [{"optimizer": "adamw", "adam_lr": rate / 4} for rate in RATES],
    },
    "treatment": {
        "standardised": {},
        "centred": {"treatment": "centred"},
        "unit": {"treatment": "unit"},
        "raw": {"treatment": "raw"},
    },
    "window": {
        "512": {},
        "192": {"window": 192},
        "96": {"window": 96},
        "48": {"window": 48},
    },
    "steps": {"400": {}, "800": {"steps": 800}},
    "masking": {
        "shots": {},
        "spans of 3": {"mask_span": 3.0},
        "modalities too": {"hide_ratio": 0.1},
        "modality dropout": {"modality_dropout": 0.1},
    },
    "positions": {
        "rotary": {},
        "learned": {"positions": "learned"},
        "both": {"positions": "both"},
        "seconds": {"positions": "seconds"},
    },
    "absent": {"zeros": {}, "learned": {"absent": "learned"}},
    "fusion": {"early": {}, "late": {"fusion": "late"}},
    "dropout": {"0.1": {}, "0": {"dropout": 0.0}, "0.2": {"dropout": 0.2}},
    "size": {"2x256": {}, "3x256": {"size": "3x256"}, "2x384": {"size": "2x384"}},
}
"""An empty variant is the defaults."""

BASE: Options = {"eval_every": 40}
CHOSEN_BY = "cosine"
"""A list of options shares one treatment, so that cosines compare within it."""

MASK_RATIO, MASKS_SEED = 0.2, 2026
NOTHING = "nothing is recorded"
RECIPE = 2
"""Raised when the same options begin to train another model: older records no longer count."""
_SEEDS = 10
"""Seeds below which the table looks for runs."""
DATA = Path(__file__).parents[2] / "shared" / "data" / "sitcom-shots.parquet"
RECORDS = Path(__file__).parent / "records"
FIGURES = {
    "cosine": ("cosine", 4),
    "reciprocal_rank": ("MRR", 4),
    "rank_percent": ("rank %", 1),
    "location_ap": ("location", 3),
    "boundary_ap": ("boundary", 3),
    "effective_rank": ("eff. rank", 1),
    "seconds": ("seconds", 0),
    "steps": ("steps", 0),
    "best_step": ("best step", 0),
}
"""Figure to its heading and digits. Of the ranks, ``rank %`` is better the lower."""


@dataclass(frozen=True, slots=True)
class Job:
    """One run: a variant of a study with one seed."""

    variant: str
    options: Options
    seed: int
    steps: int

    @property
    def config(self) -> TrainConfig:
        """All options."""
        own = {**BASE, "steps": self.steps, "seed": self.seed, **self.options}
        return dataclasses.replace(TrainConfig(), **own)

    @property
    def key(self) -> str:
        """What makes two runs the same, in whichever study: everything that decides."""
        decisive = json.dumps([RECIPE, self.config.decisive()], sort_keys=True)
        return hashlib.sha256(decisive.encode()).hexdigest()[:16]


class Bench:
    """The data, and the records of one study.

    Args:
        study: Its name.
        data: ``sitcom-shots.parquet``.
        records: Folder of the records.
    """

    def __init__(self, study: str, data: Path, records: Path):
        self.study, self.path = study, records / "sitcom.jsonl"
        self.lines = _read(self.path)
        self.commit = _commit()
        self.titles, self.labels = sitcom.load(data)
        self.held = sitcom.validation_episodes(self.titles)
        self.train, self.val = sitcom.divide(self.titles, self.held)

    def recorded(self, job: Job) -> dict[str, Any] | None:
        """The record of a run that is done, by this process or another."""
        self.lines = _read(self.path)
        return next((line for line in self.lines if line.get("key") == job.key), None)

    def run(self, job: Job) -> dict[str, Any]:
        """Trains, measures, and records."""
        config = dataclasses.replace(job.config, val_groups=tuple(self.held))
        started = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            result = pretrain(self.titles, Path(folder) / "model", config)
        seconds = time.perf_counter() - started
        model, summary = result.model, result.model.summary
        scores = evaluate(model, self.val, mask_ratio=MASK_RATIO, seed=MASKS_SEED)
        found = {
            **sitcom.figures(scores, MODEL),
            **sitcom.probes(model.contextual, self.titles, self.labels, self.held),
        }
        e_SH = torch.from_numpy(np.concatenate([model.contextual(t) for t in self.val]))
        found |= {
            "effective_rank": effective_rank(e_SH.T @ e_SH),
            "seconds": seconds,
            "steps": result.steps,
            "best_step": summary["best_step"],
        }
        found |= {f"cosine_{name}": by[MODEL] for name, by in scores.modality.items()}
        verdict = result.verdict.outcome
        about = {"verdict": verdict, "fusion": self.marks(model.fusion), "figures": found}
        return self._append({"key": job.key, **dataclasses.asdict(job), **about})

    def marks(self, fusion: Fusion) -> str:
        """Measures what needs no model, once per fusion, and returns the fusion's digest."""
        # By its vectors, because options yet unknown may change them.
        digest = hashlib.sha256(fusion(self.train[0]).numpy().round(4).tobytes()).hexdigest()[:8]
        if not any(line.get("marks") == digest for line in self.lines):
            scores = sitcom.ridge(self.train, self.val, fusion, MASK_RATIO, MASKS_SEED)
            found = {
                "ridge" if name == MODEL else name: sitcom.figures(scores, name)
                for name in scores.cosine
                if name != "no context"  # of the ridge, which never knows anything else
            }
            for name, embed in sitcom.marks(fusion).items():
                found[name] = sitcom.probes(embed, self.titles, self.labels, self.held)
            self._append({"marks": digest, "figures": found})
        return digest

    def _append(self, line: dict[str, Any]) -> dict[str, Any]:
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        line = {"date": now, "commit": self.commit, **line}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        torn = self.path.exists() and not self.path.read_bytes().endswith(b"\n")
        with self.path.open("a", encoding="utf-8") as file:
            file.write("\n" * torn + json.dumps(line) + "\n")
        self.lines.append(line)
        return line


def _read(path: Path) -> list[dict[str, Any]]:
    lines = []
    for line in path.read_text("utf-8").splitlines() if path.exists() else []:
        try:
            lines.append(json.loads(line))
        except ValueError:
            continue  # a line cut off by a kill
    return lines


def _commit() -> str:
    """The short hash, with ``+`` where the code differs from it."""

    def git(*words: str) -> str:
        here = Path(__file__).parents[1]
        command = ["git", "-C", str(here), *words]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()

    code = ("src", "benchmarks/objective.py", "benchmarks/sitcom.py")
    return git("rev-parse", "--short", "HEAD") + "+" * bool(git("status", "--porcelain", *code))


def check(study: str, variants: Mapping[str, Variant]) -> None:
    """Refuses options that ``TrainConfig`` does not have or take, before anything is run."""
    known = {f.name for f in dataclasses.fields(TrainConfig)}
    for name, variant in variants.items():
        where = f"objective.py: study '{study}', variant '{name}'"
        for options in _choices(variant):
            if unknown := sorted(set(options) - known):
                has = ", ".join(sorted(known))
                sys.exit(f"{where}: TrainConfig has no field '{unknown[0]}'; it has {has}")
            try:
                dataclasses.replace(TrainConfig(), **options)
            except MediaFMError as error:
                sys.exit(f"{where}: {error}")


def _choices(variant: Variant) -> list[Options]:
    return variant if isinstance(variant, list) else [variant]


def tried(name: str, variant: Variant, seed: int, steps: int) -> list[Job]:
    """The runs that choose among the options of a variant."""
    return [Job(name, options, seed, steps) for options in _choices(variant)]


def chosen(bench: Bench, name: str, variant: Variant, seed: int, steps: int) -> Options | None:
    """The options of a variant; ``None`` while the runs that choose them are not done."""
    if not isinstance(variant, list):
        return variant
    lines = [bench.recorded(job) for job in tried(name, variant, seed, steps)]
    found = [line["figures"][CHOSEN_BY] for line in lines if line]
    return variant[int(np.argmax(found))] if len(found) == len(variant) else None


def work(bench: Bench, variants: Mapping[str, Variant], seeds: Sequence[int], steps: int) -> None:
    """Does the runs that are not recorded; a line for each, with the time left."""
    seconds, planned = 0.0, 0

    def do(jobs: Sequence[Job], later: int) -> None:
        nonlocal seconds, planned
        missing = [job for job in jobs if not bench.recorded(job)]
        for number, job in enumerate(missing, 1):
            if bench.recorded(job):
                continue  # another process has done it meanwhile
            started = time.perf_counter()
            found = bench.run(job)["figures"]
            seconds, planned = seconds + time.perf_counter() - started, planned + job.steps
            # By planned steps: how early a run stops is not known before.
            left = seconds / planned * (sum(j.steps for j in missing[number:]) + later)
            what = f"{job.variant} {job.options} seed {job.seed}"
            print(
                f"# {what}: cosine {found['cosine']:.4f}, MRR {found['reciprocal_rank']:.4f}, "
                f"{found['steps']} steps, {found['seconds']:.0f} s; "
                f"{number} of {len(missing)}, about {left / 60:.0f} min left",
                flush=True,
            )

    several = {name: v for name, v in variants.items() if isinstance(v, list)}
    trials = [job for name, v in several.items() for job in tried(name, v, seeds[0], steps)]
    do(trials, len(several) * (len(seeds) - 1) * steps)
    options = {name: chosen(bench, name, v, seeds[0], steps) for name, v in variants.items()}
    # Seeds in the outer loop: a study that is cut short has all variants.
    do([Job(name, o or {}, seed, steps) for seed in seeds for name, o in options.items()], 0)


def table(bench: Bench, variants: Mapping[str, Variant], seed: int, steps: int) -> str:
    """Means and standard deviations over seeds, and what they gain on the first variant."""
    runs: dict[str, dict[int, dict[str, float]]] = {}
    fusions: dict[str, list[str]] = {}
    used, notes = [], []
    for name, variant in variants.items():
        if (options := chosen(bench, name, variant, seed, steps)) is None:
            continue
        jobs = [Job(name, options, seed, steps) for seed in range(_SEEDS)]
        done = [line for job in jobs if (line := bench.recorded(job))]
        if done:
            runs[name] = {line["seed"]: line["figures"] for line in done}
            fusions.setdefault(done[0]["fusion"], []).append(name)
            used += done
        if isinstance(variant, list):
            trials = [bench.recorded(job) for job in tried(name, variant, seed, steps)]
            scores = [
                f"{own} {line['figures'][CHOSEN_BY]:.4f}"
                for own, line in zip(variant, trials, strict=True)
                if line
            ]
            notes.append(f"{name}: {options}, by {CHOSEN_BY} of {', '.join(scores)}")
    if not runs:
        return NOTHING
    heads = [f"{head:>18}" for head, _ in FIGURES.values()]
    lines = [
        f"{bench.study}: {len(bench.train)} titles to train on, {len(bench.val)} to measure "
        f"on ({len(bench.held)} episodes), {steps} steps where a variant says nothing else",
        f"commit {', '.join(sorted({x['commit'] for x in used}))}, "
        f"{min(x['date'] for x in used)} .. {max(x['date'] for x in used)}",
        "mean ± standard deviation over seeds; below, the difference to the first variant ± its",
        "standard error over the seeds that both have; rank %: lower is better",
        "",
        f"{'':24}{'seeds':>6}" + "".join(heads),
    ]
    first = next(iter(runs.values()))
    for name, by_seed in runs.items():
        lines.append(f"{name:24}{len(by_seed):6}" + _cells(list(by_seed.values()), deviation=True))
        common = sorted(set(first) & set(by_seed))
        if by_seed is not first and common:
            gains = [{k: by_seed[s][k] - first[s][k] for k in FIGURES} for s in common]
            lines.append(f"{'  gain':24}{len(common):6}" + _cells(gains, deviation=False))
    for line in {line["marks"]: line for line in bench.lines if "marks" in line}.values():
        if names := fusions.get(line["marks"]):
            lines += ["", f"without a model, features fused as in: {', '.join(names)}"]
            lines += [f"{k:30}" + _cells([v], deviation=True) for k, v in line["figures"].items()]
    return "\n".join([*lines, *[""] * bool(notes), *notes])


def _cells(rows: Sequence[Mapping[str, float]], *, deviation: bool) -> str:
    """Mean and spread of each figure: the deviation of values, or the error of differences."""
    cells = []
    for name, (_, digits) in FIGURES.items():
        values = [row[name] for row in rows if name in row]
        cell = f"{np.mean(values):{'' if deviation else '+'}.{digits}f}" if values else ""
        if len(values) > 1:
            spread = np.std(values, ddof=1) / (1 if deviation else len(values) ** 0.5)
            cell += f" ± {spread:.{digits}f}"
        cells.append(f"{cell:>18}")
    return "".join(cells)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("study", choices=STUDIES)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=TrainConfig().steps)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--out", type=Path, default=RECORDS)
    parser.add_argument("--threads", type=int, help="all by default")
    parser.add_argument("--table", action="store_true", help="only print what is recorded")
    options = parser.parse_args()
    variants = STUDIES[options.study]
    check(options.study, variants)
    if options.threads:
        from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

        torch.set_num_threads(options.threads)
        threadpool_limits(options.threads)
    bench = Bench(options.study, options.data, options.out)
    if not options.table:
        work(bench, variants, options.seeds, options.steps)
    text = table(bench, variants, options.seeds[0], options.steps)
    if text != NOTHING:  # a table of an older recipe stays
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / f"{options.study}.txt").write_text(text + "\n", "utf-8")
    print(text)


if __name__ == "__main__":
    main()
