"""One title, from the media file to rows: a single pass that drives every stage.

The stages take turns in one thread and use all cores inside: no queues, no copies, and a wall time
that is the sum of the stages. Each closed shot goes to the encoders at once; nothing but the open
shot, a window of thumbnails, a window of sound and the cues stays in memory.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np
import numpy.typing as npt

from mediafm.encoders import Encoders
from mediafm.ingest.cache import VectorCache
from mediafm.ingest.pictures import PictureTrack
from mediafm.ingest.sound import sound_track
from mediafm.ingest.stills import FrameConfig, StillBuffer, keyframe_jpeg
from mediafm.ingest.texts import encode_texts, from_zero, shot_texts
from mediafm.media.chunks import AudioChunk, VideoChunk
from mediafm.media.reader import Reader
from mediafm.progress import Task
from mediafm.shots import Detector, Segmenter, ShotConfig
from mediafm.timeline import US, Cue, Shot


class FeatureSink(Protocol):
    """Where vectors of shots go."""

    def add_features(
        self,
        modality: str,
        first_shot: int,
        x_ND: npt.NDArray[np.floating],
        present_N: npt.NDArray[np.bool_],
    ) -> None:
        """Takes vectors of consecutive shots; rows that are not present are not looked at."""


class Sink(FeatureSink, Protocol):
    """Where the rows of a title go: the catalog's writer."""

    def add_shots(self, shots: list[Shot]) -> None:
        """Takes the next shots."""

    def add_keyframes(self, keyframes: list[tuple[int, bytes]]) -> None:
        """Takes JPEGs by the number of their shot."""

    def add_cues(self, cues: list[Cue]) -> None:
        """Takes the cues of the title."""


@dataclass
class Counts:
    """What a pass has seen so far.

    Args:
        frames: Frames decoded.
        shots: Shots closed.
        pictures: Pictures that stand for shots.
    """

    frames: int = 0
    shots: int = 0
    pictures: int = 0


