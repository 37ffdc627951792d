"""Reading a catalog: what every consumer needs, at one consistent state."""

from __future__ import annotations

import difflib
import threading
from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mediafm.catalog import schemas
from mediafm.catalog.guard import guard
from mediafm.catalog.recent import Recent
from mediafm.catalog.records import EncoderRecord, Failure, TitleFeatures, TitleRecord
from mediafm.catalog.snapshot import METADATA, Snapshot, title_rows
from mediafm.catalog.store import Store
from mediafm.catalog.tables import FragmentCache, PinnedTable
from mediafm.errors import CatalogError
from mediafm.timeline import Cue, Shot, Span

_BATCH_SHOTS = 8192  # shots that are read at once: some 13 MB per modality of width 768
_BATCH_TITLES = 512


class CatalogReader:
    """The reading half of :class:`Catalog`; nothing here writes, so read-only media work.

    What it shows is pinned: ingests, deletions and compactions of others stay invisible until
    :meth:`refresh`. What the same object writes is visible at once.

    Args:
        store: Where the catalog lies.
    """

    def __init__(self, store: Store):
        self._store = store
        self._cache: FragmentCache = {}
        self._pinned: Snapshot | None = None
        self._lock = threading.RLock()

    @property
    def uri(self) -> str:
        """The folder or URI of the catalog."""
        return self._store.where

    def refresh(self) -> None:
        """Moves to the state of now; iterators that run keep theirs."""
        with self._lock:
            self._pinned = None

    def _guard(self) -> AbstractContextManager[None]:
        return guard(self._store.where)

    def _snapshot(self) -> Snapshot:
        with self._lock:
            if self._pinned is None:
                with self._guard():
                    self._pinned = Snapshot.take(self._store, self._cache)
            return self._pinned

    def state(self) -> Hashable:
        """Equal for two catalogs opened at one place that show the same."""
        return self._snapshot().state

    @property
    def recent(self) -> Recent:
        """What was read and worked out lately; another state of the catalog begins anew."""
        return self._snapshot().recent

    def titles(self) -> list[TitleRecord]:
        """All titles, sorted by ``title_id``."""
        return list(self._snapshot().titles.values())

    def title(self, title_id: str) -> TitleRecord:
        """One title.

        Raises:
            CatalogError: There is none; names those that are spelled alike.
        """
        return self._title(self._snapshot(), title_id)

    def find(self, title_id: str) -> TitleRecord | None:
        """One title, ``None`` where there is none."""
        return self._snapshot().titles.get(title_id)

    def _title(self, snapshot: Snapshot, title_id: str) -> TitleRecord:
        found = snapshot.titles.get(title_id)
        if found is not None:
            return found
        near = difflib.get_close_matches(title_id, snapshot.titles, n=3)
        series = [t.title_id for t in snapshot.titles.values() if t.series_id == title_id]
        named = [t.title_id for t in snapshot.titles.values() if t.title == title_id]
        if series or named:
            what = "it is a series" if series else "it is the name of a title"
            raise CatalogError(
                f"no title '{title_id}': {what}",
                where=self.uri,
                do=f"use the id: {', '.join((series or named)[:3])}",
            )
        if near:
            do = "did you mean " + " or ".join(f"'{name}'" for name in near) + "?"
        else:
            do = f"the catalog has {len(snapshot.titles)} titles (mediafm info)"
        raise CatalogError(f"no title '{title_id}'", where=self.uri, do=do)

    def _rows(self, snapshot: Snapshot, table: str, title: TitleRecord, *columns: str) -> pa.Table:
        pinned = snapshot.tables.get(table)
        if pinned is None:
            return pa.table({name: [] for name in columns})
        with self._guard():
            return pinned.rows(title.ingest_id, columns)

    def stored_rows(
        self, title: TitleRecord, tables: Sequence[str]
    ) -> Iterator[tuple[str, pa.Table]]:
        """One title's rows as they are stored, without the two keys: for a new write of it.

        Args:
            title: The title as read from this catalog.
            tables: Names of tables (``shots``, ``features/video-0011``); a missing one is left out.

        Yields:
            Name and rows, one table after the other.

        Raises:
            CatalogError: The title was ingested anew or removed since it was read.
        """
        snapshot = self._snapshot()
        if title.ingest_id not in snapshot.ingests:
            raise CatalogError(
                f"title '{title.title_id}' was ingested anew or removed meanwhile",
                where=self.uri,
                do="read it again",
            )
        for name in tables:
            if name in snapshot.tables:
                columns = snapshot.tables[name].schema.names[2:]
                yield name, self._rows(snapshot, name, title, *columns)

    def shots(self, title_id: str) -> list[Shot]:
        """The shots of a title in temporal order."""
        snapshot = self._snapshot()
        title = self._title(snapshot, title_id)

        def read() -> list[Shot]:
            table = self._rows(snapshot, "shots", title, "shot", "start", "end", "forced")
            columns = (column.to_pylist() for column in table.columns)
            rows = zip(*columns, strict=True)
            return [Shot(index, Span(start, end), forced) for index, start, end, forced in rows]

        return list(snapshot.recent.get(("shots", title.ingest_id), read))

    def cues(self, title_id: str) -> list[Cue]:
        """The timed text of a title, in the order in which it was written."""
        snapshot = self._snapshot()
        title = self._title(snapshot, title_id)

        def read() -> list[Cue]:
            names = ("start", "end", "text", "kind", "language", "source")
            table = self._rows(snapshot, "cues", title, *names)
            rows = zip(*(column.to_pylist() for column in table.columns), strict=True)
            return [Cue(Span(start, end), *rest) for start, end, *rest in rows]

        return list(snapshot.recent.get(("cues", title.ingest_id), read))

    def keyframes(
        self, title_id: str, first: int = 0, end: int | None = None
    ) -> list[bytes | None]:
        """The JPEG of every shot, or of a part of them; ``None`` where one has none."""
        snapshot = self._snapshot()
        title = self._title(snapshot, title_id)
        wanted = range(title.shots)[first:end]
        pinned = snapshot.tables.get("keyframes")
        if pinned is None:
            return [None] * len(wanted)
        with self._guard():
            found = pinned.between(title.ingest_id, "shot", wanted, "jpeg")
        return [found.get(shot) for shot in wanted]

    def keyframe(self, title_id: str, shot: int) -> bytes | None:
        """The JPEG of one shot, ``None`` where it has none.

        Raises:
            CatalogError: The title has no such shot.
        """
        snapshot = self._snapshot()
        title = self._title(snapshot, title_id)
        if not 0 <= shot < title.shots:
            raise CatalogError(
                f"title '{title_id}' has no shot {shot}; its shots are 0 .. {title.shots - 1}",
                where=self.uri,
            )
        pinned = snapshot.tables.get("keyframes")
        if pinned is None:
            return None
        with self._guard():
            return pinned.between(title.ingest_id, "shot", range(shot, shot + 1), "jpeg").get(shot)

    def encoders(self) -> dict[str, EncoderRecord]:
        """Modality to the current encoder of its committed features, sorted by modality."""
        with self._guard():
            tables = self._snapshot().feature_tables
        return {modality: encoder for modality, (encoder, _) in tables.items()}

    def metadata_encoder(self) -> EncoderRecord | None:
        """The current encoder of the committed metadata vectors, where there are any."""
        with self._guard():
            held = self._snapshot().metadata_table
        return None if held is None else held[0]

    def feature_versions(self) -> dict[str, int]:
        """Modality, and ``metadata``, to the version of its table.

        It changes whenever vectors do, also those of the same encoder and ingest (a modality that
        was filled in, signals with new numbers), and when the table is compacted.
        """
        with self._guard():
            snapshot = self._snapshot()
            tables = {m: table for m, (_, table) in snapshot.feature_tables.items()}
            if snapshot.metadata_table is not None:
                tables[METADATA] = snapshot.metadata_table[1]
            return {name: int(table.dataset.version) for name, table in tables.items()}

    def check_encoders(self, encoders: Mapping[str, EncoderRecord]) -> None:
        """Refuses encoders that made other vectors than the catalog holds.

        Args:
            encoders: Modality to encoder; ``metadata`` for the vectors of title metadata.

        Raises:
            FingerprintError: Names both encoders, what differs and what to do.
        """
        with self._guard():
            self._snapshot().check_encoders(encoders)

    def features(
        self, title_id: str, modality: str
    ) -> tuple[npt.NDArray[np.float16], npt.NDArray[np.bool_]]:
        """One title's features of one modality.

        Returns:
            ``x_ND`` (zeros where absent) and ``present_N``.

        Raises:
            CatalogError: No such title, or no features of that modality in the catalog.
        """
        snapshot = self._snapshot()
        title = self._title(snapshot, title_id)
        [(_, (encoder, table))] = self._tables(snapshot, [modality]).items()
        with self._guard():
            rows = table.rows(title.ingest_id, ["vector"])
        return _vectors(rows, encoder.dim, title.shots)

    def _tables(
        self, snapshot: Snapshot, modalities: Sequence[str] | None
    ) -> dict[str, tuple[EncoderRecord, PinnedTable]]:
        with self._guard():
            held = snapshot.feature_tables
        for modality in modalities or ():
            if modality not in held:
                raise CatalogError(
                    f"no {modality} features; it has {', '.join(held) or 'none'}", where=self.uri
                )
        return {modality: held[modality] for modality in (modalities or held)}

    def title_features(
        self, ids: Sequence[str] | None = None, modalities: Sequence[str] | None = None
    ) -> Iterator[TitleFeatures]:
        """Streams everything a model reads, title by title, in bounded memory.

        Args:
            ids: Titles in the order wanted; all, sorted, by default.
            modalities: Which modalities; all that the catalog has by default.

        Yields:
            One record per title.

        Raises:
            CatalogError: An unknown title or modality; raised before the first record.
        """
        snapshot = self._snapshot()
        titles = [self._title(snapshot, i) for i in (snapshot.titles if ids is None else ids)]
        tables = self._tables(snapshot, modalities)
        return self._stream(snapshot, titles, tables)

    def _stream(
        self,
        snapshot: Snapshot,
        titles: list[TitleRecord],
        tables: dict[str, tuple[EncoderRecord, PinnedTable]],
    ) -> Iterator[TitleFeatures]:
        for batch in batches(titles):
            ids = [title.ingest_id for title in batch]
            with self._guard():
                times = _many(snapshot.tables.get("shots"), ids, ["start", "end"])
                vectors = {
                    modality: (table.many(ids, ["vector"], lost=True), encoder.dim)
                    for modality, (encoder, table) in tables.items()
                }
                metadata = self._metadata(snapshot, ids)
            # Rows that are missing were never there, or their title was erased since the catalog
            # was opened; some of its tables may still have been readable then, and not others.
            tables_read = [times, *(rows for rows, _ in vectors.values())]
            doubtful = {
                i for rows in tables_read for i, own in zip(ids, rows, strict=True) if not len(own)
            }
            erased = self._without_title(doubtful)
            for place, title in enumerate(batch):
                if title.ingest_id in erased:
                    continue
                found = {
                    modality: _vectors(rows[place], dim, title.shots)
                    for modality, (rows, dim) in vectors.items()
                }
                yield TitleFeatures(
                    title_id=title.title_id,
                    ingest_id=title.ingest_id,
                    group=title.group,
                    times_N2=_times(times[place]),
                    features={modality: x_ND for modality, (x_ND, _) in found.items()},
                    present={modality: present_N for modality, (_, present_N) in found.items()},
                    metadata=metadata[place],
                )

    def _without_title(self, ingest_ids: Collection[str]) -> set[str]:
        """Those that no title names by now."""
        if not ingest_ids:
            return set()
        with self._guard():
            return set(ingest_ids) - {row.ingest_id for row in title_rows(self._store, self._cache)}

    def _metadata(
        self, snapshot: Snapshot, ids: list[str]
    ) -> list[dict[str, npt.NDArray[np.float16]]]:
        if snapshot.metadata_table is None:
            return [{} for _ in ids]
        encoder, table = snapshot.metadata_table
        found = []
        for rows in table.many(ids, ["field", "vector"], lost=True):
            x_ND, _ = schemas.arrow_to_vectors(rows["vector"], encoder.dim)
            found.append(dict(zip(rows["field"].to_pylist(), x_ND, strict=True)))
        return found

    def coverage(self) -> dict[str, tuple[int, int]]:
        """Modality to the number of shots that have it and the number of all shots."""
        total = sum(title.shots for title in self.titles())
        counts = self.present_counts().values()
        return {m: (sum(c.get(m, 0) for c in counts), total) for m in self.encoders()}

    def present_counts(self) -> dict[str, dict[str, int]]:
        """Title to modality to the number of its shots that have it; reads no vectors."""
        snapshot = self._snapshot()
        owners = {title.ingest_id: title.title_id for title in snapshot.titles.values()}
        found: dict[str, dict[str, int]] = {title_id: {} for title_id in snapshot.titles}
        for modality, (_, table) in self._tables(snapshot, None).items():
            with self._guard():
                for ingest_id, count in table.present_counts(owners).items():
                    found[owners[ingest_id]][modality] = count
        return found

    def failures(self) -> list[Failure]:
        """Files that could not be ingested and were not since, sorted by path."""
        snapshot = self._snapshot()
        pinned = snapshot.tables.get("failures")
        if pinned is None:
            return []
        with self._guard():
            rows = schemas.table_to_records(Failure, pinned.all())
        found: dict[str, Failure] = {}
        for failure in rows:
            if failure.path not in found or failure.at >= found[failure.path].at:
                found[failure.path] = failure
        # A run killed between a title's commit and the clearing of its failure leaves both.
        done = {title.path: title.committed_at for title in snapshot.titles.values()}
        return [found[path] for path in sorted(found) if found[path].at > done.get(path, -1)]

    def size_bytes(self) -> int | None:
        """Bytes on disk, ``None`` for an object store."""
        return self._store.size()


