"""Versions of contextual embeddings: registering one, filling it, reading it."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection, Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mediafm.catalog import locks, schemas, upkeep
from mediafm.catalog.reader import CatalogReader, batches
from mediafm.catalog.records import TitleRecord, VersionRecord
from mediafm.catalog.snapshot import Snapshot
from mediafm.catalog.tables import (
    PinnedTable,
    append,
    delete,
    delete_ingests,
    open_latest,
    quote,
)
from mediafm.catalog.writer import now_us
from mediafm.errors import CatalogError, FingerprintError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class VersionStore(CatalogReader):
    """The half of :class:`Catalog` that deals with versions and their embeddings."""

    def create_version(self, version: VersionRecord) -> VersionRecord:
        """Registers a version; doing so again with the same fingerprint changes nothing.

        Args:
            version: The version; ``created_at`` is filled in where it is 0.

        Returns:
            The record as the catalog holds it.

        Raises:
            CatalogError: The name does not fit a file name, or the catalog cannot be written.
            FingerprintError: The name belongs to a version of another model.
        """
        if not _NAME.fullmatch(version.name):
            raise CatalogError(
                f"'{version.name}' is no name for a version",
                where=self.uri,
                do="use letters, digits, dots, dashes and underscores",
            )
        name = f"embeddings/{version.name}"
        with (
            self._guard(),
            locks.locked(self._store.work / "locks" / "versions.lock", wait=True),
        ):
            snapshot = self._snapshot()
            snapshot.repin("versions")
            for held in self._versions(snapshot):
                if held.name != version.name:
                    continue
                if held.fingerprint != version.fingerprint:
                    raise FingerprintError(
                        f"version '{held.name}' was made by another model or in another way "
                        f"({held.fingerprint}, not {version.fingerprint})",
                        where=self.uri,
                        do="give the new version another name",
                    )
                return held
            if not version.created_at:
                version = dataclasses.replace(version, created_at=now_us())
            self._clear_leftover(version)
            data = schemas.records_to_table(VersionRecord, [version])
            append(self._store.table("versions"), data.schema, lambda: data)
            snapshot.repin("versions")
            snapshot.repin(name)
            return version

    def delete_version(self, name: str) -> None:
        """Forgets a version and deletes its embeddings.

        Raises:
            CatalogError: There is no such version.
        """
        self.version(name)
        with (
            self._guard(),
            locks.locked(self._store.work / "locks" / "versions.lock", wait=True),
        ):
            # The row first: a version without rows is seen by nobody, embeddings without a row
            # are cleared when the name is used again.
            delete(self._store.table("versions"), f"name = {quote(name)}")
            self._store.delete(f"embeddings/{name}.lance")
            self._snapshot().repin("versions")
            self._snapshot().repin(f"embeddings/{name}")

    def _clear_leftover(self, version: VersionRecord) -> None:
        """Removes the table of a version of the same name that was deleted by a killed run."""
        dataset = open_latest(self._store.table(f"embeddings/{version.name}"))
        if dataset is None:
            return
        made_by = (dataset.schema.metadata or {}).get(schemas.VERSION_KEY, b"").decode()
        if made_by != version.fingerprint:
            self._store.delete(f"embeddings/{version.name}.lance")

    def _versions(self, snapshot: Snapshot) -> list[VersionRecord]:
        pinned = snapshot.tables.get("versions")
        if pinned is None:
            return []
        with self._guard():
            rows = schemas.table_to_records(VersionRecord, pinned.all())
        unique = {row.name: row for row in reversed(rows)}  # the first of a race counts
        return sorted(unique.values(), key=lambda row: (row.created_at, row.name))

    def versions(self) -> list[VersionRecord]:
        """All versions, the oldest first."""
        return self._versions(self._snapshot())

    def version(self, name: str | None = None) -> VersionRecord:
        """One version.

        Args:
            name: Its name; the latest created by default.

        Raises:
            CatalogError: There is none of that name, or none at all.
        """
        versions = self.versions()
        for version in versions:
            if version.name == name:
                return version
        if name is None and versions:
            return versions[-1]
        if not versions:
            raise CatalogError(
                "it has no embeddings yet", where=self.uri, do="make some with `mediafm embed`"
            )
        names = ", ".join(version.name for version in versions)
        raise CatalogError(f"no version '{name}'", where=self.uri, do=f"it has {names}")

    def append_embeddings(self, name: str, batch: Sequence[tuple[str, str, npt.ArrayLike]]) -> int:
        """Stores the embeddings of some titles in one commit.

        Titles that were ingested anew since, and titles that have their embeddings, are left out:
        so a run that was killed, or two at once, do no harm.

        Args:
            name: The version.
            batch: ``title_id``, ``ingest_id`` and ``x_NH``, one row per shot, of every title.

        Returns:
            Number of titles stored.

        Raises:
            CatalogError: No such version, another shape, NaN or infinity.
        """
        version = self.version(name)
        schema = schemas.embeddings_schema(version)
        snapshot = self._snapshot()
        with self._guard():
            pinned = snapshot.repin(f"embeddings/{name}")
            done = set(pinned.runs) if pinned else set()
            parts = []
            for title_id, ingest_id, x_NH in batch:
                title = snapshot.ingests.get(ingest_id)
                if title is None or ingest_id in done or not title.shots:
                    continue
                done.add(ingest_id)
                mask_N = np.ones(title.shots, np.bool_)
                half_NH = schemas.to_float16(
                    x_NH, mask_N, version.dim, f"{title_id}: embeddings of version {name}"
                )
                columns = [
                    pa.array([title_id] * title.shots),
                    pa.array([ingest_id] * title.shots),
                    pa.array(np.arange(title.shots, dtype=np.int32)),
                    schemas.vectors_to_arrow(half_NH, mask_N),
                ]
                parts.append(pa.record_batch(columns, schema=schema))
            if parts:
                data = pa.Table.from_batches(parts)
                append(self._store.table(f"embeddings/{name}"), schema, lambda: data)
                snapshot.repin(f"embeddings/{name}")
        return len(parts)

    def embedded_ingests(self, name: str) -> set[str]:
        """Ingests of current titles that have their embeddings in a version.

        Titles without shots count as embedded: there is nothing to do for them.
        """
        self.version(name)
        snapshot = self._snapshot()
        pinned = snapshot.tables.get(f"embeddings/{name}")
        with self._guard():
            runs = pinned.runs if pinned else {}
        return {i for i, title in snapshot.ingests.items() if i in runs or not title.shots}

    def forget_embeddings(self, ingest_ids: Collection[str], modalities: Collection[str]) -> int:
        """Deletes the embeddings of some ingests from the versions that read some modalities.

        An embedding counts for its ingest. But a modality may be added to a title, or made anew,
        under the ingest id that it has; what a model that reads this modality says of the title
        is of yesterday then. So that the next `mediafm embed` computes it anew, whoever changes
        features under an ingest id calls this. Readers that have the catalog open keep theirs.

        Args:
            ingest_ids: Whose embeddings; those that have none are left out.
            modalities: What changed; a version whose model reads none of it keeps its embeddings.
                One that does not say what it reads may read anything.

        Returns:
            How many of them had embeddings in some version; without any, nothing is written.

        Raises:
            CatalogError: The catalog cannot be written.
        """
        wanted = set(ingest_ids)
        forgotten: set[str] = set()
        with self._guard(), upkeep.commit_lock(self._store):
            self._snapshot().repin("versions")
            names = [
                f"embeddings/{version.name}"
                for version in self._versions(self._snapshot())
                if not version.encoders or not version.encoders.keys().isdisjoint(modalities)
            ]
            for name, held in upkeep.held_ingests(self._store, self._cache, names).items():
                if stale := held & wanted:
                    delete_ingests(self._store.table(name), stale)
                    forgotten |= stale
        self.refresh()
        return len(forgotten)

    def embeddings(self, name: str | None, title_id: str) -> npt.NDArray[np.float32]:
        """The contextual embeddings of one title.

        Args:
            name: The version; ``None`` for the latest.
            title_id: The title.

        Returns:
            ``x_NH``, one row per shot, unit-normed as far as float16 keeps it.

        Raises:
            CatalogError: No such version or title, or the title is not embedded as it is now.
        """
        version = self.version(name)
        snapshot = self._snapshot()
        title = self._title(snapshot, title_id)
        pinned = snapshot.tables.get(f"embeddings/{version.name}")
        with self._guard():
            missing = pinned is None or title.ingest_id not in pinned.runs
            if title.shots and (pinned is None or missing):
                raise CatalogError(
                    f"title '{title_id}' has no embeddings of version '{version.name}', or was "
                    "ingested anew since",
                    where=self.uri,
                    do="bring the version up to date with `mediafm embed`",
                )
            if pinned is None:
                return np.zeros((0, version.dim), np.float32)
            rows = pinned.rows(title.ingest_id, ["vector"])
        return _narrow(rows, title, version)

    def iter_embeddings(
        self, name: str | None = None
    ) -> Iterator[tuple[TitleRecord, npt.NDArray[np.float32]]]:
        """Streams a version title by title, in bounded memory.

        Args:
            name: The version; the latest by default.

        Yields:
            Title and ``x_NH``, sorted by title; titles that are not embedded are left out.
        """
        version = self.version(name)
        snapshot = self._snapshot()
        return self._each(snapshot, snapshot.tables.get(f"embeddings/{version.name}"), version)

    def _each(
        self, snapshot: Snapshot, pinned: PinnedTable | None, version: VersionRecord
    ) -> Iterator[tuple[TitleRecord, npt.NDArray[np.float32]]]:
        if pinned is None:
            return
        with self._guard():
            runs = pinned.runs
        embedded = [title for title in snapshot.titles.values() if title.ingest_id in runs]
        for batch in batches(embedded):
            with self._guard():
                found = pinned.many([title.ingest_id for title in batch], ["vector"])
            for title, rows in zip(batch, found, strict=True):
                yield title, _narrow(rows, title, version)


def _narrow(rows: pa.Table, title: TitleRecord, version: VersionRecord) -> npt.NDArray[np.float32]:
    # Two runs at once may have stored a title twice, side by side.
    x_NH, _ = schemas.arrow_to_vectors(rows["vector"].slice(0, title.shots), version.dim)
    return x_NH.astype(np.float32)
