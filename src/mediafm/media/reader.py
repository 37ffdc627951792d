"""One demux and decode pass over a title: thumbnails, stills, sound and embedded cues.

Everything that later stages need leaves this pass as a stream of chunks, so that memory does not
grow with the title: small thumbnails of every frame for the shot detector, stills at a fixed period
for the picture encoder and the keyframes, 16 kHz mono sound, and the cues of embedded subtitles.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
import numpy.typing as npt
from av.format import Flags
from av.stream import Stream
from av.subtitles.subtitle import Subtitle
from av.video.reformatter import VideoReformatter

from mediafm.errors import MediaError
from mediafm.media.streams import (
    SourceInfo,
    choose_streams,
    open_container,
    source_info,
    stream_language,
)
from mediafm.media.subtitles import subtitle_cue
from mediafm.timeline import US, Cue

_BATCH = 50
"""Thumbnails in one chunk: small beside a detector's window, large beside a Python call."""

_GAP = US // 20
"""Sound: holes in the timestamps up to 50 ms are jitter and are not filled with silence."""

_LOST = 0.02
"""Share of the announced duration that may be missing before a file counts as cut off."""

_LEAP = 3600 * US
"""A stream that says of itself that its times may jump, and then jumps over an hour, was joined."""


@dataclass(frozen=True)
class ReadOptions:
    """What leaves the pass, and at which size.

    Args:
        thumbnail: Width and height of the detector's frames.
        still_period: Microseconds between two stills: the frame on screen at each multiple.
        still_size: Pixels of a still's shorter side at most; larger pictures are scaled down.
        sample_rate: Samples per second of the sound.
        languages: Preferred languages of the streams.
    """

    thumbnail: tuple[int, int] = (48, 27)
    still_period: int = US // 5
    still_size: int = 288
    sample_rate: int = 16_000
    languages: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Still:
    """A picture of encoder size.

    Args:
        time: When its frame appears, microseconds.
        picture_HWC: Upright RGB in square pixels, uint8.
    """

    time: int
    picture_HWC: npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class VideoChunk:
    """Consecutive frames.

    Args:
        times_T: When each frame appears, microseconds, strictly increasing.
        thumbnails_THWC: RGB, uint8, at the size of the options.
        stills: Those frames of the chunk, or of the one before, that are kept in encoder size.
    """

    times_T: npt.NDArray[np.int64]
    thumbnails_THWC: npt.NDArray[np.uint8]
    stills: tuple[Still, ...]


@dataclass(frozen=True, slots=True)
class AudioChunk:
    """Consecutive sound; chunks follow one another without holes.

    Args:
        samples_S: Mono float32 in -1 .. 1; the first chunk begins at time zero.
    """

    samples_S: npt.NDArray[np.float32]


Chunk = VideoChunk | AudioChunk | Cue


class Reader:
    """A title that is read once, front to back.

    Args:
        path: The media file.
        options: What leaves the pass.

    Raises:
        MediaError: It cannot be opened or has no picture.

    Attributes:
        info: What the container says; complete after the first chunk.
        end: When the last frame read so far leaves the screen, microseconds.
    """

    def __init__(self, path: Path, options: ReadOptions | None = None):
        self.path = path
        self.options = options or ReadOptions()
        self._container = open_container(path)
        try:
            self._streams = choose_streams(self._container, path, self.options.languages)
        except MediaError:
            self._container.close()
            raise
        self.info: SourceInfo = source_info(self._container, self._streams)
        self.end = 0
        self._damaged = 0
        self._joins: list[int] = []
        self._pictures = _Pictures(self.options, self._clock(self._streams.video), self.info)
        audio = self._streams.audio
        self._sound = _Sound(self.options, self._clock(audio)) if audio else None

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *args: object) -> None:
        self._container.close()

    def _clock(self, stream: av.VideoStream | av.AudioStream) -> _Clock:
        jumpy = Flags.ts_discont in Flags(self._container.format.flags)
        base = stream.time_base or Fraction(1, US)
        return _Clock(base, self.info.start_offset, self._joins, _LEAP if jumpy else None)

    def __iter__(self) -> Iterator[Chunk]:
        """Yields chunks in the order of the file.

        Raises:
            MediaError: No frame can be decoded, or the file ends long before its announced end.
        """
        wanted: list[Stream] = [self._streams.video, *self._streams.subtitles]
        if self._streams.audio:
            wanted.append(self._streams.audio)
        self._streams.video.thread_type = "AUTO"
        try:
            for packet in self._container.demux(wanted):
                yield from self._decode(packet)
        except av.FFmpegError as error:
            self._damaged += 1
            self._note(f"reading stopped early ({(error.strerror or str(error)).lower()})")
        yield from self._pictures.finish()
        self.end = self._pictures.end
        if self._sound is not None:
            yield from self._sound.finish()
        self._check_whole()

    def _decode(self, packet: av.Packet[Any]) -> Iterator[Chunk]:
        stream = packet.stream
        if stream.type == "subtitle":
            yield from self._cues(packet)
            return
        try:
            frames = cast(list[av.VideoFrame | av.AudioFrame], packet.decode())
        except av.FFmpegError:
            self._damaged += 1
            return
        for frame in frames:
            if isinstance(frame, av.VideoFrame):
                yield from self._pictures.push(frame)
                self.end = self._pictures.end
                self.info = self._pictures.info
            elif self._sound is not None:
                yield from self._sound.push(frame)

    def _cues(self, packet: av.Packet[Any]) -> Iterator[Cue]:
        if packet.pts is None or not packet.size:
            return
        base = packet.time_base or Fraction(1, US)
        start = round(packet.pts * base * US) - self.info.start_offset
        end = start + round((packet.duration or 0) * base * US)
        try:
            subtitles = cast(list[Subtitle], packet.decode())
        except av.FFmpegError:
            self._damaged += 1
            return
        source = f"stream {packet.stream.index}"
        language = stream_language(packet.stream)
        cue = subtitle_cue(subtitles, max(start, 0), max(end, 0), source, language)
        if cue is not None:
            yield cue

    def _note(self, text: str) -> None:
        self.info = replace(self.info, notes=(*self.info.notes, text))

    def _check_whole(self) -> None:
        if self._pictures.count == 0:
            raise MediaError(
                "no frame can be decoded", where=self.path, do="play it to see whether it is whole"
            )
        sound = self._sound.end if self._sound is not None else 0
        read = self.end if self.info.own_duration else max(self.end, sound)
        missing = self.info.duration - read
        # What a file of joined recordings announces is not its length.
        whole = self._joins or not self.info.duration
        if not whole and missing > max(2 * US, _LOST * self.info.duration):
            raise MediaError(
                f"is cut off: {self.end / US:.1f} s of {self.info.duration / US:.1f} s can be read",
                where=self.path,
                do="copy it again, or remux what is left",
            )
        if self._damaged:
            self._note(f"{self._damaged} damaged packets were skipped")


