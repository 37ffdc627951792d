"""Encoders in the format of transformers: our batches beside the plain loop over shots.

    python benchmarks/encoders.py MEDIA_FOLDER     # big-buck-bunny.mp4 and subtitles lie in it
    python benchmarks/encoders.py MEDIA_FOLDER --rounds 1 --shots 20 --texts 100     # a first look

The networks have the size of the published base models and random weights: speed and memory depend
on shapes alone, and nothing is downloaded. The inputs are real: shots of Big Buck Bunny as our
ingest finds them, with the pictures that it takes of them and their sound, and the distinct cues of
the subtitles. What is too much for the time at hand is thinned evenly over the film and the files;
the header says to how many.

ours      the encoder as `open_encoder` finds it, called as ingest calls it: 32 pictures or more,
          two minutes of sound, the cues of one file at a time
plain     what a careful user writes around transformers or sentence-transformers: one shot or cue
          after the other, no gradients, float32, the same libraries, threads and files; all
          pictures of a shot, or all its windows of sound, go through the network together
library   (text) `SentenceTransformer.encode` with as many cues at a time as ours, in its own
          batches of 32: the peer to beat, where there is one
bfloat16  ours in half precision. What it gains comes from the processor, hardly from batches

Every row is a process of its own, which loads, warms up on a few inputs and then waits for its
turn; rows take turns, and the table gives medians over the rounds and ratios within them. The clock
runs over everything from pictures, samples and words to vectors. Not in it: decoding, loading.

`x plain` is how many times faster than the plain loop a row is. Where it is about 1, batches bring
nothing for such lengths on such a machine: the pictures of a shot are a batch already, ten seconds
of sound fill a processor alone, and wav2vec2-base must not be padded, so that only windows of the
very same length go together. Below 1 they cost: a large batch leaves the processor's cache, and
what is padded is computed for nothing. Equal lengths and padding are counted above the table.
Shapes that were seen in one round are cheaper in the next, in all rows alike.

`peak MB` is the most that a process held while it encoded (on Linux; elsewhere loading counts too),
`above` how much of it came on top of the network and the inputs: for ours that is one batch, of a
size that does not grow with the film; for the plain loop the longest shot. What was read of the
weights' file counts as long as it is in memory; bfloat16 reads all of it, the others what they use.

`off by` is the largest difference of any number of any vector to ours in float32, `cosine` the
least cosine of any vector to it; beside them, for comparison, both of one input and the next
(medians). Rounding in networks of random weights says little about trained ones.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import multiprocessing
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from encoders_inputs import SPEECH_RATE, Calls, evenly, film_calls, film_shots, subtitle_calls
from encoders_plain import PARTS, WINDOW_SECONDS, Part, speech_windows, whole
from ingest import machine
from mediafm.encoders import open_encoder
from mediafm.encoders.base import Vectors
from mediafm.encoders.batching import by_length, equal_lengths
from mediafm.timeline import US

FILM = "big-buck-bunny.mp4"


# Measuring


def load(part: Part, row: str, folder: Path) -> Callable[[Calls], Vectors]:
    """What encodes all inputs of a part in the manner of a row."""
    if row in ("ours", "bfloat16"):
        dtype = "float32" if row == "ours" else row
        encoder = open_encoder(part.modality, f"hf:{folder}?dtype={dtype}").load(("cpu",))
        encode = encoder.encode_clips if part.modality == "audio" else encoder.encode
        return lambda calls: np.concatenate([encode(call) for call in calls])
    one = part.plain(folder)
    if row == "library":
        return lambda calls: np.concatenate([one(call) for call in calls])
    return lambda calls: np.stack([one(given) for call in calls for given in call])


def work(pipe: Connection, name: str, row: str, folder: Path, calls: Calls) -> None:
    """The life of a row's process: loads, warms up, and encodes everything whenever it is told."""
    import torch
    import transformers

    logging.disable(logging.WARNING)
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    try:
        with torch.inference_mode():
            encode = load(PARTS[name], row, folder)
            encode([calls[0][:1]])  # weights are read from the file when they are first used
            held = memory("VmRSS")
            forget_peak()
            encode([calls[0][:4]])
            pipe.send(None)
            while pipe.recv():
                started = time.perf_counter()
                vectors = encode(calls)
                seconds = time.perf_counter() - started
                pipe.send(Turn(seconds, vectors, memory("VmHWM"), held))
    except EOFError:
        return  # whoever asked is gone
    except Exception as error:
        pipe.send(f"{type(error).__name__}: {error}".splitlines()[0])


