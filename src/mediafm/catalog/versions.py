"""The book of versions: which there are, which one is current, what the gate said of them."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from mediafm.catalog import locks, schemas
from mediafm.catalog.reader import CatalogReader
from mediafm.catalog.records import Promotion, Validation, VersionRecord
from mediafm.catalog.snapshot import Snapshot
from mediafm.catalog.tables import append, delete, open_latest, quote
from mediafm.catalog.writer import now_us
from mediafm.errors import CatalogError, FingerprintError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
R = TypeVar("R")


class VersionBook(CatalogReader):
    """The part of :class:`Catalog` that says which versions there are."""

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
        with self._changing_versions():
            snapshot = self._snapshot()
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
            CatalogError: There is no such version, or readers see it: it is current.
        """
        self.version(name)
        with self._changing_versions():
            current = self.current_version()
            if current is not None and current.name == name:
                raise CatalogError(
                    f"version '{name}' is current: readers see it",
                    where=self.uri,
                    do="make another one current first (mediafm version promote)",
                )
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
            name: Its name; by default the current one, and where none was ever made current, the
                latest.

        Raises:
            CatalogError: There is none of that name, or none at all.
        """
        versions = self.versions()
        for version in versions:
            if version.name == name:
                return version
        if name is None and versions:
            return self.current_version() or versions[-1]
        if not versions:
            raise CatalogError(
                "it has no embeddings yet", where=self.uri, do="make some with `mediafm embed`"
            )
        names = ", ".join(version.name for version in versions)
        raise CatalogError(f"no version '{name}'", where=self.uri, do=f"it has {names}")

    def promotions(self) -> list[Promotion]:
        """Which version became current when, the first one first."""
        return sorted(self._records(Promotion, "promotions"), key=lambda row: row.at)

    def current_version(self) -> VersionRecord | None:
        """What readers see who name no version; ``None`` where none was made current."""
        held = {version.name: version for version in self.versions()}
        names = [row.version for row in self.promotions() if row.version in held]
        return held[names[-1]] if names else None

    def live_versions(self) -> list[VersionRecord]:
        """The versions that are current or were: they are kept complete, to roll back to."""
        promoted = {row.version for row in self.promotions()}
        return [version for version in self.versions() if version.name in promoted]

    def validations(self, name: str) -> list[Validation]:
        """What the gate said of a version as it is, the first time first."""
        made_by = self.version(name).fingerprint
        rows = self._records(Validation, "validations")
        own = [row for row in rows if (row.version, row.fingerprint) == (name, made_by)]
        return sorted(own, key=lambda row: row.at)

    def record_validation(self, validation: Validation) -> None:
        """Notes what the gate said of a version; ``at`` is filled in where it is 0."""
        validation = dataclasses.replace(validation, at=validation.at or now_us())
        with self._changing_versions():
            self._append_record("validations", validation)

    def _records(self, kind: type[R], name: str) -> list[R]:
        pinned = self._snapshot().tables.get(name)
        if pinned is None:
            return []
        with self._guard():
            return schemas.table_to_records(kind, pinned.all())

    def _append_record(self, name: str, record: Any) -> None:
        data = schemas.records_to_table(type(record), [record])
        append(self._store.table(name), data.schema, lambda: data)
        self._snapshot().repin(name)

    @contextmanager
    def _changing_versions(self) -> Iterator[None]:
        """One process at a time, which sees what the others did."""
        with (
            self._guard(),
            locks.locked(self._store.work / "locks" / "versions.lock", wait=True),
        ):
            for name in ("versions", "promotions"):
                self._snapshot().repin(name)
            yield