class Tracks:
    """What of the pictures and the sound becomes vectors, shot by shot.

    Args:
        encoders: What turns shots into vectors.
        frames: Frames of a shot that the picture encoder sees.
        sink: Where the vectors go.
        cache: What was computed before.
    """

    def __init__(
        self, encoders: Encoders, frames: FrameConfig, sink: FeatureSink, cache: VectorCache
    ):
        video, audio = encoders.video, encoders.audio
        self._frames, self._stills = frames, StillBuffer()
        emit = sink.add_features
        self._pictures = PictureTrack(video, partial(emit, "video"), cache) if video else None
        self._sound = sound_track(audio, partial(emit, "audio"), cache) if audio else None

    @property
    def sees(self) -> bool:
        """Whether pictures are wanted."""
        return self._pictures is not None

    def picture(self, chunk: VideoChunk) -> None:
        """Takes the stills of a chunk."""
        for still in chunk.stills:
            self._stills.add(still)

    def thin(self, settled: int) -> None:
        """Drops stills that a long shot does not need.

        Args:
            settled: Until when no cut will come, microseconds.
        """
        self._stills.thin(settled)

    def sound(self, chunk: AudioChunk) -> None:
        """Takes the next sound."""
        if self._sound is not None:
            self._sound.feed(chunk.samples_S)

    def close(self, shot: Shot) -> tuple[int, bytes | None]:
        """Takes the next shot, whose pictures have all come.

        Returns:
            How many pictures stand for it, and the one in the middle as JPEG.
        """
        track = self._pictures
        count = track.count(shot.span, self._frames) if track else self._frames.count(shot.span)
        stills = self._stills.take(shot.span, count)
        if track is not None:
            track.add(stills)
        if self._sound is not None:
            self._sound.want(shot.span)
        jpeg = keyframe_jpeg(stills[len(stills) // 2].picture_HWC) if stills else None
        return len(stills), jpeg

    def finish(self) -> None:
        """Says that nothing more comes."""
        if self._pictures is not None:
            self._pictures.flush()
        if self._sound is not None:
            self._sound.finish()


class Pipeline:
    """Runs one title through detection and encoding.

    Args:
        reader: The open title.
        detector: A fresh detector.
        encoders: What turns shots into vectors.
        shots: Lengths of shots.
        frames: Frames of a shot that the picture encoder sees.
        sink: Where the rows go.
        cache: What was computed before.
        transcribe: Gives cues for a title with sound that has none.
        announce: Gets what a paid encoder is about to cost.
        keep_keyframes: Whether the pictures of all shots stay in :attr:`keyframes`.

    Attributes:
        counts: What was seen so far.
        keyframes: JPEGs by the number of their shot, if they were to be kept.
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
        cache: VectorCache,
        transcribe: Callable[[], list[Cue]] | None = None,
        announce: Callable[[str], None] | None = None,
        keep_keyframes: bool = False,
    ):
        self.reader, self.detector, self.sink, self.cache = reader, detector, sink, cache
        self.counts = Counts()
        self.keyframes: dict[int, bytes] = {}
        self._keep_keyframes = keep_keyframes
        self._transcribe, self._announce = transcribe, announce
        self._segmenter = Segmenter(shots, detector.threshold)
        self._tracks = Tracks(encoders, frames, sink, cache)
        self._text = encoders.text
        self._shots: list[Shot] = []

    def run(self, cues: list[Cue], notes: list[str], task: Task) -> tuple[list[Shot], list[Cue]]:
        """Reads the title to its end.

        Args:
            cues: Timed text from sidecars; embedded text counts only if there is none.
            notes: Gets what the user should know.
            task: Gets the seconds of media done.

        Returns:
            All shots and all cues.

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
                self._tracks.sound(chunk)
            else:
                embedded.append(chunk)
        self._finish()
        cues = from_zero(cues, self.reader.end, notes) or embedded
        if not cues and self._transcribe is not None and self.reader.info.has_audio:
            cues = self._transcribe()
        cues = sorted(cues, key=lambda cue: cue.span)
        self.sink.add_cues(cues)
        if self._text is not None:
            texts = list(shot_texts(self._shots, cues))
            x_ND, present_N = encode_texts(self._text, texts, self.cache, self._announce)
            self.sink.add_features("text", 0, x_ND, present_N)
        return self._shots, cues

    def _video(self, chunk: VideoChunk) -> None:
        self.counts.frames += len(chunk.times_T)
        rates = self.detector.feed(chunk.thumbnails_THWC)
        shots = self._segmenter.push(rates, chunk.times_T, chunk.thumbnails_THWC)
        self._tracks.picture(chunk)
        self._close(shots)
        self._tracks.thin(self._segmenter.settled)

    def _finish(self) -> None:
        nothing = np.zeros(0, dtype=np.int64)
        frames = np.zeros((0, 0, 0, 3), dtype=np.uint8)
        self._close(self._segmenter.push(self.detector.finish(), nothing, frames))
        self._close(self._segmenter.finish(self.reader.end))
        self._tracks.finish()

    def _close(self, shots: list[Shot]) -> None:
        for shot in shots:
            count, jpeg = self._tracks.close(shot)
            self.counts.pictures += count
            if jpeg is not None:
                self.sink.add_keyframes([(shot.index, jpeg)])
                if self._keep_keyframes:
                    self.keyframes[shot.index] = jpeg
        if shots:
            self.sink.add_shots(shots)
            self._shots += shots
            self.counts.shots += len(shots)


def encode_known(
    chunks: Iterable[VideoChunk | AudioChunk | Cue], shots: list[Shot], tracks: Tracks
) -> Iterator[None]:
    """Runs pictures or sound of a title whose shots are known through encoders.

    Args:
        chunks: From a :class:`~mediafm.media.reader.Reader` of pictures, of sound, or of both.
        shots: All shots of the title.
        tracks: What becomes of them.

    Yields:
        After every chunk, for progress.
    """
    waiting = deque(shots)
    if not tracks.sees:
        _close_until(None, waiting, tracks)  # so that sound leaves as it comes
    for chunk in chunks:
        if isinstance(chunk, AudioChunk):
            tracks.sound(chunk)
        elif isinstance(chunk, VideoChunk) and len(chunk.times_T):
            tracks.picture(chunk)
            reached = int(chunk.times_T[-1])
            _close_until(reached, waiting, tracks)
            # Nothing is cut anew: what lies before now may be thinned.
            tracks.thin(reached)
        yield
    _close_until(None, waiting, tracks)
    tracks.finish()


def _close_until(time: int | None, waiting: deque[Shot], tracks: Tracks) -> None:
    while waiting and (time is None or waiting[0].span.end <= time):
        tracks.close(waiting.popleft())
