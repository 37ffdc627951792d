"""Real media files, made with PyAV: small, with everything about them known; and reading them."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
from av.stream import Disposition
from PIL import Image

from mediafm.media.chunks import AudioChunk, ReadOptions, VideoChunk
from mediafm.media.reader import Reader

TICKS = 90_000
"""Ticks per second of the videos, unless told otherwise."""
VP = {"deadline": "realtime", "cpu-used": "8"}
"""Options that make libvpx quick."""


def picture(seed: int, width: int = 96, height: int = 64) -> np.ndarray:
    """A picture unlike that of any other seed: soft coloured noise."""
    coarse = np.random.default_rng(seed).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BILINEAR))


def scene(seed: int, frames: int, width: int = 96, height: int = 64) -> list[np.ndarray]:
    """A shot: one picture that drifts to the right."""
    wide = picture(seed, width + 2 * frames, height)
    return [wide[:, i : i + width] for i in range(frames)]


def beeps(at: Sequence[float], seconds: float, rate: int = 48_000) -> np.ndarray:
    """Silence with 20 ms of 1 kHz at each of the times; ``(S,)`` float32."""
    sound = np.zeros(round(seconds * rate), dtype=np.float32)
    tone = 0.8 * np.sin(2 * np.pi * 1000 * np.arange(round(0.02 * rate)) / rate)
    for time in at:
        start = round(time * rate)
        sound[start : start + len(tone)] = tone[: len(sound) - start]
    return sound


@dataclass
class Video:
    """A video stream; by default 25 frames a second from zero."""

    frames: Sequence[np.ndarray]
    times: Sequence[int] | None = None  # ticks
    base: Fraction = Fraction(1, TICKS)
    codec: str = "libx264"
    options: dict[str, str] = field(default_factory=dict)
    aspect: Fraction | None = None
    last: int | None = None  # ticks that the last frame shows
    language: str = ""
    default: bool = False

    def add(self, container) -> object:
        height, width = self.frames[0].shape[:2]
        stream = container.add_stream(self.codec, rate=25)
        stream.width, stream.height = width, height
        stream.pix_fmt = "yuvj420p" if self.codec == "mjpeg" else "yuv420p"
        stream.time_base = stream.codec_context.time_base = self.base
        stream.codec_context.thread_count = 1
        fast = {"preset": "veryfast", "crf": "20", "g": "25"} if self.codec == "libx264" else {}
        stream.options = {**fast, **self.options}
        if self.aspect:
            stream.codec_context.sample_aspect_ratio = self.aspect
        return stream

    def packets(self, stream):
        step = round(1 / (25 * self.base))
        times = (
            self.times if self.times is not None else [i * step for i in range(len(self.frames))]
        )
        for pixels, time in zip(self.frames, times, strict=True):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
            frame = frame.reformat(format=stream.pix_fmt)
            frame.pts, frame.time_base = time, self.base
            yield from self._lasting(stream.encode(frame), times)
        yield from self._lasting(stream.encode(None), times)

    def _lasting(self, packets, times):
        after = dict(itertools.pairwise(times))
        for packet in packets:
            if packet.pts in after:
                packet.duration = after[packet.pts] - packet.pts
            elif self.last is not None:
                packet.duration = self.last
            yield packet


@dataclass
class Sound:
    """An audio stream of the samples given, ``(S,)`` or ``(C, S)``, from a time on."""

    samples: np.ndarray
    rate: int = 48_000
    layout: str = "mono"
    codec: str = "aac"
    start: float = 0.0
    holes: Sequence[tuple[float, float]] = ()  # (from, seconds): pts jump there
    language: str = ""
    default: bool = False

    def add(self, container) -> object:
        stream = container.add_stream(self.codec, rate=self.rate, layout=self.layout)
        stream.time_base = Fraction(1, self.rate)
        return stream

    def packets(self, stream):
        form = stream.codec_context.format.name
        channels = len(av.AudioLayout(self.layout).channels)
        data = np.broadcast_to(np.atleast_2d(self.samples), (channels, self.samples.shape[-1]))
        size = stream.codec_context.frame_size or 1024
        holes = sorted(self.holes)
        shift = round(self.start * self.rate)
        for at in range(0, data.shape[1], size):
            if holes and at >= holes[0][0] * self.rate:
                shift += round(holes.pop(0)[1] * self.rate)
            part = np.ascontiguousarray(data[:, at : at + size], dtype=np.float32)
            if form == "fltp":
                frame = av.AudioFrame.from_ndarray(part, format="fltp", layout=self.layout)
            else:
                ints = np.clip(part.T.reshape(1, -1) * 32767, -32768, 32767).astype(np.int16)
                frame = av.AudioFrame.from_ndarray(ints, format="s16", layout=self.layout)
            frame.sample_rate, frame.pts = self.rate, at + shift
            frame.time_base = Fraction(1, self.rate)
            yield from stream.encode(frame)
        yield from stream.encode(None)


_ASS_HEADER = b"[Script Info]\nScriptType: v4.00+\n[V4+ Styles]\n[Events]\n"
"""What FFmpeg's encoders of subtitles want before they open."""


