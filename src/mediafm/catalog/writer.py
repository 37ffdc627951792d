"""Writing one title: rows are spooled to disk, then committed all together or not at all."""

from __future__ import annotations

import dataclasses
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mediafm.catalog import locks, schemas
from mediafm.catalog.guard import guard
from mediafm.catalog.reader import CatalogReader
from mediafm.catalog.records import EncoderRecord, TitleRecord
from mediafm.catalog.snapshot import table_name
from mediafm.catalog.store import Store
from mediafm.catalog.tables import append
from mediafm.errors import CatalogError, TitleDataError
from mediafm.timeline import Cue, Shot

_IN_MEMORY = 1 << 20  # bytes per table before rows go to a file; most titles' shots and cues fit
_RENEW = 3600.0  # seconds after which a commit takes a new ingest id
_STAMP = "%Y%m%dT%H%M%S%f"


def new_ingest_id() -> str:
    """A name that sorts by time and never repeats: UTC with microseconds, then 64 random bits."""
    return f"{datetime.now(UTC).strftime(_STAMP)}-{os.urandom(8).hex()}"


def ingest_age(ingest_id: str) -> float:
    """Seconds since an ingest began; infinite where the id is not one of ours."""
    try:
        began = datetime.strptime(ingest_id.partition("-")[0], _STAMP).replace(tzinfo=UTC)
    except ValueError:
        return float("inf")
    return (datetime.now(UTC) - began).total_seconds()


def now_us() -> int:
    """Microseconds since 1970 (UTC)."""
    return time.time_ns() // 1000


class _Spool:
    """Rows of one table on their way: an Arrow stream in a file that dies with the process.

    The two keys of a row, title and ingest, are added when the rows are read back.
    """

    def __init__(self, schema: pa.Schema, folder: str):
        self.schema, self.rows = schema, 0
        # Beyond the limit this is a file without a name: nothing to clean after a kill.
        self._file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY, dir=folder)  # noqa: SIM115
        self._stored = pa.schema(list(schema)[2:])
        self._writer = pa.ipc.new_stream(self._file, self._stored)

    def add(self, columns: list[Any]) -> None:
        batch = pa.record_batch(columns, schema=self._stored)
        if batch.num_rows:
            self._writer.write_batch(batch)
            self.rows += batch.num_rows

    def finish(self) -> None:
        self._writer.close()

    def reader(self, *keys: str) -> Any:
        def batches() -> Iterator[pa.RecordBatch]:
            self._file.seek(0)
            for batch in pa.ipc.open_stream(pa.PythonFile(self._file, mode="r")):
                constant = [pa.array([key] * batch.num_rows) for key in keys]
                yield pa.record_batch([*constant, *batch.columns], schema=self.schema)

        return pa.RecordBatchReader.from_batches(self.schema, batches())

    def discard(self) -> None:
        self._file.close()


