"""How fast heads are fitted, beside scikit-learn, and whether they end at the same optimum.

    python benchmarks/heads.py                       # 100,000 clips x 768 x 100 labels
    python benchmarks/heads.py --every 1 --rounds 1  # scikit-learn fits all labels: long
    python benchmarks/heads.py --choose              # also the penalty, by folds

Contenders take turns, with the same penalty and the same standardised features:

- ours: `mediafm.probes.solver`, all labels at once, float32, the eigenbasis included;
- lbfgs, newton-cholesky: `LogisticRegression` of scikit-learn, a label after the other, each with
  all threads, at the loosest tolerance that comes within 1e-4 of the reference; on float32, or on
  float64 where no tolerance does;
- lbfgs in processes: the same, two labels at a time with one thread each (`n_jobs`);
- lbfgs as it comes: at scikit-learn's default tolerance, on float32, wherever that ends.

scikit-learn fits every n-th label, from the rarest to the most frequent, and its time is scaled to
all. The reference is newton-cholesky in float64 with a tolerance of 1e-12, on a few labels.
Features are correlated, titles differ, and labels are as rare as those of clips: shares between
0.002 and 0.3, evenly on a logarithmic scale.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import statistics
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from joblib import Parallel, delayed
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from mediafm.probes.heads import PENALTIES, Examples, fit
from mediafm.probes.solver import Rows, solve

Array = np.ndarray[Any, Any]
Weights = dict[int, Array]
"""Weights of a label, and below them its intercept."""
TITLE = 100
NEAR = 1e-4
TOLERANCES = (1e-4, 1e-5, 1e-6, 1e-7, 1e-8)


def make(clips: int, width: int, labels: int) -> tuple[Array, Array]:
    """Standardised features (float32) and labels (float32, 0 or 1), rare ones first."""
    rng = np.random.default_rng(0)
    # Variances fall over two orders of magnitude, in directions that no component is aligned with.
    turn = np.linalg.qr(rng.standard_normal((width, width)))[0] * np.logspace(0, -1, width)[:, None]
    x = rng.standard_normal((clips, width), np.float32)
    x += rng.standard_normal((clips // TITLE + 1, width), np.float32)[np.arange(clips) // TITLE]
    x = x @ turn.astype(np.float32)
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    s = x @ rng.standard_normal((width, labels), np.float32)
    s = 1.5 * s / s.std(axis=0) + rng.logistic(size=s.shape).astype(np.float32)
    rates = np.geomspace(0.002, 0.3, labels)
    bound = np.array([np.quantile(s[:, c], 1 - rate) for c, rate in enumerate(rates)])
    return x.astype(np.float32), (s > bound).astype(np.float32)


def ours(x: Array, y: Array, penalty: float) -> Weights:
    """All labels."""
    rows = Rows(torch.from_numpy(x))
    solution = solve(rows, torch.from_numpy(y), penalty)
    if not solution.converged_C.all():
        print(f"# {(~solution.converged_C).sum()} labels of ours did not converge")
    weights = torch.cat([rows.basis_DR @ solution.v_RC, solution.bias_C[None]]).numpy()
    return {c: weights[:, c] for c in range(y.shape[1])}


def theirs(x: Array, y: Array, penalty: float, solver: str, tolerance: float) -> Array:
    """One label."""
    model = LogisticRegression(
        C=1 / (penalty * len(x)), solver=solver, tol=tolerance, max_iter=10_000
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # float32 ends before 1e-12 of newton-cholesky
        model.fit(x, y)
    return np.append(model.coef_[0], model.intercept_[0])


def differences(x: Array, one: Weights, other: Weights) -> tuple[float, float]:
    """Largest difference of weights and of probabilities, over the labels that both have."""
    weights, chances = [0.0], [0.0]
    for c in one.keys() & other.keys():
        weights.append(float(np.abs(one[c] - other[c]).max()))
        p, q = (1 / (1 + np.exp(-(x @ w[:-1] + w[-1]))) for w in (one[c], other[c]))
        chances.append(float(np.abs(p - q).max()))
    return max(weights), max(chances)


def gap(x64: Array, y: Array, penalty: float, own: Weights, reference: Weights) -> float:
    """Largest relative excess of the objective over the reference, in float64."""

    def value(c: int, weights: Array) -> float:
        w = weights.astype(np.float64)
        s = x64 @ w[:-1] + w[-1]
        loss = np.logaddexp(0, s) - y[:, c].astype(np.float64) * s
        return float(loss.mean() + penalty / 2 * w[:-1] @ w[:-1])

    return max(value(c, own[c]) / value(c, reference[c]) - 1 for c in reference)


def loosest(
    both: Sequence[Array], y: Array, penalty: float, solver: str, reference: Weights
) -> tuple[Array, float]:
    """The features (float32 if possible) and the tolerance that come within 1e-4 of the reference.

    Raises:
        SystemExit: None does.
    """
    for x in both:
        for tolerance in TOLERANCES:
            own = {c: theirs(x, y[:, c], penalty, solver, tolerance) for c in reference}
            if max(differences(x, own, reference)) <= NEAR:
                return x, tolerance
    raise SystemExit(f"{solver} does not come within {NEAR} of the reference")


def compare(x: Array, y: Array, penalty: float, options: argparse.Namespace) -> None:
    """All rounds with one penalty, then the table."""
    labels = y.shape[1]
    some = list(range(0, labels, options.every))
    few = sorted({some[0], some[len(some) // 2], some[-1]})
    x64 = x.astype(np.float64)
    reference = {c: theirs(x64, y[:, c], penalty, "newton-cholesky", 1e-12) for c in few}
    near = {
        name: loosest((x, x64), y, penalty, name, reference)
        for name in ("lbfgs", "newton-cholesky")
    }

    def sequential(solver: str, own: Array, tolerance: float) -> Weights:
        return {c: theirs(own, y[:, c], penalty, solver, tolerance) for c in some}

    def parallel(solver: str, own: Array, tolerance: float) -> Weights:
        jobs = (delayed(theirs)(own, y[:, c], penalty, solver, tolerance) for c in some)
        return dict(zip(some, Parallel(2)(jobs), strict=True))

    def label(solver: str) -> str:
        return f"{solver} {near[solver][1]:.0e}, {near[solver][0].dtype}"

    contenders: dict[str, Callable[[], Weights]] = {
        "ours": lambda: ours(x, y, penalty),
        label("lbfgs"): lambda: sequential("lbfgs", *near["lbfgs"]),
        f"{label('lbfgs')}, processes": lambda: parallel("lbfgs", *near["lbfgs"]),
        label("newton-cholesky"): lambda: sequential("newton-cholesky", *near["newton-cholesky"]),
        "lbfgs as it comes": lambda: sequential("lbfgs", x, 1e-4),
    }
    Parallel(2)(delayed(theirs)(x[:500], y[:500, -1], 1.0, "lbfgs", 1e-4) for _ in range(2))
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    found: dict[str, Weights] = {}
    for number in range(options.rounds):
        for name, contender in contenders.items():
            since = time.perf_counter()
            found[name] = contender()
            scale = labels / len(found[name])
            seconds[name].append((time.perf_counter() - since) * scale)
            print(f"# round {number + 1}: {name}, {seconds[name][-1]:.1f} s", flush=True)
    print(
        f"\npenalty {penalty:g}: C = {1 / penalty / len(x):.3g} of scikit-learn; {labels} labels,"
    )
    print(f"scikit-learn fits {len(some)}, scaled; {options.rounds} rounds in turns, medians")
    print(
        f"\n{'':36}{'seconds':>9}{'least .. most':>18}{'x ours':>8}{'least .. most':>17}"
        f"{'weights':>10}{'chances':>10}{'objective':>11}"
    )
    for name, values in seconds.items():
        ratios = [a / b for a, b in zip(values, seconds["ours"], strict=True)]
        weights, chances = differences(x, found[name], reference)
        print(
            f"{name:36}{statistics.median(values):9.1f}"
            f"{f'{min(values):.1f} .. {max(values):.1f}':>18}"
            f"{statistics.median(ratios):8.1f}{f'{min(ratios):.1f} .. {max(ratios):.1f}':>17}"
            f"{weights:10.1e}{chances:10.1e}"
            f"{gap(x64, y, penalty, found[name], reference):11.1e}"
        )
    print(f"weights, chances, objective: farthest from the reference, labels {few}")
    for name in contenders:
        if name != "ours":
            weights, chances = differences(x, found["ours"], found[name])
            print(
                f"ours and {name}, {len(some)} labels: weights {weights:.1e}, chances {chances:.1e}"
            )
    rival = min(
        statistics.median([a / b for a, b in zip(seconds[name], seconds["ours"], strict=True)])
        for name in list(contenders)[1:4]
    )
    print("\nwhat was aimed at")
    print(f"  the fastest of scikit-learn at the same optimum / ours   {rival:6.1f}   at least 5")
    print(f"  ours from the reference   {max(differences(x, found['ours'], reference)):.1e}   1e-4")


def choose(x: Array, y: Array) -> None:
    """The whole head: standardising, three folds over the grid, the final fit, calibration."""
    titles = [f"t{i // TITLE}" for i in range(len(x))]
    since = time.perf_counter()
    found = fit(
        "multi-label",
        Examples(x, y.astype(np.float64), titles, titles),
        [f"c{c}" for c in range(y.shape[1])],
        "macro AP",
    )
    seconds = time.perf_counter() - since
    print(f"\na whole head in {seconds:.0f} s: 3 folds, {len(found.curve)} of {len(PENALTIES)}")
    print(f"penalties, {found.head.penalty:.2g} chosen by macro AP, final fit, calibration")


def machine(threads: int) -> str:
    """What it ran on, without names of hosts or folders."""
    names = [x for x in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in x]
    cpu = names[0].split(":")[1].strip() if names else platform.machine()
    versions = ", ".join(
        f"{name} {importlib.metadata.version(name)}" for name in ("torch", "scikit-learn", "numpy")
    )
    return f"{time.strftime('%Y-%m-%d')}, {cpu}, {threads} threads, {versions}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--clips", type=int, default=100_000)
    parser.add_argument("--width", type=int, default=768)
    parser.add_argument("--labels", type=int, default=100)
    parser.add_argument("--penalties", type=float, nargs="+", default=[1e-3])
    parser.add_argument("--every", type=int, default=10, help="scikit-learn fits each n-th label")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--choose", action="store_true", help="also the penalty, by folds")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    threadpool_limits(options.threads)
    x, y = make(options.clips, options.width, options.labels)
    print(machine(options.threads))
    print(f"{options.clips:,} clips x {options.width} x {options.labels} labels, float32")
    ours(x[:2000], y[:2000], 1.0)  # what is loaded at the first call
    for penalty in options.penalties:
        compare(x, y, penalty, options)
    if options.choose:
        choose(x, y)


if __name__ == "__main__":
    main()
