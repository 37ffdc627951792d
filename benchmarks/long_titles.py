"""Titles of more than 512 shots: overlapping windows against a window around every shot.

    python examples/sitcom/run.py                       # makes the catalog and the models
    python benchmarks/long_titles.py --sitcom sitcom

A shot of a long title is taken from the window in which it has most context. Here its vector is
compared with the one from the 512 shots centred on it, the most context that the model can see: on
titles of some 2,000 real shots, episodes of one season joined in their order. The cosine says how
near they come; the rank how many shots of the title are nearer to the centred vector than the shot
itself is. ``apart`` is the cosine of a shot with the next one, for scale.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import itertools
import platform
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mediafm.catalog import Catalog, TitleFeatures
from mediafm.embed import Embedder

OVERLAPS = (0, 64, 128, 256, 384, 448)
SHOTS = 2000
EVERY = 8
"""One shot in so many is compared."""


def join(episodes: Sequence[TitleFeatures], name: str) -> TitleFeatures:
    """Episodes one after the other."""
    times, start = [], 0
    for episode in episodes:
        times.append(episode.times_N2 - episode.times_N2[0, 0] + start)
        start = int(times[-1][-1, 1])
    modalities = episodes[0].features
    return TitleFeatures(
        name,
        name,
        name,
        np.concatenate(times),
        {m: np.concatenate([e.features[m] for e in episodes]) for m in modalities},
        {m: np.concatenate([e.present[m] for e in episodes]) for m in modalities},
        {},
    )


def part(title: TitleFeatures, start: int, end: int) -> TitleFeatures:
    """Some shots of a title."""
    return dataclasses.replace(
        title,
        times_N2=title.times_N2[start:end],
        features={m: x[start:end] for m, x in title.features.items()},
        present={m: p[start:end] for m, p in title.present.items()},
    )


def centred(embedder: Embedder, title: TitleFeatures, shots: Sequence[int]) -> np.ndarray:
    """The vector of each shot from the window around it, cut off at the title's ends only."""
    size, found = embedder.model.config.max_shots, []
    for some in _batches(shots, 16):
        starts = [min(max(0, shot - size // 2), len(title) - size) for shot in some]
        vectors = embedder.contextual([part(title, start, start + size) for start in starts])
        found += [x[shot - start] for x, shot, start in zip(vectors, some, starts, strict=True)]
    return np.stack(found)


def _batches(shots: Sequence[int], size: int) -> list[Sequence[int]]:
    return [shots[start : start + size] for start in range(0, len(shots), size)]


def seasons(titles: Sequence[TitleFeatures]) -> list[TitleFeatures]:
    """Long titles: the episodes of each season, as many as make some thousand shots."""
    found = []
    for season, own in itertools.groupby(titles, key=lambda title: title.title_id[:3]):
        chosen: list[TitleFeatures] = []
        for episode in own:
            if sum(map(len, chosen)) < SHOTS:
                chosen.append(episode)
        found.append(join(chosen, season))
    return found


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sitcom", type=Path, default=Path("sitcom"), help="folder of the example")
    parser.add_argument("--log", type=Path, help="file for the table")
    options = parser.parse_args()
    titles = seasons(list(Catalog.open(options.sitcom / "all").title_features()))
    lines = [
        f"{datetime.date.today()}, {platform.machine()}; {len(titles)} titles of "
        f"{min(map(len, titles))} to {max(map(len, titles))} shots, one shot in {EVERY} compared, "
        "windows of 512",
        "",
        f"{'model':<8} {'overlap':>7} {'windows':>7} {'mean':>7} {'5%':>7} {'1%':>7} {'least':>7} "
        f"{'rank 0':>7} {'apart':>7}",
    ]
    for seed in range(3):
        embedder = Embedder.load(options.sitcom / f"muon-{seed}")
        picked = [list(range(0, len(title), EVERY)) for title in titles]
        truth = [centred(embedder, t, p) for t, p in zip(titles, picked, strict=True)]
        for overlap in OVERLAPS:
            embedder.model.config = dataclasses.replace(embedder.model.config, overlap=overlap)
            cosines, first, apart, count = [], [], [], 0
            for title, shots, true in zip(titles, picked, truth, strict=True):
                [x] = embedder.contextual([title])
                cosines.append((x[shots] * true).sum(axis=1))
                first.append((true @ x.T).argmax(axis=1) == shots)
                apart.append((x[1:] * x[:-1]).sum(axis=1))
                count += -(-(len(title) - overlap) // (512 - overlap))
            c = np.concatenate(cosines)
            worst = " ".join(f"{np.quantile(c, share):>7.4f}" for share in (0.05, 0.01, 0.0))
            lines.append(
                f"muon-{seed:<3} {overlap:>7} {count:>7} {c.mean():>7.4f} {worst} "
                f"{np.concatenate(first).mean():>7.2%} {np.concatenate(apart).mean():>7.3f}"
            )
            print(lines[-1], flush=True)
    print("\n".join(lines))
    if options.log:
        options.log.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
