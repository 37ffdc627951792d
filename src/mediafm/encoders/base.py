"""What an encoder is: a frozen network that turns one modality of a shot into a vector.

Three small protocols, one per kind of input. A new encoder is one file here and one line in
:mod:`mediafm.encoders.registry`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
import platformdirs

from mediafm.fingerprint import fingerprint

Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True)
class EncoderInfo:
    """What decides an encoder's vectors.

    Args:
        modality: ``video``, ``audio`` or ``text``.
        name: How the user chooses it.
        dim: Width of its vectors.
        settings: Weights, preprocessing, precision: everything that changes a vector.
    """

    modality: str
    name: str
    dim: int
    settings: dict[str, str] = field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        """Digest of all of it."""
        return fingerprint([self.modality, self.name, self.dim, self.settings])


class VideoEncoder(Protocol):
    """Pictures to vectors.

    Attributes:
        info: What decides the vectors.
        size: Pixels of the square that it sees.
    """

    info: EncoderInfo
    size: int

    def encode(self, pictures: Sequence[npt.NDArray[np.uint8]]) -> Vectors:
        """Encodes upright RGB pictures ``(H, W, 3)`` of any size to ``x_ND``."""


class AudioEncoder(Protocol):
    """Windows of sound to one vector per step.

    Attributes:
        info: What decides the vectors.
        sample_rate: Samples per second that it wants.
        window: Microseconds of sound in one window.
        step: Microseconds that one output vector stands for.
    """

    info: EncoderInfo
    sample_rate: int
    window: int
    step: int

    def encode(self, samples_S: npt.NDArray[np.float32]) -> Vectors:
        """Encodes one window of sound, possibly a shorter last one, to ``x_FD``.

        Returns:
            One vector per begun step of the sound that was given, not of its padding.
        """


class TextEncoder(Protocol):
    """Texts to vectors.

    Attributes:
        info: What decides the vectors.
    """

    info: EncoderInfo

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Encodes texts to ``x_ND``."""


@dataclass(frozen=True)
class Encoders:
    """The encoders of one run, each of them optional.

    Args:
        video: Pictures to vectors.
        audio: Sound to vectors.
        text: Timed text and title metadata to vectors.
    """

    video: VideoEncoder | None = None
    audio: AudioEncoder | None = None
    text: TextEncoder | None = None

    @property
    def infos(self) -> dict[str, EncoderInfo]:
        """Modality to what decides its vectors."""
        chosen = (self.video, self.audio, self.text)
        return {e.info.modality: e.info for e in chosen if e is not None}


def cache_folder(*parts: str) -> Path:
    """A folder for converted weights: under ``$MEDIAFM_CACHE`` or the user's cache folder."""
    root = os.environ.get("MEDIAFM_CACHE") or platformdirs.user_cache_path("mediafm")
    folder = Path(root, *parts)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def threads() -> int:
    """Threads that an encoder may use: the cores this process may run on."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1
