"""Arrow schemas of the tables, and the way between rows and records."""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from collections.abc import Iterable
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mediafm.catalog.records import EncoderRecord, VersionRecord
from mediafm.errors import CatalogError, TitleDataError

ENCODER_KEY = b"mediafm.encoder"
VERSION_KEY = b"mediafm.version"

_SMALLEST = 2.0**-14
"""The smallest normal number of float16: below it digits go, and all of them at 2**-25."""

_KEYS = (pa.field("title_id", pa.string()), pa.field("ingest_id", pa.string()))

SHOTS = pa.schema(
    [
        *_KEYS,
        pa.field("shot", pa.int32()),
        pa.field("start", pa.int64()),
        pa.field("end", pa.int64()),
        pa.field("forced", pa.bool_()),
    ]
)
CUES = pa.schema(
    [
        *_KEYS,
        pa.field("start", pa.int64()),
        pa.field("end", pa.int64()),
        pa.field("text", pa.string()),
        pa.field("kind", pa.string()),
        pa.field("language", pa.string()),
        pa.field("source", pa.string()),
    ]
)
KEYFRAMES = pa.schema([*_KEYS, pa.field("shot", pa.int32()), pa.field("jpeg", pa.large_binary())])

R = TypeVar("R")


def features_schema(encoder: EncoderRecord) -> pa.Schema:
    """Schema of one features table: a vector per shot, null where absent.

    ``present`` repeats what the nulls say, so that counting does not read the vectors.
    """
    return pa.schema(
        [
            *_KEYS,
            pa.field("shot", pa.int32()),
            pa.field("present", pa.bool_()),
            pa.field("vector", _vector(encoder.dim)),
        ],
        metadata={ENCODER_KEY: json.dumps(dataclasses.asdict(encoder)).encode()},
    )


def metadata_schema(encoder: EncoderRecord) -> pa.Schema:
    """Schema of one table of metadata vectors: a vector per title and field."""
    return pa.schema(
        [*_KEYS, pa.field("field", pa.string()), pa.field("vector", _vector(encoder.dim))],
        metadata={ENCODER_KEY: json.dumps(dataclasses.asdict(encoder)).encode()},
    )


def embeddings_schema(version: VersionRecord) -> pa.Schema:
    """Schema of one version's table: a vector per shot."""
    return pa.schema(
        [*_KEYS, pa.field("shot", pa.int32()), pa.field("vector", _vector(version.dim))],
        metadata={VERSION_KEY: version.fingerprint.encode()},
    )


def encoder_of(schema: pa.Schema) -> EncoderRecord:
    """Reads back what :func:`features_schema` put into a table's schema.

    Raises:
        CatalogError: The table does not say which encoder made it.
    """
    raw = (schema.metadata or {}).get(ENCODER_KEY)
    if raw is None:
        raise CatalogError("a features table does not say which encoder made it")
    return EncoderRecord(**json.loads(raw))


def _vector(dim: int) -> pa.DataType:
    return pa.list_(pa.field("item", pa.float16()), dim)


def record_schema(kind: type[Any]) -> pa.Schema:
    """Schema of a table that holds one record per row, columns named as its fields."""
    hints = typing.get_type_hints(kind)
    return pa.schema(
        [pa.field(field.name, _column(hints[field.name])) for field in dataclasses.fields(kind)]
    )


def _column(hint: Any) -> pa.DataType:
    if isinstance(hint, types.UnionType):
        hint = next(part for part in typing.get_args(hint) if part is not type(None))
    if typing.get_origin(hint) is tuple:
        return pa.list_(pa.string())
    # Mappings are JSON text: Lance knows maps only in its newest file formats.
    return {int: pa.int64(), bool: pa.bool_()}.get(hint, pa.string())


def records_to_table(kind: type[Any], records: Iterable[Any]) -> pa.Table:
    """Writes records as rows of :func:`record_schema`."""
    rows = [
        {field.name: _plain(getattr(record, field.name)) for field in dataclasses.fields(kind)}
        for record in records
    ]
    return pa.Table.from_pylist(rows, schema=record_schema(kind))


