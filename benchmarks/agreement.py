"""What the fast settings change, beside the exact ones, on one film.

    python benchmarks/agreement.py FILM                  # all of it, about a quarter of an hour
    python benchmarks/agreement.py FILM --seconds 240    # its beginning

Shots: bfloat16 and windows of 300 frames beside float32 and the published windows of 100, and the
package's own network. Sound: int8 beside float32; what subtracting the place in the window does.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch

from ingest import RATE, _package_transnet, _sound, machine
from mediafm.encoders.whisper import WhisperBase
from mediafm.media.chunks import VideoChunk
from mediafm.media.reader import Reader
from mediafm.shots import ShotConfig, segment
from mediafm.shots.transnetv2 import TransNetV2Detector
from mediafm.timeline import US, Shot

WINDOW = 30 * RATE


def detect(frames: np.ndarray, dtype: torch.dtype, window: int) -> tuple[np.ndarray, float]:
    """Rates of all frames, and frames per second."""
    detector = TransNetV2Detector(dtype)
    detector.window = window
    started = time.perf_counter()
    rates = np.concatenate([detector.feed(frames), detector.finish()])
    return rates, len(frames) / (time.perf_counter() - started)


def shots_table(frames: np.ndarray, times: np.ndarray, end: int) -> list[Shot]:
    """Prints how the boundaries of cheaper settings compare with the exact ones."""
    net = _package_transnet()
    torch.use_deterministic_algorithms(False)
    started = time.perf_counter()
    exact = net.predict_frames(torch.from_numpy(frames), quiet=True)[0].numpy()
    speed = len(frames) / (time.perf_counter() - started)
    rows = [("package, float32, windows of 100", exact, speed)]
    for dtype, window in (
        (torch.float32, 100),
        (torch.float32, 300),
        (torch.bfloat16, 100),
        (torch.bfloat16, 300),
    ):
        name = f"ours, {str(dtype).split('.')[1]}, windows of {window}"
        rows.append((name, *detect(frames, dtype, window)))
    reference = segment(exact, times.tolist(), end, frames, ShotConfig())
    starts = {shot.span.start for shot in reference}
    print(f"{'shot detection':38}{'frames/s':>9}{'largest':>10}{'shots':>7}{'same':>6}{'other':>7}")
    print(f"{'':38}{'':>9}{'difference':>10}{'':>7}{'start':>6}")
    shots = reference
    for name, rates, speed in rows:
        shots = segment(rates, times.tolist(), end, frames, ShotConfig())
        own = {shot.span.start for shot in shots}
        print(
            f"{name:38}{speed:9.0f}{np.abs(rates - exact).max():10.1e}{len(shots):7}"
            f"{len(own & starts):6}{len(own ^ starts):7}"
        )
    return shots


def pooled(steps: np.ndarray, shots: list[Shot], step: int) -> np.ndarray:
    """Mean of a shot's steps, per shot that has sound."""
    slices = [
        (s.span.start // step, max(-(-s.span.end // step), s.span.start // step + 1)) for s in shots
    ]
    return np.stack([steps[a:b].mean(0) for a, b in slices if a < len(steps)])


def cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


def clock_effect(steps: np.ndarray) -> tuple[float, float]:
    """Mean cosine of 3 s pieces over a minute apart: a multiple of 30 s, and half a window off."""
    pieces = steps[: len(steps) // 150 * 150].reshape(-1, 150, steps.shape[1]).mean(1)
    pieces = pieces - pieces.mean(0)
    pieces /= np.linalg.norm(pieces, axis=1, keepdims=True)
    i, j = np.triu_indices(len(pieces), 20)  # films of at least two minutes have such pairs
    similar = (pieces[i] * pieces[j]).sum(1)
    return similar[(j - i) % 10 == 0].mean(), similar[(j - i) % 10 == 5].mean()


def sound_table(samples: np.ndarray, shots: list[Shot]) -> None:
    """Prints what int8 and the subtraction of the place in the window change."""
    windows = [samples[i : i + WINDOW] for i in range(0, len(samples), WINDOW)]
    vectors, speeds, clocks = {}, {}, {}
    for kind in ("float32", "int8"):
        encoder = WhisperBase(kind)
        encoder.encode(windows[0])
        started = time.perf_counter()
        steps = np.concatenate([encoder.encode(window) for window in windows])
        speeds[kind] = len(samples) / RATE / (time.perf_counter() - started)
        vectors[kind] = pooled(steps, shots, encoder.step)
        raw = np.concatenate([encoder._states(w)[: -(-len(w) // 320)] for w in windows])
        clocks[kind] = (clock_effect(raw), clock_effect(steps))
    mean = vectors["float32"].mean(0)
    plain = cosines(vectors["int8"], vectors["float32"])
    centred = cosines(vectors["int8"] - mean, vectors["float32"] - mean)
    print(f"\n{'sound, int8 beside float32, per shot':38}{'least':>9}{'5%':>9}{'median':>9}")
    for name, values in (("cosine", plain), ("cosine, minus the film's mean", centred)):
        low, five, middle = np.percentile(values, [0, 5, 50])
        print(f"  {name:36}{low:9.4f}{five:9.4f}{middle:9.4f}")
    for kind, speed in speeds.items():
        print(f"  {kind + ', times real time':36}{speed:9.1f}")
    print(f"\n{'sound, pieces over a minute apart':38}{'same place':>11}{'half off':>10}")
    for name, pair in zip(
        ("hidden states", "minus noise at the place"), clocks["int8"], strict=True
    ):
        print(f"  {name:36}{pair[0]:+11.2f}{pair[1]:+10.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("film", type=Path)
    parser.add_argument("--seconds", type=int, default=24 * 3600)
    options = parser.parse_args()
    film, until = options.film, options.seconds * US
    with Reader(film) as reader:
        chunks = [chunk for chunk in reader if isinstance(chunk, VideoChunk)]
        end = min(reader.end, until)
    times = np.concatenate([chunk.times_T for chunk in chunks])
    frames = np.concatenate([chunk.thumbnails_THWC for chunk in chunks])[times < until]
    times = times[times < until]
    print(f"{film.name}: {end / US:.0f} s, {len(frames)} frames; {machine()}\n")
    samples = _sound(film)[: options.seconds * RATE]
    sound_table(samples, shots_table(frames, times, end))


if __name__ == "__main__":
    main()
