"""One title, from the media file to rows: a single pass that drives every stage.

The stages take turns in one thread and use all cores inside: no queues, no copies, and a wall time
that is the sum of the stages. Each closed shot goes to the encoders at once; nothing but the open
shot, a window of thumbnails, a window of sound and the cues stays in memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

from mediafm.encoders import Encoders
from mediafm.ingest.sound import SoundPooler
from mediafm.ingest.stills import FrameConfig, StillBuffer, keyframe_jpeg
from mediafm.media.chunks import AudioChunk, Still, VideoChunk
from mediafm.media.reader import Reader
from mediafm.progress import Task
from mediafm.shots import Detector, Segmenter, ShotConfig
from mediafm.timeline import US, Cue, Shot, Span, format_time

_PICTURES = 32
"""Pictures gathered over shots before the encoder is called."""


class Sink(Protocol):
    """Where the rows of a title go: the catalog's writer."""

    def add_shots(self, shots: list[Shot]) -> None:
        """Takes the next shots."""

    def add_keyframes(self, keyframes: list[tuple[int, bytes]]) -> None:
        """Takes JPEGs by the number of their shot."""

    def add_cues(self, cues: list[Cue]) -> None:
        """Takes the cues of the title."""

    def add_features(
        self,
        modality: str,
        first_shot: int,
        x_ND: npt.NDArray[np.floating],
        present_N: npt.NDArray[np.bool_],
    ) -> None:
        """Takes vectors of consecutive shots; rows that are not present are not looked at."""


@dataclass
class Counts:
    """What a pass has seen so far.

    Args:
        frames: Frames decoded.
        shots: Shots closed.
        pictures: Pictures encoded.
    """

    frames: int = 0
    shots: int = 0
    pictures: int = 0


