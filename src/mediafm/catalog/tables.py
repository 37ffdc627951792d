"""One Lance table: made without races, appended to, read by ingest, deleted from.

Rows that one append brought lie together, and stay together: Lance keeps the order of rows through
deletions and compaction. So a table's index is one run of rows per ``ingest_id``, and a title is
read as a range.
"""

from __future__ import annotations

import itertools
import random
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import Any, NamedTuple, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from mediafm.catalog.guard import is_conflict, is_missing
from mediafm.errors import StaleError

_ATTEMPTS = 12
_IDS_PER_DELETE = 2000  # some 90 KB of predicate: a retired table goes in few commits

T = TypeVar("T")


class Part(NamedTuple):
    """What was read of one fragment.

    Attributes:
        file: The fragment's data file, whose name no other table ever has.
        deletions: How many of its rows were deleted then.
        content: What was read.
    """

    file: str
    deletions: int
    content: Any


FragmentCache = dict[str, dict[int, Part]]
"""What was read of a table, by the number of the fragment.

Fragments never change but for deletions, which only grow, and a table gives no number twice.
"""


def open_latest(uri: str) -> Any | None:
    """Opens a table at its latest version, ``None`` where there is none."""
    import lance

    try:
        return lance.dataset(uri)
    except ValueError as error:
        if is_missing(error):
            return None
        raise


def ensure(uri: str, schema: pa.Schema) -> None:
    """Makes an empty table where there is none; any number of processes may do so at once.

    ``lance.write_dataset`` in the modes ``create`` and ``append`` is not safe here: two that
    start at once may both succeed, the second as an *overwrite* that drops the rows of the first
    (pylance 14.0.2). An explicit commit without retries can only ever write version 1.
    """
    from lance import LanceDataset, LanceOperation
    from lance.schema import LanceSchema

    if open_latest(uri) is not None:
        return
    operation = LanceOperation.Overwrite(LanceSchema.from_pyarrow(schema), [])
    try:
        LanceDataset.commit(uri, operation, max_retries=0)
    except (OSError, ValueError):
        # Lance words the lost race in several ways; what counts is that the table is there.
        if open_latest(uri) is None:
            raise


def append(uri: str, schema: pa.Schema, data: Callable[[], Any]) -> None:
    """Appends rows in one commit.

    Args:
        uri: The table, made where it is missing.
        schema: Its schema.
        data: Gives the rows, a table or a reader of batches, anew for every attempt.
    """
    import lance

    ensure(uri, schema)
    retry(lambda: lance.write_dataset(data(), uri, schema=schema, mode="append"))


def widen(uri: str, schema: pa.Schema) -> None:
    """Adds the columns that a table lacks, null in the rows that are there.

    Args:
        uri: The table; nothing happens where it is missing.
        schema: What it is to have.
    """

    def attempt() -> None:
        dataset = open_latest(uri)
        if dataset is None:
            return
        names = dataset.schema.names
        if lacking := [field for field in schema if field.name not in names]:
            dataset.add_columns(lacking)

    retry(attempt)


def retry(commit: Callable[[], T]) -> T:
    """Repeats a commit that others preempted, beyond the retries of Lance itself."""
    for attempt in itertools.count(1):
        try:
            return commit()
        except (OSError, RuntimeError, ValueError) as error:
            if attempt == _ATTEMPTS or not is_conflict(error):
                raise
            time.sleep(random.uniform(0, 0.02 * 2 ** min(attempt, 7)))
    raise AssertionError


def quote(text: str) -> str:
    """A string literal of a Lance predicate."""
    return "'" + text.replace("'", "''") + "'"


def delete(uri: str, predicate: str) -> None:
    """Deletes the rows that a predicate names; nothing happens where the table is missing."""

    def attempt() -> None:
        dataset = open_latest(uri)
        if dataset is not None:
            dataset.delete(predicate)

    retry(attempt)


def delete_ingests(uri: str, ingest_ids: Iterable[str]) -> None:
    """Deletes the rows of some ingests."""
    ids = sorted(ingest_ids)
    for start in range(0, len(ids), _IDS_PER_DELETE):
        some = ", ".join(map(quote, ids[start : start + _IDS_PER_DELETE]))
        delete(uri, f"ingest_id IN ({some})")