class _Clock:
    """Turns a stream's timestamps into the title's time, whatever the file does with them.

    Args:
        time_base: Unit of the timestamps.
        start_offset: Container time of zero, microseconds.
        joins: Shifts after each jump so far, shared by the streams of a file, so that sound and
            picture stay together.
        leap: Microseconds forward from which on a jump is no pause but a join, if any are.
    """

    def __init__(
        self, time_base: Fraction, start_offset: int, joins: list[int], leap: int | None = None
    ):
        self.time_base, self.shift = time_base, -start_offset
        self.last: int | None = None
        self._joins, self._joined, self._leap = joins, 0, leap

    def time(self, pts: int | None, base: Fraction | None, guess: int) -> int:
        """Microseconds of a timestamp; ``guess`` where there is none.

        A jump back by more than a second (a live recording that was restarted) continues at the
        guess: time never runs backwards.
        """
        time = guess
        if pts is not None:
            bare = round(pts * (base or self.time_base) * US)
            time = bare + self.shift
            if self.last is not None and self._jumps(time - self.last):
                self.shift = self._join(guess - bare)
                time = bare + self.shift
        self.last = time if self.last is None else max(time, self.last)
        return time

    def _jumps(self, step: int) -> bool:
        return step < -US or (self._leap is not None and step > self._leap)

    def _join(self, shift: int) -> int:
        """The shift after a jump: that of the stream which jumped first, if it fits here."""
        for i, other in enumerate(self._joins[self._joined :], self._joined + 1):
            if abs(other - shift) < US:
                self._joined = i
                return other
        self._joins.append(shift)
        self._joined = len(self._joins)
        return shift


