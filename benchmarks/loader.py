"""Random windows of 512 shots: the training cache beside memmap, Parquet and Lance.

    python benchmarks/loader.py                        # 100,000 and 1,000,000 shots: minutes, 20 GB

Three modalities of width 768 in half precision, 4,608 bytes a shot, random numbers, the same in
every format. The candidates take turns, windows are drawn by a seed and are the same for all, every
window ends in the same reused buffers, and the table gives medians over rounds.

(a) ours      `ShotStore.read`: a positioned read per modality and window
(b) memmap    the same files through `numpy.memmap`, copied
(c) parquet   a file per modality, uncompressed, row groups of 512 shots, a column of lists of
              halves; the one or two row groups that a window touches are read and cut
(d) parquet   the same with a column of 1,536-byte binaries, which Parquet decodes much faster
(e) lance     a table per modality as the catalog keeps it; a window is a slice (offset, limit)

Warm: the candidate read all windows of the round once before; passes are repeated for a second.
Cold: before each candidate opens its files anew, they are told to leave the page cache
(`posix_fadvise(POSIX_FADV_DONTNEED)` after `fsync`), then one pass; what the machine below keeps (a
hypervisor, a disk's own cache) is out of reach, so that a disk can be colder than this. Each
candidate has a process of its own at each size; its resident memory is told before the first round
and after the last. Pages of mapped files count in RSS, not in RssAnon.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from mediafm.catalog.records import EncoderRecord, TitleFeatures, TitleRecord

MODALITIES, WIDTH, WINDOW = ("video", "audio", "text"), 768, 512
ROW_BYTES = len(MODALITIES) * WIDTH * 2
TITLE = 1000

Read = Callable[[int, list[np.ndarray], np.ndarray], None]


class Made:
    """A catalog of random numbers, made title by title, the same each time."""

    uri = "memory://random"

    def __init__(self, shots: int):
        self.names = [f"t{i:06}" for i in range(-(-shots // TITLE))]
        self.shots = shots
        # Drawn once: the speed of reading does not depend on the numbers, that of making does.
        rng = np.random.default_rng(0)
        self.pool_ND = rng.standard_normal((8 * TITLE, WIDTH), np.float32).astype(np.float16)

    def size(self, number: int) -> int:
        """Shots of a title."""
        return min(TITLE, self.shots - number * TITLE)

    def titles(self) -> list[TitleRecord]:
        """As a catalog."""
        return [TitleRecord(t, f"i{t}", shots=self.size(n)) for n, t in enumerate(self.names)]

    def encoders(self) -> dict[str, EncoderRecord]:
        """As a catalog."""
        return {m: EncoderRecord(m, "random", "0" * 16, WIDTH) for m in MODALITIES}

    metadata_encoder, feature_versions = staticmethod(lambda: None), staticmethod(dict)

    def vectors(self, number: int, modality: str) -> np.ndarray:
        """Vectors of a title, ``x_ND``."""
        place = (number * 577 + MODALITIES.index(modality) * 1301) % (7 * TITLE)
        return self.pool_ND[place : place + self.size(number)]

    def title_features(self, ids: list[str] | None = None) -> Iterator[TitleFeatures]:
        """As a catalog."""
        for title_id in self.names if ids is None else ids:
            number = int(title_id[1:])
            n = self.size(number)
            edges = np.arange(n + 1, dtype=np.int64) * 3_000_000
            yield TitleFeatures(
                title_id,
                f"i{title_id}",
                title_id,
                np.stack([edges[:-1], edges[1:]], axis=1),
                {m: self.vectors(number, m) for m in MODALITIES},
                {m: np.ones(n, np.bool_) for m in MODALITIES},
            )


def make(folder: Path, shots: int) -> None:
    """Writes all formats, one batch of rows after the other."""
    import lance
    import pyarrow as pa
    import pyarrow.parquet as pq

    from mediafm.catalog import schemas
    from mediafm.pretrain.build import build_store
    from mediafm.progress import Silent

    made = Made(shots)
    build_store(made, folder / "ours", Silent()).close()
    for modality in MODALITIES:
        kinds = {"": pa.list_(pa.float16(), WIDTH), "-binary": pa.binary(2 * WIDTH)}
        plain = {"compression": "none", "use_dictionary": False, "write_statistics": False}
        writers = {
            name: pq.ParquetWriter(
                folder / f"{modality}{name}.parquet", pa.schema([("vector", kind)]), **plain
            )
            for name, kind in kinds.items()
        }
        rest: np.ndarray = np.zeros((0, WIDTH), np.float16)
        for number in range(len(made.names)):
            rest = np.concatenate([rest, made.vectors(number, modality)])
            while len(rest) >= WINDOW or (len(rest) and number == len(made.names) - 1):
                part, rest = rest[:WINDOW], rest[WINDOW:]
                raw = pa.py_buffer(np.ascontiguousarray(part))
                values = {
                    "": schemas.vectors_to_arrow(part, np.ones(len(part), np.bool_)),
                    "-binary": pa.Array.from_buffers(kinds["-binary"], len(part), [None, raw]),
                }
                for name, writer in writers.items():
                    rows = pa.table({"vector": values[name].cast(kinds[name])})
                    writer.write_table(rows, row_group_size=WINDOW)
        for writer in writers.values():
            writer.close()
        schema = schemas.features_schema(made.encoders()[modality])

        def batches(modality: str = modality, schema: pa.Schema = schema) -> Iterator[Any]:
            for number, name in enumerate(made.names):
                here_N = np.ones(made.size(number), np.bool_)
                columns = [
                    pa.array([name] * len(here_N)),
                    pa.array([f"i{name}"] * len(here_N)),
                    np.arange(len(here_N), dtype=np.int32),
                    here_N,
                    schemas.vectors_to_arrow(made.vectors(number, modality), here_N),
                ]
                yield pa.record_batch(columns, schema=schema)

        reader = pa.RecordBatchReader.from_batches(schema, batches())
        lance.write_dataset(reader, str(folder / f"{modality}.lance"), schema=schema)
    os.sync()


def ours(folder: Path) -> Read:
    from mediafm.pretrain.store import ShotStore

    store = ShotStore.open(folder / "ours")

    def read(start: int, out: list[np.ndarray], present_S: np.ndarray) -> None:
        for modality, x_SD in zip(MODALITIES, out, strict=True):
            store.read(modality, [(start, start + WINDOW)], x_SD, present_S)

    return read


def memmap(folder: Path) -> Read:
    maps = [np.memmap(folder / "ours" / f"features-{m}.f16", np.float16, "r") for m in MODALITIES]
    heres = [np.memmap(folder / "ours" / f"features-{m}.here", np.bool_, "r") for m in MODALITIES]
    tables = [m.reshape(-1, WIDTH) for m in maps]

    def read(start: int, out: list[np.ndarray], present_S: np.ndarray) -> None:
        for x_ND, here_N, x_SD in zip(tables, heres, out, strict=True):
            x_SD[:] = x_ND[start : start + WINDOW]
            present_S[:] = here_N[start : start + WINDOW]

    return read


def parquet(folder: Path, name: str = "") -> Read:
    import pyarrow.parquet as pq

    files = [pq.ParquetFile(folder / f"{m}{name}.parquet", memory_map=False) for m in MODALITIES]

    def read(start: int, out: list[np.ndarray], present_S: np.ndarray) -> None:
        groups = list(range(start // WINDOW, (start + WINDOW - 1) // WINDOW + 1))
        for file, x_SD in zip(files, out, strict=True):
            column = file.read_row_groups(groups, use_threads=False).column(0)
            _fill(column.slice(start - groups[0] * WINDOW, WINDOW), x_SD, present_S)

    return read


def lance_slices(folder: Path) -> Read:
    import lance

    tables = [lance.dataset(str(folder / f"{m}.lance")) for m in MODALITIES]

    def read(start: int, out: list[np.ndarray], present_S: np.ndarray) -> None:
        for table, x_SD in zip(tables, out, strict=True):
            rows = table.to_table(columns=["vector"], offset=start, limit=WINDOW)
            _fill(rows.column(0), x_SD, present_S)

    return read


def _fill(column: Any, x_SD: np.ndarray, present_S: np.ndarray) -> None:
    at = 0
    for chunk in column.chunks:
        end = at + len(chunk)
        if hasattr(chunk, "flatten"):
            x_SD[at:end] = chunk.flatten().to_numpy().reshape(-1, WIDTH)
        else:  # binaries of one length
            halves = np.frombuffer(chunk.buffers()[1], np.float16).reshape(-1, WIDTH)
            x_SD[at:end] = halves[chunk.offset : chunk.offset + len(chunk)]
        present_S[at:end] = True if not chunk.null_count else chunk.is_valid().to_numpy(False)
        at = end


CANDIDATES: dict[str, tuple[str, Callable[[Path], Read]]] = {
    "ours": ("(a) ours", ours),
    "memmap": ("(b) memmap, copied", memmap),
    "parquet": ("(c) Parquet, lists", parquet),
    "binary": ("(d) Parquet, binaries", lambda folder: parquet(folder, "-binary")),
    "lance": ("(e) Lance slices", lance_slices),
}
PARQUET = {"parquet": "(c)", "binary": "(d)"}
FILES = {
    "ours": "ours/*",
    "memmap": "ours/*",
    "parquet": "*[!y].parquet",
    "binary": "*-binary.parquet",
    "lance": "*.lance/data/*",
}


def cool(folder: Path, candidate: str) -> None:
    """Tells the page cache to forget a candidate's files."""
    for path in folder.glob(FILES[candidate]):
        descriptor = os.open(path, os.O_RDONLY)
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def resident() -> tuple[float, float]:
    """RssAnon and RSS in MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    found = {
        line.split(":")[0]: line.split()[1] for line in lines if line.startswith(("Rss", "VmR"))
    }
    return int(found["RssAnon"]) / 1e3, int(found["VmRSS"]) / 1e3


def serve(folder: Path, candidate: str, shots: int, count: int) -> None:
    """One candidate in a process of its own: a round for each line ``SEED COLD`` of the input."""
    opened = CANDIDATES[candidate][1]
    out = [np.ones((WINDOW, WIDTH), np.float16) for _ in MODALITIES]
    present_S = np.ones(WINDOW, np.bool_)
    made = Made(shots)
    opened(folder)(0, out, present_S)  # what is loaded at the first call
    for line in sys.stdin:
        seed, cold = map(int, line.split())
        starts = np.random.default_rng(seed).integers(0, shots - WINDOW + 1, count).tolist()
        before = resident()
        if cold:
            cool(folder, candidate)
        read = opened(folder)
        if not cold:
            for start in starts:
                read(start, out, present_S)
        began, passes, seconds = time.perf_counter(), 0, 0.0
        while not passes or (seconds < 1 and not cold):
            for start in starts:
                read(start, out, present_S)
            seconds, passes = time.perf_counter() - began, passes + 1
        for modality, x_SD in zip(MODALITIES, out, strict=True):  # the last window is what it is
            number, place = divmod(starts[-1] + WINDOW - 1, TITLE)
            assert (x_SD[-1] == made.vectors(number, modality)[place]).all()
        told = {"rate": passes * count * WINDOW / seconds, "before": before, "after": resident()}
        del read  # pages that a process has mapped do not leave the page cache
        print(json.dumps(told), flush=True)


def start(folder: Path, candidate: str, shots: int, count: int) -> subprocess.Popen[str]:
    """Starts :func:`serve`."""
    command = [sys.executable, __file__, "--serve", str(folder), candidate, str(shots), str(count)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def measure(process: subprocess.Popen[str], seed: int, cold: bool) -> dict[str, Any]:
    """Has a process do a round."""
    assert process.stdin and process.stdout
    print(seed, int(cold), file=process.stdin, flush=True)
    line = process.stdout.readline()
    if not line:
        sys.exit("a candidate failed, see above")
    return dict(json.loads(line))


def machine() -> str:
    """What it ran on, without names of hosts or folders."""
    import lance
    import pyarrow

    names = [x for x in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in x]
    cpu = names[0].split(":")[1].strip() if names else platform.machine()
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{cpu}, {len(os.sched_getaffinity(0))} cores, {total:.0f} GB memory, "
        f"Python {platform.python_version()}, numpy {np.__version__}, "
        f"pyarrow {pyarrow.__version__}, pylance {lance.__version__}"
    )


def table(sizes: list[int], rounds: int, windows: int, place: Path | None) -> None:
    """Measures all candidates in turns at all sizes and prints medians."""
    runs: dict[tuple[int, bool, str], list[dict[str, Any]]] = {}
    with tempfile.TemporaryDirectory(dir=place) as root:
        need = 4 * sum(sizes) * ROW_BYTES
        free = shutil.disk_usage(root).free
        if free < 1.2 * need:
            sys.exit(f"{need / 1e9:.0f} GB needed, {free / 1e9:.0f} GB free; choose --sizes")
        for shots in sizes:
            began = time.perf_counter()
            Path(root, str(shots)).mkdir()
            make(Path(root, str(shots)), shots)
            print(f"# {shots} shots written, {time.perf_counter() - began:.0f} s", flush=True)
        served = {
            (shots, name): start(Path(root, str(shots)), name, shots, windows)
            for shots in sizes
            for name in CANDIDATES
        }
        for number in range(rounds):
            for cold in (False, True):
                for (shots, name), process in served.items():
                    run = measure(process, number, cold)
                    runs.setdefault((shots, cold, name), []).append(run)
            print(f"# round {number + 1}", flush=True)
        for process in served.values():
            process.communicate()
    show(runs, sizes, rounds, windows)


def show(
    runs: dict[tuple[int, bool, str], list[dict[str, Any]]],
    sizes: list[int],
    rounds: int,
    windows: int,
) -> None:
    """Prints rates, ratios and memory."""
    print(f"\nrandom windows of {WINDOW} shots, {ROW_BYTES} bytes a shot; {machine()}")
    print(f"{rounds} rounds of {windows} windows in turns, medians (least .. most)")
    middle = {key: statistics.median(r["rate"] for r in rs) for key, rs in runs.items()}
    for cold in (False, True):
        head = f"{'cold' if cold else 'warm':26}{'shots':>10}{'shots/s':>12}"
        print(f"\n{head}{'':>26}{'x (c)':>8}{'x (d)':>8}")
        for name, (label, _) in CANDIDATES.items():
            for shots in sizes:
                rates = [r["rate"] for r in runs[shots, cold, name]]
                span = f"({min(rates):,.0f} .. {max(rates):,.0f})"
                ratios = [middle[shots, cold, name] / middle[shots, cold, x] for x in PARQUET]
                print(f"{label:26}{shots:>10,}{middle[shots, cold, name]:>12,.0f}", end="")
                print(f"{span:>26}" + "".join(f"{ratio:8.1f}" for ratio in ratios))
    print(f"\n{'memory, MB':26}{'shots':>10}{'RssAnon before, after':>26}", end="")
    print(f"{'RSS before, after':>24}")
    for name, (label, _) in CANDIDATES.items():
        for shots in sizes:
            anon, rss = runs[shots, False, name][0]["before"]
            anon_after, rss_after = runs[shots, True, name][-1]["after"]
            print(f"{label:26}{shots:>10,}{anon:>17.0f}{anon_after:>9.0f}", end="")
            print(f"{rss:>15.0f}{rss_after:>9.0f}")
    print("\nwhat was aimed at")
    for name, letter in PARQUET.items():
        for shots in sizes:
            value = middle[shots, False, "ours"] / middle[shots, False, name]
            print(f"  (a) / {letter}, warm, {shots:>9,} shots   {value:6.1f}   at least 5")
    first, last = min(sizes), max(sizes)
    for cold in (False, True):
        value = middle[last, cold, "ours"] / middle[first, cold, "ours"]
        word = "cold" if cold else "warm"
        print(f"  (a) at {last:,} / at {first:,}, {word}   {value:6.2f}   0.85 .. 1.15")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--windows", type=int, default=100)
    parser.add_argument("--place", type=Path, help="a folder on the disk to measure")
    parser.add_argument("--serve", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        folder, name, shots, windows = options.serve
        serve(Path(folder), name, int(shots), int(windows))
    else:
        table(options.sizes, options.rounds, options.windows, options.place)


if __name__ == "__main__":
    main()
