"""Label files as columns of plain values, with the row numbers that a user sees."""

from __future__ import annotations

import codecs
import csv
import itertools
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import pyarrow as pa
import pyarrow.parquet as pq

from mediafm.errors import MediaFMError, describe_os_error, one_line
from mediafm.probes.cells import did_you_mean

_AS_CSV = "save it as CSV UTF-8 or as Parquet"
_KNOWN = 50_000
"""Different cells that are held once: titles and classes repeat, times do not."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A row that is wrong, and what became of it.

    Args:
        row: Its number: the line of a CSV file where it begins (the header is line 1), the row of
            a Parquet file counted from 1.
        what: What is wrong with it, and whether it still counts.
        kind: What such rows have in common: ``unknown title``, ``wrong time``, ...
    """

    row: int
    what: str
    kind: str = "other"

    def __post_init__(self) -> None:
        object.__setattr__(self, "what", one_line(self.what))

    def __str__(self) -> str:
        return f"row {self.row}: {self.what}"


def summary(problems: Sequence[Problem], most: int = 10) -> list[str]:
    """Problems for people, in a few lines.

    Args:
        problems: Any number of them.
        most: How many are shown in full: each kind's first ones.

    Returns:
        The problems, where there are no more than ``most``; else for each kind, the most frequent
        first, one line that counts it, and below it its first rows.
    """
    if len(problems) <= most:
        return [str(problem) for problem in problems]
    kinds: dict[str, list[Problem]] = {}
    for problem in problems:
        kinds.setdefault(problem.kind, []).append(problem)
    ordered = sorted(kinds.items(), key=lambda item: -len(item[1]))
    turns = itertools.zip_longest(*(range(len(found)) for _, found in ordered))
    places = [(k, i) for turn in turns for k, i in enumerate(turn) if i is not None]
    shown = [sum(k == own for own, _ in places[:most]) for k in range(len(ordered))]
    lines = []
    for (kind, found), count in zip(ordered, shown, strict=True):
        rows = len({problem.row for problem in found})
        lines.append(f"{rows:,} row{'s' * (rows > 1)}: {kind}")
        lines += [f"  {problem}" for problem in found[:count]]
    return lines


@dataclass
class LabelFile:
    """The columns of a label file.

    Args:
        path: The file.
        header: Names of all columns.
        columns: Name to values, of the columns that were asked for: text in CSV, whatever the type
            says in Parquet.
        rows: Number of each row.
        problems: Rows that could not be read.
        comma: Whether numbers may have a decimal comma.
        text: Whether it is a text file, which knows no null.
    """

    path: Path
    header: tuple[str, ...]
    columns: dict[str, list[Any]]
    rows: Sequence[int]
    problems: list[Problem]
    comma: bool = False
    text: bool = False

    def column(self, name: str, purpose: str) -> list[Any]:
        """One column.

        Raises:
            MediaFMError: The file does not have it.
        """
        if name in self.columns:
            return self.columns[name]
        raise MediaFMError(
            f"has no column '{name}', {purpose}",
            where=self.path,
            do=did_you_mean(name, self.header) or f"it has {', '.join(self.header)}",
        )


def read_file(path: Path, wanted: Collection[str], option: str = "labels") -> LabelFile:
    """Reads a CSV file (comma, semicolon or tab) or a Parquet file, whatever its name.

    Args:
        path: The file.
        wanted: Columns to read, where they are there.
        option: What names the file on the command line.

    Raises:
        MediaFMError: The file is missing, empty, or of another kind.
    """
    try:
        with path.open("rb") as file:
            head = file.read(4)
        if head == b"PAR1" or path.suffix.lower() in (".parquet", ".pq"):
            return _parquet(path, wanted)
        if head == b"PK\3\4":
            raise MediaFMError("is a spreadsheet or an archive", where=path, do=_AS_CSV)
        utf16 = head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        with path.open(encoding="utf-16" if utf16 else "utf-8-sig", newline="") as text:
            return _csv(path, text, wanted)
    except OSError as error:
        raise MediaFMError(
            f"cannot be read ({describe_os_error(error)})",
            where=path,
            do=f"name the file with --{option}",
        ) from None


