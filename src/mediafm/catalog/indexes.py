"""Indexes of a catalog's tables: vectors by direction, timed text by words.

An index is part of its Lance table: pinned with it, brought along when fragments are merged, and
rows that it does not hold yet are compared one by one. Deleted rows leave it when their fragment is
rewritten.
"""

from __future__ import annotations

import math
import os
import re
import uuid
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mediafm.catalog.tables import PinnedTable, open_latest, retry

EXACT = 50_000
"""Vectors up to which a table has no index: comparing all takes some tens of milliseconds."""

_KIND = "IVF_SQ"
"""Inverted lists of 8-bit vectors (``benchmarks/search.py``)."""

_PROBED, _HELD = 40, 8
"""Lists looked into; there are as many as the square root of the vectors. At least as many as hold
this multiple of what is asked for."""

_REFINED = 2
"""Candidates whose stored vectors are compared, as a multiple of what is asked for."""

_STALE = 0.05
"""Share of rows outside the index from which they are taken in."""

_GROWN = 2.0
"""Growth of a table from which its lists are too few, and the index is made anew."""

_COMMON, _FEW_CUES = 0.05, 5
"""Share of the cues, and their number, from which a word tells nothing."""

_WORDS: dict[str, Any] = {
    # Splits words as Unicode says, so scripts without spaces too. No stems: catalogs speak many
    # languages, and the text encoder knows that "bridges" are like a "bridge".
    "index_type": "INVERTED",
    "base_tokenizer": "icu",
    "stem": False,
    "remove_stop_words": False,
    "ascii_folding": True,
    "with_position": False,
}


class Match(NamedTuple):
    """A vector that an index found.

    Attributes:
        ingest_id: Whose row.
        shot: Which shot.
        cosine: With the query.
    """

    ingest_id: str
    shot: int
    cosine: float


class Hearing(NamedTuple):
    """A cue that an index found.

    Attributes:
        ingest_id: Whose cue.
        row: Its row.
        score: BM25.
    """

    ingest_id: str
    row: dict[str, Any]
    score: float


def has_vectors(table: PinnedTable) -> bool:
    """Whether a table's vectors have an index."""
    return table.lasting(lambda: _named(table.dataset, "vector")) is not None


def nearest(table: PinnedTable, query_H: npt.NDArray[np.float32], count: int) -> list[Match]:
    """Rows whose vectors point most nearly where a query does, by the table's index.

    Args:
        table: A table that has one.
        query_H: The query.
        count: Most rows.

    Returns:
        Best first; rows of ingests that no title names any more may be among them.
    """
    lists = math.sqrt(table.dataset.count_rows())
    search = {
        "column": "vector",
        "q": query_H,
        "k": count,
        "metric": "cosine",
        "nprobes": max(_PROBED, math.ceil(_HELD * count / lists)),
        "refine_factor": _REFINED,
    }
    columns = ["ingest_id", "shot", "_distance"]
    rows = table.lasting(lambda: table.dataset.to_table(columns=columns, nearest=search))
    distances = rows["_distance"].to_numpy()
    matches = zip(rows["ingest_id"].to_pylist(), rows["shot"].to_pylist(), distances, strict=True)
    # A vector of zeros has no direction, and no distance.
    return [Match(i, shot, 1.0 - float(d)) for i, shot, d in matches if math.isfinite(d)]


def words(table: PinnedTable, query: str, count: int) -> list[Hearing]:
    """Cues that hold words of a query.

    Where the table has no index, one is made in memory, once.

    Args:
        table: The table of cues.
        query: Words in any order; case and accents do not count.
        count: Most cues.

    Returns:
        Best first; rows of ingests that no title names any more may be among them.
    """
    from lance.query import MatchQuery

    def read() -> pa.Table:
        dataset = table.dataset
        if _named(dataset, "text") is None:
            dataset = _in_memory(table)
        names = [name for name in table.schema.names if name != "title_id"]
        telling = MatchQuery(_telling(dataset, query), "text")
        return dataset.to_table(columns=[*names, "_score"], full_text_query=telling, limit=count)

    rows = table.lasting(read).to_pylist()
    return [Hearing(row["ingest_id"], row, float(row["_score"])) for row in rows]


def _telling(dataset: Any, query: str) -> str:
    """A query without the words that too many cues have: "the" says nothing in any language.

    All of it, where there is nothing else.
    """
    from lance.query import MatchQuery

    most = max(_FEW_CUES, int(_COMMON * dataset.count_rows()))
    kept = []
    for word in dict.fromkeys(re.findall(r"\w+", query)):
        held = dataset.to_table(
            columns=["ingest_id", "_score"],
            full_text_query=MatchQuery(word, "text"),
            limit=most + 1,
        )
        if len(held) <= most:
            kept.append(word)
    return " ".join(kept) or query


def _in_memory(table: PinnedTable) -> Any:
    import lance

    held = table.__dict__.get("_words")
    if held is None:
        held = lance.write_dataset(table.dataset.to_table(), f"memory://{uuid.uuid4().hex}")
        held.create_scalar_index("text", **_WORDS)
        table.__dict__["_words"] = held
    return held


def _named(dataset: Any, column: str) -> str | None:
    """The name of a column's index."""
    return next((i.name for i in dataset.describe_indices() if column in i.field_names), None)


def index_vectors(uri: str, *, exact: int = EXACT) -> bool:
    """Makes the index of a table's vectors, or takes new rows in.

    Args:
        uri: The table.
        exact: Vectors up to which nothing is done.

    Returns:
        Whether anything was done.
    """

    def attempt() -> bool:
        dataset = open_latest(uri)
        if dataset is None:
            return False
        present = "present" in dataset.schema.names
        vectors = dataset.count_rows("present" if present else None)
        if vectors <= exact:
            return False
        name, lists = _named(dataset, "vector"), round(math.sqrt(vectors))
        if name is not None:
            # Thousands of vectors come with the statistics otherwise, and a warning.
            os.environ.setdefault("LANCE_INCLUDE_VECTOR_CENTROIDS", "false")
            stats = dataset.stats.index_stats(name)
            if lists <= math.sqrt(_GROWN) * stats["indices"][0]["num_partitions"]:
                stale = bool(stats["num_unindexed_rows"] > _STALE * dataset.count_rows())
                if stale:
                    dataset.optimize.optimize_indices()
                return stale
        dataset.create_index("vector", _KIND, metric="cosine", num_partitions=lists, replace=True)
        return True

    return retry(attempt)


def index_words(uri: str) -> bool:
    """Makes the index of the cues, or takes new ones in.

    Returns:
        Whether anything was done.
    """

    def attempt() -> bool:
        dataset = open_latest(uri)
        if dataset is None or not (rows := dataset.count_rows()):
            return False
        if (name := _named(dataset, "text")) is None:
            dataset.create_scalar_index("text", replace=True, **_WORDS)
            return True
        stale = bool(dataset.stats.index_stats(name)["num_unindexed_rows"] > _STALE * rows)
        if stale:
            dataset.optimize.optimize_indices()
        return stale

    return retry(attempt)


def drop_words(uri: str) -> None:
    """Drops the index of the cues: it holds their words as long as it is there."""

    def attempt() -> None:
        dataset = open_latest(uri)
        if dataset is not None and (name := _named(dataset, "text")) is not None:
            dataset.drop_index(name)

    retry(attempt)