class _Pictures:
    """Frames to thumbnails and stills."""

    def __init__(self, options: ReadOptions, clock: _Clock, info: SourceInfo):
        self.options, self.clock, self.info = options, clock, info
        self.end, self.count = 0, 0
        self._small, self._large = VideoReformatter(), VideoReformatter()
        self._times: list[int] = []
        self._thumbnails: list[npt.NDArray[np.uint8]] = []
        self._stills: list[Still] = []
        self._held: tuple[int, av.VideoFrame] | None = None
        self._due = 0
        self._usual = _usual_duration(info)

    def push(self, frame: av.VideoFrame) -> Iterator[VideoChunk]:
        if self.count == 0:
            self._first(frame)
        time = self.clock.time(frame.pts, frame.time_base, guess=self.end)
        if self._held is not None:
            time = max(time, self._held[0] + 1)
        self._keep_held_until(time)
        if len(self._times) >= _BATCH:
            yield self._chunk()
        if self.count == 0:
            self._due = time
        self._held = (time, frame)
        self.end = time + _duration(frame, self._usual, most=self.info.duration - time)
        self._times.append(time)
        width, height = self.options.thumbnail
        small = self._small.reformat(frame, width, height, "rgb24", interpolation="AREA")
        self._thumbnails.append(cast(npt.NDArray[np.uint8], small.to_ndarray()))
        self.count += 1

    def finish(self) -> Iterator[VideoChunk]:
        if self._held is not None:
            self._keep_held_until(self.end)
            yield self._chunk()

    def _first(self, frame: av.VideoFrame) -> None:
        rotation = round(frame.rotation / 90) * 90 % 360
        if not self.info.width or not self.info.height:  # the container did not say
            self.info = replace(self.info, width=frame.width, height=frame.height)
        if rotation % 180:
            self.info = replace(self.info, width=self.info.height, height=self.info.width)
        self.info = replace(self.info, rotation=rotation)

    def _keep_held_until(self, time: int) -> None:
        """Keeps the held frame if it is what is on screen when the next still is due.

        So a still belongs to the shot of its own frame, and every shot that is at least one period
        long has one, at any frame rate.
        """
        if self._held is None or self._due >= time:
            return
        since, frame = self._held
        self._stills.append(Still(since, self._upright(frame)))
        period = self.options.still_period
        self._due += period * -(-(time - self._due) // period)

    def _upright(self, frame: av.VideoFrame) -> npt.NDArray[np.uint8]:
        info, turned = self.info, self.info.rotation % 180 != 0
        scale = min(1.0, self.options.still_size / min(info.width, info.height))
        width, height = max(round(info.width * scale), 1), max(round(info.height * scale), 1)
        if turned:
            width, height = height, width
        large = self._large.reformat(frame, width, height, "rgb24", interpolation="AREA")
        picture = cast(npt.NDArray[np.uint8], large.to_ndarray())
        return np.ascontiguousarray(np.rot90(picture, info.rotation // 90))

    def _chunk(self) -> VideoChunk:
        times = np.array(self._times, dtype=np.int64)
        chunk = VideoChunk(times, np.stack(self._thumbnails), tuple(self._stills))
        self._times, self._thumbnails, self._stills = [], [], []
        return chunk


def _usual_duration(info: SourceInfo) -> int:
    return round(US / info.frame_rate) if info.frame_rate else US // 25


def _duration(frame: av.VideoFrame, usual: int, most: int) -> int:
    """How long a frame shows if no other follows; absurd values in files are not believed.

    Args:
        frame: The frame.
        usual: What to believe instead, microseconds.
        most: Microseconds from the frame to the announced end: the last picture of a slide show.
    """
    if frame.duration and frame.time_base:
        duration = round(frame.duration * frame.time_base * US)
        if 0 < duration <= max(10 * US, most):
            return duration
    return usual


class _Sound:
    """Frames of sound to a gapless mono stream on the title's time."""

    def __init__(self, options: ReadOptions, clock: _Clock):
        self.rate, self.clock = options.sample_rate, clock
        self._resampler: av.AudioResampler | None = None
        self._form: tuple[str, str, int] | None = None
        self._written = 0
        self._skip = 0  # samples still to be dropped: those before zero, or said twice

    @property
    def end(self) -> int:
        return self._written * US // self.rate

    def push(self, frame: av.AudioFrame) -> Iterator[AudioChunk]:
        time = self.clock.time(frame.pts, frame.time_base, guess=self.end)
        due = round(time * self.rate / US)
        form = (frame.format.name, frame.layout.name, frame.sample_rate)
        off = due - (self._written - self._skip)
        if self._form != form or abs(off) > _GAP * self.rate // US:
            yield from self.finish()
            yield from self._align(due)
        if self._resampler is None:
            self._resampler, self._form = av.AudioResampler("flt", "mono", self.rate), form
        # The resampler wants an unbroken stream; holes were filled above.
        frame.pts = None
        for piece in self._resampler.resample(frame):
            yield from self._samples(piece)

    def finish(self) -> Iterator[AudioChunk]:
        if self._resampler is not None:
            for piece in self._resampler.resample(None):
                yield from self._samples(piece)
            self._resampler = None

    def _align(self, due: int) -> Iterator[AudioChunk]:
        """Fills or drops sound, so that the next sample lies where it is due."""
        self._skip += self._written - self._skip - due
        while self._skip < 0:
            hole = min(-self._skip, self.rate)
            self._skip += hole
            yield self._emit(np.zeros(hole, dtype=np.float32))

    def _samples(self, piece: av.AudioFrame) -> Iterator[AudioChunk]:
        samples = piece.to_ndarray().reshape(-1).astype(np.float32, copy=False)
        dropped = min(self._skip, len(samples))
        self._skip -= dropped
        if dropped < len(samples):
            # Damaged float sound decodes to anything.
            yield self._emit(np.nan_to_num(samples[dropped:], posinf=1, neginf=-1).clip(-1, 1))

    def _emit(self, samples: npt.NDArray[np.float32]) -> AudioChunk:
        self._written += len(samples)
        return AudioChunk(samples)
