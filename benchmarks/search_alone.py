"""How fast shots are found out of context, by the indexes of features, and how many of the right.

    python benchmarks/search_alone.py SITCOM-SHOTS.parquet --log benchmarks/results/search-alone.txt

Features are real ones, resampled: stretches of 4 to 16 shots of seasons 1 to 4 of a sitcom, drawn
at random, with a tenth of a deviation of noise. A random rotation for each modality makes them as
wide as encoders' output; angles stay, and so do the numbers that they really consist of ("of").
Queries are shots of season 5, from which nothing was drawn; they look elsewhere.

Two ways answer each query by turns: all shots compared ("all ms"), and what a user gets ("ours
ms"). That compares all too up to ``indexes.EXACT`` shots, and where features are narrow or of
little "spread" (``CatalogFusion.directions``); "forced" rows ask the indexes nevertheless. Else it
compares what the indexes propose. Recall is the share of the ten nearest of all that is among the
ten found.
"means ms" comes before, once per command: the means of the catalog, of all modalities.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import os
import platform
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mediafm import Catalog
from mediafm.catalog import EncoderRecord, TitleRecord, indexes
from mediafm.search import similar, spaces
from mediafm.search.spaces import Alone
from mediafm.timeline import US, Shot, Span

Array = np.ndarray[Any, Any]
SIZES = (10_000, 100_000, 200_000)
WIDTHS = {"video": 768, "audio": 512, "text": 384}
QUERIES, COUNT, TITLE = 20, 10, 1000
NOISE = 0.1
ASKED = "asked"  # the title of the queries


class Shots(NamedTuple):
    """Features of shots, and which of them have any; starts of the titles that they belong to."""

    x: dict[str, Array]
    there: dict[str, Array]
    starts: Array


def read(path: Path, late: bool) -> Shots:
    """Season 5 or those before it, in the order of the file."""
    table = pq.read_table(path, columns=["title_id", "season", *WIDTHS])
    table = table.filter(pa.array((table["season"].to_numpy() == 5) == late))
    names = np.array(table["title_id"].to_pylist())
    x, there = {}, {}
    for m in WIDTHS:
        column = table[m].combine_chunks()
        there[m] = np.array(column.is_valid())
        dim = column.type.list_size
        x[m] = np.zeros((len(column), dim), np.float32)
        x[m][there[m]] = column.drop_null().flatten().to_numpy().reshape(-1, dim)
    return Shots(x, there, np.flatnonzero(np.append(True, names[1:] != names[:-1])))


def draw(base: Shots, count: int, rng: np.random.Generator) -> Array:
    """Rows of a title: stretches, none across the end of a title."""
    ends = np.append(base.starts[1:], len(base.there["video"]))
    rows: list[Array] = []
    while (left := count - sum(map(len, rows))) > 0:
        which = rng.integers(len(ends))
        length = min(int(rng.integers(4, 17)), int(ends[which] - base.starts[which]), left)
        start = int(rng.integers(base.starts[which], ends[which] - length + 1))
        rows.append(np.arange(start, start + length))
    return np.concatenate(rows)


class Bench:
    """Catalogs that grow: of wide features, and of audio as it is.

    Args:
        path: The shots.
        folder: For the catalogs.
    """

    def __init__(self, path: Path, folder: Path):
        self.rng = np.random.default_rng(0)
        self.base, late = read(path, late=False), read(path, late=True)
        self.dims = {m: x.shape[1] for m, x in self.base.x.items()}
        self.std = {m: x[self.base.there[m]].std(axis=0) for m, x in self.base.x.items()}
        # Orthonormal columns of the width wanted: angles stay.
        self.turn = {
            m: np.linalg.qr(self.rng.standard_normal((WIDTHS[m], dim)))[0].T.astype(np.float32)
            for m, dim in self.dims.items()
        }
        self.wide = Catalog.create(folder / "wide")
        self.narrow = Catalog.create(folder / "narrow")
        self.shots = 0
        asked = np.sort(self.rng.permutation(len(late.there["video"]))[:TITLE])
        self._add(ASKED, late, asked, noise=0.0)
        queries = self.rng.permutation(TITLE)
        self.queries: list[int] = queries.tolist()

    def grow(self, shots: int) -> None:
        """Adds titles up to a number of shots, and brings the indexes up to date."""
        while self.shots < shots:
            rows = draw(self.base, min(TITLE, shots - self.shots), self.rng)
            self._add(f"t{self.shots // TITLE:04d}", self.base, rows, NOISE)
            self.shots += len(rows)
            print(f"\r{self.shots:,}/{shots:,} shots", end="", flush=True)
        print()
        for catalog in (self.wide, self.narrow):
            catalog.compact(safe_age=timedelta(0))
            catalog.index()
            catalog.compact(safe_age=timedelta(0))
            catalog.refresh()

    def _add(self, name: str, shots: Shots, rows: Array, noise: float) -> None:
        spans = [Span(i * 3 * US, (i + 1) * 3 * US) for i in range(len(rows))]
        own = {}
        for m, x in shots.x.items():
            spread = noise * self.std[m]
            own[m] = x[rows] + spread * self.rng.standard_normal((len(rows), x.shape[1]))
        for catalog, narrow in ((self.wide, False), (self.narrow, True)):
            widths = {"audio": self.dims["audio"]} if narrow else WIDTHS
            encoders = {m: EncoderRecord(m, m, f"{m}-print", dim) for m, dim in widths.items()}
            with catalog.writer(name, encoders) as writer:
                writer.add_shots([Shot(i, span) for i, span in enumerate(spans)])
                for m in widths:
                    x = own[m] if narrow else own[m].astype(np.float32) @ self.turn[m]
                    writer.add_features(m, 0, x, shots.there[m][rows])
                writer.commit(TitleRecord(name, ""))

    def row(self, catalog: Catalog, features: str, *, forced: bool = False) -> str:
        """A line of the table: one kind of features at the present size.

        Args:
            catalog: Wide or narrow.
            features: A modality, or ``fused``.
            forced: Ask the indexes, though the features are spread over few directions.
        """
        modalities = list(catalog.encoders()) if features == "fused" else [features]
        began = time.perf_counter()
        space = Alone(catalog, ASKED, modalities)
        means = 1e3 * (time.perf_counter() - began)
        others = [t.title_id for t in catalog.titles() if t.title_id != ASKED]
        own = space.title(ASKED)
        took: dict[bool, list[float]] = {True: [], False: []}
        right = 0
        for query in [own[i] for i in self.queries if own[i].any()][: QUERIES + 1]:
            found = {}
            for exact in (True, False):
                with (
                    holding(indexes, "EXACT", 10**9 if exact else indexes.EXACT),
                    holding(spaces, "_FLAT", 0.0 if forced else spaces._FLAT),
                ):
                    began = time.perf_counter()
                    near = space.nearest(query, COUNT, others)
                    took[exact].append(1e3 * (time.perf_counter() - began))
                found[exact] = {(hit.title_id, hit.shot) for hit in near}
            right += len(found[True] & found[False]) if len(took[True]) > 1 else 0
        all_ms, ms = (statistics.median(took[exact][1:]) for exact in (True, False))  # one warms up
        width = sum(map(len, space.fusion.means.values()))
        of, spread = sum(self.dims[m] for m in modalities), sum(space.fusion.directions.values())
        name = "audio as it is" if catalog is self.narrow else features + ", forced" * forced
        line = (
            f"{self.shots:>9,}  {name:<15}{width:>6,} {of:>4} {spread:>7.1f} "
            f"{right / COUNT / QUERIES:>9.3f} {all_ms:>7.0f} {ms:>7.0f} {ms / all_ms:>6.2f} "
            f"{means:>8.0f}"
        )
        print(line, flush=True)
        return line

    def command(self) -> str:
        """``mediafm similar -f fused --elsewhere``, within a process."""
        took = []
        for shot in self.queries[: QUERIES + 1]:
            began = time.perf_counter()
            similar(self.wide, ASKED, shot * 3 * US, COUNT, features="fused", elsewhere=True)
            took.append(1e3 * (time.perf_counter() - began))
        line = f"{self.shots:>9,}  `similar -f fused`, means and reasons included: "
        line += f"{statistics.median(took[1:]):.0f} ms"
        print(line, flush=True)
        return line


@contextmanager
def holding(module: ModuleType, name: str, value: float) -> Iterator[None]:
    """Sets a module's number for a while."""
    held = getattr(module, name)
    setattr(module, name, value)
    try:
        yield
    finally:
        setattr(module, name, held)


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("shots", type=Path, help="table of the sitcom's shots")
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--log", type=Path, help="file for the table")
    options = parser.parse_args()
    began = time.perf_counter()
    about = f"pylance {importlib.metadata.version('pylance')}"
    lines = [
        f"{datetime.date.today()}, {platform.machine()}, {os.cpu_count()} threads, {about}",
        f"{QUERIES} queries of an unseen season, one at a time, both ways by turns; medians",
        "",
        f"{'shots':>9}  {'features':<15}{'width':>6} {'of':>4} {'spread':>7} {'recall@10':>9} "
        f"{'all ms':>7} {'ours ms':>7} {'ratio':>6} {'means ms':>8}",
    ]
    with tempfile.TemporaryDirectory() as work:
        bench = Bench(options.shots, Path(work))
        for shots in sorted(options.sizes):
            bench.grow(shots)
            lines.append("")
            lines += [bench.row(bench.wide, features) for features in ("fused", *WIDTHS)]
            lines += [bench.row(bench.wide, "audio", forced=True), bench.row(bench.narrow, "audio")]
            lines.append(bench.command())
            if options.log:  # large sizes take long
                options.log.write_text("\n".join(lines) + "\n")
            disk = sum(p.stat().st_size for p in Path(work).rglob("*") if p.is_file()) / 1e9
            print(f"{disk:.1f} GB, {shutil.disk_usage(work).free / 1e9:.0f} free", flush=True)
    lines += ["", f"{(time.perf_counter() - began) / 60:.0f} min"]
    print("\n" + "\n".join(lines))
    if options.log:
        options.log.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
