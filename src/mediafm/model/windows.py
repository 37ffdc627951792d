"""Overlapping windows over titles that are longer than the model's sequence."""

from __future__ import annotations

import itertools
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of a title that the model sees at once, and the part that is kept of it.

    Args:
        start: First shot that the model sees.
        end: First shot after.
        take_start: First shot whose embedding is taken from this window.
        take_end: First shot after.
    """

    start: int
    end: int
    take_start: int
    take_end: int

    def __len__(self) -> int:
        return self.end - self.start


def windows(n: int, size: int, overlap: int) -> list[Window]:
    """Covers ``n`` shots by windows; each shot is taken where it has most context.

    Context is the distance to the nearest window edge that is not an end of the title. Windows
    are spread evenly, so that neighbours share at least ``overlap`` shots, and the cut between two
    of them lies in the middle of what they share: all windows are equally long, so the nearer
    centre is also the larger context. Every shot keeps at least ``overlap // 2`` shots of context
    on each side, or all that the title has.

    Args:
        n: Shots in the title.
        size: Most shots in a window.
        overlap: Fewest shots that neighbouring windows share, ``0 <= overlap < size``.

    Returns:
        The windows in order; their ``take`` parts cover ``0 .. n`` once. Empty for ``n = 0``.

    Raises:
        ValueError: The sizes make no windows.
    """
    if n < 0 or size < 1 or not 0 <= overlap < size:
        raise ValueError(f"no windows of {size} with overlap {overlap} over {n} shots")
    if n == 0:
        return []
    if n <= size:
        return [Window(0, n, 0, n)]
    count = -(-(n - overlap) // (size - overlap))
    starts = [i * (n - size) // (count - 1) for i in range(count)]
    # Cut where `end_of_left - 1 - shot` and `shot - start_of_right` are equal, ties to the left.
    cuts = [(left + size + right) // 2 for left, right in itertools.pairwise(starts)]
    bounds = [0, *cuts, n]
    return [Window(start, start + size, bounds[i], bounds[i + 1]) for i, start in enumerate(starts)]
