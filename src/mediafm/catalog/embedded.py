"""Versions of contextual embeddings: filling one, making it current, reading it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mediafm.catalog import schemas, upkeep
from mediafm.catalog.clip import CatalogClip, pooled
from mediafm.catalog.reader import batches
from mediafm.catalog.records import Promotion, TitleRecord, VersionRecord
from mediafm.catalog.tables import PinnedTable, append, delete_ingests
from mediafm.catalog.versions import VersionBook
from mediafm.catalog.writer import now_us
from mediafm.errors import CatalogError, MediaFMError
from mediafm.timeline import Clip, Span, format_time, parse_time


class VersionStore(VersionBook):
    """The half of :class:`Catalog` that deals with versions and their embeddings."""

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

    def lacking(self, name: str) -> list[TitleRecord]:
        """Titles that a version has no embeddings of, sorted by id.

        Raises:
            CatalogError: There is no such version.
        """
        done = self.embedded_ingests(name)
        return [title for title in self.titles() if title.ingest_id not in done]

    def promote(self, name: str) -> Promotion:
        """Makes a version current: what readers see who name none, from their next refresh on.

        This object itself moves to the state of now.

        Returns:
            The entry as written; that of the last time where it is current already.

        Raises:
            CatalogError: There is no such version, or it is not complete.
        """
        self.refresh()
        with self._changing_versions():
            if lacking := self.lacking(name):
                some = ", ".join(title.title_id for title in lacking[:3])
                raise CatalogError(
                    f"version '{name}' lacks {len(lacking)} of {len(self.titles())} titles "
                    f"({some}{', ...' if len(lacking) > 3 else ''})",
                    where=self.uri,
                    do=f"fill it in with `mediafm version backfill {name}`",
                )
            held = self.promotions()
            current = self.current_version()
            if current is not None and current.name == name:
                return next(row for row in reversed(held) if row.version == name)
            # Later than the one it follows, even where the clock went back.
            promotion = Promotion(name, max([now_us(), *(row.at + 1 for row in held[-1:])]))
            self._append_record("promotions", promotion)
            return promotion

    def rollback(self) -> Promotion:
        """Makes the version current that was so before the current one.

        Raises:
            CatalogError: There is none that still exists, or it is not complete.
        """
        before = self.version_before()
        if before is None:
            raise CatalogError(
                "no version was current before this one",
                where=self.uri,
                do="name the one you want with `mediafm version promote`",
            )
        return self.promote(before)

    def version_before(self) -> str | None:
        """The version that was current before the current one and still exists."""
        current, held = self.current_version(), {version.name for version in self.versions()}
        before = [row.version for row in self.promotions() if row.version in held]
        while before and current is not None and before[-1] == current.name:
            before.pop()
        return before[-1] if before else None

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
            name: The version; ``None`` for the current one.
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

    def clip(
        self, title_id: str, start: int | str = 0, end: int | str | None = None
    ) -> CatalogClip:
        """A span of a title, to describe it in the context of the whole.

        Args:
            title_id: The title.
            start: Microseconds, or a time as people write it (``"190.5"``, ``"00:03:10"``); the
                start of the title by default.
            end: Likewise its end.

        Returns:
            The clip; ``catalog.clip("t", "3:10", "3:24").embedding()`` is its vector.

        Raises:
            CatalogError: There is no such title, or no shot of it lies in the span.
            MediaFMError: What should be a time is none.
        """
        shots = self.shots(title_id)
        if not shots:
            raise CatalogError("the title has no shots", where=title_id)
        whole = Span(shots[0].span.start, shots[-1].span.end)
        first = _time(start, whole.start)
        last = _time(end, whole.end)
        if first >= last or first >= whole.end or last <= whole.start:
            raise CatalogError(
                f"there is no clip {format_time(first)}-{format_time(last)}; the title runs from "
                f"{format_time(whole.start)} to {format_time(whole.end)}",
                where=title_id,
            )
        return CatalogClip(
            self, Clip(title_id, Span(max(first, whole.start), min(last, whole.end)))
        )

    def title_embedding(self, title_id: str, version: str | None = None) -> npt.NDArray[np.float32]:
        """One vector for a whole title: the mean over its shots, each as long as it lasts.

        Args:
            title_id: The title.
            version: Name of the version; the current one by default.

        Returns:
            ``e_H``, unit-normed.

        Raises:
            CatalogError: There is no such title or version, or the title is not embedded in it.
        """
        return self.clip(title_id).embedding(version)

    def series_embedding(
        self, series_id: str, version: str | None = None
    ) -> npt.NDArray[np.float32]:
        """One vector for a series: the mean over its titles, each counting the same.

        Args:
            series_id: The series.
            version: Name of the version; the current one by default.

        Returns:
            ``e_H``, unit-normed.

        Raises:
            CatalogError: There is no such series or version, or a title is not embedded in it.
        """
        own = [t for t in self.titles() if t.series_id == series_id and t.shots]
        if not own:
            known = sorted({t.series_id for t in self.titles() if t.series_id})
            raise CatalogError(
                f"no series '{series_id}'",
                where=self.uri,
                do=f"it has {', '.join(known) or 'none'}",
            )
        e_KH = np.stack([self.title_embedding(title.title_id, version) for title in own])
        return pooled(e_KH, np.ones(len(own)))

    def iter_embeddings(
        self, name: str | None = None, ids: Sequence[str] | None = None
    ) -> Iterator[tuple[TitleRecord, npt.NDArray[np.float32]]]:
        """Streams a version title by title, in bounded memory.

        Args:
            name: The version; the current one by default.
            ids: Titles in the order wanted; all, sorted, by default.

        Yields:
            Title and ``x_NH``; titles that are not embedded are left out.

        Raises:
            CatalogError: There is no such version or title; raised before the first record.
        """
        version = self.version(name)
        snapshot = self._snapshot()
        titles = [self._title(snapshot, i) for i in (snapshot.titles if ids is None else ids)]
        return self._each(titles, snapshot.tables.get(f"embeddings/{version.name}"), version)

    def _each(
        self, titles: Sequence[TitleRecord], pinned: PinnedTable | None, version: VersionRecord
    ) -> Iterator[tuple[TitleRecord, npt.NDArray[np.float32]]]:
        if pinned is None:
            return
        with self._guard():
            runs = pinned.runs
        embedded = [title for title in titles if title.ingest_id in runs]
        for batch in batches(embedded):
            with self._guard():
                found = pinned.many([title.ingest_id for title in batch], ["vector"], lost=True)
            for title, rows in zip(batch, found, strict=True):
                if len(rows) >= title.shots:  # else it was erased since the catalog was opened
                    yield title, _narrow(rows, title, version)


def _time(value: int | str | None, default: int) -> int:
    if value is None:
        return default
    if isinstance(value, str):
        return parse_time(value)
    if isinstance(value, float):  # seconds, most likely: 190.5 microseconds mean nothing
        raise MediaFMError(
            f"{value} is neither whole microseconds nor text", do=f'write "{value}" for seconds'
        )
    return value


def _narrow(rows: pa.Table, title: TitleRecord, version: VersionRecord) -> npt.NDArray[np.float32]:
    # Two runs at once may have stored a title twice, side by side.
    x_NH, _ = schemas.arrow_to_vectors(rows["vector"].slice(0, title.shots), version.dim)
    return x_NH.astype(np.float32)
