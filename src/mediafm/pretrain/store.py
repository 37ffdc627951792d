"""The shots of all titles, one after the other: what training reads at random.

A store lies in memory, or in the files of a *training cache* (:mod:`mediafm.pretrain.build`), which
are read in place with positioned reads: resident memory does not grow with the catalog, the page
cache of the operating system keeps what fits, and reading threads do not wait for one another.

Shapes: S shots of some spans, N shots of one title, D width.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import os
import weakref
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from mediafm.catalog.records import EncoderRecord, TitleFeatures
from mediafm.errors import CatalogError, describe_os_error
from mediafm.pretrain.columns import (
    AGAIN,
    MANIFEST,
    TITLES,
    Column,
    Half,
    InFile,
    InMemory,
    Layout,
    Spans,
    StoredTitle,
    files_of,
    joined,
    read_manifest,
    read_titles,
)

__all__ = ["ShotStore", "StoredTitle"]


class ShotStore:
    """Shots of all titles, one after the other; made by :meth:`of_titles` or :meth:`open`.

    Any number of threads may read at once. A store in files holds them open, and keeps others from
    removing them, until :meth:`close` or until it is forgotten.

    Attributes:
        titles: All titles, sorted by ``title_id``.
        encoders: Modality to the encoder that made its features, ``metadata`` to that of the
            metadata vectors; empty where unknown.
        widths: Modality to width.
        counts: Modality to the number of shots that have it.
        useless: Modality or field to the number of vectors that were taken as absent, because they
            hold a value that is no number, or nothing but zeros.
        fields: Metadata field to width.
        fingerprint: Digest of what decides the content.
        key: What the catalog held when the cache was built; empty in memory.
    """

    def __init__(
        self,
        titles: list[StoredTitle],
        encoders: Mapping[str, EncoderRecord],
        layout: Layout,
        columns: Mapping[str, Column],
        digest: str = "",
        key: str = "",
        descriptors: Sequence[int] = (),
    ):
        self.titles, self.encoders = titles, dict(encoders)
        self.widths, self.fields = dict(layout.widths), dict(layout.fields)
        self.counts, self.useless = dict(layout.counts), dict(layout.useless)
        self.fingerprint, self.key = digest or layout.fingerprint(titles, encoders), key
        self._columns = dict(columns)
        self._shots = titles[-1].first + titles[-1].shots if titles else 0
        self._close = weakref.finalize(self, _close_all, list(descriptors))

    def __len__(self) -> int:
        return self._shots

    @classmethod
    def of_titles(
        cls, titles: Iterable[TitleFeatures], encoders: Mapping[str, EncoderRecord] | None = None
    ) -> ShotStore:
        """Copies titles into columns in memory.

        Args:
            titles: In any order.
            encoders: What made the features, where known.

        Raises:
            CatalogError: Two titles of one name, or widths that differ.
            TypeError: Something else than titles.
        """
        given = list(titles)
        if wrong := [type(t).__name__ for t in given if not isinstance(t, TitleFeatures)]:
            raise TypeError(f"titles must be TitleFeatures, see TitleFeatures.of, not {wrong[0]}")
        given.sort(key=lambda t: t.title_id)
        places, total, layout, parts = [], 0, Layout(), []
        for number, title in enumerate(given):
            if number and title.title_id == given[number - 1].title_id:
                raise CatalogError("there are two titles of this name", where=title.title_id)
            places.append(
                StoredTitle(title.title_id, title.ingest_id, title.group, total, len(title))
            )
            parts.append(layout.take(title, number, total))
            total += len(title)
        columns: dict[str, npt.NDArray[Any]] = {"times": np.zeros((total, 2), np.int64)}
        for prefix, rows, widths in (
            ("features", total, layout.widths),
            ("metadata", len(given), layout.fields),
        ):
            for name, width in widths.items():
                columns[f"{prefix}-{name}"] = np.zeros((rows, width), np.float16)
                columns[f"{prefix}.here-{name}"] = np.zeros(rows, np.bool_)
        for number, (title, place, (found, metadata)) in enumerate(
            zip(given, places, parts, strict=True)
        ):
            rows_N = slice(place.first, place.first + place.shots)
            columns["times"][rows_N] = title.times_N2
            for name, (x_ND, present_N) in found.items():
                columns[f"features-{name}"][rows_N] = x_ND
                columns[f"features.here-{name}"][rows_N] = present_N
            for name, m_D in metadata.items():
                columns[f"metadata-{name}"][number] = m_D
                columns[f"metadata.here-{name}"][number] = True
        held = {name: InMemory(rows) for name, rows in columns.items()}
        return cls(places, encoders or {}, layout, held)

    @classmethod
    def open(cls, folder: Path) -> ShotStore:
        """Opens a training cache; needs neither the catalog nor Lance.

        Args:
            folder: The cache.

        Raises:
            CatalogError: There is none, or it is damaged, cut short or of another format.
        """
        folder, descriptors = Path(folder), []
        path = folder / MANIFEST
        try:
            descriptors.append(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
            _share(descriptors[0], path)
            manifest = read_manifest(path)
            layout = Layout(*(manifest[f.name] for f in dataclasses.fields(Layout)))
            titles = read_titles(folder / TITLES, manifest)
            columns = {}
            for name, (file, row, rows) in files_of(layout, manifest["shots"], len(titles)).items():
                path = folder / file
                descriptors.append(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
                if (size := os.fstat(descriptors[-1]).st_size) != row * rows:
                    raise CatalogError(
                        f"the training cache is cut short ({size} of {row * rows} bytes)",
                        where=path,
                        do=AGAIN,
                    )
                columns[name] = InFile(path, descriptors[-1], row)
            encoders = {name: EncoderRecord(**e) for name, e in manifest["encoders"].items()}
            digest, key = manifest["fingerprint"], manifest["key"]
            return cls(titles, encoders, layout, columns, digest, key, descriptors)
        except BaseException as error:
            _close_all(descriptors)
            if isinstance(error, FileNotFoundError) and path == folder / MANIFEST:
                inner = sorted(p.parent.name for p in folder.glob(f"*/{MANIFEST}"))
                raise CatalogError(
                    "holds no training cache",
                    where=folder,
                    do=f"open a folder in it: {', '.join(inner)}"
                    if inner
                    else "name the folder that mediafm pretrain --cache was given",
                ) from None
            if isinstance(error, OSError):
                raise CatalogError(describe_os_error(error), where=path, do=AGAIN) from None
            if isinstance(error, (KeyError, TypeError, ValueError, AttributeError)):
                raise CatalogError(
                    "the training cache is damaged", where=folder, do=AGAIN
                ) from error
            raise

    def read(self, modality: str, spans: Spans, x_SD: Half, present_S: npt.NDArray[Any]) -> None:
        """Fills buffers of the caller with rows ``[start, end)`` of spans, one after the other.

        Args:
            modality: The modality.
            spans: Rows of the columns; they may touch, overlap, repeat or be empty.
            x_SD: Gets the vectors, float16, contiguous; zeros where a shot lacks the modality.
            present_S: Gets whether each shot has it, one byte each.

        Raises:
            CatalogError: No such modality, a closed store, or files that cannot be read.
            ValueError: Buffers of another shape or type, or rows that are not there.
        """
        runs, total = joined(spans, self._shots)
        width = self.widths.get(modality)
        if width is not None and x_SD.shape != (total, width):
            raise ValueError(f"x_SD has shape {x_SD.shape}, the spans {(total, width)}")
        if present_S.shape != (total,):
            raise ValueError(f"present_S has shape {present_S.shape}, the spans have {total} rows")
        self._fill(f"features-{modality}", runs, x_SD, 2)
        self._fill(f"features.here-{modality}", runs, present_S, 1)

    def times(self, spans: Spans) -> npt.NDArray[np.int64]:
        """Start and end in microseconds of the shots of some spans, ``(S, 2)``."""
        runs, total = joined(spans, self._shots)
        times_S2 = np.empty((total, 2), np.int64)
        self._fill("times", runs, times_S2, 8)
        return times_S2

    def metadata(self, field: str, title: int) -> Half | None:
        """One title's vector ``m_D`` of a metadata field, ``None`` where it has none."""
        if field not in self.fields:
            return None
        run, here_1 = [(title, title + 1)], np.empty(1, np.bool_)
        self._fill(f"metadata.here-{field}", run, here_1, 1)
        if not here_1[0]:
            return None
        m_D = np.empty(self.fields[field], np.float16)
        self._fill(f"metadata-{field}", run, m_D, 2)
        return m_D

    def metadata_of(self, field: str, titles: Sequence[int]) -> tuple[Half, npt.NDArray[np.bool_]]:
        """Vectors ``m_WD`` of a metadata field for some titles, and which titles have it."""
        runs, total = joined([(title, title + 1) for title in titles], len(self.titles))
        here_W, m_WD = np.empty(total, np.bool_), np.empty((total, self.fields[field]), np.float16)
        self._fill(f"metadata.here-{field}", runs, here_W, 1)
        self._fill(f"metadata-{field}", runs, m_WD, 2)
        return m_WD, here_W

    def title(
        self,
        index: int,
        modalities: Sequence[str] | None = None,
        part: tuple[int, int] | None = None,
    ) -> TitleFeatures:
        """One title as the catalog gives it: for evaluation and statistics.

        Args:
            index: Its place in ``titles``.
            modalities: Which modalities; all by default.
            part: Shots ``[start, end)`` of it; all by default.
        """
        title = self.titles[index]
        start, end = part or (0, title.shots)
        span, features, present = [(title.first + start, title.first + end)], {}, {}
        for name in self.widths if modalities is None else modalities:
            features[name] = np.empty((end - start, self.widths.get(name, 0)), np.float16)
            present[name] = np.empty(end - start, np.bool_)
            self.read(name, span, features[name], present[name])
        vectors = {name: self.metadata(name, index) for name in self.fields}
        return TitleFeatures(
            title.title_id,
            title.ingest_id,
            title.group,
            self.times(span),
            features,
            present,
            {name: m_D for name, m_D in vectors.items() if m_D is not None},
        )

    def close(self) -> None:
        """Closes the files; nothing can be read any more."""
        self._columns = {}
        self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *args: object) -> None:
        self.close()

    def _fill(self, name: str, runs: Spans, out: npt.NDArray[Any], size: int) -> None:
        column = self._columns.get(name)
        if column is None:
            if not self._columns:
                raise CatalogError("the training cache is closed", do="open it again")
            raise CatalogError(
                f"there are no {name.removeprefix('features-')} features",
                do=f"choose among {', '.join(self.widths) or 'none'}",
            )
        if out.itemsize != size or not out.flags.c_contiguous or not out.flags.writeable:
            raise ValueError("a buffer must be contiguous and writeable, and of the stored type")
        if out.size:
            column.read(runs, out.reshape(-1).view(np.uint8))


def _share(descriptor: int, path: Path) -> None:
    """Says that the cache is in use; nobody removes it then (``build.remove``)."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        raise CatalogError("the training cache is being removed", where=path) from None
    except OSError:
        return  # a file system without locks


def _close_all(descriptors: Sequence[int]) -> None:
    for descriptor in descriptors:
        with contextlib.suppress(OSError):
            os.close(descriptor)
