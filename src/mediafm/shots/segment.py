"""From the rates of a detector to shots: cuts, flashes, very short and very long shots.

Works on a stream: a shot is given out as soon as nothing that follows can change it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mediafm.errors import MediaFMError
from mediafm.timeline import US, Shot, Span


@dataclass(frozen=True)
class ShotConfig:
    """How a title is cut into shots.

    Args:
        detector: Name of the detector.
        min_length: Microseconds; shorter pieces (one-frame shots, flashes) join a neighbour.
        max_length: Microseconds; longer takes are cut there, without a cut in the picture.
        flash_difference: Mean grey levels (0 .. 255) by which the pictures before and after a piece
            shorter than ``min_length`` may differ for it to count as a flash inside one shot.

    Raises:
        MediaFMError: No shot can have both lengths.
    """

    detector: str = "transnetv2"
    min_length: int = US // 5
    max_length: int = 30 * US
    flash_difference: float = 20.0

    def __post_init__(self) -> None:
        if self.min_length < 0 or self.max_length < max(2 * self.min_length, 1):
            raise MediaFMError(
                f"shots of {self.min_length / US:g} to {self.max_length / US:g} s cannot be made",
                do="choose a minimum that is not negative and a maximum at least twice as long",
            )


@dataclass(slots=True)
class _Cut:
    frame: int
    rate: float


class Segmenter:
    """Cuts one title.

    Args:
        config: The lengths.
        threshold: The rate from which on a cut is believed.

    The shots partition ``[first frame's time, end)``: no frame is outside a shot.
    """

    def __init__(self, config: ShotConfig, threshold: float):
        self.config, self.threshold = config, threshold
        self._least = max(config.min_length, 1)
        self._times: list[int] = []
        self._frames: list[npt.NDArray[np.uint8]] = []
        self._base = 0  # number of the frame that _times and _frames begin with
        self._next = 0  # number of the next frame to be rated
        self._open = 0  # first frame of the open shot
        self._cut: _Cut | None = None  # the latest cut, while a flash could still undo it
        self._run: list[float] = []  # rates of the present stretch above the threshold
        self._shots = 0

    def push(
        self,
        rates_T: npt.NDArray[np.float32],
        times_T: npt.NDArray[np.int64],
        frames_THWC: npt.NDArray[np.uint8],
    ) -> list[Shot]:
        """Takes new frames and new rates; rates may lag behind frames.

        Args:
            rates_T: Rates of the next frames that have none yet.
            times_T: When the new frames appear, microseconds.
            frames_THWC: The new frames, small.

        Returns:
            Shots that are final now.
        """
        self._times += times_T.tolist()
        self._frames += list(frames_THWC)
        shots: list[Shot] = []
        for rate in rates_T.tolist():
            self._rate(rate, shots)
        return shots

    def finish(self, end: int) -> list[Shot]:
        """Closes the title.

        Args:
            end: When the last frame leaves the screen, microseconds.

        Returns:
            The shots that are left; the last one ends at ``end``.
        """
        shots: list[Shot] = []
        if not self._times:
            return shots
        self._end_run(shots)
        self._times.append(end)
        last = self._base + len(self._times) - 1
        self._settle(end, shots)
        self._cut = None  # what would follow it is too short
        self._settle(end, shots)
        self._close(last, shots)
        return shots

    @property
    def settled(self) -> int:
        """Time before which no other cut will come, microseconds."""
        if not self._times:
            return 0
        if self._cut is not None:
            return self._time(self._cut.frame)
        safe = self._next - len(self._run)
        return self._time(safe) if self._known(safe) else self._times[-1]

    def _time(self, frame: int) -> int:
        return self._times[frame - self._base]

    def _rate(self, rate: float, shots: list[Shot]) -> None:
        if rate > self.threshold:
            self._run.append(rate)
        else:
            self._end_run(shots)
        self._next += 1
        # The run that is still open may yet become a cut as early as its first frame.
        safe = self._next - len(self._run)
        if self._known(safe):
            self._settle(self._time(safe), shots)

    def _known(self, frame: int) -> bool:
        return frame - self._base < len(self._times)

    def _end_run(self, shots: list[Shot]) -> None:
        """The frame after the highest rate of a run begins a new shot."""
        if not self._run:
            return
        best = max(self._run)
        first = self._run.index(best)
        last = len(self._run) - 1 - self._run[::-1].index(best)
        begin = self._next - len(self._run)
        frame = begin + (first + last) // 2 + 1
        self._run = []
        # A flash of a frame or two has no rest between its cuts: they are one run.
        if self._known(self._next) and self._flash(begin + 1, self._next):
            return
        if self._known(frame):
            self._settle(self._time(frame), shots)
            self._add(_Cut(frame, best))

    def _add(self, cut: _Cut) -> None:
        time, least = self._time(cut.frame), self._least
        if self._cut is None:
            if time - self._time(self._open) >= least:
                self._cut = cut
        elif self._flash(self._cut.frame, cut.frame):
            self._cut = None
        elif cut.rate > self._cut.rate:
            self._cut = cut

    def _flash(self, start: int, end: int) -> bool:
        """Whether the picture is the same before and after a short piece, but not in it."""
        if self._time(end) - self._time(start) >= self._least:
            return False
        if not self._alike(start - 1, end):
            return False
        return not all(self._alike(start - 1, frame) for frame in range(start, end))

    def _alike(self, one: int, other: int) -> bool:
        a, b = (self._frames[i - self._base].astype(np.int16) for i in (one, other))
        return float(np.abs(a - b).mean()) <= self.config.flash_difference

    def _settle(self, now: int, shots: list[Shot]) -> None:
        """Gives out what a cut at ``now`` or later cannot change any more."""
        least, most = self._least, self.config.max_length
        if self._cut is not None and now - self._time(self._cut.frame) >= least:
            frame, self._cut = self._cut.frame, None
            self._close(frame, shots)
        # Waiting for one more minimum length keeps what follows from being too short.
        while self._cut is None and now - self._time(self._open) >= most + least:
            end = self._frame_at(self._time(self._open) + most)
            if now - self._time(end) < least:  # a frame that stays long carries it too far
                break
            self._emit(end, True, shots)

    def _close(self, end: int, shots: list[Shot]) -> None:
        """Ends the open shot before the frame ``end``, in equal parts where it is too long."""
        length = self._time(end) - self._time(self._open)
        parts = -(-length // self.config.max_length)
        start, least = self._time(self._open), self._least
        for part in range(1, parts):
            middle = self._frame_at(start + length * part // parts)
            # Frames that stay long may leave no room for a part.
            if middle >= end or self._time(end) - self._time(middle) < least:
                break
            if self._time(middle) - self._time(self._open) >= least:
                self._emit(middle, True, shots)
        self._emit(end, False, shots)

    def _frame_at(self, time: int) -> int:
        """The first frame that appears at a time or later, and after the open shot began."""
        return max(self._base + bisect_left(self._times, time), self._open + 1)

    def _emit(self, end: int, forced: bool, shots: list[Shot]) -> None:
        shots.append(Shot(self._shots, Span(self._time(self._open), self._time(end)), forced))
        self._shots += 1
        self._open = end
        # One frame before the open shot is kept: a flash is compared with it.
        drop = max(end - 1 - self._base, 0)
        del self._times[:drop], self._frames[:drop]
        self._base += drop


def segment(
    rates: Sequence[float] | npt.NDArray[np.float32],
    times: Sequence[int],
    end: int,
    frames_THWC: npt.NDArray[np.uint8],
    config: ShotConfig,
    threshold: float = 0.5,
) -> list[Shot]:
    """Cuts a title whose rates are all known.

    Args:
        rates: Confidence per frame that the next frame belongs to another shot.
        times: When each frame appears, microseconds.
        end: When the last frame leaves the screen.
        frames_THWC: The frames, small.
        config: The lengths.
        threshold: The rate from which on a cut is believed.

    Returns:
        Shots from the first frame to ``end`` without holes.
    """
    segmenter = Segmenter(config, threshold)
    shots = segmenter.push(
        np.asarray(rates, dtype=np.float32), np.asarray(times, dtype=np.int64), frames_THWC
    )
    return shots + segmenter.finish(end)
