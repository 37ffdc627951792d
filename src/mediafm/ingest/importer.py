"""Bring your own embeddings: a Parquet or Arrow file with one row per shot becomes titles.

``mediafm import``. The file is read in batches and must hold the rows of a title together, so that
memory does not grow with it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.dataset as ds

from mediafm.catalog import Catalog, EncoderRecord, TitleRecord
from mediafm.errors import MediaError, MediaFMError, TitleDataError, describe_os_error
from mediafm.fingerprint import file_fingerprint, fingerprint
from mediafm.ingest.config import IngestReport, Outcome
from mediafm.progress import Progress, Silent
from mediafm.timeline import US, Shot, Span, parse_time

UNITS = {"s": US, "ms": US // 1000, "us": 1}
_ROUNDING = US // 10
"""Shots whose times were rounded overlap by less than this; the earlier one is trimmed."""

_LONGEST = 7 * 24 * 3600 * US
"""No title is longer than a week; times beyond it are in another unit."""


@dataclass(frozen=True)
class _Columns:
    start: str
    end: str
    features: dict[str, int]
    others: tuple[str, ...]

    @property
    def all(self) -> list[str]:
        return ["title_id", self.start, self.end, *self.features, *self.others]


def import_features(
    file: Path | str,
    catalog: Catalog | Path | str,
    *,
    time_unit: str = "s",
    source: str = "",
    progress: Progress | None = None,
) -> IngestReport:
    """Fills a catalog from embeddings that were made elsewhere.

    Columns: ``title_id``; ``start`` and ``end`` (numbers in the time unit, or clock times), or
    ``start_us`` and ``end_us``; every column of lists of numbers is a modality of that name, null
    where a shot has none. ``title``, ``kind``, ``series_id``, ``season``, ``episode``, ``year`` and
    ``synopsis`` are taken from a title's first row where they are there.

    Args:
        file: A Parquet, Arrow IPC or Feather file.
        catalog: A catalog, or where to open or make one.
        time_unit: Unit of numbers in ``start`` and ``end``: ``s``, ``ms`` or ``us``.
        source: Name of what made the vectors; files of one source share a catalog. The file's name
            by default.
        progress: Where to report.

    Returns:
        What became of each title; titles that were imported before are unchanged.

    Raises:
        MediaError: The file cannot be read or lacks columns.
        FingerprintError: The catalog holds vectors of another source.
    """
    file = Path(file)
    if time_unit not in UNITS:
        raise MediaFMError(
            f"there is no time unit '{time_unit}'", do=f"choose one of {', '.join(UNITS)}"
        )
    data = _open(file)
    columns = _columns(data, file)
    if not isinstance(catalog, Catalog):
        catalog = Catalog.open_or_create(catalog)
    source = source or file.stem
    records = {
        name: EncoderRecord(
            name, f"{source}:{name}", fingerprint([source, name, dim]), dim, {"source": source}
        )
        for name, dim in columns.features.items()
    }
    catalog.check_encoders(records)
    catalog.collect_orphans()
    content = file_fingerprint(file)
    settings = fingerprint([time_unit, source])
    held = {title.title_id: title for title in catalog.titles()}
    progress, report = progress or Silent(), IngestReport()
    seen: set[str] = set()
    with progress.task("import", data.count_rows(), "shots") as task:
        for title_id, rows in _titles(data, columns):
            known = held.get(title_id)
            try:
                if title_id in seen:
                    raise MediaError(
                        f"rows of title '{title_id}' do not stand together",
                        where=file,
                        do="sort the file by title_id",
                    )
                seen.add(title_id)
                if known and known.path:
                    raise MediaError(
                        f"title '{title_id}' was ingested from {known.path}",
                        where=file,
                        do="give it another title_id, or import into another catalog",
                    )
                if known and (known.content, known.settings) == (content, settings):
                    outcome = Outcome(str(file), title_id, "unchanged", shots=known.shots)
                else:
                    title = _Title(file, title_id, rows, columns, UNITS[time_unit])
                    outcome = title.write(catalog, records, content, settings)
            except (MediaError, TitleDataError) as error:
                reason = str(MediaError(error.what, where=file, do=error.do))
                outcome = Outcome(str(file), title_id, "failed", reason=reason)
                progress.say(f"failed     {reason}")
            report.outcomes.append(outcome)
            task.advance(rows.num_rows)
            task.note(title_id)
    catalog.compact()
    catalog.index(progress)
    return report


def _open(file: Path) -> Any:
    try:
        with file.open("rb") as opened:
            magic = opened.read(6)
    except OSError as error:
        raise MediaError(f"cannot be read ({describe_os_error(error)})", where=file) from None
    try:
        return ds.dataset(file, format="parquet" if magic[:4] == b"PAR1" else "ipc")
    except (pa.ArrowInvalid, OSError):
        raise MediaError(
            "is no Parquet or Arrow file, or is damaged",
            where=file,
            do="write it with pyarrow, pandas or polars",
        ) from None


def _columns(data: Any, file: Path) -> _Columns:
    names = set(data.schema.names)
    pairs = [(a, b) for a, b in (("start_us", "end_us"), ("start", "end")) if {a, b} <= names]
    missing = [] if "title_id" in names else ["title_id"]
    missing += [] if pairs else ["start", "end"]
    if missing:
        raise MediaError(
            f"has no column {' and '.join(missing)}",
            where=file,
            do=f"rename yours; it has {', '.join(sorted(names))}",
        )
    features = {f.name: _width(data, f) for f in data.schema if _is_vector(f.type)}
    features = {name: width for name, width in features.items() if width}
    if not features:
        raise MediaError(
            "has no column of vectors", where=file, do="store each vector as a list of numbers"
        )
    known = [f for f in TitleRecord.__dataclass_fields__ if f in _TEXT_FIELDS | _NUMBER_FIELDS]
    return _Columns(*pairs[0], features, tuple(name for name in known if name in names))


_TEXT_FIELDS = {"title", "kind", "series_id", "synopsis"}
_NUMBER_FIELDS = {"season", "episode", "year"}


def _is_vector(kind: Any) -> bool:
    lists = pa.types.is_list(kind) or pa.types.is_large_list(kind)
    lists = lists or pa.types.is_fixed_size_list(kind)
    return bool(lists and pa.types.is_floating(kind.value_type))


def _width(data: Any, column: Any) -> int:
    """Width of a column's vectors, 0 where all are null."""
    if pa.types.is_fixed_size_list(column.type):
        return int(column.type.list_size)
    for batch in data.to_batches(columns=[column.name]):
        values = batch.column(0).drop_null()
        if len(values):
            return len(values[0])
    return 0