def by_fragment(dataset: Any, uri: str, cache: FragmentCache, read: Callable[[Any], T]) -> list[T]:
    """Reads a table fragment by fragment, and only fragments that are new since the last time.

    Args:
        dataset: The table at a version.
        uri: Its name in the cache.
        cache: What earlier calls read; brought up to date.
        read: Reads one fragment.
    """
    known = cache.get(uri, {})
    now: dict[int, Part] = {}
    fragments = {fragment.fragment_id: fragment for fragment in dataset.get_fragments()}
    # A table that was deleted and made again counts from 0 again. One file that is still the same
    # shows that it was not; asking for each takes longer than all the rest (pylance 14.0.2).
    shared = next((number for number in fragments if number in known), None)
    if shared is not None and known[shared].file != _file(fragments[shared]):
        known = {}
    for number, fragment in fragments.items():
        part, deletions = known.get(number), fragment.num_deletions
        if part is None or part.deletions != deletions:
            part = Part(_file(fragment), deletions, read(fragment))
        now[number] = part
    cache[uri] = now
    return [part.content for part in now.values()]


def _file(fragment: Any) -> str:
    return str(fragment.metadata.files[0].path)


def _runs_of(fragment: Any) -> list[tuple[str, int]]:
    column = fragment.to_table(columns=["ingest_id"]).column(0).combine_chunks()
    if not len(column):
        return []
    encoded = pc.run_end_encode(column)
    ends = [0, *encoded.run_ends.to_pylist()]
    return list(
        zip(
            encoded.values.to_pylist(),
            (end - start for start, end in itertools.pairwise(ends)),
            strict=True,
        )
    )


