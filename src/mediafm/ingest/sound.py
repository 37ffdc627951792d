"""Sound per shot, from a stream of samples to vectors in the order of the shots.

Two ways, after what the encoder wants: windows of the soundtrack that are encoded once and of which
shots take their slices, or each shot's own samples.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from mediafm.encoders import AudioEncoder, ClipEncoder, SoundtrackEncoder
from mediafm.ingest.cache import VectorCache, content_key
from mediafm.timeline import US, Span

Samples = npt.NDArray[np.float32]
Emit = Callable[[int, npt.NDArray[np.floating], npt.NDArray[np.bool_]], None]
"""Takes the number of the first shot, ``x_ND`` and ``present_N``, in the order of the shots."""

GATHER = 120
"""Seconds of sound gathered for one call of a clip encoder: 8 MB at 16 kHz."""


class SoundTrack(Protocol):
    """Sound and shots arrive at their own pace, vectors leave in the order of the shots."""

    def feed(self, samples_S: Samples) -> None:
        """Takes the next sound, mono at the encoder's rate."""

    def want(self, shot: Span) -> None:
        """Asks for the next shot in time."""

    def finish(self) -> None:
        """Says that no more sound comes; everything asked for has left afterwards."""


def sound_track(encoder: AudioEncoder, emit: Emit, cache: VectorCache) -> SoundTrack:
    """The way that an encoder wants its sound."""
    if isinstance(encoder, ClipEncoder):
        return ClipTrack(encoder, emit, cache)
    return WindowTrack(encoder, emit, cache)


class _Emitter:
    """Numbers the shots and fills the rows of those without sound."""

    def __init__(self, emit: Emit, dim: int):
        self._emit, self._dim, self._next = emit, dim, 0

    def __call__(self, present: list[bool], x_PD: npt.NDArray[np.floating]) -> None:
        present_N = np.array(present, dtype=np.bool_)
        x_ND = np.zeros((len(present), self._dim), dtype=x_PD.dtype)
        x_ND[present_N] = x_PD
        self._emit(self._next, x_ND, present_N)
        self._next += len(present)


@dataclass
class _Window:
    """A window of sound; its states are computed when a shot needs them."""

    samples_S: Samples
    steps: int
    key: bytes = field(init=False)
    states_FD: npt.NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        self.key = content_key(self.samples_S)


