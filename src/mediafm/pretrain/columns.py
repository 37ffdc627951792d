"""The columns of a store: their rows, their files, and what is known of their content.

Files, all raw and little-endian: ``features-M.f16`` a row per shot, ``features-M.here`` a byte per
shot, ``times.i64`` start and end per shot, ``metadata-F.f16`` and ``metadata-F.here`` per title;
``titles.jsonl`` one line per title; ``training-cache.json`` says what they are.

Shapes: S shots of some spans, N shots of one title, D width.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

import numpy as np
import numpy.typing as npt

from mediafm.catalog.records import EncoderRecord, TitleFeatures
from mediafm.errors import CatalogError, describe_os_error
from mediafm.files import write_whole
from mediafm.fingerprint import fingerprint

FORMAT, VERSION = "mediafm training cache", 2
_CONTENT = 1  # raised when the same features are kept otherwise: runs on them are other runs
MANIFEST, TITLES = "training-cache.json", "titles.jsonl"
AGAIN = "delete the folder that holds it; the next run builds it anew"

Spans = Sequence[tuple[int, int]]
Half = npt.NDArray[np.float16]
_NO_SIGN = np.uint16(0x7FFF)
_ALL_ONES = np.uint16(0x7C00)  # the exponent of infinity and NaN in half precision


@dataclass(frozen=True, slots=True)
class StoredTitle:
    """Where one title lies.

    Args:
        title_id: The title.
        ingest_id: The write that its features come from.
        group: What a split keeps together.
        first: Row of its first shot in the columns.
        shots: Its shots.
    """

    title_id: str
    ingest_id: str
    group: str
    first: int
    shots: int


@dataclass(slots=True)
class Layout:
    """What the columns are, found title by title as they are filled.

    Args:
        widths: Modality to width.
        fields: Metadata field to width.
        counts: Modality to the number of shots that have it.
        useless: Modality or field to the number of vectors that were taken as absent, because they
            hold a value that is no number, or nothing but zeros.
        sums: Column to the CRC-32 of what it holds and where.
    """

    widths: dict[str, int] = field(default_factory=dict)
    fields: dict[str, int] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    useless: dict[str, int] = field(default_factory=dict)
    sums: dict[str, int] = field(default_factory=dict)

    def take(
        self, title: TitleFeatures, number: int, first: int
    ) -> tuple[dict[str, tuple[Half, npt.NDArray[np.bool_]]], dict[str, Half]]:
        """Checks a title and gives what of it goes into the columns.

        Args:
            title: Its features.
            number: Its place among the titles.
            first: Its first row.

        Returns:
            Modality to ``x_ND`` (zeros where absent) and ``present_N``, for those that it has; and
            metadata field to ``m_D``.

        Raises:
            CatalogError: Widths differ between titles.
        """
        found: dict[str, tuple[Half, npt.NDArray[np.bool_]]] = {}
        for name, given_ND in title.features.items():
            present_N = np.ascontiguousarray(title.present[name], np.bool_)
            x_ND = np.ascontiguousarray(given_ND, np.float16)
            if x_ND.ndim == 2 and present_N.shape == (len(x_ND),):
                present_N = self._useful(name, x_ND, present_N)
            if not present_N.any():
                self.counts.setdefault(name, 0)
                self.widths.setdefault(name, np.shape(given_ND)[-1])
                continue
            if not self.counts.get(name):
                self.widths.pop(name, None)  # zeros of titles without it may have any width
            if x_ND.ndim != 2 or len(x_ND) != len(title) or present_N.shape != (len(title),):
                raise CatalogError(
                    f"{name} features have shape {x_ND.shape}, the title has {len(title)} shots",
                    where=title.title_id,
                )
            if not present_N.all():
                x_ND = np.where(present_N[:, None], x_ND, np.float16(0))
            self._check(title, self.widths, name, x_ND, f"{name} features")
            self._sum(f"features-{name}", first, present_N, x_ND)
            self.counts[name] = self.counts.get(name, 0) + int(present_N.sum())
            found[name] = (x_ND, present_N)
        metadata = {}
        for name, given_D in title.metadata.items():
            m_D = np.ascontiguousarray(given_D, np.float16)
            if not self._useful(name, m_D[None], np.ones(1, np.bool_))[0]:
                continue
            self._check(title, self.fields, name, m_D[None], f"metadata vectors of {name}")
            self._sum(f"metadata-{name}", number, m_D)
            metadata[name] = m_D
        self._sum("times", first, np.ascontiguousarray(title.times_N2, np.int64))
        return found, metadata

    def _check(
        self, title: TitleFeatures, widths: dict[str, int], name: str, x_ND: Half, what: str
    ) -> None:
        width = x_ND.shape[1]
        if widths.setdefault(name, width) != width:
            raise CatalogError(
                f"{what} are {width} wide, others {widths[name]}",
                where=title.title_id,
                do="ingest all titles with the same encoders",
            )

    def _useful(
        self, name: str, x_ND: Half, present_N: npt.NDArray[np.bool_]
    ) -> npt.NDArray[np.bool_]:
        """What of ``present_N`` says anything: one NaN would spread through a whole title."""
        bits_ND = x_ND.view(np.uint16)
        broken_N = ((bits_ND & _ALL_ONES) == _ALL_ONES).any(axis=1)
        useless_N = present_N & (broken_N | ~(bits_ND & _NO_SIGN).any(axis=1))
        if not useless_N.any():
            return present_N
        self.useless[name] = self.useless.get(name, 0) + int(useless_N.sum())
        return np.asarray(present_N & ~useless_N)

    def _sum(self, column: str, place: int, *parts: npt.NDArray[Any]) -> None:
        total = zlib.crc32(place.to_bytes(8, "little"), self.sums.get(column, 0))
        for part in parts:
            total = zlib.crc32(part.reshape(-1).view(np.uint8).data, total)
        self.sums[column] = total

    def fingerprint(
        self, titles: Sequence[StoredTitle], encoders: Mapping[str, EncoderRecord]
    ) -> str:
        """Digest of what decides a store's content, wherever it lies.

        The sums are in it because vectors may change under the same names: a modality filled in
        for more titles, a table of audience signals with new numbers.
        """
        content = {
            "version": _CONTENT,
            "titles": [(t.title_id, t.ingest_id, t.group, t.shots) for t in titles],
            "encoders": {name: encoder.fingerprint for name, encoder in encoders.items()},
            "widths": self.widths,
            "fields": self.fields,
            "sums": self.sums,
        }
        return fingerprint(content)


class Column(Protocol):
    """Rows of one width."""

    def read(self, runs: Spans, out: npt.NDArray[np.uint8]) -> None:
        """Fills ``out`` with the rows of some spans."""


class InMemory:
    """A column in memory.

    Args:
        rows: The rows, contiguous.
    """

    def __init__(self, rows: npt.NDArray[Any]):
        self._bytes = rows.reshape(-1).view(np.uint8)
        self._row = self._bytes.size // max(len(rows), 1)

    def read(self, runs: Spans, out: npt.NDArray[np.uint8]) -> None:
        """See :class:`Column`."""
        at = 0
        for start, end in runs:
            size = (end - start) * self._row
            out[at : at + size] = self._bytes[start * self._row : end * self._row]
            at += size


class InFile:
    """A column in a file.

    Args:
        path: The file, for messages.
        descriptor: The file, open; others close it.
        row: Bytes of a row.
    """

    def __init__(self, path: Path, descriptor: int, row: int):
        self._path, self._descriptor, self._row = path, descriptor, row

    def read(self, runs: Spans, out: npt.NDArray[np.uint8]) -> None:
        """See :class:`Column`; the interpreter's lock is free meanwhile."""
        view, at = out.data, 0
        try:
            for start, end in runs:
                last, shift = at + (end - start) * self._row, start * self._row - at
                while at < last:  # one call gives 2 GB at most, or less
                    got = read_into(self._descriptor, view[at:last], at + shift)
                    if not got:
                        raise CatalogError(
                            "the training cache is cut short", where=self._path, do=AGAIN
                        )
                    at += got
        except OSError as error:
            raise CatalogError(describe_os_error(error), where=self._path, do=AGAIN) from None


