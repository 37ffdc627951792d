"""Places shots on a plane so that those that are alike lie together; run as a process of its own.

    python -m mediafm.serve.neighbours

reads N and D as a line, then N x D numbers (float32, little endian); writes how far it is, a line
each time, then ``done`` and N x 2 numbers.

A process, because it computes for a minute: it yields to the server, does not hold its interpreter,
and can be ended at any time. It ends with the one that started it.

t-SNE by interpolation (Linderman et al. 2019, `openTSNE <https://opentsne.readthedocs.io>`_), from
the principal axes, so that the same vectors give the same map. 15 neighbours of equal weight keep
as many neighbours together as a perplexity of 30, in half the time (Damrich et al. 2022).

Shapes: N shots, D the width of a vector.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

NEIGHBOURS = 15
"""Nearest shots that each shot is drawn to."""

ROUNDS = (150, 350)
"""Steps of which the first pull groups together, and the others arrange them."""

FEW = 2000
"""Shots up to which the forces between all are summed by a tree (Barnes-Hut), which is faster."""

MOST = 300_000
"""Shots that are arranged; of more a sample is, and the rest lie where their nearest do."""

METHOD = f"openTSNE uniform-{NEIGHBOURS} {ROUNDS} {MOST}"
"""What a map that was kept must have been made by."""

_FOUND = 0.2  # share of the time that it takes to find the neighbours
_EVERY = 10
_PLACED = 10


def layout(
    x_ND: npt.NDArray[np.float32], report: Callable[[float], None] = lambda _: None
) -> npt.NDArray[np.float32]:
    """Places vectors on a plane.

    Args:
        x_ND: The vectors on their principal axes, the widest first; three rows or more.
        report: Is told how far it is, 0 .. 1.

    Returns:
        ``y_N2``.
    """
    from openTSNE import TSNEEmbedding, affinity

    rng = np.random.default_rng(0)
    chosen = np.arange(len(x_ND))
    if len(x_ND) > MOST:
        chosen = np.sort(rng.choice(len(x_ND), MOST, replace=False))
    own_ND = x_ND[chosen]
    start_N2 = np.zeros((len(own_ND), 2))
    width = min(2, own_ND.shape[1])
    start_N2[:, :width] = own_ND[:, :width] / (own_ND[:, 0].std() or 1.0)
    # Shots that are the same would never part.
    start_N2 = (start_N2 + rng.normal(scale=1e-2, size=start_N2.shape)) * 1e-4
    fixed: dict[str, Any] = {"n_jobs": 1, "random_state": 0}
    count = min(NEIGHBOURS, len(own_ND) - 1)
    near = affinity.Uniform(own_ND, k_neighbors=count, method="annoy", **fixed)
    report(_FOUND)
    fast: dict[str, Any] = {"negative_gradient_method": "bh"}
    if len(own_ND) > FEW:
        fast = {"negative_gradient_method": "fft", "ints_in_interval": 2}
    y_N2 = TSNEEmbedding(start_N2, near, **fast, **fixed)

    def step(done: int, *_: object) -> None:
        report(_FOUND + (1 - _FOUND) * (before + done) / sum(ROUNDS))

    told: dict[str, Any] = {"callbacks": step, "callbacks_every_iters": _EVERY, "inplace": True}
    before = 0
    y_N2.optimize(ROUNDS[0], exaggeration=12, momentum=0.5, **told)
    before = ROUNDS[0]
    y_N2.optimize(ROUNDS[1], momentum=0.8, **told)
    if len(chosen) == len(x_ND):
        return np.asarray(y_N2, np.float32)
    all_N2 = np.zeros((len(x_ND), 2), np.float32)
    all_N2[chosen] = y_N2
    rest = np.setdiff1d(np.arange(len(x_ND)), chosen, assume_unique=True)
    all_N2[rest] = y_N2.prepare_partial(x_ND[rest], initialization="median", k=_PLACED)
    return all_N2


def _end_with(source: BinaryIO) -> None:
    source.read()  # nothing comes: it ends when the one who asked does
    os._exit(1)


def main() -> None:
    """See the module's description."""
    if hasattr(os, "nice"):
        os.nice(10)
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print is no answer
    shape = tuple(map(int, sys.stdin.buffer.readline().split()))
    numbers = sys.stdin.buffer.read(4 * int(np.prod(shape)))
    x_ND = np.frombuffer(numbers, "<f4").reshape(shape)
    threading.Thread(target=_end_with, args=(sys.stdin.buffer,), daemon=True).start()

    def report(done: float) -> None:
        out.write(f"{done:.4f}\n".encode())
        out.flush()

    y_N2 = layout(x_ND, report)
    out.write(b"done\n")
    out.write(np.asarray(y_N2, "<f4").tobytes())
    out.flush()
    os._exit(0)  # the thread that reads would hold a lock that a common end waits for


if __name__ == "__main__":
    main()
