"""Which pictures stand for a shot."""

from __future__ import annotations

import bisect
import io
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from mediafm.media.chunks import Still
from mediafm.timeline import US, Span


@dataclass(frozen=True)
class FrameConfig:
    """How many frames of a shot the picture encoder sees.

    Args:
        interval: Microseconds of shot per frame: the frames lie in the middle of equal parts.
        most: Frames of one shot at most.
    """

    interval: int = US
    most: int = 8

    def count(self, shot: Span) -> int:
        """Frames to take from a shot."""
        return min(max(round(shot.duration / self.interval), 1), self.most)


class StillBuffer:
    """The stills of the open shot, thinned evenly as it grows.

    Every second, every fourth ... of the title's stills stays, as many as the shot's own length
    decides: whoever reads the title, and however far ahead, gets the same ones.

    Args:
        most: Stills that a long shot keeps; twice as many at most.
    """

    def __init__(self, most: int = 64):
        self.most = most
        self._stills: list[tuple[int, Still]] = []  # with their number in the title
        self._times: list[int] = []  # of all stills since the open shot's start
        self._next = 0

    def __len__(self) -> int:
        return len(self._stills)

    def add(self, still: Still) -> None:
        """Appends the next still in time."""
        self._stills.append((self._next, still))
        self._times.append(still.time)
        self._next += 1

    def thin(self, settled: int) -> None:
        """Drops stills of the part of the open shot in which no cut will come.

        Args:
            settled: End of that part, microseconds.
        """
        stride = self._stride(bisect.bisect_left(self._times, settled))
        if stride > 1:
            self._stills = [
                (n, still) for n, still in self._stills if still.time >= settled or n % stride == 0
            ]

    def _stride(self, count: int) -> int:
        stride = 1
        while count > 2 * self.most * stride:
            stride *= 2
        return stride

    def take(self, shot: Span, count: int) -> list[Still]:
        """Takes stills at uniform intervals and forgets everything up to the shot's end.

        Args:
            shot: A shot that is closed.
            count: How many are wanted.

        Returns:
            Those nearest to the middles of ``count`` equal parts; fewer where there are fewer.
        """
        first, end = (bisect.bisect_left(self._times, time) for time in (shot.start, shot.end))
        stride = self._stride(end - first)
        inside = [s for n, s in self._stills if shot.contains(s.time) and n % stride == 0]
        self._stills = [(n, still) for n, still in self._stills if still.time >= shot.end]
        self._times = self._times[end:]
        if not inside:
            return []
        times_N = np.array([still.time for still in inside])
        middles_K = shot.start + (np.arange(count) + 0.5) * shot.duration / count
        nearest_K = np.abs(times_N[None] - middles_K[:, None]).argmin(1)
        return [inside[i] for i in np.unique(nearest_K)]


def keyframe_jpeg(picture_HWC: npt.NDArray[np.uint8], height: int = 180) -> bytes:
    """Writes a picture as a small JPEG.

    Args:
        picture_HWC: Upright RGB.
        height: Pixels; smaller pictures keep their size.
    """
    image = Image.fromarray(picture_HWC)
    if image.height > height:
        width = max(round(image.width * height / image.height), 1)
        image = image.resize((width, height), Image.Resampling.BICUBIC, reducing_gap=2.0)
    out = io.BytesIO()
    image.save(out, "JPEG", quality=85)
    return out.getvalue()
