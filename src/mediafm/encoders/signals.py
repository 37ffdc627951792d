"""Audience signals per shot from a table: plays, skips, likes. ``--with audience=csv:signals.csv``.

A CSV or Parquet file with a row per stretch of a title: ``title_id``; ``start`` and ``end``
(seconds or clock times) or ``start_us`` and ``end_us``; every other column of numbers is a signal,
or those that ``?columns=plays,skips`` names.
"""

from __future__ import annotations

import csv
import hashlib
import itertools
import json
import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from mediafm.encoders.base import EncoderInfo, EncoderSource, Mask, TitleView, Vectors
from mediafm.encoders.spec import Spec, near
from mediafm.errors import EncoderError, MediaFMError, describe_os_error
from mediafm.timeline import US, parse_time

LOG = logging.getLogger(__name__)

_TIMES = (("start_us", "end_us"), ("start", "end"))
_PLACE = {"title_id", *itertools.chain(*_TIMES)}
_LONGEST = 7 * 24 * 3600 * US
"""No title is longer than a week; times beyond it are in another unit."""


def open_signals(spec: Spec, modality: str) -> EncoderSource:
    """Reads a table of signals.

    Args:
        spec: ``csv:FILE``, CSV or Parquet; option ``columns``: the signals to read.
        modality: Name of the modality.

    Raises:
        EncoderError: The file cannot be read, lacks columns, or a row is wrong.
    """
    spec.check_options(("columns",))
    path = Path(spec.name).expanduser().absolute()
    if path.exists() and not path.is_file():
        raise EncoderError("is no file", where=path, do="name a CSV or Parquet file")
    wanted = sorted(filter(None, spec.options.get("columns", "").split(",")))
    try:
        rows = _sorted(_Parquet(path) if _is_parquet(path) else _CSV(path), wanted)
    except OSError as error:
        raise EncoderError(
            f"cannot be read ({describe_os_error(error)})",
            where=path,
            do=f"bring the file back, name another (--with {modality}=csv:FILE), or leave the "
            f"modality out with --with {modality}=none",
        ) from None
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise EncoderError(
            f"is damaged, or neither CSV in UTF-8 nor Parquet ({error})", where=path
        ) from None
    return Signals(Spec("csv", str(path), "", spec.options), modality, rows)


