"""The two tracks of a proxy: decoded frames in, packets at the title's times out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, cast

import av
import numpy as np
import numpy.typing as npt
from av.container import OutputContainer
from av.filter import Graph
from av.video.frame import PictureType

from mediafm.media.clock import Clock
from mediafm.timeline import US

BASE = Fraction(1, US)
"""Time base of the picture: the catalog's own, so that a frame begins where a shot does."""

RATE = 48_000
_GAP = 0.05
"""Seconds by which times of sound are off without being silence or an overlap."""
_BT709 = 1


@dataclass(frozen=True, slots=True)
class Geometry:
    """What the first frame says: the proxy is like it throughout.

    Args:
        width: Width of the proxy, even.
        height: Height of the proxy, even.
        rate: Frames a second, on average.
        color: How to read the numbers, for the encoder.
    """

    width: int
    height: int
    rate: Fraction
    color: dict[str, int]


def geometry_of(video: av.VideoStream, frame: av.VideoFrame, wide: int, high: int) -> Geometry:
    """The proxy's geometry, of the first frame and the most that it may measure."""
    width, height = _upright(frame, _aspect(video, frame))
    scale = min(Fraction(1), Fraction(wide, width), Fraction(high, height))
    rate = video.average_rate or Fraction(25)
    return Geometry(
        _even(width * scale),
        _even(height * scale),
        rate if 1 <= rate <= 240 else Fraction(25),
        _color(frame),
    )


