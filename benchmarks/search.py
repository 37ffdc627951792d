"""How fast shots are found by their contextual embeddings, and how many of the right ones.

    python examples/sitcom/run.py                          # makes the catalog and the models
    python benchmarks/search.py --sitcom sitcom            # 10,000, 100,000 and a million shots

Vectors are what a model says of resampled real features: stretches of 4 to 16 shots of seasons 1 to
4 of a sitcom, drawn at random, with a tenth of a deviation of noise, joined to titles of 60 to 400
shots and passed through the model. Queries are shots of season 5, in the context of their episodes,
from which nothing was drawn.

Contenders are processes that take turns, a query at a time, with two threads each:

- mediafm: a catalog on disk, `catalog.nearest`, from the query to titles and numbers of shots;
- Faiss flat: all vectors in memory, as float32, compared one by one;
- Faiss HNSW, Faiss IVF SQ8: its indexes, with the smallest effort that reaches a recall of .95.

Recall is the share of the ten nearest by exact comparison that is among the ten found. Memory is
what a process holds beyond its libraries, size what lies on disk.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import psutil

Array = np.ndarray[Any, Any]
SIZES = (10_000, 100_000, 1_000_000)
CONTENDERS = ("mediafm", "Faiss flat", "Faiss HNSW", "Faiss IVF SQ8")
QUERIES, COUNT, TITLE, ROUNDS = 200, 10, 1000, 3
RECALL = 0.95
NOISE = 0.1


# ---- vectors


def make_vectors(sitcom: Path, out: Path, shots: int) -> None:
    """Writes ``x.npy`` (float16, a row per shot) and ``q.npy``."""
    from mediafm import Catalog
    from mediafm.embed import Embedder

    embedder = Embedder.load(sitcom / "muon-0")
    titles = list(Catalog.open(sitcom / "all").title_features())
    late = [title for title in titles if title.title_id.startswith("s05")]
    base = [title for title in titles if not title.title_id.startswith("s05")]
    rng = np.random.default_rng(0)
    std = {
        m: np.concatenate([t.features[m][t.present[m]] for t in base[:40]])
        .astype(np.float32)
        .std(axis=0)
        for m in base[0].features
    }
    part = out / "x.part.npy"
    x = np.lib.format.open_memmap(part, "w+", np.float16, (shots, embedder.dim))
    done = 0
    began = time.perf_counter()
    while done < shots:
        for whole in embedder.contextual([_draw(base, std, rng) for _ in range(32)]):
            own = whole[: shots - done]
            x[done : done + len(own)] = own
            done += len(own)
        rate = done / (time.perf_counter() - began)
        print(
            f"\rvectors {done:,}/{shots:,}, {(shots - done) / rate:.0f} s left", end="", flush=True
        )
    print()
    x.flush()
    queries = np.concatenate(embedder.contextual(late))
    np.save(out / "q.npy", queries[rng.permutation(len(queries))[:1000]].astype(np.float32))
    part.rename(out / "x.npy")


def _draw(base: Sequence[Any], std: dict[str, Array], rng: np.random.Generator) -> Any:
    from mediafm.catalog import TitleFeatures

    left, parts = int(rng.integers(60, 400)), []
    while left > 0:
        title = base[rng.integers(len(base))]
        length = min(int(rng.integers(4, 17)), len(title), left)
        start = int(rng.integers(len(title) - length + 1))
        parts.append((title, start, start + length))
        left -= length
    features, present = {}, {}
    for m, deviation in std.items():
        x = np.concatenate([t.features[m][a:b] for t, a, b in parts]).astype(np.float32)
        there = np.concatenate([t.present[m][a:b] for t, a, b in parts])
        x += NOISE * deviation * rng.standard_normal(x.shape, dtype=np.float32)
        features[m], present[m] = np.where(there[:, None], x, 0).astype(np.float16), there
    n = len(next(iter(present.values())))
    times = np.stack([np.arange(n), np.arange(1, n + 1)], axis=1) * 3_000_000
    return TitleFeatures("t", "t", "", times, features, present, {})


# ---- contenders: each is a process that builds, then answers on its standard input


def contend(name: str, folder: Path, shots: int) -> None:
    """Builds an index, then measures a round for every line on standard input."""
    x = np.load(folder / "x.npy", mmap_mode="r")[:shots]
    q = np.load(folder / "q.npy")[:QUERIES]
    q /= np.linalg.norm(q, axis=1, keepdims=True)
    truth = np.load(folder / f"truth-{shots}.npy")
    with tempfile.TemporaryDirectory(dir=folder) as work:
        ask, about = (_mediafm if name == "mediafm" else _faiss)(name, x, q, truth, Path(work))
        print(json.dumps(about), flush=True)
        for _ in sys.stdin:
            took, right = [], 0
            for row in range(QUERIES):
                began = time.perf_counter()
                found = ask(q[row])
                took.append(time.perf_counter() - began)
                right += len(set(found) & set(truth[row].tolist()))
            memory = psutil.Process().memory_info()
            held = (memory.rss - memory.shared) / 1e6 - about["before_mb"]
            print(
                json.dumps({"ms": took, "recall": right / QUERIES / COUNT, "mb": held}), flush=True
            )


def _own_memory() -> float:
    memory = psutil.Process().memory_info()
    return (memory.rss - memory.shared) / 1e6


def _mediafm(
    name: str, x: Array, q: Array, truth: Array, work: Path
) -> tuple[Callable[[Array], Sequence[int]], dict[str, Any]]:
    from mediafm.catalog import Catalog, TitleRecord, VersionRecord
    from mediafm.timeline import Shot, Span

    catalog = Catalog.create(work / "catalog")
    catalog.create_version(VersionRecord("v", "benchmark", x.shape[1]))
    batch = []
    for number, start in enumerate(range(0, len(x), TITLE)):
        own = np.asarray(x[start : start + TITLE])
        with catalog.writer(f"t{number:04d}") as writer:
            spans = (Span(i * 3_000_000, (i + 1) * 3_000_000) for i in range(len(own)))
            writer.add_shots([Shot(i, span) for i, span in enumerate(spans)])
            record = writer.commit(TitleRecord(f"t{number:04d}", ""))
        batch.append((record.title_id, record.ingest_id, own))
        if len(batch) == 50 or start + TITLE >= len(x):
            catalog.refresh()
            catalog.append_embeddings("v", batch)
            batch = []
    catalog.compact(timedelta(0))  # also what the merge replaced
    table = work / "catalog" / "embeddings" / "v.lance"
    before = _size(table)
    began = time.perf_counter()
    catalog.index()
    built = time.perf_counter() - began
    catalog = Catalog.open(work / "catalog")
    held = _own_memory()
    catalog.promote("v")

    def ask(query: Array) -> list[int]:
        near = catalog.nearest(query, COUNT)
        return [int(hit.title_id[1:]) * TITLE + hit.shot for hit in near]

    index = max(_size(table) - before, 0.0)
    how = "index" if index > 0.5 else "all compared"
    return ask, {"build_s": built, "mb": before + index, "before_mb": held, "how": how}


def _size(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def _faiss(
    name: str, x: Array, q: Array, truth: Array, work: Path
) -> tuple[Callable[[Array], Sequence[int]], dict[str, Any]]:
    import faiss

    faiss.omp_set_num_threads(2)
    dim, lists = x.shape[1], round(len(x) ** 0.5)
    held = _own_memory()
    began = time.perf_counter()
    effort: Iterator[tuple[str, int]]
    if name == "Faiss flat":
        index, effort = faiss.IndexFlatIP(dim), iter([("", 0)])
    elif name == "Faiss HNSW":
        index = faiss.IndexHNSWFlat(dim, 32, faiss.METRIC_INNER_PRODUCT)
        effort = iter([("efSearch", n) for n in (16, 32, 64, 128, 256, 512)])
    else:
        index = faiss.index_factory(dim, f"IVF{lists},SQ8", faiss.METRIC_INNER_PRODUCT)
        every = max(1, len(x) // (256 * lists))
        index.train(_unit(x[::every]))
        effort = iter([("nprobe", n) for n in (5, 10, 20, 40, 80, 160)])
    for start in range(0, len(x), 65536):
        index.add(_unit(x[start : start + 65536]))
    built = time.perf_counter() - began
    for option, value in effort:
        if option:
            setattr(index.hnsw if name == "Faiss HNSW" else index, option, value)
        found = index.search(q, COUNT)[1]
        right = sum(
            len(set(f) & set(t)) for f, t in zip(found.tolist(), truth.tolist(), strict=True)
        )
        if right / truth.size >= RECALL:
            break
    faiss.write_index(index, str(work / "faiss"))
    how = f"{option} {value}" if option else "all compared"
    about = {"build_s": built, "mb": _size(work), "before_mb": held, "how": how}
    return lambda query: index.search(query[None], COUNT)[1][0].tolist(), about


def _unit(x: Array) -> Array:
    x = np.asarray(x, np.float32)
    unit: Array = x / np.linalg.norm(x, axis=1, keepdims=True)
    return unit


def exact(folder: Path, shots: int) -> None:
    """Writes the true neighbours of every query."""
    q = np.load(folder / "q.npy")[:QUERIES]
    x = np.load(folder / "x.npy", mmap_mode="r")[:shots]
    best_s, best_i = np.full((len(q), COUNT), -2.0, np.float32), np.zeros((len(q), COUNT), np.int64)
    for start in range(0, shots, 65536):
        s = _unit(q) @ _unit(x[start : start + 65536]).T
        i = np.broadcast_to(np.arange(start, start + s.shape[1]), s.shape)
        s, i = np.concatenate([best_s, s], axis=1), np.concatenate([best_i, i], axis=1)
        top = np.argsort(-s, axis=1, kind="stable")[:, :COUNT]
        best_s, best_i = np.take_along_axis(s, top, 1), np.take_along_axis(i, top, 1)
    np.save(folder / f"truth-{shots}.npy", best_i)


# ---- the run


def measure(folder: Path, shots: int) -> list[str]:
    """The lines of the table for one size."""
    exact(folder, shots)
    children, about = {}, {}
    for name in CONTENDERS:
        print(f"building {name}, {shots:,} shots", flush=True)
        command = [
            sys.executable,
            __file__,
            "--contend",
            name,
            "--work",
            folder,
            "--sizes",
            str(shots),
        ]
        children[name] = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": "2", "RUST_LOG": "error"},
        )
        about[name] = json.loads(_line(children[name]))
    rounds: dict[str, list[dict[str, Any]]] = {name: [] for name in CONTENDERS}
    for _ in range(ROUNDS + 1):
        for name, child in children.items():
            assert child.stdin
            child.stdin.write("\n")
            child.stdin.flush()
            rounds[name].append(json.loads(_line(child)))
    lines = []
    for name, child in children.items():
        child.communicate()
        own, told = rounds[name][1:], about[name]  # the first one warms up
        took = [1e3 * t for r in own for t in r["ms"]]
        p50 = statistics.median(statistics.median(r["ms"]) * 1e3 for r in own)
        lines.append(
            f"{shots:>9,}  {name:<13} {own[0]['recall']:>9.3f} {p50:>8.2f} "
            f"{np.percentile(took, 95):>8.2f} {told['build_s']:>8.1f} {told['mb']:>8.0f} "
            f"{own[-1]['mb']:>8.0f}  {told['how']}"
        )
        print(lines[-1], flush=True)
    return lines


def _line(child: subprocess.Popen[str]) -> str:
    assert child.stdout
    line = child.stdout.readline()
    if not line:
        raise SystemExit("a contender failed")
    return line


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sitcom", type=Path, default=Path("sitcom"), help="folder of the example")
    parser.add_argument("--work", type=Path, default=Path("search"), help="where vectors are kept")
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--log", type=Path, help="file for the table")
    parser.add_argument("--contend", choices=CONTENDERS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.contend:
        contend(options.contend, options.work, options.sizes[0])
        return
    options.work.mkdir(parents=True, exist_ok=True)
    if not (options.work / "x.npy").exists():
        make_vectors(options.sitcom, options.work, max(options.sizes))
    began = time.perf_counter()
    dim = np.load(options.work / "x.npy", mmap_mode="r").shape[1]
    versions = ", ".join(f"{p} {importlib.metadata.version(p)}" for p in ("pylance", "faiss-cpu"))
    lines = [
        f"{datetime.date.today()}, {platform.machine()}, {os.cpu_count()} threads, {versions}",
        f"vectors of {dim} numbers; {QUERIES} queries of an unseen season, one at a time, "
        f"{ROUNDS} rounds by turns",
        "",
        f"{'shots':>9}  {'':<13} {'recall@10':>9} {'p50 ms':>8} {'p95 ms':>8} {'build s':>8} "
        f"{'disk MB':>8} {'held MB':>8}",
    ]
    for shots in options.sizes:
        lines += ["", *measure(options.work, shots)]
    lines += ["", f"{(time.perf_counter() - began) / 60:.0f} min"]
    print("\n" + "\n".join(lines))
    if options.log:
        options.log.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