class Signals:
    """Shots to what the audience did in them; its own source, since there are no weights.

    Of every signal a shot gets the mean of the rows that touch it, weighted by overlap, as two
    numbers: its level, and the level minus the mean level of the title's shots that have one.
    Counts are heavy-tailed, so the level is ``log1p`` of the mean, of a negative mean mirrored. A
    hit has more plays in every shot than a niche title: the deviation is what can be compared
    between them, and the level tells one from the other.

    Nothing is fitted across titles, so that another title changes no vector; that is left to the
    model's fusion. Next month's file fits the catalog if it has the same columns.

    Args:
        spec: With an absolute path.
        modality: Name of the modality.
        rows: The table.
    """

    queries = False

    def __init__(self, spec: Spec, modality: str, rows: Rows):
        self._rows, self._path = rows, spec.name
        settings = {
            "signals": json.dumps(rows.names, ensure_ascii=False),
            "recipe": "overlap-weighted mean; signed log1p, minus its mean over the title's shots",
        }
        self.info = EncoderInfo(
            modality, str(spec), 2 * len(rows.names), settings, identity="signals"
        )

    def load(self, devices: Sequence[str] = ()) -> Signals:
        """See :class:`~mediafm.encoders.base.EncoderSource`."""
        return self

    def encode_shots(self, title: TitleView) -> tuple[Vectors, Mask]:
        """See :class:`~mediafm.encoders.base.ShotEncoder`; levels first, then deviations."""
        place = self._rows.titles.get(title.title_id, slice(0, 0))
        starts_R, ends_R = self._rows.starts_R[place], self._rows.ends_R[place]
        x_RS = self._rows.x_RS[place]
        means_NS = np.zeros((len(title.shots), x_RS.shape[1]))
        present_N = np.zeros(len(title.shots), dtype=np.bool_)
        # Rows are sorted by start but may overlap; their latest end so far is sorted, too.
        latest_R = np.maximum.accumulate(ends_R)
        for i, shot in enumerate(title.shots):
            start, end = shot.span.start, shot.span.end
            near_R = slice(np.searchsorted(latest_R, start), np.searchsorted(starts_R, end))
            overlap_R = np.minimum(ends_R[near_R], end) - np.maximum(starts_R[near_R], start)
            weights_R = overlap_R.clip(min=0).astype(np.float64)
            if weights_R.any():
                present_N[i] = True
                means_NS[i] = weights_R / weights_R.sum() @ x_RS[near_R]
        levels_NS = np.sign(means_NS) * np.log1p(np.abs(means_NS))
        usual_S = levels_NS[present_N].mean(0) if present_N.any() else 0
        both_ND = np.concatenate([levels_NS, levels_NS - usual_S], axis=1)
        return both_ND.astype(np.float32), present_N

    def sources(self, title_id: str) -> str:
        """See :class:`~mediafm.encoders.base.ShotEncoder`; the order of the rows is no matter."""
        place = self._rows.titles.get(title_id)
        if place is None:
            return ""
        rows, digest = self._rows, hashlib.blake2b(digest_size=8)
        columns = (rows.starts_R[place], rows.ends_R[place], *rows.x_RS[place].T)
        order_R = np.lexsort(columns)
        for column_R in columns:
            digest.update(column_R[order_R].astype(column_R.dtype.newbyteorder("<")).tobytes())
        return digest.hexdigest()

    def unknown(self, known: Collection[str]) -> list[str]:
        """The titles of the table that nobody knows; says so in the log.

        Args:
            known: All titles that there are.
        """
        found = sorted(set(self._rows.titles) - set(known))
        if found:
            LOG.warning(
                "%s: %d of %d titles are not in the catalog (%s)",
                self._path, len(found), len(self._rows.titles), found[0],
            )  # fmt: skip
        return found


@dataclass(frozen=True)
class Rows:
    """A table, the rows of a title together and sorted by time.

    Args:
        names: The signals.
        titles: Where the rows of each title are.
        starts_R: Microseconds.
        ends_R: Microseconds, after the start.
        x_RS: The signals, finite.
    """

    names: list[str]
    titles: Mapping[str, slice]
    starts_R: npt.NDArray[np.int64]
    ends_R: npt.NDArray[np.int64]
    x_RS: npt.NDArray[np.float64]


def _sorted(file: _File, wanted: Sequence[str]) -> Rows:
    names = list(wanted)
    times = _check_columns(file, names)
    codes: dict[str, int] = {}
    parts: list[tuple[Any, ...]] = []
    row = 0
    for batch in file.batches():
        if not len(batch):
            continue
        at = _Batch(file, batch, row)
        if not parts and not wanted:
            names = _signals(file, at)
        start_R, end_R = (at.times(name) for name in times)
        at.refuse(end_R <= start_R, times[1], "ends at {}, which is not after its start")
        parts.append((at.titles(codes), start_R, end_R, *(at.numbers(name) for name in names)))
        row += len(batch)
    if not parts:
        raise file.error("has no row")
    if not names:
        raise file.error("has no signal: no column of numbers but the times")
    code_R, start_R, end_R, *columns = (
        np.concatenate(column) for column in zip(*parts, strict=True)
    )
    x_RS = np.stack(columns, axis=1).astype(np.float64)
    order_R = np.lexsort((start_R, code_R))
    edges = np.searchsorted(code_R[order_R], np.arange(len(codes) + 1))
    titles = {title: slice(edges[i], edges[i + 1]) for title, i in codes.items()}
    return Rows(names, titles, start_R[order_R], end_R[order_R], x_RS[order_R])


