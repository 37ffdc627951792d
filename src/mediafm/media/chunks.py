"""What leaves the pass over a title, and at which size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mediafm.timeline import US, Cue


@dataclass(frozen=True)
class ReadOptions:
    """What leaves the pass, and at which size.

    Args:
        thumbnail: Width and height of the detector's frames.
        still_period: Microseconds between two stills: the frame on screen at each multiple.
        still_size: Pixels of a still's shorter side at most; larger pictures are scaled down.
        sample_rate: Samples per second of the sound.
        languages: Preferred languages of the streams.
        pictures: Whether pictures are decoded, and embedded cues with them.
        sound: Whether sound is decoded.

    Raises:
        ValueError: Nothing is to be read.
    """

    thumbnail: tuple[int, int] = (48, 27)
    still_period: int = US // 5
    still_size: int = 288
    sample_rate: int = 16_000
    languages: Sequence[str] = ()
    pictures: bool = True
    sound: bool = True

    def __post_init__(self) -> None:
        if not (self.pictures or self.sound):
            raise ValueError("a pass without pictures and without sound reads nothing")


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
