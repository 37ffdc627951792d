"""Contextual embeddings for other programs: NumPy, Parquet, a Hugging Face dataset.

Titles are streamed one by one: a catalog has more vectors than memory.
Shapes: N shots of a title or of all of them, H width of the embeddings, 2 start and end.
"""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mediafm.catalog import Catalog, TitleRecord, VersionRecord
from mediafm.catalog.clip import times_of
from mediafm.errors import CatalogError, MediaFMError, describe_os_error
from mediafm.export.card import dataset_card
from mediafm.export.parquet import TitleRows, write_shards, write_table
from mediafm.files import whole_file, whole_folder
from mediafm.progress import Progress, Silent, Task

VECTOR_SUFFIXES = (".npz", ".parquet")
_CHUNK = 4 << 20


@dataclass(frozen=True, slots=True)
class Written:
    """What was exported.

    Args:
        file: The file or folder.
        titles: Number of titles in it.
        shots: Number of shots in it.
        version: Name of the version.
        notes: What is not in it, and why.
    """

    file: Path
    titles: int
    shots: int
    version: str
    notes: tuple[str, ...] = ()


@dataclass
class _Tally:
    titles: set[str] = field(default_factory=set)
    shots: int = 0


def write_embeddings(
    catalog: Catalog,
    out: Path,
    version: str | None = None,
    titles: Sequence[str] | None = None,
    progress: Progress | None = None,
) -> Written:
    """Writes the contextual embeddings of shots, a row per shot, in bounded memory.

    Args:
        catalog: Where they are.
        out: A ``.npz`` or ``.parquet`` file, or without suffix the folder of a Hugging Face
            dataset, which must not be there or be empty.
        version: Name of the version; the current one by default.
        titles: Only these, in this order; by default all, sorted. Those that are not embedded are
            left out, which the notes say.
        progress: Where to report, in shots.

    Returns:
        What was written; it appears whole or not at all.

    Raises:
        CatalogError: There is no such version or title.
        MediaFMError: Another suffix, none of the titles is embedded, a folder with something in
            it, or a place that cannot be written.
    """
    suffix = out.suffix.lower()
    if suffix and suffix not in VECTOR_SUFFIXES:
        raise MediaFMError(
            f"embeddings cannot be written as {out.suffix}",
            where=out,
            do=f"name a {' or '.join(VECTOR_SUFFIXES)} file, or a folder, without suffix, for a "
            "Hugging Face dataset",
        )
    record = catalog.version(version)
    wanted = _wanted(catalog, titles)
    lacking = {title.title_id for title in catalog.lacking(record.name)}
    todo = [title for title in wanted if title.shots and title.title_id not in lacking]
    if not todo:
        raise _nothing(catalog, record)
    tally = _Tally()
    try:
        _check_place(out, suffix)
        out.parent.mkdir(parents=True, exist_ok=True)
        total = sum(title.shots for title in todo)
        with (progress or Silent()).task("export", total, "shots") as task:
            rows = _stream(catalog, record, todo, tally, task)
            if suffix:
                with whole_file(out) as part:
                    (_write_npz if suffix == ".npz" else write_table)(part, rows, record.dim)
            else:
                with whole_folder(out.resolve()) as part:
                    (part / "data").mkdir()
                    write_shards(part / "data", rows, record.dim)
                    held = catalog.encoders()
                    card = dataset_card(record, held, len(tally.titles), tally.shots)
                    (part / "README.md").write_text(card, encoding="utf-8")
    except OSError as error:
        raise MediaFMError(f"cannot be written ({describe_os_error(error)})", where=out) from None
    notes = _notes(record, wanted, lacking, tally)
    return Written(out, len(tally.titles), tally.shots, record.name, notes)


def _wanted(catalog: Catalog, titles: Sequence[str] | None) -> list[TitleRecord]:
    if titles is None:
        return catalog.titles()
    return [catalog.title(title_id) for title_id in dict.fromkeys(titles)]


def _check_place(out: Path, suffix: str) -> None:
    """Says before the work what its last step would say."""
    if suffix and out.is_dir():
        raise MediaFMError("cannot be written (it is a folder)", where=out)
    if not suffix and out.exists():
        if not out.is_dir():
            raise MediaFMError(
                "there is a file of that name",
                where=out,
                do=f"name another folder, or a {' or '.join(VECTOR_SUFFIXES)} file",
            )
        if any(out.iterdir()):
            raise MediaFMError("the folder is not empty", where=out, do="name another one")


