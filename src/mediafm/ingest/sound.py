"""Sound per shot: windows of sound are encoded once, shots take their slices."""

from __future__ import annotations

from collections import deque

import numpy as np
import numpy.typing as npt

from mediafm.encoders import AudioEncoder
from mediafm.timeline import US, Span

Pooled = npt.NDArray[np.float32] | None


class SoundPooler:
    """Averages the encoder's steps over each shot.

    Sound and shots arrive at their own pace; memory holds the sound between the open shot and what
    was read last.

    Args:
        encoder: Encodes one window.
    """

    def __init__(self, encoder: AudioEncoder):
        self.encoder = encoder
        self._samples: list[npt.NDArray[np.float32]] = []
        self._count = 0
        self._window = encoder.window * encoder.sample_rate // US
        self._steps_FD = np.zeros((0, encoder.info.dim), dtype=np.float32)
        self._first = 0  # number of the step that _steps_FD begins with
        self._waiting: deque[Span] = deque()
        self._ended = False

    def feed(self, samples_S: npt.NDArray[np.float32]) -> None:
        """Takes the next sound, mono at the encoder's rate."""
        while len(samples_S):
            room = self._window - self._count
            self._samples.append(samples_S[:room])
            self._count += min(len(samples_S), room)
            samples_S = samples_S[room:]
            if self._count == self._window:
                self._encode()

    def finish(self) -> None:
        """Says that no more sound comes."""
        if self._count:
            self._encode()
        self._ended = True

    def want(self, shot: Span) -> None:
        """Asks for the next shot in time."""
        self._waiting.append(shot)

    def pooled(self) -> list[Pooled]:
        """The vectors of the shots asked for, as far as their sound is there.

        Returns:
            In the order asked for; ``None`` where a shot has no sound.
        """
        done: list[Pooled] = []
        while self._waiting and (self._ended or self._heard() >= self._waiting[0].end):
            done.append(self._pool(self._waiting.popleft()))
        return done

    def _heard(self) -> int:
        return (self._first + len(self._steps_FD)) * self.encoder.step

    def _encode(self) -> None:
        steps = self.encoder.encode(np.concatenate(self._samples))
        self._steps_FD = np.concatenate([self._steps_FD, steps])
        self._samples, self._count = [], 0

    def _pool(self, shot: Span) -> Pooled:
        step = self.encoder.step
        start = shot.start // step - self._first
        end = max(-(-shot.end // step) - self._first, start + 1)
        part = self._steps_FD[max(start, 0) : end]
        vector = part.mean(0) if len(part) else None
        # The step in which a shot ends also belongs to the next one.
        old = min(max(shot.end // step - self._first, 0), len(self._steps_FD))
        self._steps_FD = self._steps_FD[old:]
        self._first += old
        return vector
