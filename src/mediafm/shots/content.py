"""A fast classical detector: ``mediafm ingest --detector content``.

A cut is a frame that differs from the one before much more than its neighbours do. Fast;
hard cuts only, dissolves mostly pass unseen.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_REACH = 4
"""Neighbours on each side that say how much motion is usual here."""

_RATIO = 3.0
"""A cut changes the picture at least this many times as much as the neighbours."""

_LEAST = 10.0
"""Grey levels that a cut changes at least, on average: below it is noise in a still picture."""


class ContentDetector:
    """Adaptive frame differencing on small RGB frames.

    The rate of a frame is ``r / (1 + r)`` with ``r`` the ratio of its change to ``_RATIO`` times
    the neighbours' mean change, so that one half is the threshold. The idea of a rolling average is
    PySceneDetect's ``detect-adaptive``.
    """

    name = "content"
    threshold = 0.5

    def __init__(self) -> None:
        self.settings = {"ratio": str(_RATIO), "least": str(_LEAST), "reach": str(_REACH)}
        self._last: npt.NDArray[np.uint8] | None = None
        self._changes: list[float] = []
        self._rated = 0
        self._forgotten = 0

    def feed(self, frames_THWC: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """See :class:`~mediafm.shots.detector.Detector`."""
        if len(frames_THWC) == 0:
            return np.zeros(0, dtype=np.float32)
        frames = frames_THWC if self._last is None else np.concatenate([self._last, frames_THWC])
        change = np.abs(np.diff(frames.astype(np.int16), axis=0)).mean((1, 2, 3))
        self._changes += change.tolist()
        self._last = frames[-1:]
        return self._rate(self._forgotten + len(self._changes) - _REACH)

    def finish(self) -> npt.NDArray[np.float32]:
        """See :class:`~mediafm.shots.detector.Detector`."""
        if self._last is None:
            return np.zeros(0, dtype=np.float32)
        rates = self._rate(self._forgotten + len(self._changes))
        return np.append(rates, np.float32(0))

    def _rate(self, until: int) -> npt.NDArray[np.float32]:
        rates = []
        for i in range(self._rated - self._forgotten, until - self._forgotten):
            near = self._changes[max(i - _REACH, 0) : i] + self._changes[i + 1 : i + 1 + _REACH]
            usual = max(sum(near) / max(len(near), 1), _LEAST / _RATIO)
            ratio = self._changes[i] / (usual * _RATIO)
            rates.append(ratio / (1 + ratio))
        self._rated += len(rates)
        old = max(self._rated - self._forgotten - _REACH, 0)
        del self._changes[:old]
        self._forgotten += old
        return np.array(rates, dtype=np.float32)
