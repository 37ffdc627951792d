"""How much of a span somebody speaks in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from mediafm.timeline import Cue, Span


def spoken_share(spans: Sequence[Span], cues: Iterable[Cue]) -> npt.NDArray[np.float64]:
    """The share of each span in which a cue says what is spoken.

    Two cues at once are no more speech than one.

    Args:
        spans: M spans, in any order; they may overlap.
        cues: The timed text of their title.

    Returns:
        ``share_M``, 0 .. 1; 0 for spans without length.
    """
    spoken = _union(cue.span for cue in cues if cue.kind == "speech")
    if not spoken or not spans:
        return np.zeros(len(spans))
    times_C2 = np.array([(one.start, one.end) for one in spoken], np.float64)
    # The time spoken up to an instant, by the instants at which it begins and ceases to grow.
    until_C = np.cumsum(times_C2[:, 1] - times_C2[:, 0])
    before_C = np.concatenate([[0.0], until_C[:-1]])
    spoken_2C = np.stack([before_C, until_C], axis=1).reshape(-1)
    spans_M2 = np.array([(one.start, one.end) for one in spans], np.float64)
    spoken_M2 = np.interp(spans_M2, times_C2.reshape(-1), spoken_2C)
    lasts_M = np.maximum(spans_M2[:, 1] - spans_M2[:, 0], 1.0)
    share_M: npt.NDArray[np.float64] = (spoken_M2[:, 1] - spoken_M2[:, 0]) / lasts_M
    return share_M


def _union(spans: Iterable[Span]) -> list[Span]:
    """The same time without overlaps; spans without length are none."""
    found: list[Span] = []
    for span in sorted(one for one in spans if one.duration):
        if found and span.start <= found[-1].end:
            found[-1] = Span(found[-1].start, max(found[-1].end, span.end))
        else:
            found.append(span)
    return found
