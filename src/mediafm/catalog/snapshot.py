"""A pinned view of a catalog: committed titles, and every table at one version."""

from __future__ import annotations

import dataclasses
import itertools
import shlex
from collections.abc import Hashable, Mapping
from functools import cached_property

from mediafm.catalog.recent import Recent
from mediafm.catalog.records import EncoderMark, EncoderRecord, TitleRecord
from mediafm.catalog.schemas import encoder_of, table_to_records
from mediafm.catalog.store import Store
from mediafm.catalog.tables import FragmentCache, PinnedTable, by_fragment, open_latest
from mediafm.errors import CatalogError, FingerprintError

_ATTEMPTS = 50
_RECENT = 128  # what was read of some sixty titles: some tens of megabytes where they are long
_FOLDERS = ("", "features", "metadata", "embeddings")

METADATA = "metadata"
"""Stands for a modality where the vectors of title metadata are meant."""

FILLING, CURRENT, RETIRED = "filling", "current", "retired"
"""What the table ``encoders`` says of an encoder's vectors; an encoder without a row is current."""

EncoderKey = tuple[str, str]
"""Modality (or :data:`METADATA`) and fingerprint."""


def title_rows(store: Store, cache: FragmentCache) -> list[TitleRecord]:
    """All rows of ``titles`` at the latest version, superseded ones included, in row order."""
    uri = store.table("titles")
    dataset = open_latest(uri)
    if dataset is None:
        return []
    parts = by_fragment(
        dataset, uri, cache, lambda fragment: table_to_records(TitleRecord, fragment.to_table())
    )
    return list(itertools.chain.from_iterable(parts))


def latest(rows: list[TitleRecord]) -> dict[str, TitleRecord]:
    """The row that counts for every title, sorted by title: the last by time, then by place."""
    found: dict[str, TitleRecord] = {}
    for row in rows:
        if row.title_id not in found or row.committed_at >= found[row.title_id].committed_at:
            found[row.title_id] = row
    return dict(sorted(found.items()))


def mark_rows(store: Store) -> list[EncoderMark]:
    """All rows of ``encoders`` at the latest version, in row order."""
    dataset = open_latest(store.table("encoders"))
    if dataset is None:
        return []
    return table_to_records(EncoderMark, dataset.to_table(scan_in_order=True))


def _promoted(store: Store) -> int:
    """The version of the table of promotions, 0 where there is none."""
    dataset = open_latest(store.table("promotions"))
    return 0 if dataset is None else int(dataset.version)


def statuses(rows: list[EncoderMark]) -> dict[EncoderKey, str]:
    """The status that counts for every encoder: the last by time, then by place."""
    found: dict[EncoderKey, EncoderMark] = {}
    for row in rows:
        key = (row.modality, row.fingerprint)
        if key not in found or row.at >= found[key].at:
            found[key] = row
    return {key: row.status for key, row in found.items()}


def names(rows: list[EncoderMark]) -> dict[EncoderKey, str]:
    """Where encoders were renamed, the name that counts: the last by time, then by place."""
    ordered = sorted((row for row in rows if row.name), key=lambda row: row.at)
    return {(row.modality, row.fingerprint): row.name for row in ordered}


def table_name(modality: str, fingerprint: str) -> str:
    """The table that holds one encoder's vectors."""
    if modality == METADATA:
        return f"metadata/{fingerprint}"
    return f"features/{modality}-{fingerprint}"


def list_tables(store: Store) -> list[str]:
    """Names of all tables but ``titles``."""
    found = (name for folder in _FOLDERS for name in store.tables(folder))
    return [name for name in found if name != "titles"]


