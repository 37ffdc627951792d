"""Pictures per shot, gathered over shots for one call of the encoder."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mediafm.encoders import VideoEncoder
from mediafm.ingest.cache import VectorCache, content_key
from mediafm.ingest.sound import Emit
from mediafm.ingest.stills import FrameConfig
from mediafm.media.chunks import Still
from mediafm.timeline import Span

_PICTURES = 32
"""Pictures gathered over shots before the encoder is called."""


class PictureTrack:
    """Gathers the stills of several shots for one call of the encoder.

    Args:
        encoder: Encodes the pictures of shots.
        emit: Gets the vectors.
        cache: What was computed before.
    """

    def __init__(self, encoder: VideoEncoder, emit: Emit, cache: VectorCache):
        self.encoder, self.cache = encoder, cache
        self.pictures = 0
        self._emit, self._next = emit, 0
        self._gathered: list[Sequence[Still]] = []

    def count(self, shot: Span, frames: FrameConfig) -> int:
        """Pictures to take from a shot."""
        return self.encoder.frames or frames.count(shot)

    def add(self, stills: Sequence[Still]) -> None:
        """Takes the stills of the next shot, none where there are none."""
        self._gathered.append(stills)
        if sum(map(len, self._gathered)) >= _PICTURES:
            self.flush()

    def flush(self) -> None:
        """Lets everything gathered leave."""
        if not self._gathered:
            return
        shots = [[still.picture_HWC for still in stills] for stills in self._gathered if stills]
        info = self.encoder.info
        x_PD = self.cache.through(
            info.fingerprint,
            [content_key(*pictures) for pictures in shots],
            info.dim,
            lambda places: [(places, self.encoder.encode([shots[p] for p in places]))],
        )
        present_N = np.array([bool(stills) for stills in self._gathered])
        x_ND = np.zeros((len(self._gathered), info.dim), dtype=np.float16)
        x_ND[present_N] = x_PD
        self._emit(self._next, x_ND, present_N)
        self.pictures += sum(map(len, shots))
        self._next += len(self._gathered)
        self._gathered = []