@dataclass
class Text:
    """A subtitle stream of ``(start, end, text)`` in seconds."""

    lines: Sequence[tuple[float, float, str]]
    codec: str = "subrip"
    language: str = ""
    default: bool = False

    def add(self, container) -> object:
        stream = container.add_stream(self.codec)
        stream.codec_context.subtitle_header = _ASS_HEADER
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        return stream

    def packets(self, stream):
        for start, end, text in self.lines:
            data = text.encode()
            packet = av.Packet(struct.pack(">H", len(data)) + data if "mov" in self.codec else data)
            packet.stream, packet.time_base = stream, Fraction(1, 1000)
            packet.pts = packet.dts = round(start * 1000)
            packet.duration = round((end - start) * 1000)
            yield packet


def write(path: Path, *parts: Video | Sound | Text, form: str | None = None, **options) -> Path:
    """Writes a media file; ``options`` are the muxer's."""
    with av.open(str(path), "w", format=form, options=options) as container:
        streams = [part.add(container) for part in parts]
        for part, stream in zip(parts, streams, strict=True):
            if part.language:
                stream.metadata["language"] = part.language
            stream.disposition = Disposition.default if part.default else Disposition(0)
        packets = []
        for part, stream in zip(parts, streams, strict=True):
            packets += part.packets(stream)
        container.start_encoding()
        packets.sort(key=lambda packet: (packet.dts or 0) * packet.time_base)
        for packet in packets:
            container.mux(packet)
    return path


def film(path: Path, lengths: Sequence[int] = (20, 30, 25), *, seed: int = 0, sound: bool = True):
    """A film of hard cuts at 25 frames a second; ``lengths`` in frames."""
    frames = [f for i, n in enumerate(lengths) for f in scene(1000 * seed + i, n)]
    parts: list = [Video(frames)]
    if sound:
        noise = np.random.default_rng(seed).standard_normal(16_000 * len(frames) // 25)
        parts.append(Sound((noise / 10).astype(np.float32), rate=16_000))
    return write(path, *parts)


def read(path, **options):
    """All that a pass gives, with the invariants of every pass checked."""
    with Reader(path, ReadOptions(**options)) as reader:
        times, thumbnails, stills, sound, cues = [], [], [], [], []
        for chunk in reader:
            if isinstance(chunk, VideoChunk):
                assert len(chunk.times_T) == len(chunk.thumbnails_THWC) > 0
                times += chunk.times_T.tolist()
                thumbnails += list(chunk.thumbnails_THWC)
                stills += chunk.stills
                assert all(still.time in times for still in chunk.stills)
            elif isinstance(chunk, AudioChunk):
                assert chunk.samples_S.dtype == np.float32
                sound.append(chunk.samples_S)
            else:
                cues.append(chunk)
    assert all(a < b for a, b in itertools.pairwise(times))
    assert reader.end > times[-1]
    moments = [still.time for still in stills]
    assert moments == sorted(set(moments))
    return SimpleNamespace(
        times=times,
        thumbnails=np.stack(thumbnails),
        stills=stills,
        sound=np.concatenate(sound) if sound else None,
        cues=cues,
        info=reader.info,
        end=reader.end,
    )


def onsets(samples_S, rate=16_000):
    """When beeps begin, seconds."""
    loud = np.flatnonzero(np.abs(samples_S) > 0.2)
    return [] if not len(loud) else [loud[0] / rate] + [
        b / rate for a, b in itertools.pairwise(loud) if b - a > rate / 10
    ]  # fmt: skip