def table_to_records(kind: type[R], table: pa.Table) -> list[R]:
    """Reads rows back; columns that the table does not have take the field's default.

    A text column that the table got later is null in the rows that were there: empty text.
    """
    hints = typing.get_type_hints(kind)
    known = [name for name in hints if name in table.column_names]
    rows = table.select(known).to_pylist()
    return [kind(**{n: _rich(row[n], hints[n]) for n in known}) for row in rows]


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    return list(value) if isinstance(value, tuple) else value


def _rich(value: Any, hint: Any) -> Any:
    origin = typing.get_origin(hint)
    if origin is dict:
        return json.loads(value) if value else {}
    if value is None and hint is str:
        return ""
    return tuple(value or ()) if origin is tuple else value


def to_float16(
    x_ND: npt.ArrayLike, present_N: npt.NDArray[np.bool_], dim: int, what: str
) -> npt.NDArray[np.float16]:
    """Checks vectors and narrows them to what is stored.

    Args:
        x_ND: Vectors; rows that are not present may hold anything.
        present_N: Which rows count.
        dim: The width that the table has.
        what: What they are, for messages (``film-1: video features``).

    Returns:
        ``x_ND`` as float16, zeros in absent rows.

    Raises:
        TitleDataError: Another shape, a value that is not finite or that float16 cannot hold.
    """
    x_ND = np.asarray(x_ND)
    if x_ND.ndim != 2 or x_ND.shape[1] != dim or len(x_ND) != len(present_N):
        raise TitleDataError(
            f"{what} have shape {x_ND.shape}, expected ({len(present_N)}, {dim}): shots, width"
        )
    half_ND = np.zeros(x_ND.shape, np.float16)
    with np.errstate(over="ignore"):
        half_ND[present_N] = x_ND[present_N]
    finite_N = np.isfinite(half_ND).all(axis=1)
    if not finite_N.all():
        row = int(np.flatnonzero(~finite_N)[0])
        cause = (
            "a value over 65504, which 16-bit floats cannot hold"
            if np.isfinite(x_ND[row]).all()
            else "a value that is not a number or is infinite"
        )
        raise TitleDataError(f"{what} hold {cause} (row {row})")
    most_N = np.abs(half_ND).max(axis=1, initial=0)
    if (small_N := present_N & (most_N < _SMALLEST)).any():
        # Whole rows only: a component that is next to nothing beside others is nothing.
        lost_N = small_N & (np.abs(np.where(present_N[:, None], x_ND, 0)).max(axis=1) > 0)
        if lost_N.any():
            row = int(np.flatnonzero(lost_N)[0])
            raise TitleDataError(
                f"{what} hold a vector of values under {_SMALLEST:.0e} (row {row}), of which "
                "16-bit floats keep little: scale the vectors up"
            )
    return half_ND


def vectors_to_arrow(half_ND: npt.NDArray[np.float16], present_N: npt.NDArray[np.bool_]) -> Any:
    """A fixed-size list per row, null where absent."""
    values = pa.array(np.ascontiguousarray(half_ND).reshape(-1))
    return pa.FixedSizeListArray.from_arrays(values, half_ND.shape[1], mask=pa.array(~present_N))


def arrow_to_vectors(
    column: pa.ChunkedArray, dim: int
) -> tuple[npt.NDArray[np.float16], npt.NDArray[np.bool_]]:
    """The way back of :func:`vectors_to_arrow`: ``x_ND`` with zeros in absent rows, ``present_N``.

    The arrays are copies, so that they can be written to and keep no larger buffer alive.
    """
    x_ND = np.zeros((len(column), dim), np.float16)
    present_N = np.ones(len(column), np.bool_)
    start = 0
    for chunk in column.chunks:
        end = start + len(chunk)
        if chunk.null_count:
            present_N[start:end] = chunk.is_valid().to_numpy(zero_copy_only=False)
        # flatten() leaves null rows out; .values would hold nulls that NumPy cannot take.
        x_ND[start:end][present_N[start:end]] = chunk.flatten().to_numpy().reshape(-1, dim)
        start = end
    return x_ND, present_N