class TitleWriter:
    """Collects one title and commits it; made by :meth:`Catalog.writer`, used in ``with``.

    Leaving the block without :meth:`commit` discards everything.

    Args:
        store: Where the catalog lies.
        title_id: The title.
        encoders: Modality to the encoder of its features. ``metadata`` names the encoder of the
            metadata vectors where it is not the one of ``text``.
        publish: Appends the row that makes the title visible and returns it as written.
    """

    def __init__(
        self,
        store: Store,
        title_id: str,
        encoders: Mapping[str, EncoderRecord],
        publish: Callable[[TitleRecord, Mapping[str, EncoderRecord]], TitleRecord],
    ):
        self.title_id = title_id
        self.ingest_id = new_ingest_id()
        self._store, self._encoders, self._publish = store, dict(encoders), publish
        self._spools: dict[str, _Spool] = {}
        self._fields: set[str] = set()
        self._pictured: set[int] = set()
        self._lease: int | None = None
        self._done = False

    def __enter__(self) -> TitleWriter:
        # Waits for a collector that looks at the file in the instant before its lock.
        with guard(self._store.where):
            self._lease = locks.acquire(self._lease_path, wait=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._done = True
        for spool in self._spools.values():
            spool.discard()
        self._release()

    def _release(self) -> None:
        if self._lease is not None:
            locks.release(self._lease, self._lease_path)
            self._lease = None

    @property
    def _lease_path(self) -> Any:
        return self._store.work / "leases" / self.ingest_id

    def add_shots(self, shots: Sequence[Shot]) -> None:
        """Adds the next shots, in order.

        Args:
            shots: Shots whose indices continue those added before, from 0.

        Raises:
            CatalogError: An index is missing or comes twice.
        """
        spool = self._spool("shots", schemas.SHOTS)
        for place, shot in enumerate(shots, spool.rows):
            if shot.index != place:
                raise self._error(f"shot {shot.index} was added where shot {place} is due")
        self._add(
            spool,
            [shot.index for shot in shots],
            [shot.span.start for shot in shots],
            [shot.span.end for shot in shots],
            [shot.forced for shot in shots],
        )

    def add_cues(self, cues: Sequence[Cue]) -> None:
        """Adds timed text; the order is kept."""
        self._add(
            self._spool("cues", schemas.CUES),
            [cue.span.start for cue in cues],
            [cue.span.end for cue in cues],
            [cue.text for cue in cues],
            [cue.kind for cue in cues],
            [cue.language for cue in cues],
            [cue.source for cue in cues],
        )

    def add_keyframes(self, keyframes: Sequence[tuple[int, bytes]]) -> None:
        """Adds pictures of shots.

        Args:
            keyframes: Shot index and JPEG file; at most one per shot, any subset of the shots.

        Raises:
            CatalogError: A shot got a picture already.
        """
        for shot, _ in keyframes:
            if shot in self._pictured:
                raise self._error(f"shot {shot} was given two keyframes")
            self._pictured.add(shot)
        self._add(
            self._spool("keyframes", schemas.KEYFRAMES),
            [shot for shot, _ in keyframes],
            [jpeg for _, jpeg in keyframes],
        )

    def add_features(
        self,
        modality: str,
        first_shot: int,
        x_ND: npt.ArrayLike,
        present_N: npt.ArrayLike | None = None,
    ) -> None:
        """Adds the next shots' vectors of one modality, in order.

        Args:
            modality: One of the writer's encoders.
            first_shot: Index of the first row; continues what was added before, from 0.
            x_ND: Vectors as wide as the encoder says; stored as float16.
            present_N: Whether the modality is there; all true by default. Vectors of absent shots
                are stored as null, whatever they hold.

        Raises:
            CatalogError: Unknown modality, shots out of order, another shape, NaN or infinity.
        """
        encoder = self._encoder(modality)
        spool = self._spool(
            table_name(modality, encoder.fingerprint), schemas.features_schema(encoder)
        )
        if first_shot != spool.rows:
            raise self._error(
                f"{modality} features of shot {first_shot} were added where those of "
                f"shot {spool.rows} are due"
            )
        length = len(np.asarray(x_ND))
        mask_N = np.ones(length, np.bool_) if present_N is None else np.asarray(present_N, np.bool_)
        what = f"{self.title_id}: {modality} features from shot {first_shot} on"
        half_ND = schemas.to_float16(x_ND, mask_N, encoder.dim, what)
        shots = np.arange(first_shot, first_shot + length, dtype=np.int32)
        self._add(spool, shots, mask_N, schemas.vectors_to_arrow(half_ND, mask_N))

    def set_metadata(self, field: str, vector: npt.ArrayLike) -> None:
        """Stores the vector of one metadata field (``synopsis``, ``tags``).

        Args:
            field: The field, once per title.
            vector: ``m_D``, as wide as the encoder says.

        Raises:
            CatalogError: The field is set already, no encoder for it, wrong shape, NaN, infinity.
        """
        if field in self._fields:
            raise self._error(f"the metadata vector of {field} was set twice")
        encoder = self._metadata_encoder()
        mask_1 = np.ones(1, np.bool_)
        what = f"{self.title_id}: metadata vector of {field}"
        half_1D = schemas.to_float16(np.asarray(vector)[None], mask_1, encoder.dim, what)
        spool = self._spool(f"metadata/{encoder.fingerprint}", schemas.metadata_schema(encoder))
        self._add(spool, [field], schemas.vectors_to_arrow(half_1D, mask_1))
        self._fields.add(field)

    def copy_from(
        self,
        catalog: CatalogReader,
        title: TitleRecord,
        modalities: Sequence[str],
        keyframes: bool = True,
        cues: bool = False,
    ) -> None:
        """Copies a committed title's rows bit by bit, so that its media need not be read again.

        For a title of which only the subtitles or the synopsis changed. To be called before
        anything else is added of what is copied; at most one table of the title is in memory.

        Args:
            catalog: The catalog, at a state that has the title.
            title: The title as read from it.
            modalities: Of which modalities the features are copied; ``metadata`` for the vectors of
                title metadata. What the title does not have is left out.
            keyframes: Whether the pictures are copied.
            cues: Whether the timed text is copied.

        Raises:
            CatalogError: Another title, one ingested anew since, or rows were added already.
            FingerprintError: The catalog has such features of another encoder.
        """
        if title.title_id != self.title_id:
            raise self._error(f"rows of '{title.title_id}' were to be copied to its writer")
        sources = {"shots": schemas.SHOTS}
        if keyframes:
            sources["keyframes"] = schemas.KEYFRAMES
        if cues:
            sources["cues"] = schemas.CUES
        for modality in modalities:
            metadata = modality == "metadata"
            encoder = self._metadata_encoder() if metadata else self._encoder(modality)
            catalog.check_encoders({modality: encoder})
            schema = schemas.metadata_schema if metadata else schemas.features_schema
            sources[table_name(modality, encoder.fingerprint)] = schema(encoder)
        for name, rows in catalog.stored_rows(title, list(sources)):
            if name in self._spools:
                raise self._error(f"{name} were added before the title was copied")
            # Two machines may have stored features twice in an object store: see the reader.
            count = title.shots if name.startswith("features/") else rows.num_rows
            for batch in rows.slice(0, count).to_batches():
                self._add(self._spool(name, sources[name]), *batch.columns)
            if name == "keyframes":
                self._pictured.update(rows["shot"].to_pylist())
            if name.startswith("metadata/"):
                self._fields.update(rows["field"].to_pylist())

    def commit(self, record: TitleRecord) -> TitleRecord:
        """Makes the title visible, replacing an earlier one of the same id.

        Args:
            record: The title; ``ingest_id``, ``shots``, ``cues`` and ``committed_at`` are
                filled in.

        Returns:
            The record as written.

        Raises:
            CatalogError: A modality does not cover every shot, the title is another one, the
                writer was used already, or the storage failed; then nothing is visible.
            FingerprintError: Another run committed features of other encoders meanwhile.
        """
        if self._done or self._lease is None:
            raise self._error("the writer is closed")
        if record.title_id != self.title_id:
            raise self._error(f"a record of '{record.title_id}' was given to its writer")
        shots = self._spools["shots"].rows if "shots" in self._spools else 0
        for name, spool in self._spools.items():
            if name.startswith("features/") and spool.rows != shots:
                raise self._error(f"{name} covers {spool.rows} of {shots} shots")
        if self._pictured and not 0 <= min(self._pictured) <= max(self._pictured) < shots:
            raise self._error(f"keyframes name shots outside the {shots} shots")
        cues = self._spools["cues"].rows if "cues" in self._spools else 0
        with guard(self._store.where):
            self._done = True
            if ingest_age(self.ingest_id) > _RENEW:
                # Nothing carries the id yet. In an object store, rows count as a dead run's by the
                # age of their id: a title that took a day to decode must not look dead at once.
                self._release()
                self.ingest_id = new_ingest_id()
                self._lease = locks.acquire(self._lease_path, wait=True)
            for name, spool in self._spools.items():
                spool.finish()
                if spool.rows:
                    rows = partial(spool.reader, self.title_id, self.ingest_id)
                    append(self._store.table(name), spool.schema, rows)
            record = dataclasses.replace(record, ingest_id=self.ingest_id, shots=shots, cues=cues)
            return self._publish(record, self._used())

    def _used(self) -> dict[str, EncoderRecord]:
        used = {
            m: e for m, e in self._encoders.items() if table_name(m, e.fingerprint) in self._spools
        }
        if self._fields:
            used["metadata"] = self._metadata_encoder()
        return used

    def _metadata_encoder(self) -> EncoderRecord:
        return self._encoder("metadata" if "metadata" in self._encoders else "text")

    def _encoder(self, modality: str) -> EncoderRecord:
        try:
            return self._encoders[modality]
        except KeyError:
            raise self._error(
                f"no encoder was named for {modality}; it has {', '.join(self._encoders) or 'none'}"
            ) from None

    def _spool(self, name: str, schema: pa.Schema) -> _Spool:
        if self._done or self._lease is None:
            raise self._error("the writer is closed")
        if name not in self._spools:
            with guard(self._store.where):
                # Beside the catalog, where there is room for it anyway; /tmp is often memory.
                self._spools[name] = _Spool(schema, str(self._store.work))
        return self._spools[name]

    def _add(self, spool: _Spool, *columns: Any) -> None:
        arrays = [
            column if isinstance(column, pa.Array) else pa.array(column, field.type)
            for column, field in zip(columns, list(spool.schema)[2:], strict=True)
        ]
        try:
            with guard(self._store.where):
                spool.add(arrays)
        except CatalogError:
            self._done = True  # half a batch may lie in the spool: it must not be committed
            raise

    def _error(self, what: str) -> TitleDataError:
        return TitleDataError(f"title '{self.title_id}': {what}", where=self._store.where)
