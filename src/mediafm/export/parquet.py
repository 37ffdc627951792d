"""Embeddings of shots as Parquet: one table, or the folder of a Hugging Face dataset.

Shapes: N shots of a title, H width of the embeddings, 2 start and end.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

_GROUP_BYTES = 32 << 20  # vectors of a row group: what is held in memory, here and by readers
_SHARD_BYTES = 300 << 20


class TitleRows(NamedTuple):
    """What is exported of one title.

    Attributes:
        title_id: The title.
        times_N2: Start and end of its shots, microseconds.
        x_NH: Their embeddings, float32.
    """

    title_id: str
    times_N2: npt.NDArray[np.int64]
    x_NH: npt.NDArray[np.float32]


def write_table(path: Path, titles: Iterable[TitleRows], dim: int) -> None:
    """Writes one file.

    Args:
        path: The file; must not be there.
        titles: What to write.
        dim: H.

    Raises:
        OSError: It cannot be written.
    """
    _write(path, _schema(dim), _groups(titles, dim))


def write_shards(folder: Path, titles: Iterable[TitleRows], dim: int) -> None:
    """Writes ``train-00000-of-00001.parquet`` and, where one would grow large, more of them.

    Args:
        folder: Where; must be there.
        titles: What to write.
        dim: H.

    Raises:
        OSError: They cannot be written.
    """
    schema, groups = _schema(dim), _groups(titles, dim)
    parts: list[Path] = []
    for first in groups:
        part = folder / f"{len(parts)}.part"
        _write(part, schema, itertools.chain([first], groups), _SHARD_BYTES)
        parts.append(part)
    # How many there are is known only now.
    for number, part in enumerate(parts):
        part.rename(folder / f"train-{number:05d}-of-{len(parts):05d}.parquet")


def _schema(dim: int) -> pa.Schema:
    return pa.schema(
        {
            "title_id": pa.string(),
            "shot": pa.int32(),
            "start_us": pa.int64(),
            "end_us": pa.int64(),
            "embedding": pa.list_(pa.float32(), dim),
        }
    )


def _groups(titles: Iterable[TitleRows], dim: int) -> Iterator[pa.Table]:
    """Tables of some ten megabytes: a row group for each of many short titles reads slowly."""
    schema, most = _schema(dim), max(1, _GROUP_BYTES // (4 * dim))
    held: list[pa.RecordBatch] = []
    count = 0
    for title_id, times_N2, x_NH in titles:
        columns = [
            pa.array([title_id] * len(x_NH)),
            np.arange(len(x_NH), dtype=np.int32),
            times_N2[:, 0],
            times_N2[:, 1],
            pa.FixedSizeListArray.from_arrays(pa.array(x_NH.ravel()), dim),
        ]
        held.append(pa.record_batch(columns, schema=schema))
        count += len(x_NH)
        if count >= most:
            yield pa.Table.from_batches(held)
            held, count = [], 0
    if held:
        yield pa.Table.from_batches(held)


def _write(path: Path, schema: pa.Schema, tables: Iterable[pa.Table], most: int = 0) -> None:
    """Writes tables as row groups, and with ``most`` only until the file has so many bytes."""
    with (
        path.open("xb") as file,
        pq.ParquetWriter(file, schema, compression="zstd", use_dictionary=["title_id"]) as writer,
    ):
        for table in tables:
            writer.write_table(table)
            if most and file.tell() >= most:
                return
