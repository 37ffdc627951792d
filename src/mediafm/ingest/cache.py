"""Vectors that were computed before, by encoder and content.

One SQLite file in the user's cache folder serves all catalogs: a film that is ingested again after
a change of its shots, its subtitles or one encoder computes only what it has not computed yet, and
a paid text is paid for once.
"""

from __future__ import annotations

import hashlib
import logging
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mediafm.encoders.base import cache_folder
from mediafm.errors import EncoderError, TitleDataError

LOG = logging.getLogger(__name__)

Vectors = npt.NDArray[np.floating]
Compute = Callable[[list[int]], Iterable[tuple[list[int], Vectors]]]
"""Places of inputs to places and their vectors, in as many parts as come out one by one."""

LIMIT = 8 << 30
"""Bytes: some five million vectors of width 768."""

_TABLE = (
    "PRAGMA page_size=8192",  # five vectors of width 768; of the usual 4096 a fifth is lost
    "PRAGMA journal_mode=WAL",
    # A lost vector is computed again; no need to wait for the disk.
    "PRAGMA synchronous=OFF",
    "CREATE TABLE IF NOT EXISTS vectors "
    "(id INTEGER PRIMARY KEY, encoder TEXT, key BLOB, used INTEGER, vector BLOB)",
    "CREATE UNIQUE INDEX IF NOT EXISTS by_key ON vectors (encoder, key)",
    "CREATE INDEX IF NOT EXISTS by_use ON vectors (used)",
)

_BATCH = 500  # keys in one query; SQLite takes 999 on old builds
_DAY = 86_400


def content_key(*parts: bytes | str | npt.NDArray[np.generic]) -> bytes:
    """Digest of an encoder's input: 16 bytes (BLAKE2b) over its parts, shapes included."""
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        if isinstance(part, np.ndarray):
            digest.update(f"{part.dtype}{part.shape}".encode())
            digest.update(np.ascontiguousarray(part).data)
        else:
            raw = part.encode() if isinstance(part, str) else part
            digest.update(f"{len(raw)}:".encode())
            digest.update(raw)
    return digest.digest()