def _check_columns(file: _File, wanted: Sequence[str]) -> tuple[str, str]:
    pairs = [pair for pair in _TIMES if set(pair) <= set(file.names)]
    missing = [] if "title_id" in file.names else ["title_id"]
    missing += [] if pairs else ["start", "end"]
    have = f"it has {', '.join(map(repr, file.names))}"
    if missing:
        raise file.error(f"has no column {' and '.join(missing)}", f"rename yours; {have}")
    for name in file.names:
        if file.names.count(name) > 1:
            raise file.error(f"two columns are called '{name}'")
    for name in wanted:
        if name not in file.names:
            raise file.error(f"has no column '{name}'{near(name, file.names)}", have)
        if name in _PLACE:
            raise file.error(f"column '{name}' says where a row is and is no signal")
    return pairs[0]


def _signals(file: _File, batch: _Batch) -> list[str]:
    """The columns of numbers, by name; others are named in the log."""
    others = [name for name in file.names if name not in _PLACE]
    found = [name for name in others if file.is_number(batch.column(name)[:100])]
    if len(found) < len(others):
        rest = ", ".join(sorted(set(others) - set(found)))
        LOG.warning("%s: columns without numbers are not read: %s", file.path, rest)
    return sorted(found)


class _Batch:
    """Some rows, checked; errors name the first wrong one."""

    def __init__(self, file: _File, batch: Any, first: int):
        self.file, self.batch, self.first = file, batch, first

    def column(self, name: str) -> Any:
        """A column, text as plain strings."""
        column, kind = self.batch.column(name), self.batch.schema.field(name).type
        if pa.types.is_dictionary(kind) or pa.types.is_large_string(kind):
            return pc.cast(column, pa.string())
        return column

    def refuse(self, wrong_R: Any, name: str, what: str, do: str | None = None) -> None:
        """Raises if a row is wrong; ``{}`` in the words is its value in a column."""
        if not (where := np.flatnonzero(wrong_R)).size:
            return
        i = int(where[0])
        what = what.replace("{}", str(self.column(name)[i].as_py()))
        raise self.file.error(f"{self.file.place(self.first + i)}: {what}", do)

    def titles(self, codes: dict[str, int]) -> npt.NDArray[np.int64]:
        """A number for the title of every row."""
        column = pc.cast(self.column("title_id"), pa.string())
        empty_R = pc.fill_null(pc.equal(pc.utf8_length(column), 0), True)
        self.refuse(np.array(empty_R), "title_id", "has no title_id")
        index = column.dictionary_encode()
        local = [codes.setdefault(title, len(codes)) for title in index.dictionary.to_pylist()]
        codes_R: npt.NDArray[np.int64] = np.array(local)[np.array(index.indices)]
        return codes_R

    def numbers(self, name: str) -> npt.NDArray[np.float64]:
        """A column of finite numbers."""
        x_R = _numbers(self.column(name))
        choose = "write a number, or name the columns to read: csv:FILE?columns=plays,skips"
        self.refuse(~np.isfinite(x_R), name, f"{name} is '{{}}', not a number", choose)
        return x_R

    def times(self, name: str) -> npt.NDArray[np.int64]:
        """A column of times, microseconds."""
        column = self.column(name)
        unit = 1 if name.endswith("_us") else US
        x_R = _numbers(column) * unit
        clock_R = ~np.isfinite(x_R)
        if clock_R.any() and pa.types.is_string(column.type):
            index = column.filter(pa.array(clock_R)).dictionary_encode()
            read = [_clock(text) for text in index.dictionary.to_pylist()]
            x_R[clock_R] = np.array([*read, np.nan])[np.array(pc.fill_null(index.indices, -1))]
        do = "write seconds or a clock time (00:03:10.500), or microseconds in start_us and end_us"
        self.refuse(~np.isfinite(x_R), name, f"{name} is '{{}}', not a time", do)
        self.refuse(x_R < 0, name, f"{name} is {{}}, before the title begins")
        self.refuse(x_R > _LONGEST, name, f"{name} is {{}}, more than a week", do)
        times_R: npt.NDArray[np.int64] = np.round(x_R).astype(np.int64)
        return times_R