def _parquet(path: Path, wanted: Collection[str]) -> LabelFile:
    try:
        with pq.ParquetFile(path) as file:
            header = tuple(file.schema_arrow.names)
            _check_header(path, header)
            # Not the vectors that may stand beside them.
            table = file.read([name for name in header if name in wanted])
            count = file.metadata.num_rows
    except pa.ArrowException as error:
        raise MediaFMError(
            f"is no Parquet file that can be read ({error})", where=path, do="write it again"
        ) from None
    columns = {name: _values(table[name]) for name in table.column_names}
    return LabelFile(path, header, columns, range(1, count + 1), [])


def _values(column: pa.ChunkedArray) -> list[Any]:
    """Python values; text that was stored as bytes, and nanoseconds, which Python does not have."""
    kind = column.type
    try:
        if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
            column = column.cast(pa.string())
        elif pa.types.is_duration(kind):
            column = column.cast(pa.duration("us"), safe=False)
        elif pa.types.is_time64(kind):
            column = column.cast(pa.time64("us"), safe=False)
        elif pa.types.is_timestamp(kind):
            column = column.cast(pa.timestamp("us"), safe=False)
    except pa.ArrowException:
        pass  # each row says so
    try:
        return list(column.to_pylist())
    except (OverflowError, ValueError):  # dates of a year that Python does not know
        return [str(value) for value in column.cast(pa.int64()).to_pylist()]


def _csv(path: Path, text: TextIO, wanted: Collection[str]) -> LabelFile:
    lines = _lines(path, text)
    skipped, first = 0, next(lines, "")
    while first and (not first.strip() or first.startswith("sep=")):
        skipped, first = skipped + 1, next(lines, "")
    # Spreadsheets of half of Europe write semicolons, because their decimal mark is the comma.
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(
        itertools.chain([first] if first else [], lines),
        delimiter=delimiter,
        skipinitialspace=True,
        strict=True,
    )
    line = skipped + 1
    try:
        header = tuple(name.strip() for name in next(reader, []))
        if not any(header):
            raise MediaFMError("is empty", where=path, do="its first line must name the columns")
        _check_header(path, header)
        places = {name: i for i, name in enumerate(header) if name in wanted}
        found = LabelFile(
            path, header, {name: [] for name in places}, [], [], delimiter != ",", True
        )
        kept = [(found.columns[name].append, i) for name, i in places.items()]
        rows: list[int] = []
        known: dict[str, str] = {}
        line = skipped + reader.line_num + 1
        for cells in reader:
            if len(cells) == len(header) or _padded(cells, len(header)):
                if any(cells) and any(cell.strip() for cell in cells):
                    for append, i in kept:
                        cell = cells[i].strip()
                        if len(known) < _KNOWN:
                            cell = known.setdefault(cell, cell)
                        append(known.get(cell, cell))
                    rows.append(line)
            elif any(cell.strip() for cell in cells):
                what = f"has {len(cells)} cells, the header has {len(header)}; left out"
                found.problems.append(Problem(line, what, "wrong number of cells"))
            line = skipped + reader.line_num + 1
    except csv.Error as error:
        raise MediaFMError(
            f"the row that begins in line {line} cannot be read ({error})",
            where=path,
            do='close every quoted cell, and write quotes inside of it twice ("")',
        ) from None
    found.rows = rows
    return found


def _padded(cells: Sequence[str], width: int) -> bool:
    """Whether a row is longer than the header by empty cells only."""
    return len(cells) > width and not any(cells[width:])


def _lines(path: Path, text: TextIO) -> Iterator[str]:
    try:
        for line in text:
            if "\0" in line:
                raise MediaFMError("is no text file", where=path, do=_AS_CSV)
            yield line
    except UnicodeError:
        raise MediaFMError(
            f"is not UTF-8 text{_wrong_line(path)}", where=path, do=_AS_CSV
        ) from None


def _wrong_line(path: Path) -> str:
    """Where a file stops being UTF-8; decoding in blocks does not say."""
    data = path.read_bytes()
    try:
        data.decode()
    except UnicodeDecodeError as error:
        return f" (line {len(data[: error.start + 1].splitlines())})"
    return ""


def _check_header(path: Path, header: Sequence[str]) -> None:
    named = [name for name in header if name]
    if len(set(named)) < len(named):
        twice = next(name for name in named if named.count(name) > 1)
        raise MediaFMError(
            f"names the column '{twice}' twice", where=path, do="rename or remove one of them"
        )