@dataclass
class Turn:
    """What a row's process says after a round.

    Args:
        seconds: For all inputs.
        vectors: A row per input.
        peak: Megabytes at most so far, loading left out.
        held: Megabytes before the first round.
    """

    seconds: float
    vectors: Vectors
    peak: float
    held: float


def memory(name: str) -> float:
    """Megabytes of this process: ``VmRSS`` now, ``VmHWM`` at most; always the latter elsewhere."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) * 1024 / 1e6
    unit = 1 if sys.platform == "darwin" else 1024  # bytes on macOS (getrusage(2))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def forget_peak() -> None:
    """Lets ``VmHWM`` begin anew (proc(5)), where that exists."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


class Process:
    """A row's process, seen from outside."""

    def __init__(self, name: str, row: str, folder: Path, calls: Calls):
        self.row = row
        context = multiprocessing.get_context("spawn")
        self._pipe, other = context.Pipe()
        self._process = context.Process(
            target=work, args=(other, name, row, folder, calls), daemon=True
        )
        self._process.start()
        other.close()
        self.trouble = ""
        self.turns: list[Turn] = []
        self._answer()

    def _answer(self) -> Turn | None:
        try:
            answer = self._pipe.recv()
        except (EOFError, OSError):
            answer = "its process died"
        if isinstance(answer, str):
            self.trouble = answer
            return None
        return answer

    def turn(self) -> None:
        """Has it encode everything once."""
        if not self.trouble:
            with contextlib.suppress(OSError):
                self._pipe.send(True)
            answer = self._answer()
            self.turns += [answer] if answer else []

    def close(self) -> None:
        """Ends it."""
        with contextlib.suppress(OSError):
            self._pipe.send(False)
        self._process.join()


def measure(name: str, calls: Calls, rounds: int) -> dict[str, Process]:
    """Runs the rows of a part in turns."""
    from mediafm.encoders.hf.checkpoint import quiet

    part, processes = PARTS[name], list[Process]()
    with tempfile.TemporaryDirectory() as folder:
        with quiet():
            part.make(Path(folder), calls)
        try:
            processes += (Process(name, row, Path(folder), calls) for row in part.rows)
            for number in range(rounds):
                for process in processes if number % 2 == 0 else processes[::-1]:
                    process.turn()
                took = [f"{p.row} {p.turns[-1].seconds:.2f} s" for p in processes if p.turns]
                print(f"# {part.label}, round {number + 1}: {', '.join(took)}", flush=True)
        finally:
            for process in processes:
                process.close()
    return {process.row: process for process in processes}


# Saying it


def middle(values: Sequence[float], digits: int = 2) -> str:
    """Median, least and most."""
    low, high = min(values), max(values)
    return f"{statistics.median(values):.{digits}f} ({low:.{digits}f} .. {high:.{digits}f})"


def cosines(a_ND: Vectors, b_ND: Vectors) -> Any:
    lengths = np.linalg.norm(a_ND, axis=1) * np.linalg.norm(b_ND, axis=1)
    return (a_ND.astype(np.float64) * b_ND).sum(1) / lengths


def table(measured: dict[str, dict[str, Process]], inputs: dict[str, Calls]) -> None:
    print(
        f"\n{'':22}{'a second':>24}{'x plain':>22}{'peak MB':>9}{'above':>7}{'off by':>10}"
        f"{'cosine':>10}"
    )
    for name, rows in measured.items():
        calls = inputs[PARTS[name].calls]
        count = sum(map(len, calls))
        print(f"{PARTS[name].label}, {count} {'texts' if name == 'bert' else 'shots'}")
        works = [process for process in rows.values() if not process.trouble]
        if rows["ours"] in works and rows["plain"] in works:
            plain = [turn.seconds for turn in rows["plain"].turns]
            exact = rows["ours"].turns[0].vectors
            for process in works:
                print_row(process, count, plain, exact)
            apart = np.median(np.abs(exact[1:] - exact[:-1]).max(1))
            alike = np.median(cosines(exact[1:], exact[:-1]))
            print(f"  {'one input and the next':82}{apart:10.1e}{alike:10.6f}")
        for process in rows.values():
            if process.trouble:
                print(f"  {process.row:20}does not work: {process.trouble}")


