"""The catalog: all titles that one installation knows, in a folder or an object store."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from mediafm.catalog import locks, schemas, upkeep
from mediafm.catalog.embedded import VersionStore
from mediafm.catalog.guard import guard
from mediafm.catalog.nearest import NearestStore
from mediafm.catalog.records import EncoderRecord, Failure, TitleRecord
from mediafm.catalog.refill import EncoderStore
from mediafm.catalog.snapshot import latest, title_rows
from mediafm.catalog.store import Store, open_store
from mediafm.catalog.tables import append, delete, open_latest, quote
from mediafm.catalog.writer import TitleWriter, now_us
from mediafm.errors import CatalogError

SCHEMA_VERSION = 1
"""What this release writes; to be raised with a function in :data:`MIGRATIONS`."""

MIGRATIONS: dict[int, Callable[[Store], None]] = {}
"""From a schema version to the function that brings a catalog to the next one.

A migration may be killed and run again: the version in ``catalog.json`` changes after it.
"""

_FILE = "catalog.json"
_OURS = {"locks", "leases", "features", "metadata", "embeddings"}


class Catalog(VersionStore, EncoderStore, NearestStore):
    """A catalog, made by :meth:`create`, :meth:`open` or :meth:`open_or_create`.

    Reading is pinned to one state until :meth:`refresh`; what the object writes itself is visible
    at once. Any number of processes may read and write one catalog.
    """

    @classmethod
    def create(cls, uri: str | Path) -> Catalog:
        """Makes an empty catalog.

        Args:
            uri: A folder that is empty or missing, or an object-store URI.

        Raises:
            CatalogError: There is a catalog or something else already, or no right to write.
        """
        store = open_store(uri)
        with guard(store.where):
            _prepare(store, exist_ok=False)
        return cls(store)

    @classmethod
    def open(cls, uri: str | Path) -> Catalog:
        """Opens a catalog; writes nothing.

        Raises:
            CatalogError: No catalog there, a damaged one, or one of another schema version.
        """
        store = open_store(uri)
        with guard(store.where):
            found = _schema_version(store)
        if found < SCHEMA_VERSION:
            raise CatalogError(
                f"it was written by an older mediafm (schema {found}, now {SCHEMA_VERSION})",
                where=store.where,
                do="run `mediafm ingest` on it, or Catalog.open_or_create, to bring it up to date",
            )
        return cls(store)

    @classmethod
    def open_or_create(cls, uri: str | Path) -> Catalog:
        """Opens a catalog to write to it: made where it is missing, migrated where it is old.

        Raises:
            CatalogError: As :meth:`create` and :meth:`open`.
        """
        store = open_store(uri)
        with guard(store.where):
            if not store.exists(_FILE):
                _prepare(store, exist_ok=True)
            if _schema_version(store) < SCHEMA_VERSION:
                with locks.locked(store.work / "locks" / "migrate.lock", wait=True):
                    _migrate(store)
        return cls.open(uri)

    def writer(
        self, title_id: str, encoders: Mapping[str, EncoderRecord] | None = None
    ) -> TitleWriter:
        """Starts writing a title; see :class:`TitleWriter`.

        Args:
            title_id: The title, new or to be replaced.
            encoders: Modality to the encoder whose features will come.

        Raises:
            FingerprintError: The catalog holds features of other encoders.
        """
        encoders = encoders or {}
        self._check_names(encoders)
        self.check_encoders(encoders)
        return TitleWriter(self._store, title_id, encoders, self._publish)

    def _publish(self, record: TitleRecord, encoders: Mapping[str, EncoderRecord]) -> TitleRecord:
        """Appends the row that commits a title, unless encoders do not fit by now."""
        with self._publishing():
            self._fresh_check(encoders)
            record = self._append_title(record)
        self.clear_failure(record.path)
        return record

    def _append_title(self, record: TitleRecord) -> TitleRecord:
        # Later than the row it replaces, even where the clock went back.
        held = latest(title_rows(self._store, self._cache)).get(record.title_id)
        after = held.committed_at + 1 if held else 0
        record = dataclasses.replace(record, committed_at=max(now_us(), after))
        data = schemas.records_to_table(TitleRecord, [record])
        append(self._store.table("titles"), data.schema, lambda: data)
        return record

    def touch(self, record: TitleRecord) -> TitleRecord:
        """Replaces what is known of a title (path, time, synopsis) without writing its children.

        Args:
            record: The title as read, with some fields replaced.

        Returns:
            The record as written.

        Raises:
            CatalogError: The title was ingested anew since it was read.
        """
        with self._publishing():
            held = latest(title_rows(self._store, self._cache)).get(record.title_id)
            if held is None or held.ingest_id != record.ingest_id:
                raise CatalogError(
                    f"title '{record.title_id}' was ingested anew or removed meanwhile",
                    where=self.uri,
                    do="read it again",
                )
            record = dataclasses.replace(record, shots=held.shots, cues=held.cues)
            return self._append_title(record)

    def remove(self, title_id: str) -> None:
        """Removes a title; its rows go with the next :meth:`collect_orphans`.

        Raises:
            CatalogError: There is no such title.
        """
        self.title(title_id)
        with self._publishing():
            delete(self._store.table("titles"), f"title_id = {quote(title_id)}")

    def erase(self, title_id: str) -> None:
        """Removes a title and every byte of it from the catalog's files: rights expire.

        Vectors, pictures, timed text and embeddings of all versions are gone from the files when
        this returns, also for readers that have the catalog open: their next reading goes on
        without the title. What was cached elsewhere (vectors by content, training caches) is not
        the catalog's, and stays.

        Killed half-way, the title is gone for readers, and its bytes go with the next call, or
        with :meth:`erase_removed`.

        Raises:
            CatalogError: There is no such title, or bytes of it are left: the disk is full.
        """
        self.title(title_id)
        with self._publishing():
            rows = title_rows(self._store, self._cache)
            gone = {row.ingest_id for row in rows if row.title_id == title_id}
            delete(self._store.table("titles"), f"title_id = {quote(title_id)}")
        self.refresh()
        self.erase_removed(gone)

    def erase_removed(self, ingest_ids: Collection[str] = ()) -> None:
        """Takes the bytes of what was removed or replaced before out of the catalog's files.

        Args:
            ingest_ids: Ingests of which no title is left; others are found by themselves, in an
                object store after a day.

        Raises:
            CatalogError: The catalog cannot be written; what is left goes with the next call.
        """
        try:
            with self._publishing():
                upkeep.collect(self._store, self._cache)
                upkeep.erase(self._store, self._cache, ingest_ids)
        except CatalogError as error:
            raise CatalogError(
                f"bytes of removed titles are left in its files: {error.what}",
                where=self.uri,
                do="make room, then run `mediafm remove` without a title",
            ) from None
        self.refresh()

    @contextmanager
    def claim(self, title_id: str) -> Iterator[bool]:
        """Keeps other processes on this machine from ingesting the same title meanwhile.

        Args:
            title_id: The title.

        Yields:
            False where another live process holds it. In an object store nobody is kept away:
            two ingests of one title both succeed, and the later one counts.
        """
        if self._store.root is None:
            yield True
            return
        path = self._store.work / "locks" / locks.lock_name(title_id)
        with self._guard():
            handle = locks.acquire(path)
        try:
            yield handle is not None
        finally:
            if handle is not None:
                locks.release(handle, path)

    def record_failure(self, path: str, reason: str) -> Failure:
        """Notes that a file could not be ingested, and why.

        Args:
            path: The file.
            reason: One line.
        """
        failure = Failure(path, reason, now_us())
        with self._guard():
            data = schemas.records_to_table(Failure, [failure])
            append(self._store.table("failures"), data.schema, lambda: data)
            self._snapshot().repin("failures")
        return failure

    def clear_failure(self, path: str) -> None:
        """Forgets the failure of a file; nothing happens where there is none."""
        with self._guard():
            uri, predicate = self._store.table("failures"), f"path = {quote(path)}"
            table = open_latest(uri) if path else None
            if table is not None and table.count_rows(filter=predicate):
                delete(uri, predicate)
                self._snapshot().repin("failures")

    def collect_orphans(self) -> int:
        """Deletes rows of killed runs, of titles replaced or removed, and of replaced encoders.

        Rows of running writers stay, those of an encoder that is being filled in stay, and readers
        that have the catalog open keep what they see.

        Returns:
            Number of ingests whose rows were deleted.
        """
        with self._guard():
            return upkeep.collect(self._store, self._cache)

    def compact(self, safe_age: timedelta = upkeep.SAFE_AGE) -> int:
        """Merges small fragments; drops table versions that were replaced a while ago.

        Args:
            safe_age: How long replaced versions stay for readers that have them open.

        Returns:
            Number of tables that were rewritten; 0 where there was nothing to do.
        """
        with self._guard():
            return upkeep.compact(self._store, safe_age)


def _prepare(store: Store, *, exist_ok: bool) -> None:
    """Makes an empty catalog; with ``exist_ok`` another process may do so in the same instant."""
    if store.root is not None and store.root.exists() and not store.root.is_dir():
        raise CatalogError("it is a file", where=store.where, do="name a folder")
    names = store.names()
    if _FILE in names:
        if exist_ok:
            return
        raise CatalogError("there is a catalog already", where=store.where, do="open it")
    foreign = [name for name in names if not _is_ours(name)]
    if foreign:
        raise CatalogError(
            f"the folder is not empty ({foreign[0]}) and is no catalog",
            where=store.where,
            do="name a new folder",
        )
    _stamp(store, SCHEMA_VERSION)


def _is_ours(name: str) -> bool:
    # Also the leftovers of a write that was killed: ".catalog.json-0123".
    return name in _OURS or name.endswith(".lance") or name.startswith(f".{_FILE}-")


def _stamp(store: Store, version: int) -> None:
    content = {"format": "mediafm catalog", "schema": version, "written_at": now_us()}
    store.put(_FILE, json.dumps(content, indent=2).encode() + b"\n")


def _schema_version(store: Store) -> int:
    if store.root is not None and store.root.exists() and not store.root.is_dir():
        raise CatalogError(
            "it is a file, not a catalog", where=store.where, do="name the catalog's folder"
        )
    content = store.get(_FILE)
    if content is None:
        raise CatalogError(
            "no catalog there", where=store.where, do="make one with `mediafm ingest`"
        )
    try:
        found = json.loads(content)["schema"]
        if not isinstance(found, int) or isinstance(found, bool):
            raise TypeError
    except (ValueError, KeyError, TypeError):
        raise CatalogError(
            f"{_FILE} is damaged",
            where=store.where,
            do=f'if the tables beside it are whole, write {{"schema": {SCHEMA_VERSION}}} into it',
        ) from None
    if found > SCHEMA_VERSION:
        raise CatalogError(
            f"it was written by a newer mediafm (schema {found}, this one knows {SCHEMA_VERSION})",
            where=store.where,
            do="upgrade mediafm",
        )
    return found


def _migrate(store: Store) -> None:
    # Another process may have done it while we waited for the lock.
    while (found := _schema_version(store)) < SCHEMA_VERSION:
        if found not in MIGRATIONS:
            raise CatalogError(
                f"no way leads from schema {found} to {SCHEMA_VERSION}",
                where=store.where,
                do="ingest into a new catalog (--catalog NEW)",
            )
        MIGRATIONS[found](store)
        _stamp(store, found + 1)