class Pipeline:
    """Runs one title through detection and encoding.

    Args:
        reader: The open title.
        detector: A fresh detector.
        encoders: What turns shots into vectors.
        shots: Lengths of shots.
        frames: Frames of a shot that the picture encoder sees.
        sink: Where the rows go.
    """

    def __init__(
        self,
        reader: Reader,
        *,
        detector: Detector,
        encoders: Encoders,
        shots: ShotConfig,
        frames: FrameConfig,
        sink: Sink,
    ):
        self.reader, self.detector, self.sink = reader, detector, sink
        self.counts = Counts()
        self._segmenter = Segmenter(shots, detector.threshold)
        self._stills = StillBuffer()
        self._frames = frames
        self._text = encoders.text
        self._pictures = _PictureQueue(encoders, sink, self.counts) if encoders.video else None
        self._sound = SoundPooler(encoders.audio) if encoders.audio else None
        self._sounded = 0
        self._shots: list[Shot] = []

    def run(self, cues: list[Cue], notes: list[str], task: Task) -> list[Shot]:
        """Reads the title to its end.

        Args:
            cues: Timed text from sidecars; embedded text counts only if there is none.
            notes: Gets what the user should know.
            task: Gets the seconds of media done.

        Returns:
            All shots.

        Raises:
            MediaError: The title cannot be read to its end.
        """
        embedded: list[Cue] = []
        done = 0
        for chunk in self.reader:
            if isinstance(chunk, VideoChunk):
                self._video(chunk)
                task.advance((self.reader.end - done) / US)
                done = self.reader.end
            elif isinstance(chunk, AudioChunk):
                if self._sound is not None:
                    self._sound.feed(chunk.samples_S)
            else:
                embedded.append(chunk)
        self._finish()
        cues = from_zero(cues, self.reader.end, notes) or embedded
        self._write_text(sorted(cues, key=lambda cue: cue.span))
        return self._shots

    def _video(self, chunk: VideoChunk) -> None:
        self.counts.frames += len(chunk.times_T)
        for still in chunk.stills:
            self._stills.add(still)
        rates = self.detector.feed(chunk.thumbnails_THWC)
        self._close(self._segmenter.push(rates, chunk.times_T, chunk.thumbnails_THWC))
        self._stills.thin(self._segmenter.settled)

    def _finish(self) -> None:
        nothing = np.zeros(0, dtype=np.int64)
        frames = np.zeros((0, 0, 0, 3), dtype=np.uint8)
        self._close(self._segmenter.push(self.detector.finish(), nothing, frames))
        self._close(self._segmenter.finish(self.reader.end))
        if self._pictures is not None:
            self._pictures.flush()
        if self._sound is not None:
            self._sound.finish()
            self._write_sound()

    def _close(self, shots: list[Shot]) -> None:
        for shot in shots:
            stills = self._stills.take(shot.span, self._frames.count(shot.span))
            if stills:
                middle = stills[len(stills) // 2]
                jpeg = keyframe_jpeg(middle.picture_HWC)
                self.sink.add_keyframes([(shot.index, jpeg)])
            if self._pictures is not None:
                self._pictures.add(shot.index, stills)
            if self._sound is not None:
                self._sound.want(shot.span)
        if shots:
            self.sink.add_shots(shots)
            self._shots += shots
            self.counts.shots += len(shots)
        if self._sound is not None:
            self._write_sound()

    def _write_sound(self) -> None:
        assert self._sound is not None
        pooled = self._sound.pooled()
        if pooled:
            dim = self._sound.encoder.info.dim
            x_ND = np.stack([np.zeros(dim, np.float32) if v is None else v for v in pooled])
            present_N = np.array([v is not None for v in pooled])
            self.sink.add_features("audio", self._sounded, x_ND, present_N)
            self._sounded += len(pooled)

    def _write_text(self, cues: list[Cue]) -> None:
        self.sink.add_cues(cues)
        if self._text is None:
            return
        texts = list(shot_texts(self._shots, cues))
        distinct = sorted({text for text in texts if text})
        vectors = dict(zip(distinct, self._text.encode(distinct), strict=True))
        nothing = np.zeros(self._text.info.dim, dtype=np.float32)
        x_ND = np.stack([vectors.get(text, nothing) for text in texts])
        self.sink.add_features("text", 0, x_ND, np.array([bool(text) for text in texts]))


class _PictureQueue:
    """Gathers the pictures of several shots for one call of the encoder, averages per shot."""

    def __init__(self, encoders: Encoders, sink: Sink, counts: Counts):
        assert encoders.video is not None
        self.encoder, self.sink, self.counts = encoders.video, sink, counts
        self._first = 0
        self._stills: list[list[Still]] = []

    def add(self, shot: int, stills: list[Still]) -> None:
        assert shot == self._first + len(self._stills), "shots come in order"
        self._stills.append(stills)
        if sum(map(len, self._stills)) >= _PICTURES:
            self.flush()

    def flush(self) -> None:
        if not self._stills:
            return
        counts_N = np.array([len(stills) for stills in self._stills])
        pictures = [still.picture_HWC for stills in self._stills for still in stills]
        vectors = self.encoder.encode(pictures)
        sums_ND = np.zeros((len(counts_N), self.encoder.info.dim), dtype=np.float32)
        np.add.at(sums_ND, np.repeat(np.arange(len(counts_N)), counts_N), vectors)
        x_ND = sums_ND / np.maximum(counts_N, 1)[:, None]
        self.sink.add_features("video", self._first, x_ND, counts_N > 0)
        self.counts.pictures += len(pictures)
        self._first += len(counts_N)
        self._stills = []


def from_zero(cues: list[Cue], end: int, notes: list[str]) -> list[Cue]:
    """Moves cues that count from a programme timecode (10:00:00:00) to the title's zero.

    Broadcast captions begin at a whole hour; no cue of such a file lies inside the title.

    Args:
        cues: Cues of a sidecar.
        end: End of the title, microseconds.
        notes: Gets a line if they were moved, or lie outside for another reason.

    Returns:
        The cues, moved if that brings the first one into the title.
    """
    first = min((cue.span.start for cue in cues), default=0)
    if first < end or not cues:
        return cues
    hours = first // (3600 * US) * 3600 * US
    if first - hours >= end:
        notes.append(f"all cues lie after the end of the title, the first at {format_time(first)}")
        return cues
    notes.append(f"cue times count from {format_time(hours)}, which was taken for the title's zero")
    return [replace(cue, span=Span(cue.span.start - hours, cue.span.end - hours)) for cue in cues]


def shot_texts(shots: list[Shot], cues: list[Cue]) -> Iterator[str]:
    """Joins, for every shot, the text of all cues that overlap it.

    Args:
        shots: Shots in temporal order.
        cues: Cues sorted by their spans; they may overlap one another.

    Yields:
        One text per shot, empty where there is none.
    """
    begin = 0
    for shot in shots:
        # Cues before `begin` ended before this shot; longer ones may hide behind them.
        while begin < len(cues) and cues[begin].span.end < shot.span.start:
            begin += 1
        lines = []
        for cue in cues[begin:]:
            if cue.span.start >= shot.span.end:
                break
            if shot.span.touches(cue.span):
                lines.append(cue.text)
        yield "\n".join(lines)