def _even(size: float | Fraction) -> int:
    return max(int(size) // 2 * 2, 2)


def _aspect(video: av.VideoStream, frame: av.VideoFrame) -> Fraction:
    """How wide a pixel is; after a change of size the container's word is about another picture."""
    aspect = video.codec_context.sample_aspect_ratio
    if (frame.width, frame.height) == (video.width, video.height):
        aspect = video.sample_aspect_ratio or aspect
    return aspect if aspect and Fraction(1, 16) < aspect < 16 else Fraction(1)


def _turned(frame: av.VideoFrame) -> int:
    """Degrees counter-clockwise until it is upright."""
    return round(frame.rotation / 90) * 90 % 360


def _upright(frame: av.VideoFrame, aspect: Fraction) -> tuple[int, int]:
    """Width and height on screen in square pixels."""
    width, height = max(round(frame.width * aspect), 1), frame.height
    return (height, width) if _turned(frame) % 180 else (width, height)


def _is_yuv(frame: av.VideoFrame) -> bool:
    return frame.format.name.startswith(("yuv", "nv", "p0", "p2", "p4", "y2"))


def _color(frame: av.VideoFrame) -> dict[str, int]:
    """As the source has it, so that a browser shows HDR as such; of RGB, what we make of it."""
    if not _is_yuv(frame):
        return dict.fromkeys(("color_primaries", "color_trc", "colorspace"), _BT709)
    return {
        "color_primaries": int(frame.color_primaries),
        "color_trc": int(frame.color_trc),
        "colorspace": int(frame.colorspace),
    }


class Pictures:
    """The picture: upright, in square pixels, progressive.

    Args:
        output: The file.
        video: The source.
        clock: The title's time.
        geometry: Of the proxy.
        threads: Of the encoder and the decoder.
    """

    def __init__(
        self,
        output: OutputContainer,
        video: av.VideoStream,
        clock: Clock,
        geometry: Geometry,
        threads: int,
    ):
        self.geometry, self.source_index = geometry, video.index
        self.end, self.count = 0, 0
        self._video, self._clock = video, clock
        self._usual = round(US / geometry.rate)
        self._graph: Graph | None = None
        self._form: tuple[Any, ...] = ()
        self._interlaced = False
        self._second, self._last = -1, -1
        video.thread_type = "AUTO"
        video.codec_context.thread_count = threads
        stream = output.add_stream("libx264", rate=geometry.rate)
        stream.width, stream.height = geometry.width, geometry.height
        stream.pix_fmt = "yuv420p"
        context = stream.codec_context
        stream.time_base = context.time_base = BASE
        context.thread_count = threads
        context.gop_size = 1 << 20  # by time, not by frames: see _encoded
        context.color_range = 1
        for name, value in geometry.color.items():
            setattr(context, name, value)
        # B-frames would need an edit list, and make every step back dearer.
        stream.options = {
            "preset": "veryfast", "crf": "23", "profile": "main", "bf": "0", "forced-idr": "1",
        }  # fmt: skip
        self._stream = stream

    def push(self, frame: av.VideoFrame) -> Iterator[av.Packet[Any]]:
        """Takes the next decoded frame; yields packets."""
        time = self._clock.time(frame.pts, frame.time_base, guess=self.end)
        if self.count == 0:
            if time > self._usual:
                yield from self._encoded(self._black())
            else:
                time = 0
        time = max(time, self._last + 1)
        self._last = time
        self.end = time + self._duration(frame)
        self.count += 1
        frame.pts, frame.time_base = time, BASE
        yield from self._through(frame)

    def finish(self) -> Iterator[av.Packet[Any]]:
        """Yields what is left."""
        yield from self._drained()
        for packet in self._stream.encode(None):
            if packet.pts == self._last:
                packet.duration = self.end - self._last
            yield packet

    def _duration(self, frame: av.VideoFrame) -> int:
        """How long it shows if none follows."""
        if frame.duration and frame.time_base:
            duration = round(frame.duration * frame.time_base * US)
            if 0 < duration <= 10 * US:
                return duration
        return self._usual

    def _black(self) -> av.VideoFrame:
        """What is on screen until the picture begins."""
        width, height = self.geometry.width, self.geometry.height
        pixels = np.full((height * 3 // 2, width), 128, np.uint8)
        pixels[:height] = 16
        frame = av.VideoFrame.from_ndarray(pixels, format="yuv420p")
        frame.pts, frame.time_base = 0, BASE
        self._last = 0
        return frame

    def _through(self, frame: av.VideoFrame) -> Iterator[av.Packet[Any]]:
        self._interlaced = self._interlaced or frame.interlaced_frame
        form = (
            frame.width, frame.height, frame.format.name, _turned(frame), self._interlaced,
            frame.colorspace, frame.color_range,
        )  # fmt: skip
        if self._graph is None or form != self._form:
            yield from self._drained()
            self._graph, self._form = self._make_graph(frame), form
        self._graph.vpush(frame)
        yield from self._pulled()

    def _drained(self) -> Iterator[av.Packet[Any]]:
        if self._graph is not None:
            self._graph.vpush(None)
            yield from self._pulled()
            self._graph = None

    def _pulled(self) -> Iterator[av.Packet[Any]]:
        assert self._graph is not None
        while True:
            try:
                frame = self._graph.vpull()
            except (av.BlockingIOError, av.EOFError):
                return
            yield from self._encoded(frame)

    def _encoded(self, frame: av.VideoFrame) -> Iterator[av.Packet[Any]]:
        assert frame.pts is not None
        assert frame.time_base is not None
        time = round(frame.pts * frame.time_base * US)
        frame.pts, frame.time_base = time, BASE
        # Else the encoder repeats the source's kinds of frames.
        key = time // US > self._second
        frame.pict_type = PictureType.I if key else PictureType.NONE
        self._second = time // US
        yield from self._stream.encode(frame)

    def _make_graph(self, frame: av.VideoFrame) -> Graph:
        """Filters for frames like this one."""
        wide, high = self.geometry.width, self.geometry.height
        turned, graph = _turned(frame), Graph()
        width, height = _inside(*_upright(frame, _aspect(self._video, frame)), wide, high)
        if turned % 180:
            width, height = height, width
        named = {
            "video_size": f"{frame.width}x{frame.height}",
            "pix_fmt": frame.format.name,
            "time_base": f"1/{US}",
            "colorspace": str(int(frame.colorspace)),
            "range": str(int(frame.color_range)),
        }
        nodes = [graph.add("buffer", ":".join(f"{k}={v}" for k, v in named.items()))]
        if self._interlaced:
            nodes.append(graph.add("bwdif", "mode=send_frame:deint=interlaced"))
        scale = f"{width}:{height}:out_range=tv"
        if not _is_yuv(frame):
            scale += ":out_color_matrix=bt709"
        nodes += [graph.add("scale", scale), graph.add("format", "yuv420p")]
        turns = {90: [("transpose", "cclock")], 270: [("transpose", "clock")]}
        turns[180] = [("hflip", ""), ("vflip", "")]
        nodes += [graph.add(name, args) for name, args in turns.get(turned, [])]
        if turned % 180:
            width, height = height, width
        if (width, height) != (wide, high):
            nodes.append(graph.add("pad", f"{wide}:{high}:-1:-1"))
        nodes.append(graph.add("buffersink"))
        graph.link_nodes(*nodes).configure()
        return graph


def _inside(width: int, height: int, wide: int, high: int) -> tuple[int, int]:
    """The largest size of the same shape in a frame; a bar of two pixels is rounding."""
    scale = min(Fraction(wide, width), Fraction(high, height))
    fitted = _even(width * scale), _even(height * scale)
    return (
        wide if wide - fitted[0] <= 2 else fitted[0],
        high if high - fitted[1] <= 2 else fitted[1],
    )


class Sound:
    """The sound: stereo without holes, from the title's zero on.

    Args:
        output: The file.
        audio: The source.
        clock: The title's time.
        latest: Times beyond this are damaged, microseconds: they would give days of silence.
    """

    def __init__(
        self, output: OutputContainer, audio: av.AudioStream, clock: Clock, latest: int | None
    ):
        self.source_index, self.count = audio.index, 0
        self._clock, self._latest = clock, latest
        self._stream = output.add_stream("aac", rate=RATE, layout="stereo")
        self._stream.bit_rate = 128_000
        self._resampler: av.AudioResampler | None = None
        self._form: tuple[str, str, int] | None = None
        self._written = 0
        self._skip = 0  # samples still to be dropped: those before zero, or said twice

    @property
    def end(self) -> int:
        """Until when there is sound, microseconds."""
        return self._written * US // RATE

    def push(self, frame: av.AudioFrame) -> Iterator[av.Packet[Any]]:
        """Takes the next decoded frame; fills holes with silence; yields packets."""
        time = self._clock.time(frame.pts, frame.time_base, guess=self.end)
        if self._latest is not None and time > self._latest:
            time = self.end
        due = round(time * RATE / US)
        form = (frame.format.name, frame.layout.name, frame.sample_rate)
        off = due - (self._written - self._skip)
        if self._form != form or abs(off) > _GAP * RATE:
            yield from self._flushed()
            yield from self._aligned(due)
        if self._resampler is None:
            self._resampler, self._form = av.AudioResampler("fltp", "stereo", RATE), form
        self.count += 1
        frame.pts = None  # the resampler wants an unbroken stream; holes were filled above
        for piece in self._resampler.resample(frame):
            yield from self._samples(piece)

    def finish(self) -> Iterator[av.Packet[Any]]:
        """Yields what is left."""
        yield from self._flushed()
        if not self._written:  # a track without a sample is not played
            yield from self._emitted(np.zeros((2, RATE // 10), np.float32))
        yield from self._stream.encode(None)

    def _flushed(self) -> Iterator[av.Packet[Any]]:
        if self._resampler is not None:
            for piece in self._resampler.resample(None):
                yield from self._samples(piece)
            self._resampler = None

    def _aligned(self, due: int) -> Iterator[av.Packet[Any]]:
        self._skip += self._written - self._skip - due
        while self._skip < 0:
            hole = min(-self._skip, RATE)
            self._skip += hole
            yield from self._emitted(np.zeros((2, hole), np.float32))

    def _samples(self, piece: av.AudioFrame) -> Iterator[av.Packet[Any]]:
        samples_CS = cast(npt.NDArray[np.float32], piece.to_ndarray())
        dropped = min(self._skip, samples_CS.shape[1])
        self._skip -= dropped
        if dropped < samples_CS.shape[1]:
            # Damaged float sound decodes to anything.
            whole_CS = np.nan_to_num(samples_CS[:, dropped:], posinf=1, neginf=-1).clip(-1, 1)
            yield from self._emitted(np.ascontiguousarray(whole_CS))

    def _emitted(self, samples_CS: npt.NDArray[np.float32]) -> Iterator[av.Packet[Any]]:
        frame = av.AudioFrame.from_ndarray(samples_CS, format="fltp", layout="stereo")
        frame.sample_rate, frame.time_base = RATE, Fraction(1, RATE)
        frame.pts = self._written
        self._written += samples_CS.shape[1]
        yield from self._stream.encode(frame)
