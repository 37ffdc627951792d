"""The clip of a row, as the catalog knows it; and clips that can serve as negatives.

Shapes: N shots of a title, P positives.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from mediafm.catalog.records import TitleRecord
from mediafm.errors import MediaFMError
from mediafm.probes.cells import OtherUnitError, WrongCellError, did_you_mean, microseconds, plain
from mediafm.probes.label_file import LabelFile, Problem, read_file
from mediafm.timeline import US, Clip, Shot, Span, format_time

Times = npt.NDArray[np.int64]
SLACK = US // 2
"""By how much a span may stick out of its title: people round times."""
SHORTEST = 1000
"""Microseconds: a shorter clip is a slip of units."""
_TINY = US // 10
"""Microseconds: where all clips are shorter, and at the very beginning, that is one as well."""
_TIMES = {US: ("start", "end"), 1: ("start_us", "end_us")}
TIMES = tuple(name for names in _TIMES.values() for name in names)
"""Columns that can hold the times of clips."""
_LIKE_TIMES = re.compile(
    r"(?:clip|shot|time|tc)?[ _-]?(?:start|begin|end|stop|from|to|in|out)[ _-]?"
    r"(?:time|timecode|tc|point|s|sec|seconds|ms|us)?"
)
"""Names of columns of times that are not ours; overlooked, rows would mean whole titles."""
_UNITS = {"milliseconds": 1000, "microseconds": US}
_LOOKS = 200_000
"""Comparisons with titles that hints may cost in all, about three seconds."""


class Titles(Protocol):
    """What labels need of a catalog."""

    def titles(self) -> list[TitleRecord]:
        """All titles."""

    def shots(self, title_id: str) -> list[Shot]:
        """The shots of a title."""


class TimeColumns(NamedTuple):
    """Where clips start and end, row by row."""

    unit: int
    """Microseconds in the unit of plain numbers."""
    starts: list[Any]
    ends: list[Any]


def time_columns(file: LabelFile) -> TimeColumns | None:
    """The columns of times of a file; ``None`` where it has none, and rows mean whole titles.

    Raises:
        MediaFMError: One of them is missing, or both are spelt in another way.
    """
    for unit in (1, US):
        if any(name in file.columns for name in _TIMES[unit]):
            starts, ends = (file.column(name, "a time of the clip") for name in _TIMES[unit])
            return TimeColumns(unit, starts, ends)
    if alike := [f"'{name}'" for name in file.header if _LIKE_TIMES.fullmatch(name.casefold())]:
        raise MediaFMError(
            f"has no columns start and end, but {' and '.join(alike)}",
            where=file.path,
            do="name them start and end (seconds), or start_us and end_us (microseconds)",
        )
    return None


class ClipFinder:
    """Finds the clips that rows mean.

    Args:
        catalog: Where the titles are; each title's shots are read once.
        where: The label file, for errors.
        comma: Whether numbers may have a decimal comma.
    """

    def __init__(self, catalog: Titles, where: Path, comma: bool = False):
        self.catalog, self.where, self.comma = catalog, where, comma
        self.titles = {title.title_id: title for title in catalog.titles()}
        self._composed: dict[str, str] | None = None
        self._unknown: dict[str, str] = {}
        self._times: dict[str, Times] = {}
        self._wholes: dict[str, tuple[Span | None, bool]] = {}
        self._inside = self._tiny = 0
        self._units: Counter[str] = Counter()

    def title(self, cell: Any) -> TitleRecord:
        """The title of a row.

        Raises:
            WrongCellError: There is none.
        """
        if isinstance(cell, str) and cell in self.titles:
            return self.titles[cell]
        name = "" if cell is None else plain(cell)
        if name in self.titles:
            return self.titles[name]
        if self._composed is None:
            # File names of macOS have accents as letters of their own.
            self._composed = {unicodedata.normalize("NFC", own): own for own in self.titles}
        if name in self._composed:
            return self.titles[self._composed[name]]
        if not name:
            raise WrongCellError("unknown title", "names no title")
        if name not in self._unknown:
            few = (len(self._unknown) + 1) * len(self.titles) <= max(_LOOKS, len(self.titles))
            hint = did_you_mean(name, self.titles) if few else ""
            self._unknown[name] = f", {hint}" if hint else ""
        what = f"no title '{name}' in the catalog{self._unknown[name]}"
        raise WrongCellError("unknown title", what)

    def times(self, title_id: str) -> Times:
        """Start and end of the shots of a title, ``(N, 2)`` microseconds."""
        if title_id not in self._times:
            spans = [shot.span for shot in self.catalog.shots(title_id)]
            pairs = [(span.start, span.end) for span in spans]
            self._times[title_id] = np.array(pairs, np.int64).reshape(-1, 2)
        return self._times[title_id]

    def whole(self, title_id: str) -> tuple[Span, bool]:
        """A title's span, and whether there is time without a shot in it.

        Raises:
            WrongCellError: It has no shots.
        """
        if title_id not in self._wholes:
            times_N2 = self.times(title_id)
            span = Span(int(times_N2[0, 0]), int(times_N2[-1, 1])) if len(times_N2) else None
            gaps = bool((times_N2[1:, 0] > times_N2[:-1, 1]).any())
            self._wholes[title_id] = (span, gaps)
        span, gaps = self._wholes[title_id]
        if span is None:
            raise WrongCellError("title without shots", f"title '{title_id}' has no shots")
        return span, gaps

    def row(self, title_id: str, times: TimeColumns | None, i: int) -> Clip:
        """The clip of a row of a file.

        Args:
            title_id: The title.
            times: From :func:`time_columns`; ``None`` for the whole title.
            i: Which row, from 0.

        Raises:
            WrongCellError: There is no such clip.
        """
        if times is None:
            return Clip(title_id, self.whole(title_id)[0])
        return self.clip(title_id, times.starts[i], times.ends[i], times.unit)

    def clip(self, title_id: str, start: Any, end: Any, unit: int) -> Clip:
        """The clip of a row; what sticks out of the title by less than :data:`SLACK` is cut off.

        Args:
            title_id: The title.
            start: Cell with its start.
            end: Cell with its end.
            unit: Microseconds in the unit of plain numbers.

        Raises:
            WrongCellError: There is no such clip.
        """
        whole, gaps = self.whole(title_id)
        try:
            first, last = (microseconds(time, unit, self.comma) for time in (start, end))
            if last <= first:
                shown = f"ends at {format_time(last)}, "
                if last == first:
                    raise WrongCellError("wrong time", f"{shown}where it starts")
                shown += f"before it starts at {format_time(first)}"
                raise WrongCellError("wrong time", f"{shown}; are start and end swapped?")
            if last - first < SHORTEST:
                hint = "; seconds go into start, end" if unit == 1 else ""
                raise WrongCellError("wrong time", f"lasts {last - first} microseconds{hint}")
            span = _inside(title_id, first, last, whole, unit)
        except OtherUnitError as error:
            self._units[error.unit] += 1
            raise
        self._inside += 1
        # Of a title that is a thousand times as long, they would be clips.
        self._tiny += unit == 1 and last - first < _TINY and last * 1000 <= whole.end + SLACK
        if gaps:
            times_N2 = self.times(title_id)
            near = np.searchsorted(times_N2[:, 1], span.start, side="right")
            if near >= np.searchsorted(times_N2[:, 0], span.end, side="left"):
                raise WrongCellError("outside the title", f"no shot of '{title_id}' lies in {span}")
        return Clip(title_id, span)

    def check_unit(self) -> None:
        """Refuses a file whose times make sense in another unit only.

        Raises:
            MediaFMError: Most of them do; the rest would be taken for other clips.
        """
        if self._inside and self._tiny == self._inside:
            raise MediaFMError(
                "all clips last less than a tenth of a second, and lie in the first thousandth of "
                "their titles; are these milliseconds?",
                where=self.where,
                do="write seconds into start and end, or microseconds into start_us and end_us",
            )
        unit, count = max(self._units.items(), key=lambda item: item[1], default=("", 0))
        if unit and count > self._inside:
            total = count + self._inside
            raise MediaFMError(
                f"{count} of {total} clips lie outside of their titles in seconds, and inside in "
                f"{unit}",
                where=self.where,
                do="write seconds into start and end, or microseconds into start_us and end_us",
            )


def _inside(title_id: str, first: int, last: int, whole: Span, unit: int) -> Span:
    start, end = max(first, whole.start), min(last, whole.end)
    if first >= whole.start - SLACK and last <= whole.end + SLACK and start < end:
        return Span(start, end)
    what = f"{format_time(first)}-{format_time(last)} lies outside '{title_id}' ({whole})"
    # A clip that merely sticks out is in the right unit.
    far = unit == US and (first > whole.end or last - first > 2 * whole.duration)
    for name, factor in _UNITS.items():
        low, high = whole.start * factor, (whole.end + SLACK) * factor
        if far and low <= first and last <= high:
            raise OtherUnitError(f"{what}; are these {name}? Times are in seconds", name)
    raise WrongCellError("outside the title", what)


def read_clips(
    path: Path, catalog: Titles, names: dict[Clip, str] | None = None
) -> tuple[list[Clip], list[Problem]]:
    """Reads the clips of a CSV or Parquet file: ``title_id``, and ``start`` and ``end``.

    Args:
        path: The file; without columns of times its rows mean whole titles. Other columns are of
            no matter: a label file will do.
        catalog: Where the titles are.
        names: Receives the clips in the order of the file, with what a column ``name`` calls them.

    Returns:
        The clips, sorted by title and time, each once; and rows that are wrong.

    Raises:
        MediaFMError: The file cannot be read, lacks a column, holds no clip of the catalog, or
            its times are in another unit.
    """
    file = read_file(path, {"title_id", "name", *TIMES}, "clips")
    finder, times, found = ClipFinder(catalog, path, file.comma), time_columns(file), set()
    problems = list(file.problems)
    ids = file.column("title_id", "the title of the clip")
    called = file.columns.get("name")
    for i, row in enumerate(file.rows):
        try:
            clip = finder.row(finder.title(ids[i]).title_id, times, i)
            found.add(clip)
            if names is not None:
                names.setdefault(clip, plain(called[i]) if called and called[i] else "")
        except WrongCellError as error:
            problems.append(Problem(row, f"{error}; left out", error.kind))
    finder.check_unit()
    if not found:
        first = f"row {problems[0].row}: {problems[0].what}" if problems else "list some"
        raise MediaFMError("holds no clip of the catalog", where=path, do=first)
    return sorted(found), sorted(problems, key=lambda problem: problem.row)


def draw_negatives(
    title_id: str,
    times_N2: Times,
    positives: Sequence[Span],
    avoid: Sequence[Span],
    count: int,
) -> list[list[Span]]:
    """Draws clips that begin at a shot, last as long as a positive, and overlap none.

    Args:
        title_id: Decides the draw: other titles do not change it.
        times_N2: Its shots.
        positives: For each of them negatives are drawn.
        avoid: No negative overlaps any of these; the positives, and what may be positive.
        count: Negatives per positive.

    Returns:
        For each positive up to ``count`` spans, all different.
    """
    merged: list[list[int]] = []
    for span in sorted(avoid):
        if merged and span.start <= merged[-1][1]:
            merged[-1][1] = max(merged[-1][1], span.end)
        else:
            merged.append([span.start, span.end])
    taken_P2 = np.array(merged, np.int64).reshape(-1, 2)
    rng = np.random.default_rng([len(title_id), *title_id.encode()])
    drawn: set[Span] = set()
    found = []
    for positive in positives:
        start_N = times_N2[:, 0]
        end_N = start_N + positive.duration
        before_N = np.searchsorted(taken_P2[:, 1], start_N, side="right")
        free_N = before_N == np.searchsorted(taken_P2[:, 0], end_N, side="left")
        free_N &= end_N <= times_N2[-1, 1]
        own: list[Span] = []
        for i in rng.permutation(np.flatnonzero(free_N)).tolist():
            if len(own) == count:
                break
            span = Span(int(start_N[i]), int(end_N[i]))
            if span not in drawn:
                own.append(span)
        drawn.update(own)
        found.append(own)
    return found