class WindowTrack:
    """Averages an encoder's steps over each shot.

    Memory holds the sound between the open shot and what was read last.

    Args:
        encoder: Encodes one window.
        emit: Gets the vectors.
        cache: What was computed before.
    """

    def __init__(self, encoder: SoundtrackEncoder, emit: Emit, cache: VectorCache):
        self.encoder, self.cache = encoder, cache
        self._emit = _Emitter(emit, encoder.info.dim)
        self._size = encoder.window * encoder.sample_rate // US
        self._samples: list[Samples] = []
        self._count = 0
        self._windows: deque[_Window] = deque()
        self._first = 0  # number of the step that the first window begins with
        self._waiting: deque[Span] = deque()
        self._ended = False

    def feed(self, samples_S: Samples) -> None:
        """See :class:`SoundTrack`."""
        while len(samples_S):
            room = self._size - self._count
            self._samples.append(samples_S[:room])
            self._count += min(len(samples_S), room)
            samples_S = samples_S[room:]
            if self._count == self._size:
                self._close_window()
        self._settle()

    def finish(self) -> None:
        """See :class:`SoundTrack`."""
        if self._count:
            self._close_window()
        self._ended = True
        self._settle()

    def want(self, shot: Span) -> None:
        """See :class:`SoundTrack`."""
        self._waiting.append(shot)
        self._settle()

    def _close_window(self) -> None:
        samples_S = np.concatenate(self._samples)
        steps = -(-len(samples_S) * US // (self.encoder.sample_rate * self.encoder.step))
        self._windows.append(_Window(samples_S, steps))
        self._samples, self._count = [], 0

    @property
    def _heard(self) -> int:
        return self._first + sum(window.steps for window in self._windows)

    def _settle(self) -> None:
        """Lets the shots leave whose sound is there."""
        step, heard = self.encoder.step, self._heard
        slices: list[tuple[int, int]] = []
        while self._waiting and (self._ended or heard * step >= self._waiting[0].end):
            shot = self._waiting.popleft()
            start = shot.start // step
            slices.append((start, min(max(-(-shot.end // step), start + 1), heard)))
        if not slices:
            return
        there = [(start, end) for start, end in slices if start < end]
        x_PD = self.cache.through(
            self.encoder.info.fingerprint,
            [self._key(*part) for part in there],
            self.encoder.info.dim,
            lambda places: (([p], self._mean(*there[p])[None]) for p in places),
        )
        self._emit([start < end for start, end in slices], x_PD)
        self._forget(slices[-1][1] - 1)  # the step in which a shot ends also belongs to the next

    def _parts(self, start: int, end: int) -> Iterator[tuple[_Window, int, int]]:
        """The windows under some steps, with the slice of each."""
        first = self._first
        for window in self._windows:
            a, b = max(start - first, 0), min(end - first, window.steps)
            if a < b:
                yield window, a, b
            first += window.steps

    def _key(self, start: int, end: int) -> bytes:
        parts = [content_key(window.key, f"{a} {b}") for window, a, b in self._parts(start, end)]
        return content_key(*parts)

    def _mean(self, start: int, end: int) -> npt.NDArray[np.float32]:
        rows = []
        for window, a, b in self._parts(start, end):
            if window.states_FD is None:
                window.states_FD = self.encoder.encode(window.samples_S)
            rows.append(window.states_FD[a:b])
        mean_D: npt.NDArray[np.float32] = np.concatenate(rows).mean(0)
        return mean_D

    def _forget(self, step: int) -> None:
        while self._windows and self._first + self._windows[0].steps <= step:
            self._first += self._windows.popleft().steps


class ClipTrack:
    """Gathers the sound of several shots for one call of the encoder.

    Memory holds :data:`GATHER` seconds beside the open shot.

    Args:
        encoder: Encodes the samples of shots.
        emit: Gets the vectors.
        cache: What was computed before.
    """

    def __init__(self, encoder: ClipEncoder, emit: Emit, cache: VectorCache):
        self.encoder, self.cache = encoder, cache
        self._emit = _Emitter(emit, encoder.info.dim)
        self._chunks: list[Samples] = []
        self._first = self._heard = 0  # numbers of the first sample kept, and of the next to come
        self._waiting: deque[Span] = deque()
        self._gathered: list[Samples | None] = []
        self._ended = False

    def feed(self, samples_S: Samples) -> None:
        """See :class:`SoundTrack`."""
        self._chunks.append(samples_S)
        self._heard += len(samples_S)
        self._settle()

    def finish(self) -> None:
        """See :class:`SoundTrack`."""
        self._ended = True
        self._settle()
        self._flush()

    def want(self, shot: Span) -> None:
        """See :class:`SoundTrack`."""
        self._waiting.append(shot)
        self._settle()

    def _sample(self, time: int) -> int:
        return (time * self.encoder.sample_rate + US // 2) // US

    def _settle(self) -> None:
        while self._waiting:
            start, end = self._sample(self._waiting[0].start), self._sample(self._waiting[0].end)
            lacking = max(self.encoder.least - (end - start), 0)
            if not self._ended and self._heard < end + lacking:
                return
            self._waiting.popleft()
            end = min(end, self._heard)
            self._gathered.append(self._cut(start, end) if start < end else None)
            if sum(len(c) for c in self._gathered if c is not None) >= self._gather:
                self._flush()

    @property
    def _gather(self) -> int:
        return GATHER * self.encoder.sample_rate

    def _cut(self, start: int, end: int) -> Samples:
        """The samples of a shot; of a very short one, with what is around it.

        Silence around it would be said to be part of the shot; the film's own sound is not wrong.
        """
        lacking = max(self.encoder.least - (end - start), 0)
        start = max(start - lacking // 2, 0)
        end = min(max(end, start + self.encoder.least), self._heard)
        start = max(min(start, end - self.encoder.least), 0)
        if len(self._chunks) > 1:
            self._chunks = [np.concatenate(self._chunks)]
        kept = self._chunks[0]
        clip: Samples = kept[start - self._first : end - self._first].copy()
        old = max(end - 2 * self.encoder.least - self._first, 0)
        self._chunks, self._first = [kept[old:].copy()], self._first + old
        return clip

    def _flush(self) -> None:
        clips = [clip for clip in self._gathered if clip is not None]
        x_PD = self.cache.through(
            self.encoder.info.fingerprint,
            [content_key(clip) for clip in clips],
            self.encoder.info.dim,
            lambda places: [(places, self.encoder.encode_clips([clips[p] for p in places]))],
        )
        if self._gathered:
            self._emit([clip is not None for clip in self._gathered], x_PD)
        self._gathered = []