class PinnedTable:
    """A table at one version, read by ``ingest_id``.

    Args:
        uri: What Lance calls it.
        dataset: The table as opened.
        cache: What other versions of it already read.
    """

    def __init__(self, uri: str, dataset: Any, cache: FragmentCache):
        self.uri = uri
        self.dataset = dataset
        self._cache = cache
        self._all: pa.Table | None = None
        self._lost: set[str] = set()  # ingests that the pinned version had and the latest has not

    @property
    def schema(self) -> pa.Schema:
        """Arrow schema with its metadata."""
        return self.dataset.schema

    @cached_property
    def runs(self) -> dict[str, tuple[int, int]]:
        """First row and number of rows of every ingest.

        Where an ingest was appended twice (two processes embedded the same title) the first run
        counts; consumers know how many rows one copy has.
        """
        for _ in range(_ATTEMPTS):
            try:
                return self._find_runs()
            except (OSError, ValueError, RuntimeError) as error:
                dataset = open_latest(self.uri) if is_missing(error) else None
                if dataset is None:
                    raise
                # The pinned version was cleaned away before anything of it was read.
                self.dataset = dataset
        return self._find_runs()

    def _find_runs(self) -> dict[str, tuple[int, int]]:
        runs: dict[str, tuple[int, int]] = {}
        last, row = None, 0
        for part in by_fragment(self.dataset, self.uri, self._cache, _runs_of):
            for ingest_id, count in part:
                if ingest_id == last:
                    start, so_far = runs[ingest_id]
                    if start + so_far == row:
                        runs[ingest_id] = (start, so_far + count)
                elif ingest_id not in runs:
                    runs[ingest_id] = (row, count)
                last, row = ingest_id, row + count
        return runs

    def rows(self, ingest_id: str, columns: Sequence[str]) -> pa.Table:
        """All rows of one ingest in the order they were written; none where it has none."""
        return self.many([ingest_id], columns)[0]

    def many(
        self, ingest_ids: Sequence[str], columns: Sequence[str], *, lost: bool = False
    ) -> list[pa.Table]:
        """Rows of several ingests, read together where they lie side by side.

        Args:
            ingest_ids: Ingests in any order.
            columns: What to read.
            lost: Whether rows may be lost by now: their ingest has none then.

        Returns:
            A table per ingest, in the order of ``ingest_ids``.

        Raises:
            StaleError: The pinned version was cleaned away and the title replaced since.
        """
        wanted = () if lost else ingest_ids
        return self.lasting(lambda: self._read(ingest_ids, columns), wanted)

    def all(self) -> pa.Table:
        """The whole table in row order, read once; for small tables."""
        if self._all is None:
            self._all = self.lasting(lambda: self.dataset.to_table(scan_in_order=True))
        return self._all

    def lasting(self, read: Callable[[], T], ingest_ids: Iterable[str] = ()) -> T:
        """Reads, also when the pinned version was cleaned away under a long-lived reader.

        What one ingest wrote does not change, so the latest version serves as well, as long as the
        ingest is still there. Where its vectors were made anew (:meth:`Catalog.drop_features`,
        :meth:`Catalog.forget_embeddings`), a reader that outlived the safe age gets the new ones.
        """
        try:
            if self._lost.isdisjoint(ingest_ids):
                return read()
        except (OSError, ValueError, RuntimeError) as error:
            if not is_missing(error):
                raise
            held = set(self.__dict__.get("runs", ()))
            dataset = open_latest(self.uri)
            if dataset is not None and (held or not ingest_ids):
                self.dataset = dataset
                self.__dict__.pop("runs", None)
                self._lost = held - set(self.runs)
                if self._lost.isdisjoint(ingest_ids):
                    return read()
        raise StaleError(
            "rows were replaced or deleted since the catalog was opened",
            where=self.uri,
            do="open the catalog again (refresh)",
        )

    def take(
        self, places: Sequence[tuple[str, int]], column: str
    ) -> tuple[list[int], pa.ChunkedArray]:
        """Values of single rows, wherever they lie.

        Args:
            places: Ingest and which of its rows.
            column: What to read.

        Returns:
            Which of ``places`` there are, by their number, and the value of each of them.
        """

        def read() -> tuple[list[int], pa.ChunkedArray]:
            found = []
            for number, (ingest_id, row) in enumerate(places):
                first, count = self.runs.get(ingest_id, (0, 0))
                if row < count:
                    found.append((first + row, number))
            found.sort()  # neighbours are read together
            rows = self.dataset.take([place for place, _ in found], columns=[column])
            return [number for _, number in found], rows[column]

        return self.lasting(read)

    def between(self, ingest_id: str, key: str, keys: range, column: str) -> dict[int, Any]:
        """Values of one ingest by an integer column; reads those between the first and the last.

        Args:
            ingest_id: The ingest.
            key: The integer column.
            keys: Which rows are wanted.
            column: What is read of them.

        Returns:
            Key to value; keys that the ingest has not are left out.
        """
        held = self.rows(ingest_id, [key])[key].to_pylist()
        places = [place for place, value in enumerate(held) if value in keys]
        if not places:
            return {}
        first, end = places[0], places[-1] + 1

        def read() -> pa.Table:
            start = self.runs[ingest_id][0] + first
            return self.dataset.to_table(
                columns=[column], offset=start, limit=end - first, scan_in_order=True
            )

        values = self.lasting(read, [ingest_id])[column].to_pylist()
        pairs = zip(held[first:end], values, strict=True)
        return {value: found for value, found in pairs if value in keys}

    def present_counts(self, ingest_ids: Iterable[str]) -> dict[str, int]:
        """Ingest id to the number of its rows whose ``present`` is true."""
        wanted = set(ingest_ids)

        def read() -> dict[str, int]:
            counts: Counter[str] = Counter()
            for batch in self.dataset.to_batches(columns=["ingest_id"], filter="present"):
                for entry in pc.value_counts(batch.column(0)).to_pylist():
                    counts[entry["values"]] += entry["counts"]
            return {ingest_id: counts[ingest_id] for ingest_id in wanted if counts[ingest_id]}

        return self.lasting(read, wanted)

    def _read(self, ingest_ids: Sequence[str], columns: Sequence[str]) -> list[pa.Table]:
        names = list(columns)
        empty = pa.schema([self.schema.field(name) for name in names]).empty_table()
        found = [empty] * len(ingest_ids)
        places = deque(
            sorted(
                (*self.runs[ingest_id], place)
                for place, ingest_id in enumerate(ingest_ids)
                if ingest_id in self.runs
            )
        )
        while places:
            first, end = places[0][0], places[0][0]
            side_by_side = []
            while places and places[0][0] == end:
                side_by_side.append(places.popleft())
                end += side_by_side[-1][1]
            table = self.dataset.to_table(
                columns=names, offset=first, limit=end - first, scan_in_order=True
            )
            for start, count, place in side_by_side:
                found[place] = table.slice(start - first, count)
        return found
