"""Keeping a catalog tidy: rows that nobody needs, small fragments, old versions."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Collection, Iterable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Any

from mediafm.catalog import locks
from mediafm.catalog.guard import is_conflict, is_missing
from mediafm.catalog.indexes import drop_words, index_words
from mediafm.catalog.records import Failure
from mediafm.catalog.schemas import table_to_records
from mediafm.catalog.snapshot import (
    RETIRED,
    latest,
    list_tables,
    mark_rows,
    statuses,
    table_name,
    title_rows,
)
from mediafm.catalog.store import Store
from mediafm.catalog.tables import (
    FragmentCache,
    PinnedTable,
    delete,
    delete_ingests,
    open_latest,
    quote,
    retry,
)
from mediafm.catalog.writer import ingest_age

REMOTE_AGE = 24 * 3600.0
"""Seconds after which uncommitted rows in an object store count as a dead run's."""

SAFE_AGE = timedelta(hours=1)
"""How long a version of a table stays readable after it was replaced."""

_FRAGMENTS = 16
_DELETED = 0.2  # share of deleted rows from which a fragment is worth rewriting
_CLEAN_EVERY = 3600.0  # reading all old manifests costs more than what they hold
# A fragment of this many rows is left alone: 100 MB of vectors, 100 MB of pictures.
_ROWS, _ROWS_KEYFRAMES = 65536, 4096
_WITHOUT_INGESTS = ("encoders", "failures", "promotions", "validations", "versions")


def commit_lock(store: Store) -> AbstractContextManager[bool]:
    """Held by whoever commits a title, or changes what the committed titles' vectors are.

    It reaches as far as this machine; in an object store the writers of others go on.
    """
    return locks.locked(store.work / "locks" / "commit.lock", wait=True)


def collect(store: Store, cache: FragmentCache) -> int:
    """Deletes what no reader will ask for: rows of killed runs, replaced titles, old encoders.

    Safe at any moment, beside running writers and other collectors, and when killed half-way:
    every step deletes only what is already invisible.

    Args:
        store: Where the catalog lies.
        cache: What was read of the fragments.

    Returns:
        Number of ingests whose rows were deleted.
    """
    with locks.locked(store.work / "locks" / "collect.lock", wait=False) as ours:
        if not ours:
            return 0  # another process is at it
        # The order matters. A running writer's rows are seen first, then its lease. If the lease
        # is gone by then, it either died or committed; a commit shows in titles, read last.
        held = held_ingests(
            store, cache, (n for n in list_tables(store) if n not in _WITHOUT_INGESTS)
        )
        live = locks.live_leases(store.work / "leases")
        rows = title_rows(store, cache)
        titles = latest(rows)
        keep = live | {title.ingest_id for title in titles.values()}
        if store.root is None:
            # Writers on other machines hold no lease here; rows that were never committed may be
            # theirs until they are old. Replaced titles' rows were committed once.
            known = {row.ingest_id for row in rows}
            every = set().union(*held.values()) - known
            keep |= {ingest for ingest in every if ingest_age(ingest) < REMOTE_AGE}
        dead: set[str] = set()
        for name, ingests in held.items():
            if unneeded := ingests - keep:
                delete_ingests(store.table(name), unneeded)
                dead |= unneeded
        for row in rows:
            if row.committed_at < titles[row.title_id].committed_at:
                delete(
                    store.table("titles"),
                    f"ingest_id = {quote(row.ingest_id)} AND committed_at = {row.committed_at}",
                )
        _collect_failures(store)
        if any(held.get(name) for name in _retired(store)):
            with commit_lock(store):
                dead |= drop_retired(store, cache)
        return len(dead)


def drop_retired(store: Store, cache: FragmentCache) -> set[str]:
    """Deletes the vectors of encoders that were replaced; the caller holds :func:`commit_lock`.

    Under the lock, because a retired encoder may be filled in again: then its rows are wanted.

    Args:
        store: Where the catalog lies.
        cache: What was read of the fragments.

    Returns:
        The ingests whose rows were deleted.
    """
    held = held_ingests(store, cache, _retired(store))
    # A living writer of a retired encoder finds out when it commits; where it may commit (nothing
    # else holds the modality by then) its rows are needed.
    keep = locks.live_leases(store.work / "leases")
    if store.root is None:
        known = {row.ingest_id for row in title_rows(store, cache)}
        every = set().union(*held.values()) - known
        keep |= {ingest for ingest in every if ingest_age(ingest) < REMOTE_AGE}
    dead: set[str] = set()
    for name, ingests in held.items():
        if unneeded := ingests - keep:
            delete_ingests(store.table(name), unneeded)
            dead |= unneeded
    return dead


def _retired(store: Store) -> list[str]:
    marked = statuses(mark_rows(store))
    return [table_name(*key) for key, status in marked.items() if status == RETIRED]


def held_ingests(store: Store, cache: FragmentCache, names: Iterable[str]) -> dict[str, set[str]]:
    """Which ingests have rows in some tables; missing tables are left out."""
    held = {}
    for name in names:
        dataset = open_latest(store.table(name))
        if dataset is not None:
            held[name] = set(PinnedTable(store.table(name), dataset, cache).runs)
    return held


def _collect_failures(store: Store) -> None:
    uri = store.table("failures")
    dataset = open_latest(uri)
    if dataset is None:
        return
    newest: dict[str, int] = {}
    rows = table_to_records(Failure, dataset.to_table())
    for failure in rows:
        newest[failure.path] = max(failure.at, newest.get(failure.path, 0))
    for path in {failure.path for failure in rows if failure.at < newest[failure.path]}:
        delete(uri, f"path = {quote(path)} AND at < {newest[path]}")


