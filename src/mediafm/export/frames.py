"""Frames and timecode of a title, which editing systems count in.

Times in a catalog are the container's, in microseconds from the start of the file; an edit list
counts frames from the source timecode, at the rate of the source.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from mediafm.catalog import TitleRecord
from mediafm.errors import MediaFMError
from mediafm.timeline import US

RATES = tuple(
    Fraction(n, d)
    for n, d in (
        (24000, 1001), (24, 1), (25, 1), (30000, 1001), (30, 1),
        (48, 1), (50, 1), (60000, 1001), (60, 1),
    )
)  # fmt: skip
"""Rates that SMPTE ST 12-1 gives timecode to, and their doubles."""

_NEAR = Fraction(1, 500)
"""Share by which a measured average may miss a standard rate."""
_DROPPING = (Fraction(30000, 1001), Fraction(60000, 1001))
_TIMECODE = re.compile(r"(\d{2}):(\d{2}):(\d{2})([:;.])(\d{2})")


@dataclass(frozen=True, slots=True)
class Frames:
    """How the frames of one title are counted.

    Args:
        rate: Frames per second.
        first: Number of the frame at the start of the file, by the source timecode.
        drop: Whether timecode leaves numbers out, to stay with the clock.
        steady: Whether the file's average rate is a standard one; otherwise numbers of frames are
            of the nearest rate, and no frame of the file need be where they say.
    """

    rate: Fraction
    first: int
    drop: bool
    steady: bool = True

    @classmethod
    def of(cls, title: TitleRecord) -> Frames:
        """Reads rate and timecode of a title.

        Raises:
            MediaFMError: It has no pictures, or its timecode is none.
        """
        if not title.frame_rate:
            raise MediaFMError(
                "has no frame rate: it has no pictures, or its features were imported",
                where=title.title_id,
                do="write times instead: .csv, .jsonl, .vtt or .parquet",
            )
        measured = Fraction(title.frame_rate)
        rate = min(RATES, key=lambda standard: abs(standard - measured))
        steady = abs(rate - measured) <= _NEAR * rate
        drop = rate in _DROPPING and (not title.timecode or ";" in title.timecode)
        first = number_of(title.timecode, rate, drop) if title.timecode else 0
        return cls(rate, first, drop, steady)

    def at(self, time: int) -> int:
        """The number of the frame that begins at a time, microseconds; the nearest one."""
        return self.first + round(Fraction(time) * self.rate / US)

    def time(self, frame: int) -> int:
        """When a frame begins, microseconds."""
        return round((frame - self.first) * US / self.rate)

    @property
    def labels(self) -> float:
        """The rate by whose rules OpenTimelineIO writes this timecode.

        It drops numbers at 29.97 and 59.94, always; labels that drop none are those of 30 and 60.
        """
        whole = self.rate in _DROPPING and not self.drop
        return float(round(self.rate)) if whole else float(self.rate)


def number_of(timecode: str, rate: Fraction, drop: bool) -> int:
    """The number of a frame by its timecode, from ``00:00:00:00`` (SMPTE ST 12-1).

    Raises:
        MediaFMError: It is no timecode at this rate.
    """
    found = _TIMECODE.fullmatch(timecode.strip())
    nominal = round(rate)
    parts = [int(found[i]) for i in (1, 2, 3, 5)] if found else [99] * 4
    hours, minutes, seconds, frames = parts
    if minutes > 59 or seconds > 59 or frames >= nominal:
        raise MediaFMError(f"'{timecode}' is not a timecode at {float(rate):g} frames/s")
    total = (hours * 60 + minutes) * 60 + seconds
    number = total * nominal + frames
    if drop:
        dropped = nominal // 15
        number -= dropped * (total // 60 - total // 600)
    return number
