"""``mediafm reencode``: other encoders for a whole catalog, without finding the shots again."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from mediafm.catalog import Catalog, TitleRecord
from mediafm.catalog.reader import batches
from mediafm.encoders import Estimate, PaidEncoder
from mediafm.errors import (
    CatalogError,
    EncoderError,
    MediaFMError,
    MissingExtraError,
    TitleDataError,
)
from mediafm.ingest.cache import content_key
from mediafm.ingest.config import IngestConfig
from mediafm.ingest.run import Run
from mediafm.ingest.title import fill, fill_text, metadata_texts, title_texts
from mediafm.progress import Progress, Silent

_PAUSE = 1.0
"""Seconds until titles that another process holds are tried again."""


@dataclass
class ReencodeReport:
    """What became of a catalog.

    Args:
        replaced: Modality to the encoder that it was switched to; empty where nothing was.
        titles: Titles encoded in this run.
        failed: Title to why it could not be encoded.
        missing: Titles that lack the modality after the switch.
        estimate: What was expected to be paid.
    """

    replaced: dict[str, str] = field(default_factory=dict)
    titles: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    estimate: Estimate | None = None


def reencode(
    catalog: Catalog | str,
    config: IngestConfig,
    progress: Progress | None = None,
    *,
    allow_missing: bool = False,
    max_price: float | None = None,
) -> ReencodeReport:
    """Gives a catalog other encoders, for the modalities where the config names another one.

    The new vectors are written beside the old ones. When every title has them, the catalog
    switches; until then readers see the old ones. An interrupted run goes on where it was.

    Args:
        catalog: The catalog.
        config: The encoders; modalities left open keep theirs.
        progress: Where to report.
        allow_missing: Switch even if some titles could not be encoded; they lack the modality.
        max_price: Dollars that texts may cost at most by estimate.

    Returns:
        What was done.

    Raises:
        CatalogError: Titles could not be encoded and may not be left out, or nobody has a title.
        EncoderError: An encoder is unknown, not there or failed, or it would cost too much.
    """
    if not isinstance(catalog, Catalog):
        catalog = Catalog.open(catalog)
    run = Run(catalog, config, progress or Silent())
    held = catalog.encoders()
    new = {
        modality: record
        for modality, record in run.records.items()
        if modality not in held or held[modality].fingerprint != record.fingerprint
    }
    report = ReencodeReport()
    if not new:
        return report
    switched = {**new, **({"metadata": new["text"]} if "text" in new else {})}
    if "text" in new:
        report.estimate = _estimate(run)
        _check_price(report.estimate, max_price, run.progress)
    catalog.declare_filling(switched)
    while True:
        before = report.titles
        todo = _lacking(run, new, report)
        _media(run, [modality for modality in new if modality != "text"], todo, report)
        if "text" in new:
            _texts(run, todo, report)
        if todo and report.titles == before and _lacking(run, new, report):
            time.sleep(_PAUSE)  # others hold what is left
            continue
        try:
            report.missing = catalog.switch_encoders(switched, allow_missing=allow_missing)
            break
        except CatalogError:
            if _lacking(run, new, report):
                continue  # somebody ingested a title with the old encoder meanwhile
            if not report.failed:
                raise
            raise CatalogError(
                f"{len(report.failed)} titles could not be encoded anew "
                f"({', '.join(list(report.failed)[:3])}), so it keeps its encoders",
                where=catalog.uri,
                do="mend them and run the same again, which does only those, or go without their "
                "vectors (--allow-missing)",
            ) from None
    report.replaced = {modality: record.name for modality, record in new.items()}
    catalog.refresh()
    catalog.collect_orphans()
    catalog.compact()
    return report


def _lacking(run: Run, modalities: Iterable[str], report: ReencodeReport) -> list[TitleRecord]:
    """Titles that still have to be done."""
    run.catalog.refresh()
    done = [run.encoded(modality) for modality in modalities]
    return [
        title
        for title in run.catalog.titles()
        if title.shots
        and title.title_id not in report.failed
        and any(title.ingest_id not in ingests for ingests in done)
    ]


def _media(
    run: Run, modalities: list[str], titles: Sequence[TitleRecord], report: ReencodeReport
) -> None:
    """Encodes what has to be read from media or elsewhere, a title at a time."""
    if not modalities:
        return
    with run.progress.task("reencode", len(titles), "titles") as task:
        for title in titles:
            task.note(title.title_id)
            with run.catalog.claim(title.title_id) as ours:
                try:
                    report.titles += bool(ours and fill(run, title, modalities))
                except (MediaFMError, OSError) as error:
                    whole = (CatalogError, EncoderError, MissingExtraError)
                    if isinstance(error, whole) and not isinstance(error, TitleDataError):
                        raise  # no title's fault: the next one would fail the same way
                    report.failed[title.title_id] = " ".join(str(error).split())
                    run.progress.say(f"failed     {report.failed[title.title_id]}")
            task.advance()


def _texts(run: Run, titles: Sequence[TitleRecord], report: ReencodeReport) -> None:
    """Encodes timed text, many titles together: no media is read."""
    done = run.encoded("text")
    titles = [t for t in titles if t.ingest_id not in done and t.title_id not in report.failed]
    with run.progress.task("reencode text", sum(t.shots for t in titles), "shots") as task:
        for batch in batches(titles):
            with ExitStack() as stack:
                claim = run.catalog.claim
                ours = [t for t in batch if stack.enter_context(claim(t.title_id))]
                report.titles += fill_text(run, ours) if ours else 0
            task.advance(sum(title.shots for title in batch))
            task.note(batch[-1].title_id)


def _estimate(run: Run) -> Estimate | None:
    """What the texts of the catalog that were never encoded will cost, for a paid encoder."""
    encoder = run.encoder("text")
    if not isinstance(encoder, PaidEncoder):
        return None
    info, done = encoder.info, run.encoded("text")
    total = Estimate(0, 0, True, 0.0)
    for title in run.catalog.titles():
        if title.ingest_id in done:
            continue
        texts = sorted({*title_texts(run, title), *metadata_texts(title).values()} - {""})
        keys = [content_key(text) for text in texts]
        known = run.cache.get(info.fingerprint, keys, info.dim)
        part = encoder.estimate([t for t, key in zip(texts, keys, strict=True) if key not in known])
        priced = part.dollars is not None and total.dollars is not None
        total = Estimate(
            total.texts + part.texts,
            total.tokens + part.tokens,
            total.exact and part.exact,
            (total.dollars or 0) + (part.dollars or 0) if priced else None,
        )
    return total


def _check_price(estimate: Estimate | None, most: float | None, progress: Progress) -> None:
    if estimate is None:
        return
    progress.say(f"text to encode: {estimate}")
    if most is not None and (estimate.dollars or 0) > most:
        raise EncoderError(
            f"encoding the text of this catalog would cost about ${estimate.dollars:.2f}, more "
            f"than ${most:.2f}",
            do="allow it with --max-price",
        )
