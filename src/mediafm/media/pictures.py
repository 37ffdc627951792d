"""Decoded frames to thumbnails and stills."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import cast

import av
import numpy as np
import numpy.typing as npt
from av.video.reformatter import VideoReformatter

from mediafm.media.chunks import ReadOptions, Still, VideoChunk
from mediafm.media.clock import Clock
from mediafm.media.streams import SourceInfo
from mediafm.timeline import US

_BATCH = 50
"""Thumbnails in one chunk: small beside a detector's window, large beside a Python call."""


class Pictures:
    """Frames to thumbnails and stills."""

    def __init__(self, options: ReadOptions, clock: Clock, info: SourceInfo):
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
        """Takes the next decoded frame; yields a chunk when one is full."""
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
        """Yields what is left."""
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
