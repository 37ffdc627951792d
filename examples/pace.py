"""A further modality of your own: how fast a film is cut and spoken.

mediafm ingest films --with pace=py:examples/pace.py:Pace
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mediafm.encoders import EncoderInfo, TitleView
from mediafm.timeline import US


class Pace:
    """Length of the shot and letters a second in it, both logarithmic."""

    # Whatever changes a vector belongs into the settings: a catalog never mixes two versions.
    info = EncoderInfo("pace", "pace", dim=2, settings={"version": "1"})

    def encode_shots(
        self, title: TitleView
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
        """One row per shot, and which rows count: here all."""
        rows = []
        for shot in title.shots:
            letters = sum(len(c.text) for c in title.cues if shot.span.touches(c.span))
            seconds = shot.span.duration / US
            rows.append((np.log(seconds), np.log1p(letters / seconds)))
        return np.array(rows, dtype=np.float32).reshape(-1, 2), np.ones(len(rows), dtype=np.bool_)
