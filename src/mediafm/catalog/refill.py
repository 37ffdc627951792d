"""Encoders of a catalog: filling one in for titles that are there, and switching to it.

The vectors of a new encoder are filled in beside the old ones, title by title; one commit to the
table ``encoders`` makes them the ones that readers see. Everything here that writes holds the
commit lock, as the commit of a title does.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mediafm.catalog import schemas, upkeep
from mediafm.catalog.reader import CatalogReader
from mediafm.catalog.records import EncoderMark, EncoderRecord
from mediafm.catalog.snapshot import (
    CURRENT,
    FILLING,
    METADATA,
    RETIRED,
    EncoderKey,
    Snapshot,
    describe,
    mark_rows,
    statuses,
    table_name,
)
from mediafm.catalog.tables import PinnedTable, append, delete_ingests, open_latest, widen
from mediafm.catalog.writer import now_us
from mediafm.errors import CatalogError, TitleDataError

_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_NAMED = 3  # titles that a message names


class EncoderStore(CatalogReader):
    """The half of :class:`Catalog` that adds and replaces encoders."""

    def declare_filling(self, encoders: Mapping[str, EncoderRecord]) -> None:
        """Marks encoders as being filled in: nobody sees their vectors before the switch.

        To be called before the first append; once more changes nothing, and nothing happens to an
        encoder that is current. What an earlier, unfinished filling or a retired encoder left for
        titles that are unchanged since is used again.

        Args:
            encoders: Modality to encoder; ``metadata`` for the vectors of title metadata.

        Raises:
            CatalogError: A name that does not fit a table, or the catalog cannot be written.
        """
        self._check_names(encoders)
        with self._publishing():
            snapshot = Snapshot.take(self._store, self._cache)
            keys = [(modality, encoder.fingerprint) for modality, encoder in encoders.items()]
            fresh = [key for key in keys if not _is_current(snapshot, key)]
            changes = {key: FILLING for key in fresh if snapshot.statuses.get(key) != FILLING}
            self._mark(snapshot.marks, changes)

    def append_features(
        self,
        encoder: EncoderRecord,
        batch: Sequence[tuple[str, str, npt.ArrayLike, npt.ArrayLike | None]],
    ) -> int:
        """Stores the vectors of one modality for titles that are committed, in one commit.

        Titles that were ingested anew or removed since, those that have such vectors, and those
        without shots are left out: so a run that was killed, or two at once, do no harm. Of a
        modality that the catalog does not have, the vectors are visible at once, unless
        :meth:`declare_filling` came first.

        Args:
            encoder: What made them.
            batch: ``title_id``, ``ingest_id``, ``x_ND`` and ``present_N`` (``None``: all), one row
                per shot, of every title. Rows that are not present may hold anything.

        Returns:
            Number of titles stored.

        Raises:
            CatalogError: Another shape than the title's shots and the encoder's width, NaN or
                infinity; then nothing of the batch is stored.
            FingerprintError: Another encoder is current and this one was not declared.
        """
        modality = encoder.modality
        if modality == METADATA:
            raise CatalogError("'metadata' is no modality of shots", where=self.uri)
        self._check_names({modality: encoder})
        schema = schemas.features_schema(encoder)
        name = table_name(modality, encoder.fingerprint)
        with self._publishing():
            snapshot = self._admit(modality, encoder)
            done, parts = _ingests(snapshot, name), []
            for title_id, ingest_id, x_ND, present_N in batch:
                title = snapshot.ingests.get(ingest_id)
                if title is None or title.title_id != title_id or not title.shots:
                    continue
                if ingest_id in done:
                    continue
                done.add(ingest_id)
                what = f"{title_id}: {modality} features"
                mask_N = np.ones(title.shots, np.bool_)
                if present_N is not None:
                    mask_N = np.asarray(present_N, np.bool_)
                if mask_N.shape != (title.shots,):
                    raise TitleDataError(
                        f"{what} say of {len(mask_N)} shots whether they are there; the title has "
                        f"{title.shots} shots",
                        where=self.uri,
                    )
                half_ND = schemas.to_float16(x_ND, mask_N, encoder.dim, what)
                columns = [
                    np.arange(title.shots, dtype=np.int32),
                    mask_N,
                    schemas.vectors_to_arrow(half_ND, mask_N),
                ]
                parts.append(_rows(schema, title_id, ingest_id, columns))
            self._append(name, schema, parts)
        return len(parts)

    def append_metadata(
        self,
        encoder: EncoderRecord,
        batch: Sequence[tuple[str, str, Mapping[str, npt.ArrayLike]]],
    ) -> int:
        """Stores the metadata vectors of titles that are committed, in one commit.

        As :meth:`append_features`; titles without any field are left out.

        Args:
            encoder: What made them.
            batch: ``title_id``, ``ingest_id`` and field (``synopsis``, ``tags``) to ``m_D``, all
                fields of every title.

        Returns:
            Number of titles stored.

        Raises:
            CatalogError: Another shape, NaN or infinity; then nothing of the batch is stored.
            FingerprintError: Another encoder is current and this one was not declared.
        """
        self._check_names({METADATA: encoder})
        schema = schemas.metadata_schema(encoder)
        name = table_name(METADATA, encoder.fingerprint)
        with self._publishing():
            snapshot = self._admit(METADATA, encoder)
            done, parts = _ingests(snapshot, name), []
            for title_id, ingest_id, fields in batch:
                title = snapshot.ingests.get(ingest_id)
                if title is None or title.title_id != title_id or not fields:
                    continue
                if ingest_id in done:
                    continue
                done.add(ingest_id)
                mask_1 = np.ones(1, np.bool_)
                rows = []
                for field, vector in fields.items():
                    what = f"{title_id}: metadata vector of {field}"
                    rows.append(
                        schemas.to_float16(np.asarray(vector)[None], mask_1, encoder.dim, what)
                    )
                half_FD = np.concatenate(rows)
                vectors = schemas.vectors_to_arrow(half_FD, np.ones(len(half_FD), np.bool_))
                parts.append(_rows(schema, title_id, ingest_id, [list(fields), vectors]))
            self._append(name, schema, parts)
        return len(parts)

    def encoded_ingests(self, modality: str, fingerprint: str) -> set[str]:
        """Ingests that have vectors of one encoder by now, whether readers see them or not.

        Args:
            modality: The modality, or ``metadata``.
            fingerprint: The encoder's fingerprint.
        """
        uri = self._store.table(table_name(modality, fingerprint))
        with self._guard():
            dataset = open_latest(uri)
            return set() if dataset is None else set(PinnedTable(uri, dataset, self._cache).runs)

    def drop_features(self, modality: str, fingerprint: str, ingest_ids: Collection[str]) -> None:
        """Deletes one encoder's vectors of some ingests, so that they can be appended anew.

        For vectors that changed though neither the encoder nor the title did: a table of audience
        signals got new numbers. Until the append, the modality is absent in these titles; readers
        that have the catalog open keep what they see. Embeddings are another matter:
        :meth:`~mediafm.catalog.Catalog.forget_embeddings`.

        Args:
            modality: The modality, or ``metadata``.
            fingerprint: The encoder's fingerprint.
            ingest_ids: Whose vectors; those that have none are left out.

        Raises:
            CatalogError: The catalog cannot be written.
        """
        name = table_name(modality, fingerprint)
        with self._publishing():
            held = upkeep.held_ingests(self._store, self._cache, [name]).get(name, set())
            delete_ingests(self._store.table(name), held.intersection(ingest_ids))

    def rename_encoder(self, encoder: EncoderRecord) -> None:
        """Notes that a current encoder is found under another name now.

        The same encoder, by its fingerprint: a folder of weights was moved, a table of signals
        comes from another file this month. Everything that names it shows the latest name.
        Nothing is written where it has that name already, or where the catalog holds no current
        vectors of it. A name goes with the modality and with the vectors of metadata alike.

        Args:
            encoder: The encoder with its new name.

        Raises:
            CatalogError: The catalog cannot be written.
        """
        with self._publishing():
            snapshot = Snapshot.take(self._store, self._cache)
            changes: dict[EncoderKey, str] = {}
            for modality in (encoder.modality, METADATA):
                key = (modality, encoder.fingerprint)
                held = snapshot.current[key][0] if key in snapshot.current else encoder
                if held.modality == encoder.modality and encoder.name not in ("", held.name):
                    changes[key] = CURRENT
            self._mark(snapshot.marks, changes, encoder.name)

    def switch_encoders(
        self, encoders: Mapping[str, EncoderRecord], *, allow_missing: bool = False
    ) -> list[str]:
        """Makes encoders that were filled in the current ones, all of them in one commit.

        The vectors of those that were current are deleted then. A run that is killed in between
        leaves them to :meth:`collect_orphans`; readers that have the catalog open keep theirs.

        Args:
            encoders: Modality to encoder; ``metadata`` for the vectors of title metadata, which no
                title needs to have.
            allow_missing: Whether titles may be left without vectors.

        Returns:
            The titles that lack vectors of a modality, sorted; none without ``allow_missing``.

        Raises:
            CatalogError: Titles lack vectors; nothing was switched.
        """
        self._check_names(encoders)
        with self._publishing():
            snapshot = Snapshot.take(self._store, self._cache)
            missing: set[str] = set()
            for modality, encoder in encoders.items():
                lacking = _lacking(snapshot, modality, encoder)
                if lacking and not allow_missing:
                    raise self._incomplete(modality, encoder, lacking, len(snapshot.titles))
                missing.update(lacking)
            changes: dict[EncoderKey, str] = {}
            marked = {key for key, status in snapshot.statuses.items() if status == CURRENT}
            for modality, encoder in encoders.items():
                ours = (modality, encoder.fingerprint)
                before = {key for key in {*snapshot.current, *marked} if key[0] == modality}
                changes |= dict.fromkeys(sorted(before - {ours}), RETIRED)
                if ours not in marked:
                    changes[ours] = CURRENT
            self._mark(snapshot.marks, changes)
            upkeep.drop_retired(self._store, self._cache)
        return sorted(missing)

    def _incomplete(
        self, modality: str, encoder: EncoderRecord, lacking: list[str], titles: int
    ) -> CatalogError:
        more = ", ..." if len(lacking) > _NAMED else ""
        return CatalogError(
            f"{len(lacking)} of {titles} titles have no {modality} vectors of {describe(encoder)} "
            f"yet: {', '.join(lacking[:_NAMED])}{more}",
            where=self.uri,
            do="run the same `mediafm reencode` again, which encodes those, or remove the titles",
        )

    @contextmanager
    def _publishing(self) -> Iterator[None]:
        """One commit at a time, so that what was checked still holds when it is written."""
        with self._guard(), upkeep.commit_lock(self._store):
            yield
        self.refresh()

    def _check_names(self, encoders: Mapping[str, EncoderRecord]) -> None:
        for modality, encoder in encoders.items():
            if not _WORD.fullmatch(modality) or not _WORD.fullmatch(encoder.fingerprint):
                raise CatalogError(
                    f"'{modality}-{encoder.fingerprint}' is no name for a table of features",
                    where=self.uri,
                    do="use letters, digits, dots, dashes and underscores",
                )
            if modality not in (encoder.modality, METADATA):
                raise CatalogError(
                    f"an encoder of {encoder.modality} was named for {modality}", where=self.uri
                )

    def _fresh_check(self, encoders: Mapping[str, EncoderRecord]) -> None:
        """What a title's commit asks: are its encoders the current ones, or may they become so?"""
        ours = {table_name(m, e.fingerprint) for m, e in encoders.items()}
        held = {*self._store.tables("features"), *self._store.tables("metadata")}
        if held - ours:  # other tables may be other modalities, or of titles since replaced
            Snapshot.take(self._store, self._cache).check_encoders(encoders)
        self._revive(mark_rows(self._store), encoders)

    def _admit(self, modality: str, encoder: EncoderRecord) -> Snapshot:
        """Refuses to append vectors that would be a second encoder's to those who read."""
        snapshot = Snapshot.take(self._store, self._cache)
        key = (modality, encoder.fingerprint)
        if snapshot.statuses.get(key) != FILLING:
            if key not in snapshot.current:
                snapshot.check_encoders({modality: encoder})
            self._revive(snapshot.marks, {modality: encoder})
        return snapshot

    def _revive(self, marks: list[EncoderMark], encoders: Mapping[str, EncoderRecord]) -> None:
        """Retired encoders that no other took the place of (its titles are gone) are current."""
        status = statuses(marks)
        keys = [(modality, encoder.fingerprint) for modality, encoder in encoders.items()]
        self._mark(marks, {key: CURRENT for key in keys if status.get(key) == RETIRED})

    def _mark(
        self, marks: list[EncoderMark], changes: Mapping[EncoderKey, str], name: str = ""
    ) -> None:
        """Appends rows of ``encoders`` in one commit, later than all that are there."""
        if not changes:
            return
        at = max([now_us(), *(mark.at + 1 for mark in marks)])  # also where the clock went back
        rows = [EncoderMark(*key, status, at, name) for key, status in changes.items()]
        data = schemas.records_to_table(EncoderMark, rows)
        uri = self._store.table("encoders")
        widen(uri, data.schema)  # catalogs made before encoders could be renamed
        append(uri, data.schema, lambda: data)

    def _append(self, name: str, schema: pa.Schema, parts: list[pa.RecordBatch]) -> None:
        if parts:
            data = pa.Table.from_batches(parts)
            append(self._store.table(name), schema, lambda: data)


def _is_current(snapshot: Snapshot, key: EncoderKey) -> bool:
    held = [other for other in snapshot.current if other[0] == key[0]]
    return key in held if held else snapshot.statuses.get(key) == CURRENT


def _lacking(snapshot: Snapshot, modality: str, encoder: EncoderRecord) -> list[str]:
    if modality == METADATA:
        return []
    done = _ingests(snapshot, table_name(modality, encoder.fingerprint))
    return [t.title_id for t in snapshot.titles.values() if t.shots and t.ingest_id not in done]


def _ingests(snapshot: Snapshot, table: str) -> set[str]:
    return set(snapshot.tables[table].runs) if table in snapshot.tables else set()


def _rows(
    schema: pa.Schema, title_id: str, ingest_id: str, columns: Iterable[object]
) -> pa.RecordBatch:
    arrays = [
        column if isinstance(column, pa.Array) else pa.array(column, field.type)
        for column, field in zip(columns, list(schema)[2:], strict=True)
    ]
    keys = [pa.array([key] * len(arrays[0])) for key in (title_id, ingest_id)]
    return pa.record_batch([*keys, *arrays], schema=schema)