def read_into(descriptor: int, view: memoryview, offset: int) -> int:
    """Reads at a place of a file into a buffer; macOS has only ``pread``, which copies."""
    if hasattr(os, "preadv"):
        return os.preadv(descriptor, [view], offset)
    part = os.pread(descriptor, len(view), offset)
    view[: len(part)] = part
    return len(part)


def joined(spans: Spans, total: int) -> tuple[list[tuple[int, int]], int]:
    """Joins spans that touch, so that each takes one read; and counts the rows."""
    runs: list[tuple[int, int]] = []
    count, first, last = 0, 0, 0
    for start, end in spans:
        if not 0 <= start <= end <= total:
            raise ValueError(f"rows {start} to {end} of {total}")
        count += end - start
        if start == last:
            last = end
        else:
            if first < last:
                runs.append((first, last))
            first, last = start, end
    if first < last:
        runs.append((first, last))
    return runs, count


def files_of(layout: Layout, shots: int, titles: int) -> dict[str, tuple[str, int, int]]:
    """Column to its file, the bytes of a row, and the number of rows."""
    found = {"times": ("times.i64", 16, shots)}
    for prefix, rows, widths in (
        ("features", shots, layout.widths),
        ("metadata", titles, layout.fields),
    ):
        for name, width in widths.items():
            file = f"{prefix}-{quote(name, safe='')}"
            found[f"{prefix}-{name}"] = (f"{file}.f16", 2 * width, rows)
            found[f"{prefix}.here-{name}"] = (f"{file}.here", 1, rows)
    return found


def read_manifest(path: Path) -> dict[str, Any]:
    """The manifest of a training cache, or the journal of one that is being built.

    Raises:
        CatalogError: It is none, of another format, or somebody changed it.
        OSError: It cannot be read.
        ValueError: It is no JSON.
    """
    content = json.loads(path.read_bytes())
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise CatalogError("this is no training cache", where=path)
    if content.get("version") != VERSION:
        raise CatalogError(
            f"it has format {content.get('version')}, this mediafm reads {VERSION}",
            where=path,
            do=AGAIN,
        )
    if content.pop("digest", None) != fingerprint(content):
        raise CatalogError("is damaged", where=path, do=AGAIN)
    return content


def write_manifest(path: Path, content: dict[str, Any]) -> None:
    """Writes a manifest or a journal, with a digest: one changed letter is noticed."""
    content = {"format": FORMAT, "version": VERSION, **content}
    text = json.dumps({**content, "digest": fingerprint(content)}, indent=2, ensure_ascii=False)
    write_whole(path, text.encode())


def read_titles(path: Path, manifest: dict[str, Any]) -> list[StoredTitle]:
    """The titles of a training cache.

    Raises:
        CatalogError: There are fewer than the manifest says.
        OSError: They cannot be read.
        ValueError: A line is no JSON.
    """
    titles, first = [], 0
    with path.open(encoding="utf-8") as file:
        for line in file:
            title_id, ingest_id, group, shots = json.loads(line)
            titles.append(StoredTitle(title_id, ingest_id, group, first, shots))
            first += shots
    if len(titles) != manifest["titles"] or first != manifest["shots"]:
        raise CatalogError("the training cache is cut short", where=path, do=AGAIN)
    return titles
