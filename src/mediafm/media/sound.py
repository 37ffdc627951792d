"""Decoded sound to a gapless mono stream."""

from __future__ import annotations

from collections.abc import Iterator

import av
import numpy as np
import numpy.typing as npt

from mediafm.media.chunks import AudioChunk, ReadOptions
from mediafm.media.clock import Clock
from mediafm.timeline import US

_GAP = US // 20
"""Sound: holes in the timestamps up to 50 ms are jitter and are not filled with silence."""


_BEYOND = 600 * US
"""Sound whose timestamp lies this far beyond the announced end has a damaged one."""


class Sound:
    """Frames of sound to a gapless mono stream on the title's time.

    Args:
        options: The rate of the samples.
        clock: Of the stream.
        announced: Microseconds that the file claims to last, 0 where that says nothing. Far beyond
            it, holes are not filled: one damaged timestamp would give days of silence.
    """

    def __init__(self, options: ReadOptions, clock: Clock, announced: int = 0):
        self.rate, self.clock = options.sample_rate, clock
        self._latest = announced + _BEYOND if announced else None
        self._resampler: av.AudioResampler | None = None
        self._form: tuple[str, str, int] | None = None
        self._written = 0
        self._skip = 0  # samples still to be dropped: those before zero, or said twice

    @property
    def end(self) -> int:
        """Until when there is sound, microseconds."""
        return self._written * US // self.rate

    def push(self, frame: av.AudioFrame) -> Iterator[AudioChunk]:
        """Takes the next decoded frame; fills holes with silence."""
        time = self.clock.time(frame.pts, frame.time_base, guess=self.end)
        if self._latest is not None and time > self._latest:
            time = self.end
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
        """Yields what is left."""
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