def _titles(data: Any, columns: _Columns) -> Iterator[tuple[str, Any]]:
    """Yields a title's id and its rows, title by title, a title at a time in memory."""
    parts: list[Any] = []
    current: str | None = None
    for batch in data.to_batches(columns=columns.all):
        ids = batch.column("title_id").to_pylist()
        if None in ids:
            raise MediaFMError("a row has no title_id", do="fill the column, or drop the row")
        edges = [0, *(i for i in range(1, len(ids)) if ids[i] != ids[i - 1]), len(ids)]
        for begin, end in itertools.pairwise(edges):
            if begin == end:
                continue
            if parts and ids[begin] != current:
                yield str(current), pa.Table.from_batches(parts)
                parts = []
            current = ids[begin]
            parts.append(batch.slice(begin, end - begin))
    if parts:
        yield str(current), pa.Table.from_batches(parts)


class _Title:
    """The rows of one title, checked."""

    def __init__(self, file: Path, title_id: str, rows: Any, columns: _Columns, unit: int):
        self.file, self.title_id, self.columns = file, title_id, columns
        unit = 1 if columns.start == "start_us" else unit
        starts = self._times(rows.column(columns.start).to_pylist(), columns.start, unit)
        ends = self._times(rows.column(columns.end).to_pylist(), columns.end, unit)
        order = np.argsort(np.array(starts), kind="stable")
        self.trimmed = 0
        self.rows = rows.take(pa.array(order))
        self.shots = self._shots([(starts[i], ends[i]) for i in order])

    def _error(self, what: str, do: str | None = None) -> MediaError:
        return MediaError(f"title '{self.title_id}': {what}", where=self.file, do=do)

    def _times(self, values: Sequence[Any], name: str, unit: int) -> list[int]:
        times = []
        for value in values:
            if value is None:
                raise self._error(f"a shot has no {name}")
            try:
                time = parse_time(value) if isinstance(value, str) else round(value * unit)
            except (MediaFMError, ValueError, OverflowError, TypeError):
                raise self._error(
                    f"{name} is {value!r}, not a time", "write seconds or a clock time"
                ) from None
            if time < 0:
                raise self._error(f"{name} is {value}, before the title begins")
            if time > _LONGEST:
                # Not a MediaError of this title: every other title has the same unit.
                raise MediaFMError(
                    f"title '{self.title_id}': {name} is {value}, more than a week",
                    where=self.file,
                    do="say the unit of the times with --time-unit us, ms or s",
                )
            times.append(time)
        return times

    def _shots(self, spans: list[tuple[int, int]]) -> list[Shot]:
        shots: list[Shot] = []
        for start, end in spans:
            if end <= start:
                raise self._error(f"a shot ends at {end} us, not after its start at {start} us")
            if shots and shots[-1].span.end - start > _ROUNDING:
                raise self._error(f"two shots overlap at {start} us")
            if shots and start < shots[-1].span.end:
                before = shots[-1]
                shots[-1] = Shot(before.index, Span(before.span.start, start))
                self.trimmed += 1
            shots.append(Shot(len(shots), Span(start, end)))
        return shots

    def _notes(self) -> tuple[str, ...]:
        if not self.trimmed:
            return ()
        return (f"{self.trimmed} shots that overlapped the next by rounding were trimmed",)

    def write(
        self, catalog: Catalog, records: dict[str, EncoderRecord], content: str, settings: str
    ) -> Outcome:
        with catalog.writer(self.title_id, records) as writer:
            writer.add_shots(self.shots)
            for name, record in records.items():
                writer.add_features(name, 0, *self._vectors(name, record.dim))
            first = {name: self.rows.column(name)[0].as_py() for name in self.columns.others}
            fields = {n: self._field(n, value) for n, value in first.items() if value is not None}
            duration = self.shots[-1].span.end - self.shots[0].span.start
            title = TitleRecord(
                **{"title": self.title_id, "kind": "other", **fields},  # type: ignore[arg-type]
                title_id=self.title_id,
                ingest_id="",
                content=content,
                settings=settings,
                duration=duration,
                notes=self._notes(),
            )
            writer.commit(title)
        return Outcome(
            str(self.file), self.title_id, "ingested", shots=len(self.shots), duration=duration
        )

    def _field(self, name: str, value: Any) -> int | str:
        try:
            return int(value) if name in _NUMBER_FIELDS else str(value)
        except (ValueError, TypeError, OverflowError):
            raise self._error(f"{name} is {value!r}, not a number") from None

    def _vectors(
        self, name: str, dim: int
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
        column = self.rows.column(name).combine_chunks()
        present_N = np.asarray(column.is_valid().to_numpy(zero_copy_only=False), dtype=np.bool_)
        x_ND = np.zeros((len(column), dim), dtype=np.float32)
        valid = column.drop_null()
        lengths = {len(vector) for vector in valid}
        if lengths - {dim}:
            raise self._error(f"a vector in {name} has {max(lengths - {dim})} numbers, not {dim}")
        if len(valid):
            flat = valid.flatten().to_numpy(zero_copy_only=False)
            x_ND[present_N] = flat.reshape(-1, dim)
        if not np.isfinite(x_ND).all():
            raise self._error(f"{name} holds NaN or infinity", "store null where a shot has none")
        return x_ND, present_N
