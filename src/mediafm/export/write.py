"""Writes places in titles as files; the suffix decides the form."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mediafm.catalog import Catalog
from mediafm.errors import MediaFMError
from mediafm.export.editing import ADAPTERS, write_edit
from mediafm.export.marks import Mark
from mediafm.files import save
from mediafm.timeline import format_time

COLUMNS = ("title_id", "start_us", "end_us", "start", "end", "name", "score", "reasons", "about")
"""Of tables: times in microseconds and as ``HH:MM:SS.mmm``; reasons one per line; ``about`` is
JSON."""


def write_marks(
    catalog: Catalog,
    marks: Sequence[Mark],
    out: Path,
    name: str = "mediafm",
    *,
    metadata: bool = False,
) -> Path:
    """Writes places in titles.

    Args:
        catalog: Where the titles are.
        marks: The places, in the order wanted.
        out: The file: an edit list (``.otio``, ``.edl``, ``.xml``), chapters (``.vtt``), or a table
            (``.csv``, ``.jsonl``, ``.parquet``).
        name: What an edit list is called.
        metadata: Whether a ``.vtt`` file says all that is known, as JSON for programs
            (``kind=metadata``), instead of names for people (``kind=chapters``).

    Returns:
        The file, which appears whole or not at all.

    Raises:
        MediaFMError: Another suffix, nothing to write, a title that cannot be counted in frames, or
            a file that cannot be written.
    """
    suffix = out.suffix.lower()
    if suffix not in SUFFIXES:
        raise MediaFMError(
            f"cannot be written as {out.suffix or 'a file without suffix'}",
            where=out,
            do=f"name a {', '.join(SUFFIXES)} file",
        )
    if not marks:
        raise MediaFMError("there is nothing to write", where=out)
    if suffix in ADAPTERS:
        content = write_edit(catalog, marks, out, name).encode()
    elif suffix == ".vtt" and metadata:
        content = _vtt(marks, _payload)
    else:
        content = _FORMS[suffix](marks)
    return save(out, content)


def _row(mark: Mark) -> dict[str, Any]:
    span = mark.clip.span
    return {
        "title_id": mark.clip.title_id,
        "start_us": span.start,
        "end_us": span.end,
        "start": format_time(span.start),
        "end": format_time(span.end),
        "name": mark.name,
        "score": mark.score,
        "reasons": "\n".join(mark.reasons),
        "about": json.dumps(mark.about, ensure_ascii=False),
    }


def _csv(marks: Sequence[Mark]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    writer.writerows(map(_row, marks))
    return text.getvalue().encode()


def _jsonl(marks: Sequence[Mark]) -> bytes:
    rows = [{**_row(m), "reasons": list(m.reasons), "about": m.about} for m in marks]
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def _parquet(marks: Sequence[Mark]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = {"start_us": pa.int64(), "end_us": pa.int64(), "score": pa.float64()}
    schema = pa.schema([pa.field(name, kinds.get(name, pa.string())) for name in COLUMNS])
    buffer = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist([*map(_row, marks)], schema=schema), buffer)
    return bytes(buffer.getvalue())


def _chapter(mark: Mark) -> str:
    return _plain(mark.name)


def _payload(mark: Mark) -> str:
    """All that is known of a place, as JSON on one line, without what would end the cue's text."""
    known = {"name": mark.name, "score": mark.score, "reasons": list(mark.reasons), **mark.about}
    return json.dumps(known, ensure_ascii=False).replace("-->", "--\\u003e")


def _vtt(marks: Sequence[Mark], text_of: Callable[[Mark], str] = _chapter) -> bytes:
    """Chapters of one title, or metadata (W3C WebVTT, 2019)."""
    ids = sorted({mark.clip.title_id for mark in marks})
    if len(ids) > 1:
        raise MediaFMError(
            f"a WebVTT file is of one title, these are of {', '.join(ids[:3])}",
            do="write the titles apart, or a table",
        )
    blocks = ["WEBVTT"]
    for number, mark in enumerate(sorted(marks, key=lambda m: m.clip.span), 1):
        span = mark.clip.span
        # A cue must end after it starts, by the milliseconds that are written.
        end = max(span.end, (span.start // 1000 + 1) * 1000)
        blocks.append(
            f"{number}\n{format_time(span.start)} --> {format_time(end)}\n{text_of(mark)}"
        )
    return ("\n\n".join(blocks) + "\n").encode()


def _plain(text: str) -> str:
    """Text of a cue: one line, without what WebVTT would take for markup or for a time."""
    line = " ".join(text.split())
    return line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;") or "-"


_FORMS: dict[str, Callable[[Sequence[Mark]], bytes]] = {
    ".vtt": _vtt,
    ".csv": _csv,
    ".jsonl": _jsonl,
    ".parquet": _parquet,
}
SUFFIXES = (*ADAPTERS, *_FORMS)
