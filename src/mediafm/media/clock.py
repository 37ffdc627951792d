"""Time as files tell it, and as it was."""

from __future__ import annotations

from fractions import Fraction

from mediafm.timeline import US


class Clock:
    """Turns a stream's timestamps into the title's time, whatever the file does with them.

    Args:
        time_base: Unit of the timestamps.
        start_offset: Container time of zero, microseconds.
        joins: Shifts after each jump so far, shared by the streams of a file, so that sound and
            picture stay together.
        leap: Microseconds forward from which on a jump is no pause but a join, if any are.
    """

    def __init__(
        self, time_base: Fraction, start_offset: int, joins: list[int], leap: int | None = None
    ):
        self.time_base, self.shift = time_base, -start_offset
        self.last: int | None = None
        self._joins, self._joined, self._leap = joins, 0, leap

    def time(self, pts: int | None, base: Fraction | None, guess: int) -> int:
        """Microseconds of a timestamp; ``guess`` where there is none.

        A jump back by more than a second (a live recording that was restarted) continues at the
        guess: time never runs backwards.
        """
        time = guess
        if pts is not None:
            bare = round(pts * (base or self.time_base) * US)
            time = bare + self.shift
            if self.last is not None and self._jumps(time - self.last):
                self.shift = self._join(guess - bare)
                time = bare + self.shift
        self.last = time if self.last is None else max(time, self.last)
        return time

    def _jumps(self, step: int) -> bool:
        return step < -US or (self._leap is not None and step > self._leap)

    def _join(self, shift: int) -> int:
        """The shift after a jump: that of the stream which jumped first, if it fits here."""
        for i, other in enumerate(self._joins[self._joined :], self._joined + 1):
            if abs(other - shift) < US:
                self._joined = i
                return other
        self._joins.append(shift)
        self._joined = len(self._joins)
        return shift