def compact(store: Store, safe_age: timedelta = SAFE_AGE) -> int:
    """Merges small fragments and drops versions that nobody has read from for a while.

    Args:
        store: Where the catalog lies.
        safe_age: How long a replaced version stays for readers that have it pinned.

    Returns:
        Number of tables whose fragments were merged.
    """
    with locks.locked(store.work / "locks" / "compact.lock", wait=False) as ours:
        if not ours:
            return 0
        merged, clean = 0, _is_time_to_clean(store, safe_age)
        for name in [*list_tables(store), "titles"]:
            uri = store.table(name)
            dataset = open_latest(uri)
            if dataset is None:
                continue
            try:
                merged += _merge(dataset, _ROWS_KEYFRAMES if name == "keyframes" else _ROWS)
                if clean:
                    _clean(uri, safe_age)
            except (OSError, RuntimeError, ValueError) as error:
                # Somebody deleted rows or compacted meanwhile: the next call tries again.
                if not (is_conflict(error) or is_missing(error)):
                    raise
        return merged


def _merge(dataset: Any, target: int) -> bool:
    """Merges a tail of small fragments.

    From the newest fragment back, a fragment takes part while it is no larger than all newer ones
    together. So every row is rewritten a logarithmic number of times, not once per call.
    """
    fragments = dataset.get_fragments()
    live = [fragment.physical_rows - fragment.num_deletions for fragment in fragments]
    worn = {
        fragment.fragment_id
        for fragment in fragments
        if fragment.num_deletions > _DELETED * fragment.physical_rows
    }
    tail: set[int] = set()
    newer = 0
    for fragment, rows in zip(reversed(fragments), reversed(live), strict=True):
        if rows >= target or (len(tail) > _FRAGMENTS and rows > newer):
            break
        tail.add(fragment.fragment_id)
        newer += rows
    if len(tail) <= _FRAGMENTS:
        tail = set()
    if not tail and not worn:
        return False
    others = [f.fragment_id for f in fragments if f.fragment_id not in tail | worn]
    dataset.optimize.compact_files(
        target_rows_per_fragment=target,
        materialize_deletions_threshold=_DELETED,
        excluded_fragment_ids=others,
        batch_size=256,  # bounds memory: pictures are some 20 KB a row
        num_threads=1,
    )
    return True


def erase(store: Store, cache: FragmentCache, ingest_ids: Collection[str]) -> None:
    """Takes every byte of deleted rows out of the files, at once.

    Deleted rows stay in Lance's files until these are rewritten, and in the files of older
    versions of a table until those are dropped. Both happen here: a reader that has such a version
    pinned goes on with the latest one, without these rows.

    Args:
        store: Where the catalog lies.
        cache: What was read of the fragments.
        ingest_ids: Ingests that no title names any more, to be deleted first.
    """
    names = [name for name in list_tables(store) if name not in _WITHOUT_INGESTS]
    for name, held in held_ingests(store, cache, names).items():
        if gone := held.intersection(ingest_ids):
            delete_ingests(store.table(name), gone)
    with locks.locked(store.work / "locks" / "compact.lock", wait=True):
        # An index of vectors loses the rows with their fragments. That of words keeps the list of
        # all words that it ever saw.
        drop_words(store.table("cues"))
        for name in [*list_tables(store), "titles"]:
            _rewrite(store.table(name))
        index_words(store.table("cues"))


def _rewrite(uri: str) -> None:
    """Drops deleted rows from a table's files, and all its versions but the latest."""

    def attempt() -> None:
        dataset = open_latest(uri)
        if dataset is None:
            return
        fragments = dataset.get_fragments()
        whole = [f.fragment_id for f in fragments if not f.num_deletions]
        if len(whole) < len(fragments):
            dataset.optimize.compact_files(
                materialize_deletions_threshold=0.0,
                excluded_fragment_ids=whole,
                batch_size=256,
                num_threads=1,
            )
        _clean(uri, timedelta(0))

    retry(attempt)


def _is_time_to_clean(store: Store, safe_age: timedelta) -> bool:
    stamp = store.work / "locks" / "cleaned"
    every = min(_CLEAN_EVERY, safe_age.total_seconds())
    with contextlib.suppress(FileNotFoundError):
        if 0 <= time.time() - stamp.stat().st_mtime < every:
            return False
    stamp.parent.mkdir(parents=True, exist_ok=True)
    stamp.touch()
    return True


def _clean(uri: str, safe_age: timedelta) -> None:
    """Drops versions that were replaced longer ago than the safe age.

    Lance's own ``older_than`` looks at when a version was *made*: a version of last week that a
    reader pinned a minute ago would go as soon as a newer one exists.
    """
    dataset = open_latest(uri)
    if dataset is None:
        return
    limit = datetime.now(UTC) - safe_age
    versions = sorted(dataset.versions(), key=lambda version: version["version"])
    old = [
        version["version"]
        for version, following in itertools.pairwise(versions)
        if _aware(following["timestamp"]) < limit
    ]
    if old:
        dataset.cleanup_old_versions(versions=old, error_if_tagged_old_versions=False)


def _aware(stamp: datetime) -> datetime:
    # Lance gives the local time without saying so.
    return stamp.astimezone(UTC)