def batches(titles: Sequence[TitleRecord]) -> Iterator[list[TitleRecord]]:
    """Cuts a list of titles where the shots would be too many to hold at once."""
    batch: list[TitleRecord] = []
    shots = 0
    for title in titles:
        if batch and (shots + title.shots > _BATCH_SHOTS or len(batch) == _BATCH_TITLES):
            yield batch
            batch, shots = [], 0
        batch.append(title)
        shots += title.shots
    if batch:
        yield batch


def _many(table: PinnedTable | None, ids: list[str], columns: list[str]) -> list[pa.Table]:
    if table is None:  # no title has a shot
        return [pa.table({name: pa.array([], pa.int64()) for name in columns}) for _ in ids]
    return table.many(ids, columns, lost=True)


def _times(rows: pa.Table) -> npt.NDArray[np.int64]:
    columns = [np.asarray(rows[name].to_numpy(), np.int64) for name in ("start", "end")]
    return np.stack(columns, axis=1)


def _vectors(
    rows: pa.Table, dim: int, shots: int
) -> tuple[npt.NDArray[np.float16], npt.NDArray[np.bool_]]:
    """A title without any row of the modality has it nowhere."""
    if not rows.num_rows:
        return np.zeros((shots, dim), np.float16), np.zeros(shots, np.bool_)
    # Two machines that filled one object store at once may have stored a title twice.
    return schemas.arrow_to_vectors(rows["vector"].slice(0, shots), dim)