def print_row(process: Process, count: int, plain: list[float], exact: Vectors) -> None:
    turns = process.turns
    speeds = [count / turn.seconds for turn in turns]
    ratios = [p / turn.seconds for p, turn in zip(plain, turns, strict=True)]
    peak, vectors = turns[-1].peak, turns[0].vectors
    print(
        f"  {process.row:20}{middle(speeds):>24}{middle(ratios):>22}{peak:9.0f}"
        f"{peak - turns[-1].held:7.0f}{np.abs(vectors - exact).max():10.1e}"
        f"{cosines(vectors, exact).min():10.6f}"
    )


def batches(calls: dict[str, Calls]) -> None:
    """Says how the inputs fall into batches."""
    from mediafm.encoders.hf.pictures import BATCH
    from mediafm.encoders.hf.speech import BATCH_SECONDS

    pictures = [sum(map(len, call)) for call in calls["pictures"]]
    print(
        f"pictures: {sum(pictures)} of {sum(map(len, calls['pictures']))} shots; calls of "
        f"{', '.join(map(str, pictures))}, at most {BATCH} at once"
    )
    seconds = sorted(len(clip) / SPEECH_RATE for call in calls["speech"] for clip in call)
    print(
        f"sound: {sum(seconds):.0f} s; shots of {seconds[0]:.1f} to {seconds[-1]:.1f} s, median "
        f"{statistics.median(seconds):.1f} s, in {len(calls['speech'])} calls"
    )
    every = [[len(w) for clip in call for w in speech_windows(clip)] for call in calls["speech"]]
    flat = [length for lengths in every for length in lengths]
    budget, full = BATCH_SECONDS["cpu"] * SPEECH_RATE, whole(WINDOW_SECONDS * SPEECH_RATE)
    equal = [len(batch) for lengths in every for batch in equal_lengths(lengths, budget)]
    print(f"  {len(flat)} windows, {flat.count(full)} of them full ({WINDOW_SECONDS} s)")
    print(f"  of equal length within a call: batches of {sizes(equal)}")
    whole_film = [len(batch) for batch in equal_lengths(flat, sum(flat))]
    print(f"  of equal length, were all in one call: {sizes(whole_film)}")
    padded = [
        (max(lengths[i] for i in batch) * len(batch), sum(lengths[i] for i in batch))
        for lengths in every
        for batch in by_length(lengths, budget)
    ]
    share = 1 - sum(filled for _, filled in padded) / sum(size for size, _ in padded)
    print(f"  of any length, with a mask: {len(padded)} batches, {share:.0%} of them padding")
    words = sorted(len(text.split()) for call in calls["texts"] for text in call)
    print(
        f"texts: {len(words)} in {len(calls['texts'])} calls, of {words[0]} to {words[-1]} words, "
        f"median {statistics.median(words):.0f}"
    )


def sizes(counts: Sequence[int]) -> str:
    """``1 (14 times), 2 (once)``."""
    times = {1: "once", 2: "twice"}
    found = ((size, counts.count(size)) for size in sorted(set(counts)))
    return ", ".join(f"{size} ({times.get(n, f'{n} times')})" for size, n in found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("media", type=Path, help=f"folder with {FILM} and subtitles")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--shots", type=int, default=20, help="spread over the film (20)")
    parser.add_argument("--texts", type=int, default=200, help="spread over the files (200)")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    options = parser.parse_args()
    import torch

    film = options.media / FILM
    shots = film_shots(film)
    chosen = evenly(shots, options.shots)
    calls = film_calls(film, chosen)
    calls["texts"], distinct, files = subtitle_calls(options.media, options.texts)
    measured = {}
    with tempfile.TemporaryDirectory() as cache:
        # Checkpoints of an hour leave nothing behind, and nobody asks the hub.
        os.environ |= {"MEDIAFM_CACHE": cache, "HF_HUB_OFFLINE": "1"}
        for name in options.parts:
            measured[name] = measure(name, calls[PARTS[name].calls], options.rounds)
    print(f"\n{film.name}: {shots[-1].span.end / US:.0f} s; {machine()}")
    print(
        f"{len(chosen)} of its {len(shots)} shots, {sum(map(len, calls['texts']))} of {distinct} "
        f"distinct texts of {files} files, each spread evenly; random weights, base size"
    )
    print(
        f"{options.rounds} rounds in turns, medians (least .. most); "
        f"{torch.get_num_threads()} threads, torch {torch.__version__}\n"
    )
    batches(calls)
    table(measured, calls)


if __name__ == "__main__":
    main()
