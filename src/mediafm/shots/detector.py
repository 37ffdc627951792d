"""What a shot detector is, and the registry of those at hand.

A third detector is one file here and one line in :data:`DETECTORS`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
import numpy.typing as npt

from mediafm.errors import MediaFMError


class Detector(Protocol):
    """Rates, frame by frame, whether a shot ends; one instance serves one title.

    Attributes:
        name: How the user chooses it.
        threshold: The rate from which on a cut is believed.
        settings: What decides its output, for the fingerprint.
    """

    name: str
    threshold: float
    settings: dict[str, str]

    def feed(self, frames_THWC: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Takes the next frames (RGB, 27 x 48) and returns the rates that are final by now.

        Returns:
            ``p_T`` for the frames that follow those rated before: the confidence, 0 .. 1, that the
            next frame belongs to another shot.
        """

    def finish(self) -> npt.NDArray[np.float32]:
        """Returns the rates of the frames that are left; the last frame's is without meaning."""


def _transnetv2() -> Detector:
    from mediafm.shots.transnetv2 import TransNetV2Detector

    return TransNetV2Detector()


def _content() -> Detector:
    from mediafm.shots.content import ContentDetector

    return ContentDetector()


DETECTORS: dict[str, Callable[[], Detector]] = {"transnetv2": _transnetv2, "content": _content}
"""Name to what makes a fresh detector."""


def make_detector(name: str) -> Detector:
    """Makes a detector for one title.

    Args:
        name: One of :data:`DETECTORS`.

    Raises:
        MediaFMError: There is none of this name.
    """
    if name not in DETECTORS:
        raise MediaFMError(
            f"there is no shot detector '{name}'", do=f"choose one of {', '.join(DETECTORS)}"
        )
    return DETECTORS[name]()