class VectorCache:
    """A cache of vectors in half precision, as the catalog stores them.

    A cache is never worth a failure: where the file cannot be read or written, it says so once and
    everything is computed.

    Args:
        folder: Where the file lies; ``$MEDIAFM_VECTOR_CACHE`` or the user's cache folder by
            default.
        limit: Bytes after which the vectors not used for longest go.
    """

    def __init__(self, folder: Path | None = None, limit: int = LIMIT):
        self.limit = limit
        self.hits = self.misses = 0
        self._renewed = False
        self._path: Path | None = None
        self._db: sqlite3.Connection | None = None
        try:
            named = os.environ.get("MEDIAFM_VECTOR_CACHE")
            place = folder or (Path(named) if named else cache_folder("vectors"))
            place.mkdir(parents=True, exist_ok=True)
            self._path = place / "vectors-2.sqlite"
            self._open()
        except (sqlite3.Error, OSError) as error:
            self._give_up(error)

    def _open(self) -> None:
        assert self._path is not None
        try:
            self._db = sqlite3.connect(self._path, timeout=30, isolation_level=None)
            for statement in _TABLE:
                self._db.execute(statement)
        except sqlite3.Error as error:
            if not self._renews(error):
                raise

    def _renews(self, error: sqlite3.Error) -> bool:
        """Whether a damaged file was set aside and a new one begun, which is done once."""
        # SQLite's errors of other causes (locked, disk full) are subclasses.
        if type(error) is not sqlite3.DatabaseError or self._renewed or self._path is None:
            return False
        self._renewed = True
        self.close()
        aside = self._path.with_suffix(".damaged")
        LOG.warning("%s is damaged (%s) and now called %s", self._path, error, aside.name)
        self._path.replace(aside)
        for suffix in ("-wal", "-shm"):
            Path(f"{self._path}{suffix}").unlink(missing_ok=True)
        self._open()
        return True

    def _failed(self, error: Exception) -> None:
        """Goes on with a new file if the old one is damaged, else without any."""
        try:
            if isinstance(error, sqlite3.Error) and self._renews(error):
                return
        except (sqlite3.Error, OSError) as second:
            error = second
        self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        where = f" {self._path}" if self._path else ""
        LOG.warning("the cache of vectors%s is not used (%s)", where, error)
        self.close()

    def close(self) -> None:
        """Closes the file; nothing is cached any more."""
        if self._db is not None:
            self._db.close()
            self._db = None

    def get(self, encoder: str, keys: Sequence[bytes], dim: int) -> dict[bytes, Vectors]:
        """Vectors that are there.

        Args:
            encoder: The encoder's fingerprint.
            keys: Digests of inputs.
            dim: Width of the encoder's vectors.

        Returns:
            Key to vector (float16), for those found.
        """
        found: dict[bytes, Vectors] = {}
        if self._db is None:
            return found
        today = int(time.time() // _DAY)
        try:
            for start in range(0, len(keys), _BATCH):
                part = keys[start : start + _BATCH]
                marks = ",".join("?" * len(part))
                where = f"encoder = ? AND key IN ({marks})"
                rows = self._db.execute(
                    f"SELECT key, vector, used FROM vectors WHERE {where}", (encoder, *part)
                ).fetchall()
                for key, raw, _ in rows:
                    half_D = np.frombuffer(raw, np.float16) if len(raw) == 2 * dim else None
                    if half_D is not None and np.isfinite(half_D).all():  # else computed anew
                        found[key] = half_D
                if any(used != today for _, _, used in rows):
                    self._db.execute(
                        f"UPDATE vectors SET used = ? WHERE {where}", (today, encoder, *part)
                    )
        except sqlite3.Error as error:
            self._failed(error)
        return found

    def put(self, encoder: str, keys: Sequence[bytes], x_ND: Vectors) -> None:
        """Keeps vectors; those that are not finite in half precision are left out."""
        if self._db is None:
            return
        with np.errstate(over="ignore"):
            half_ND = np.asarray(x_ND).astype(np.float16)
        today = int(time.time() // _DAY)
        rows = [
            (encoder, key, today, half_D.tobytes())
            for key, half_D in zip(keys, half_ND, strict=True)
            if np.isfinite(half_D).all()
        ]
        try:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany(
                "INSERT OR REPLACE INTO vectors (encoder, key, used, vector) VALUES (?, ?, ?, ?)",
                rows,
            )
            if self._bytes() > self.limit:
                # More than came: pages are free once all their rows are gone. By the index, which
                # has the rows of a day in the order in which they came.
                self._db.execute(
                    "DELETE FROM vectors WHERE id IN "
                    "(SELECT id FROM vectors ORDER BY used LIMIT ?)",
                    (max(4 * len(rows), _BATCH),),
                )
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            self._failed(error)

    def _bytes(self) -> int:
        """Bytes in use; pages of deleted rows are used again and do not count."""
        assert self._db is not None
        pages, free, size = (
            self._db.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("page_count", "freelist_count", "page_size")
        )
        return int((pages - free) * size)

    def through(
        self, encoder: str, keys: Sequence[bytes], dim: int, compute: Compute
    ) -> npt.NDArray[np.float16]:
        """Looks inputs up and computes those that are not there, equal ones once.

        Args:
            encoder: The encoder's fingerprint.
            keys: Digest of every input.
            dim: Width of the vectors.
            compute: Gets places of inputs and gives their vectors; every part is kept at once, so
                that an interrupted run loses nothing.

        Returns:
            ``x_ND``, a row per input.

        Raises:
            EncoderError: What is computed has another shape.
            TitleDataError: It has a value that is not finite or that half precision cannot hold;
                said when all else is computed and kept.
        """
        first: dict[bytes, int] = {}
        for place, key in enumerate(keys):
            first.setdefault(key, place)
        found = self.get(encoder, list(first), dim)
        wrong: dict[int, bool] = {}
        missing = [place for key, place in first.items() if key not in found]
        self.hits += len(keys) - len(missing)
        self.misses += len(missing)
        for places, x_MD in compute(missing) if missing else ():
            if x_MD.shape != (len(places), dim):
                raise EncoderError(
                    f"an encoder of width {dim} gave vectors of shape {x_MD.shape} for "
                    f"{len(places)} inputs"
                )
            self.put(encoder, [keys[place] for place in places], x_MD)
            with np.errstate(over="ignore"):
                half_MD = np.asarray(x_MD).astype(np.float16)
            found.update({keys[p]: row for p, row in zip(places, half_MD, strict=True)})
            for i in np.flatnonzero(~np.isfinite(half_MD).all(axis=1)):
                wrong.setdefault(places[i], bool(np.isfinite(x_MD[i]).all()))
        if wrong:
            place, large = min(wrong.items())
            what = (
                "a value over 65504, which 16-bit floats cannot hold"
                if large
                else "a value that is not a number or is infinite"
            )
            raise TitleDataError(
                f"the encoder {encoder} gave a vector with {what}, for input {place} of {len(keys)}"
            )
        x_ND = np.zeros((len(keys), dim), np.float16)
        for place, key in enumerate(keys):
            x_ND[place] = found[key]
        return x_ND


class NoCache(VectorCache):
    """Computes everything; equal inputs of one call still once."""

    def __init__(self) -> None:
        self.hits = self.misses = 0
        self.limit = 0
        self._db = self._path = None
