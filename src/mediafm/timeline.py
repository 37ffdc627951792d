"""Time, spans, shots, cues and clips.

Time is the container's presentation time in integer microseconds; zero is the file's start time.
Frame counts divided by a nominal frame rate are never used: variable-frame-rate files are common.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from mediafm.errors import MediaFMError

US = 1_000_000
"""Microseconds in a second."""

CueKind = Literal["speech", "description", "sound"]
"""What a cue says: spoken words, an audio description, or a sound in brackets."""

MACHINE_MADE = "asr:"
"""How the source of a cue begins that a speech recogniser wrote."""

_SECONDS = re.compile(r"^\d+(\.\d+)?$")
_CLOCK = re.compile(r"^(?:(\d+):)?(\d{1,2}):(\d{1,2})(?:[.,](\d{1,9}))?$")
_TIMECODE = re.compile(r"^(\d{1,2}):(\d{2}):(\d{2})([:;])(\d{2,3})$")


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A stretch of a title, ``[start, end)`` in microseconds.

    Args:
        start: First instant inside.
        end: First instant after; never before ``start``.
    """

    start: int
    end: int

    def __post_init__(self) -> None:
        if self.end < self.start:
            raise ValueError(f"a span must not end before it starts: {self.start} .. {self.end}")

    @property
    def duration(self) -> int:
        """Length in microseconds."""
        return self.end - self.start

    def contains(self, time: int) -> bool:
        """Whether an instant (microseconds) lies inside; the end does not."""
        return self.start <= time < self.end

    def overlap(self, other: Span) -> int:
        """Microseconds that both spans cover."""
        return max(0, min(self.end, other.end) - max(self.start, other.start))

    def touches(self, other: Span) -> bool:
        """Whether a span, possibly of zero length, lies at least partly inside this one."""
        # Without `overlap`: a search asks this of every cue of what it found.
        if self.start == self.end or other.start >= self.end:
            return False
        return self.start < other.end if other.start < other.end else self.start <= other.start

    def __str__(self) -> str:
        return f"{format_time(self.start)}-{format_time(self.end)}"


@dataclass(frozen=True, slots=True, order=True)
class Shot:
    """The frames between two cuts.

    Args:
        index: Place among the shots of the title, from 0.
        span: Time on screen.
        forced: Whether the shot was ended by the maximum length and not by a cut.
    """

    index: int
    span: Span
    forced: bool = False


def touched(shots: Sequence[Shot], span: Span) -> list[Shot]:
    """The shots that a span, possibly of zero length, lies in; in a time that hardly grows.

    Args:
        shots: Shots in temporal order, none overlapping another.
        span: The span.
    """
    first = bisect_right(shots, span.start, key=lambda shot: shot.span.end)
    last = bisect_left(shots, max(span.end, span.start + 1), key=lambda shot: shot.span.start)
    return [shot for shot in shots[first:last] if shot.span.touches(span)]


@dataclass(frozen=True, slots=True, order=True)
class Cue:
    r"""One timed-text line.

    Args:
        span: When it shows; may have zero length and may overlap other cues.
        text: Plain text, styling stripped, line breaks as ``\n``.
        kind: What it says.
        language: BCP 47 or ISO 639 code, empty where unknown.
        source: Where it comes from: a file name, ``stream 3`` or ``asr:whisper-base``.
    """

    span: Span
    text: str
    kind: CueKind = "speech"
    language: str = ""
    source: str = ""

    @property
    def machine_made(self) -> bool:
        """Whether a speech recogniser wrote it, and nobody checked it."""
        return self.source.startswith(MACHINE_MADE)


@dataclass(frozen=True, slots=True, order=True)
class Clip:
    """Any span of a title.

    Args:
        title_id: The title.
        span: The part of it.
    """

    title_id: str
    span: Span


def format_time(time: int) -> str:
    """Writes microseconds as ``HH:MM:SS.mmm``, rounded down to the millisecond.

    Args:
        time: Microseconds; negative times get a leading minus.
    """
    sign = "-" if time < 0 else ""
    milliseconds = abs(time) // 1000
    seconds, milliseconds = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{sign}{hours:02d}:{minutes:02d}:{seconds:02d}.{milliseconds:03d}"


def parse_time(text: str, *, frame_rate: Fraction | None = None) -> int:
    """Reads a time that a person wrote.

    Args:
        text: Seconds (``190.5``), a clock time (``3:10``, ``00:03:10.500``) or, with a frame rate,
            a SMPTE timecode (``00:03:10:12``; ``;`` before the frames means drop-frame).
        frame_rate: Frames per second, needed for timecodes only.

    Returns:
        Microseconds.

    Raises:
        MediaFMError: The text is no time.
    """
    text = text.strip()
    if _SECONDS.match(text):
        return round(Fraction(text) * US)
    if clock := _CLOCK.match(text):
        hours, minutes, seconds, digits = clock.groups()
        if int(seconds) < 60 and (hours is None or int(minutes) < 60):
            whole = int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds)
            return whole * US + int(Fraction(f"0.{digits or 0}") * US)
    if (timecode := _TIMECODE.match(text)) and frame_rate:
        return _timecode_to_us(timecode, text, frame_rate)
    raise MediaFMError(
        f"'{text}' is not a time",
        do="write seconds (190.5) or a clock time (00:03:10.500)"
        + (", or a timecode (00:03:10:12)" if frame_rate else ""),
    )


def _timecode_to_us(timecode: re.Match[str], text: str, frame_rate: Fraction) -> int:
    """SMPTE ST 12-1: drop-frame skips numbers at each minute but the tenth, no frames."""
    hours, minutes, seconds, frames = (int(timecode[i]) for i in (1, 2, 3, 5))
    nominal = round(frame_rate)
    drops = timecode[4] == ";"
    # Two numbers a minute at 29.97, four at 59.94; no other rate drops any.
    dropped = nominal // 15 if drops else 0
    exists = frames < nominal and minutes < 60 and seconds < 60
    if drops:
        exists &= nominal % 30 == 0 and frame_rate != nominal
        exists &= frames >= dropped or seconds > 0 or minutes % 10 == 0
    if not exists:
        raise MediaFMError(f"'{text}' is not a timecode at {float(frame_rate):g} frames/s")
    count = ((hours * 60 + minutes) * 60 + seconds) * nominal + frames
    total_minutes = hours * 60 + minutes
    count -= dropped * (total_minutes - total_minutes // 10)
    return round(count / frame_rate * US)
