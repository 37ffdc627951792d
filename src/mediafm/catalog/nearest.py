"""Finding rows of a catalog: shots by the direction of their vectors, cues by their words.

Shapes: N shots, D the width of a vector.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from mediafm.catalog import indexes, locks, schemas
from mediafm.catalog.clip import unit
from mediafm.catalog.reader import batches
from mediafm.catalog.records import TitleRecord
from mediafm.catalog.snapshot import Snapshot
from mediafm.catalog.tables import PinnedTable
from mediafm.catalog.versions import VersionBook
from mediafm.errors import CatalogError
from mediafm.progress import Progress, Silent
from mediafm.timeline import Cue, Span

A = TypeVar("A")
F = TypeVar("F")

_SLACK = 64  # rows that may belong to titles that were replaced, or to two copies of one
_GROWTH = 4
_TOO_MANY = 0.05  # share of all rows from which comparing all is faster than asking for so many


class Near(NamedTuple):
    """A shot that was found by its vector.

    Attributes:
        title_id: Its title.
        shot: Its number.
        cosine: With the query, -1 .. 1.
    """

    title_id: str
    shot: int
    cosine: float


class Said(NamedTuple):
    """A cue that was found by its words.

    Attributes:
        title_id: Its title.
        cue: The cue.
        score: BM25: how rare the words are that it shares with the query; comparable within one
            search only.
    """

    title_id: str
    cue: Cue
    score: float


class NearestStore(VersionBook):
    """The part of :class:`Catalog` that finds shots.

    Tables of over :data:`~mediafm.catalog.indexes.EXACT` vectors have an index once
    :meth:`index` was called, which whoever adds vectors does; without one, all are compared.
    """

    def nearest(
        self,
        query_D: npt.ArrayLike,
        count: int = 10,
        *,
        version: str | None = None,
        titles: Sequence[str] | None = None,
        exact: bool = False,
    ) -> list[Near]:
        """Shots whose contextual embeddings point most nearly where a query does.

        Args:
            query_D: The query, of any length but zero.
            count: Most shots.
            version: Name of the version; the current one by default.
            titles: Only shots of these; all by default.
            exact: Compare all, though there is an index.

        Returns:
            Best first; fewer where there are not so many.

        Raises:
            CatalogError: There is no such version or title, or the query does not fit.
        """
        record = self.version(version)
        table = self._snapshot().tables.get(f"embeddings/{record.name}")
        return self._nearest(table, record.dim, query_D, count, titles, exact)

    def nearest_features(
        self,
        modality: str,
        query_D: npt.ArrayLike,
        count: int = 10,
        *,
        titles: Sequence[str] | None = None,
        exact: bool = False,
    ) -> list[Near]:
        """Shots whose features of a modality point most nearly where a query does.

        Args:
            modality: Which.
            query_D: The query.
            count: Most shots; those without the modality are never among them.
            titles: Only shots of these; all by default.
            exact: Compare all, though there is an index.

        Raises:
            CatalogError: There is no such modality or title, or the query does not fit.
        """
        [(encoder, table)] = self._tables(self._snapshot(), [modality]).values()
        return self._nearest(table, encoder.dim, query_D, count, titles, exact)

    def shot_features(
        self, shots: Sequence[tuple[str, int]], modalities: Sequence[str] | None = None
    ) -> tuple[dict[str, npt.NDArray[np.float16]], dict[str, npt.NDArray[np.bool_]]]:
        """Features of single shots, of any titles; reads no other rows.

        Args:
            shots: Title and number of each.
            modalities: Which; all that the catalog has by default.

        Returns:
            Modality to ``x_KD`` (zeros where absent), and to ``present_K``.

        Raises:
            CatalogError: There is no such title or modality.
        """
        snapshot = self._snapshot()
        places = [(self._title(snapshot, name).ingest_id, shot) for name, shot in shots]
        features, present = {}, {}
        for modality, (encoder, table) in self._tables(snapshot, modalities).items():
            features[modality] = np.zeros((len(shots), encoder.dim), np.float16)
            present[modality] = np.zeros(len(shots), np.bool_)
            with self._guard():
                found, vectors = table.take(places, "vector")
            x_KD, present_K = schemas.arrow_to_vectors(vectors, encoder.dim)
            features[modality][found], present[modality][found] = x_KD, present_K
        return features, present

    def said(
        self, query: str, count: int = 10, *, titles: Sequence[str] | None = None
    ) -> list[Said]:
        """Cues that hold words of a query, by BM25.

        Args:
            query: Words in any order; case and accents do not count.
            count: Most cues.
            titles: Only cues of these; all by default.

        Returns:
            Best first.

        Raises:
            CatalogError: There is no such title.
        """
        snapshot = self._snapshot()
        table, wanted = snapshot.tables.get("cues"), self._wanted(snapshot, titles)
        if table is None or not query.strip():
            return []

        def ask(number: int) -> list[indexes.Hearing]:
            with self._guard():
                return indexes.words(table, query, number)

        def keep(answers: list[indexes.Hearing]) -> list[Said]:
            known = [answer for answer in answers if answer.ingest_id in wanted]
            return [Said(wanted[i].title_id, _cue(row), score) for i, row, score in known]

        return _enough(ask, keep, count) or []

    def index(self, progress: Progress | None = None, *, exact: int = indexes.EXACT) -> list[str]:
        """Brings the indexes up to date: of vectors where there are many, of all timed text.

        Args:
            progress: Where to report.
            exact: Vectors up to which a table has none.

        Returns:
            Names of the tables whose index was made or grew.

        Raises:
            CatalogError: The catalog cannot be written.
        """
        progress, done = progress or Silent(), []
        self.refresh()
        snapshot = self._snapshot()
        names = [n for n in snapshot.tables if n.startswith(("embeddings/", "features/"))]
        # Beside a compaction one of the two would have to begin again.
        lock = self._store.work / "locks" / "compact.lock"
        with self._guard(), locks.locked(lock, wait=True):
            for name in names:
                rows = sum(count for _, count in snapshot.tables[name].runs.values())
                if rows > exact:
                    progress.say(f"indexing {name}, {rows:,} shots")
                if indexes.index_vectors(self._store.table(name), exact=exact):
                    done.append(name)
            if "cues" in snapshot.tables and indexes.index_words(self._store.table("cues")):
                done.append("cues")
        self.refresh()
        return done

    def _nearest(
        self,
        table: PinnedTable | None,
        dim: int,
        query_D: npt.ArrayLike,
        count: int,
        titles: Sequence[str] | None,
        exact: bool,
    ) -> list[Near]:
        snapshot, unit_D = self._snapshot(), self._direction(query_D, dim)
        wanted = self._wanted(snapshot, titles)
        if table is None or count < 1:
            return []
        with self._guard():
            rows = sum(number for _, number in table.runs.values())
            few = sum(title.shots for title in wanted.values()) <= indexes.EXACT
            if not exact and not few and indexes.has_vectors(table):
                found = self._by_index(table, unit_D, count, wanted, int(_TOO_MANY * rows))
                if found is not None:
                    return found
            if few and titles is None:
                # Kept for the next query, as long as this state of the catalog is looked at.
                held = table.__dict__.get("_vectors")
                if held is None:
                    held = table.__dict__["_vectors"] = _read(table, dim, list(wanted.values()))
                return held.nearest(unit_D, count)
            return _by_comparing(table, unit_D, count, list(wanted.values()))

    def _by_index(
        self,
        table: PinnedTable,
        unit_D: npt.NDArray[np.float32],
        count: int,
        wanted: dict[str, TitleRecord],
        most: int,
    ) -> list[Near] | None:
        def ask(number: int) -> list[indexes.Match]:
            return indexes.nearest(table, unit_D, number)

        def keep(answers: list[indexes.Match]) -> list[Near]:
            known = {a[:2]: a for a in reversed(answers) if a.ingest_id in wanted}
            return [Near(wanted[i].title_id, s, c) for i, s, c in reversed(known.values())]

        return _enough(ask, keep, count, most)

    def _wanted(self, snapshot: Snapshot, titles: Sequence[str] | None) -> dict[str, TitleRecord]:
        """Ingest to title, of those that may be found."""
        if titles is None:
            return snapshot.ingests
        return {t.ingest_id: t for t in (self._title(snapshot, name) for name in titles)}

    def _direction(self, query_D: npt.ArrayLike, dim: int) -> npt.NDArray[np.float32]:
        x_D = np.asarray(query_D, np.float32)
        if x_D.shape != (dim,) or not np.isfinite(x_D).all() or not x_D.any():
            wrong = "is not finite" if x_D.shape == (dim,) and x_D.any() else "has no direction"
            wrong = f"has shape {x_D.shape}, not ({dim},)" if x_D.shape != (dim,) else wrong
            raise CatalogError(f"the query {wrong}", where=self.uri)
        unit_D: npt.NDArray[np.float32] = x_D / np.linalg.norm(x_D)
        return unit_D


def _enough(
    ask: Callable[[int], list[A]],
    keep: Callable[[list[A]], list[F]],
    count: int,
    most: int | None = None,
) -> list[F] | None:
    """Asks for more and more until enough of what comes is kept.

    Returns:
        What was kept; ``None`` where more than ``most`` would have to be asked for, or the lists
        of the index that were looked into do not hold so many.
    """
    number = count + _SLACK
    while most is None or number <= most:
        answers = ask(number)
        found = keep(answers)
        if len(found) >= count:
            return found[:count]
        if len(answers) < number:
            return found if most is None else None
        number *= _GROWTH
    return None


class _Vectors(NamedTuple):
    """Unit vectors of titles, side by side.

    Attributes:
        names: The titles.
        counts: Their shots.
        x_ND: The vectors; zeros for those without direction.
        known_N: Which have one.
    """

    names: list[str]
    counts: list[int]
    x_ND: npt.NDArray[np.float32]
    known_N: npt.NDArray[np.bool_]

    def nearest(self, unit_D: npt.NDArray[np.float32], count: int) -> list[Near]:
        """Compares a query with all of them."""
        cosine_N = self.x_ND @ unit_D
        best = _best(np.where(self.known_N, cosine_N, -np.inf), count)
        ends = np.cumsum(self.counts)
        which = np.searchsorted(ends, best, side="right")
        return [
            Near(self.names[t], int(i - ends[t] + self.counts[t]), float(cosine_N[i]))
            for t, i in zip(which.tolist(), best.tolist(), strict=True)
        ]


def _read(table: PinnedTable, dim: int, titles: Sequence[TitleRecord]) -> _Vectors:
    own = [title for title in titles if title.ingest_id in table.runs]
    parts = [np.zeros((0, dim), np.float32)]
    read = table.many([title.ingest_id for title in own], ["vector"], lost=True)
    for title, rows in zip(own, read, strict=True):
        # Without rows it was erased since; with too many, two runs stored it at once.
        x_ND, _ = schemas.arrow_to_vectors(rows["vector"].slice(0, title.shots), dim)
        parts.append(unit(x_ND))
    all_ND: npt.NDArray[np.float32] = np.concatenate(parts)
    known_N: npt.NDArray[np.bool_] = np.any(all_ND != 0, axis=1)
    return _Vectors([t.title_id for t in own], [len(x) for x in parts[1:]], all_ND, known_N)


def _by_comparing(
    table: PinnedTable,
    unit_D: npt.NDArray[np.float32],
    count: int,
    titles: Sequence[TitleRecord],
) -> list[Near]:
    """Compares a query with every vector of some titles, in bounded memory."""
    best: list[Near] = []
    for batch in batches(titles):
        best += _read(table, len(unit_D), batch).nearest(unit_D, count)
        best = heapq.nlargest(count, best, key=lambda near: near.cosine)
    return best


def _best(score_N: npt.NDArray[np.float32], count: int) -> npt.NDArray[np.intp]:
    """Places of the highest finite scores, best first, equal ones in order."""
    places = np.flatnonzero(np.isfinite(score_N))
    if len(places) > count:
        least = np.partition(score_N[places], -count)[-count]
        places = places[score_N[places] >= least]
    best: npt.NDArray[np.intp] = places[np.argsort(-score_N[places], kind="stable")][:count]
    return best


def _cue(row: dict[str, Any]) -> Cue:
    rest = (row[name] for name in ("text", "kind", "language", "source"))
    return Cue(Span(row["start"], row["end"]), *rest)