class Snapshot:
    """What one reader sees until it refreshes.

    Args:
        store: Where the catalog lies.
        titles: Committed titles, sorted by id.
        tables: The other tables, each at one version.
        marks: The rows of ``encoders``.
        cache: What was read of the fragments.
    """

    def __init__(
        self,
        store: Store,
        titles: dict[str, TitleRecord],
        tables: dict[str, PinnedTable],
        marks: list[EncoderMark],
        cache: FragmentCache,
    ):
        self.titles = titles
        self.tables = tables
        self.marks = marks
        self.statuses = statuses(marks)
        self.names = names(marks)
        self.ingests = {title.ingest_id: title for title in titles.values()}
        self.recent = Recent(_RECENT)
        self._store, self._cache = store, cache

    @classmethod
    def take(cls, store: Store, cache: FragmentCache) -> Snapshot:
        """Pins the catalog as it is now.

        Children are committed before their title, so tables opened after ``titles`` hold all that
        ``titles`` names, unless a title was replaced and its old rows collected in between. That
        shows in ``titles``, which is therefore read again at the end. So is ``encoders``: between
        two equal readings no encoder was switched, so none of the tables was opened half filled
        and then made current, or made current, retired and then opened empty. And so is
        ``promotions``: no version became current after the tables were listed, its own not yet
        among them.

        Raises:
            CatalogError: Titles are replaced faster than they can be read.
        """
        rows, marks, promoted = title_rows(store, cache), mark_rows(store), _promoted(store)
        for _ in range(_ATTEMPTS):
            titles, known = latest(rows), (marks, promoted)
            tables = {}
            for name in list_tables(store):
                uri = store.table(name)
                dataset = open_latest(uri)
                if dataset is not None:  # made but not committed yet: as good as missing
                    tables[name] = PinnedTable(uri, dataset, cache)
            rows, marks, promoted = title_rows(store, cache), mark_rows(store), _promoted(store)
            still = {title.ingest_id for title in latest(rows).values()}
            if (marks, promoted) == known and all(
                title.ingest_id in still for title in titles.values()
            ):
                return cls(store, titles, tables, marks, cache)
        raise CatalogError(
            "titles are replaced faster than the catalog can be opened",
            where=store.where,
            do="try again when fewer ingests run",
        )

    @property
    def state(self) -> tuple[Hashable, ...]:
        """Equal for two snapshots that show readers the same.

        Tables of titles' children grow while a title is written, which shows with its commit only.
        """
        seen = ("versions", "promotions", "validations", "embeddings/")
        return (
            tuple((title.ingest_id, title.committed_at) for title in self.titles.values()),
            tuple(dataclasses.astuple(mark) for mark in self.marks),
            tuple(
                (name, table.dataset.version)
                for name, table in sorted(self.tables.items())
                if name.startswith(seen)
            ),
        )

    def repin(self, name: str) -> PinnedTable | None:
        """Moves one table that does not hang on titles' children to its latest version."""
        uri = self._store.table(name)
        dataset = open_latest(uri)
        if dataset is not None:
            self.tables[name] = PinnedTable(uri, dataset, self._cache)
        else:
            self.tables.pop(name, None)
        return self.tables.get(name)

    @cached_property
    def feature_tables(self) -> dict[str, tuple[EncoderRecord, PinnedTable]]:
        """Modality to its current encoder and its table, where a committed title has features.

        Raises:
            FingerprintError: Two encoders' features were committed for one modality.
        """
        found: dict[str, tuple[EncoderRecord, PinnedTable]] = {}
        for (modality, _), (encoder, table) in self.current.items():
            if modality == METADATA:
                continue
            if modality in found:
                raise self._mixed(found[modality][0], encoder)
            found[modality] = (encoder, table)
        return dict(sorted(found.items()))

    @cached_property
    def metadata_table(self) -> tuple[EncoderRecord, PinnedTable] | None:
        """The encoder and the table of the metadata vectors, where a committed title has some."""
        used = [held for (modality, _), held in self.current.items() if modality == METADATA]
        if len(used) > 1:
            raise self._mixed(used[0][0], used[1][0])
        return used[0] if used else None

    @cached_property
    def current(self) -> dict[EncoderKey, tuple[EncoderRecord, PinnedTable]]:
        """Encoders of which committed titles have vectors, but for those filled in or retired."""
        found = {}
        for place, table in self.tables.items():
            folder, _, rest = place.partition("/")
            if not rest or folder not in ("features", "metadata"):
                continue
            encoder = encoder_of(table.schema)
            key = (METADATA if folder == "metadata" else encoder.modality, encoder.fingerprint)
            visible = self.statuses.get(key, CURRENT) == CURRENT
            if visible and not self.ingests.keys().isdisjoint(table.runs):
                name = self.names.get(key, encoder.name)
                found[key] = (dataclasses.replace(encoder, name=name), table)
        return found

    def _mixed(self, one: EncoderRecord, other: EncoderRecord) -> FingerprintError:
        return FingerprintError(
            f"it holds {one.modality} vectors of two encoders, {describe(one)} and "
            f"{describe(other)}: {differences(one, other)}",
            where=self._store.where,
            do="ingest into a new catalog (--catalog NEW) with one of them",
        )

    def check_encoders(self, encoders: Mapping[str, EncoderRecord]) -> None:
        """Refuses encoders that do not fit what is committed.

        Args:
            encoders: Modality to the encoder that is about to write or to be compared with;
                ``metadata`` stands for the vectors of title metadata.

        Raises:
            FingerprintError: Names both encoders and what differs.
        """
        for modality, encoder in encoders.items():
            if modality == "metadata":
                held = self.metadata_table
            else:
                held = self.feature_tables.get(modality)
            if held is not None and held[0].fingerprint != encoder.fingerprint:
                raise FingerprintError(
                    f"it holds {modality} vectors of {describe(held[0])}, which do not mix with "
                    f"those of {describe(encoder)}: {differences(held[0], encoder)}",
                    where=self._store.where,
                    do=_instead(modality, held[0], encoder),
                )


def _instead(modality: str, held: EncoderRecord, wanted: EncoderRecord) -> str:
    """What a user can do who wants another encoder than the catalog has."""
    if "source" in wanted.settings:  # imported vectors: nothing can make them again
        return f"use the encoder {held.name} again, or a new catalog (--catalog NEW)"
    name = shlex.quote(wanted.name)
    modality = "text" if modality == METADATA else modality
    known = modality in ("video", "audio", "text")
    option = f"--{modality} {name}" if known else f"--with {modality}={name}"
    return (
        f"use the encoder {held.name} again, replace it in the whole catalog with "
        f"`mediafm reencode {option}`, or take a new catalog (--catalog NEW)"
    )


def describe(encoder: EncoderRecord) -> str:
    """An encoder in a message."""
    return f"'{encoder.name}' ({encoder.fingerprint}, width {encoder.dim})"


def differences(held: EncoderRecord, other: EncoderRecord) -> str:
    """What differs between two encoders, setting by setting."""
    parts = []
    if held.name != other.name:
        parts.append(f"name {held.name} / {other.name}")
    if held.dim != other.dim:
        parts.append(f"width {held.dim} / {other.dim}")
    for key in sorted(held.settings.keys() | other.settings.keys()):
        one, two = held.settings.get(key, "(none)"), other.settings.get(key, "(none)")
        if one != two:
            parts.append(f"{key} {one} / {two}")
    return "they differ in " + (", ".join(parts) if parts else "their weights")
