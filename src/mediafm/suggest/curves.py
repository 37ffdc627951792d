"""What is known of shots as curves over time, and where the curves are highest.

Shapes: N shots of a title, G places on the time axis, C curves.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mediafm.catalog.clip import times_of
from mediafm.suggest.suggestion import Scores
from mediafm.timeline import Shot

Times = npt.NDArray[np.int64]

_PLACES = 800  # on the time axis of all titles together: as many as a picture has columns
_FEWEST = 24  # of one title
_RISE = 0.15  # share of the range by which a peak rises above what lies around it


@dataclass(frozen=True, slots=True)
class Track:
    """What is known of the shots of one title on the time axis.

    Args:
        title_id: The title.
        offset: Microseconds on the axis at which it begins.
        shots: Its shots.
        value_NC: A value per shot and curve.
    """

    title_id: str
    offset: int
    shots: list[Shot]
    value_NC: Scores


def on_axis(tracks: Sequence[Track], width: int) -> tuple[Times, Scores]:
    """Curves over titles that follow one another; none reaches into the next.

    Args:
        tracks: The titles in order.
        width: Standard deviation of the smoothing window, microseconds.

    Returns:
        Places on the axis ``t_G``, microseconds, and the curves ``v_GC``.
    """
    ends = [max(shot.span.end for shot in track.shots) for track in tracks]
    starts = [track.shots[0].span.start for track in tracks]
    whole = max(sum(ends) - sum(starts), 1)
    times, values = [], []
    for track, start, end in zip(tracks, starts, ends, strict=True):
        count = max(_FEWEST, round(_PLACES * (end - start) / whole))
        # Middles of equal stretches: none lies on the border of two titles.
        time_G = start + ((np.arange(count) + 0.5) / count * (end - start)).astype(np.int64)
        times.append(time_G - start + track.offset)
        values.append(smoothed(track.value_NC, times_of(track.shots), time_G, width))
    return np.concatenate(times), np.concatenate(values)


def smoothed(value_NC: Scores, times_N2: Times, time_G: Times, width: int) -> Scores:
    """Values of shots as curves over time.

    Args:
        value_NC: One row per shot, held for as long as the shot lasts; NaN where nothing is known,
            which does not count.
        times_N2: Start and end of the shots, microseconds.
        time_G: Where the curves are wanted.
        width: Standard deviation of the Gaussian window, microseconds.

    Returns:
        ``v_GC``: means of the shots, each weighted by the part of the window that it covers; what
        is outside of the shots does not count.
    """
    from scipy.special import ndtr

    known_N = np.isfinite(value_NC.sum(axis=1))
    value_NC = np.where(known_N[:, None], value_NC, 0.0)
    v_GC = np.empty((len(time_G), value_NC.shape[1]))
    for some in range(0, len(time_G), 64):
        at_G1 = time_G[some : some + 64, None].astype(np.float64)
        weight_GN = ndtr((times_N2[:, 1] - at_G1) / width) - ndtr((times_N2[:, 0] - at_G1) / width)
        # In a gap far from every shot all are alike.
        weight_GN = np.maximum(weight_GN, 1e-12) * known_N
        v_GC[some : some + 64] = weight_GN @ value_NC / weight_GN.sum(axis=1, keepdims=True)
    return v_GC


def peaks_of(
    tracks: Sequence[Track],
    time_G: Times,
    value_GC: Scores,
    range_C: npt.NDArray[np.float64],
    curves: Sequence[int],
    width: int,
    most: int,
) -> list[tuple[int, int, Track, int]]:
    """Where curves are highest: the highest peak of each, then the second of each, and so on.

    Args:
        tracks: The titles.
        time_G: From :func:`on_axis`.
        value_GC: Likewise.
        range_C: From low to high of each curve, or of all that it compares with: what moves little
            beside them has no peaks.
        curves: Which curves.
        width: Of the smoothing window; two peaks of a curve are further apart than two of it.
        most: How many.

    Returns:
        Curve, place, title, and the shot that makes the peak, in the order of time.
    """
    ranked: list[tuple[int, float, int, int]] = []
    for c in curves:
        nth: Counter[int] = Counter()
        for rise, g in sorted(_prominent(value_GC[:, c], float(range_C[c])), reverse=True):
            ranked.append((nth[c], -rise, c, g))
            nth[c] += 1
    taken: list[tuple[int, int]] = []
    for _, _, c, g in sorted(ranked):
        near = [o for place, o in taken if abs(int(time_G[g]) - int(time_G[place])) <= 2 * width]
        if len(taken) < most and c not in near:
            taken.append((g, c))
    found = []
    for g, c in sorted(taken):
        track = [track for track in tracks if track.offset <= time_G[g]][-1]
        time = int(time_G[g]) - track.offset + track.shots[0].span.start
        found.append((c, g, track, _shot_at(track, c, time, width)))
    return found


def _prominent(value_G: npt.NDArray[np.float64], spread: float) -> list[tuple[float, int]]:
    """Peaks of a curve: by how much they rise, and where."""
    from scipy.signal import find_peaks

    # Either end of the axis can be a peak as well.
    padded = np.pad(value_G, 1, constant_values=float(value_G.min()))
    at, about = find_peaks(padded, prominence=max(_RISE * spread, 1e-6))
    return [(float(p), int(g) - 1) for g, p in zip(at, about["prominences"], strict=True)]


def _shot_at(track: Track, curve: int, time: int, width: int) -> int:
    """The shot that makes a peak: near it, and high by itself."""
    times_N2 = times_of(track.shots)
    away_N = np.maximum(np.maximum(times_N2[:, 0] - time, time - times_N2[:, 1]), 0)
    value_N = np.nan_to_num(track.value_NC[:, curve], nan=float(np.nanmin(track.value_NC)))
    near_N = np.exp(-0.5 * (away_N / width) ** 2)
    return int(np.argmax(near_N * (value_N - value_N.min() + 1e-9)))