def _clock(text: str | None) -> float:
    try:
        return float(parse_time(text or ""))
    except MediaFMError:
        return float("nan")


def _numbers(column: Any) -> npt.NDArray[np.float64]:
    """Numbers as they are, NaN for whatever is none."""
    if not pa.types.is_string(column.type):
        column = pc.cast(column, pa.float64(), safe=False)
        return np.array(column.fill_null(np.nan))
    column = pc.utf8_trim_whitespace(column)
    try:
        column = pc.cast(column, pa.float64())
    except pa.ArrowInvalid:  # not all of them are numbers, as pyarrow writes them
        number = pc.match_substring_regex(column, r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$")
        bare = pc.utf8_ltrim(column, "+")
        column = pc.cast(pc.if_else(number, bare, "nan"), pa.float64())
    return np.array(column.fill_null(np.nan))


@dataclass
class _File:
    """A file of rows.

    Args:
        path: The file.
        names: Its columns.
    """

    path: Path
    names: list[str] = field(init=False)

    def error(self, what: str, do: str | None = None) -> EncoderError:
        return EncoderError(what, where=self.path, do=do)

    def place(self, row: int) -> str:
        return f"row {row + 1}"

    def is_number(self, column: Any) -> bool:
        kind = column.type
        numeric = pa.types.is_integer(kind) or pa.types.is_floating(kind)
        return bool(numeric or pa.types.is_decimal(kind) or pa.types.is_boolean(kind))

    def batches(self) -> Iterator[Any]:
        raise NotImplementedError


class _Parquet(_File):
    def __init__(self, path: Path):
        super().__init__(path)
        self._file = pyarrow.parquet.ParquetFile(path)
        self.names = list(self._file.schema_arrow.names)

    def batches(self) -> Iterator[Any]:
        yield from self._file.iter_batches()


class _CSV(_File):
    """Read as text, so that a wrong value can be told with its line."""

    def __init__(self, path: Path):
        super().__init__(path)
        with path.open(encoding="utf-8-sig", newline="") as opened:
            header = opened.readline()
        self._delimiter = max(",;\t", key=header.count)
        self.names = next(csv.reader([header], delimiter=self._delimiter), [])

    def place(self, row: int) -> str:
        with self.path.open(encoding="utf-8-sig", newline="") as opened:
            reader = csv.reader(opened, delimiter=self._delimiter)
            lines = ((before, line) for line in reader if line for before in [reader.line_num])
            last, line = next(itertools.islice(lines, row + 1, None), (0, []))
        return f"line {last - sum(cell.count(chr(10)) for cell in line)}"

    def is_number(self, column: Any) -> bool:
        return bool(np.isfinite(_numbers(column)).any())

    def batches(self) -> Iterator[Any]:
        ragged: list[Any] = []

        def note(row: Any) -> str:
            ragged.append(row)
            return "skip"

        reader = pyarrow.csv.open_csv(
            self.path,
            pyarrow.csv.ReadOptions(use_threads=False),  # else rows have no numbers
            pyarrow.csv.ParseOptions(
                delimiter=self._delimiter, newlines_in_values=True, invalid_row_handler=note
            ),
            pyarrow.csv.ConvertOptions(column_types=dict.fromkeys(self.names, pa.string())),
        )
        while not ragged:
            try:
                batch = reader.read_next_batch()
            except StopIteration:
                break
            if not ragged:
                yield batch
        for row in ragged[:1]:
            counts = f"{row.actual_columns} values, not {row.expected_columns}"
            raise self.error(f"{self.place(row.number - 2)}: has {counts}")


def _is_parquet(path: Path) -> bool:
    with path.open("rb") as opened:
        return opened.read(4) == b"PAR1"