def _stream(
    catalog: Catalog,
    version: VersionRecord,
    todo: Sequence[TitleRecord],
    tally: _Tally,
    task: Task,
) -> Iterator[TitleRows]:
    for title, x_NH in catalog.iter_embeddings(version.name, [t.title_id for t in todo]):
        times_N2 = _times(catalog, title)
        if times_N2 is None:
            continue
        tally.titles.add(title.title_id)
        tally.shots += len(x_NH)
        yield TitleRows(title.title_id, times_N2, x_NH)
        task.advance(len(x_NH))
    if not tally.titles:  # all of them went since the catalog was opened
        raise _nothing(catalog, version)


def _times(catalog: Catalog, title: TitleRecord) -> npt.NDArray[np.int64] | None:
    """When its shots are; ``None`` where the title went since its embeddings were read."""
    try:
        shots = catalog.shots(title.title_id)
        if len(shots) != title.shots:
            raise CatalogError(
                f"{len(shots)} of its {title.shots} shots can be read", where=title.title_id
            )
        return times_of(shots)
    except CatalogError:
        now = Catalog.open(catalog.uri).find(title.title_id)
        if now is not None and now.ingest_id == title.ingest_id:
            raise
        return None


def _write_npz(path: Path, titles: Iterable[TitleRows], dim: int) -> None:
    """What ``numpy.savez`` writes, without holding it.

    An array says its length before its content, and how many titles are still there shows at the
    end: so the vectors go to a file without a name first. The rest is small enough to be kept.
    """
    held: list[tuple[str, npt.NDArray[np.int64]]] = []
    with tempfile.TemporaryFile(dir=path.parent) as raw:
        for title_id, times_N2, x_NH in titles:
            raw.write(x_NH.astype("<f4", copy=False).tobytes())
            held.append((title_id, times_N2))
        raw.seek(0)
        count = sum(len(times_N2) for _, times_N2 in held)
        name = np.dtype(f"<U{max(len(title_id) for title_id, _ in held)}")
        shot, time = np.dtype("<i4"), np.dtype("<i8")
        vectors = iter(lambda: raw.read(_CHUNK), b"")
        ids = (np.full(len(t_N2), title_id, name).tobytes() for title_id, t_N2 in held)
        shots = (np.arange(len(t_N2), dtype=shot).tobytes() for _, t_N2 in held)
        starts = (t_N2[:, 0].astype(time).tobytes() for _, t_N2 in held)
        ends = (t_N2[:, 1].astype(time).tobytes() for _, t_N2 in held)
        with zipfile.ZipFile(path, "x") as archive:
            _add(archive, "embeddings", np.dtype("<f4"), (count, dim), vectors)
            _add(archive, "title_id", name, (count,), ids)
            _add(archive, "shot", shot, (count,), shots)
            _add(archive, "start_us", time, (count,), starts)
            _add(archive, "end_us", time, (count,), ends)


def _add(
    archive: zipfile.ZipFile,
    name: str,
    kind: np.dtype[np.generic],
    shape: tuple[int, ...],
    content: Iterable[bytes],
) -> None:
    """Adds an array in the form of ``.npy`` (numpy.lib.format, version 1.0)."""
    header = {
        "descr": np.lib.format.dtype_to_descr(kind),
        "fortran_order": False,
        "shape": shape,
    }
    # How long it will be is not known to zipfile, which would refuse to go on at 2 GiB.
    with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
        np.lib.format.write_array_header_1_0(entry, header)
        for chunk in content:
            entry.write(chunk)


def _nothing(catalog: Catalog, version: VersionRecord) -> MediaFMError:
    return MediaFMError(
        f"version '{version.name}' has no embeddings of these titles",
        where=catalog.uri,
        do=f"make them with `mediafm version backfill {version.name}`",
    )


def _notes(
    version: VersionRecord, wanted: Sequence[TitleRecord], lacking: set[str], tally: _Tally
) -> tuple[str, ...]:
    """A line for each reason for which titles are left out."""
    absent = [title for title in wanted if title.title_id not in tally.titles]
    reasons = {
        f"not embedded in version '{version.name}' (`mediafm version backfill {version.name}` "
        "does it)": [t for t in absent if t.title_id in lacking],
        "without shots": [t for t in absent if not t.shots],
        "erased or ingested anew meanwhile": [
            t for t in absent if t.shots and t.title_id not in lacking
        ],
    }
    return tuple(
        f"left out, {reason}: {', '.join(t.title_id for t in found[:3])}"
        + (f" and {len(found) - 3:,} more" if len(found) > 3 else "")
        for reason, found in reasons.items()
        if found
    )
