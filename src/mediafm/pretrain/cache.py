"""Where the training caches of catalogs lie: found again, built when outdated, removed."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
from pathlib import Path

import platformdirs

from mediafm.catalog import locks
from mediafm.errors import CatalogError, describe_os_error
from mediafm.pretrain.build import (
    JOURNAL,
    FeatureSource,
    build_store,
    empty,
    source_key,
    where_of,
)
from mediafm.pretrain.columns import FORMAT, MANIFEST, read_manifest
from mediafm.pretrain.store import ShotStore
from mediafm.progress import Progress, Silent


def cached_store(source: FeatureSource, folder: Path | None, progress: Progress) -> ShotStore:
    """Opens the training cache of a catalog, built where it is missing or outdated.

    Other processes that ask for the same cache meanwhile wait for the one that builds it.

    Args:
        source: The catalog.
        folder: The cache; by default one per state of a catalog, under
            ``$MEDIAFM_TRAINING_CACHE`` or ``training`` in the user's cache folder. There,
            outdated caches of the same catalog are removed, unless a process has them open.
        progress: Where to report.

    Raises:
        CatalogError: The catalog cannot be read, the folder holds something else or cannot be
            written.
    """
    key = source_key(source)
    place = _place(key, folder)
    try:
        if (store := _open_current(place, key, Silent())) is not None:
            return store
        lock = place.with_name(f"{place.name}.lock")
        handle = locks.acquire(lock)
        if handle is None:
            progress.say(f"{place}: waiting for another process that builds this training cache")
            handle = locks.acquire(lock, wait=True)
        assert handle is not None
        try:
            # The one that we waited for may have done it.
            if (store := _open_current(place, key, progress)) is not None:
                return store
            if folder is None:
                _remove_outdated(place, where_of(source))
            return build_store(source, place, progress)
        finally:
            locks.release(handle, lock)
    except OSError as error:
        raise CatalogError(
            describe_os_error(error),
            where=error.filename or place,
            do="name another place with --cache or MEDIAFM_TRAINING_CACHE",
        ) from None


def room(source: FeatureSource, folder: Path | None = None) -> int:
    """Bytes that a training cache may take: what is free, and what it takes already.

    Args:
        source: The catalog.
        folder: As for :func:`cached_store`.
    """
    place = _place(source_key(source), folder)
    free = shutil.disk_usage(next(p for p in (place, *place.parents) if p.exists())).free
    held = place.iterdir() if place.is_dir() else ()
    return free + sum(path.stat().st_size for path in held)


def _place(key: str, folder: Path | None) -> Path:
    if folder is None:
        return _root().absolute() / key
    place = Path(folder).resolve()
    if place == Path.cwd() or place.is_mount():
        raise CatalogError(
            "cannot be a training cache, which is renamed into its place",
            where=place,
            do="name a folder in it",
        )
    return place


def _root() -> Path:
    named = os.environ.get("MEDIAFM_TRAINING_CACHE")
    if named:
        return Path(named)
    root = os.environ.get("MEDIAFM_CACHE") or platformdirs.user_cache_path("mediafm")
    return Path(root, "training")


def _open_current(place: Path, key: str, progress: Progress) -> ShotStore | None:
    """The cache, where it is whole and what the catalog holds."""
    if not (place / MANIFEST).exists():
        return None
    try:
        if read_manifest(place / MANIFEST)["key"] == key:
            return ShotStore.open(place)
    except (CatalogError, OSError, ValueError, KeyError) as error:
        why = error.what if isinstance(error, CatalogError) else error
        progress.say(f"{place}: {why}; it is built anew")
    return None


def _remove_outdated(place: Path, where: str) -> None:
    """Removes other caches of a catalog, and what is left of building them."""
    if not place.parent.is_dir():
        return
    for other in sorted(place.parent.iterdir()):
        name = other.name.removesuffix(".building")
        if name == place.name:
            continue
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            building = name != other.name
            content = json.loads((other / (JOURNAL if building else MANIFEST)).read_bytes())
            if content["format"] == FORMAT and content["uri"] == where:
                lock = other.with_name(f"{name}.lock")
                with locks.locked(lock, wait=False) as ours:
                    if ours:
                        _remove(other)


def _remove(folder: Path) -> None:
    """Removes a cache, or an unfinished one, unless a process has it open."""
    mark = JOURNAL if not (folder / MANIFEST).exists() else MANIFEST
    descriptor = os.open(folder / mark, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        empty(folder, mark)
        (folder / mark).unlink()
        folder.rmdir()
    finally:
        os.close(descriptor)
