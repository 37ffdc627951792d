"""``mediafm reencode``: other encoders for a whole catalog, without finding the shots again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from mediafm.catalog import Catalog, EncoderRecord, TitleRecord
from mediafm.catalog.reader import batches
from mediafm.encoders import Estimate, PaidEncoder
from mediafm.errors import CatalogError, EncoderError, MediaError
from mediafm.ingest.cache import content_key
from mediafm.ingest.config import IngestConfig
from mediafm.ingest.run import COMPACT_EVERY, Run, of_title
from mediafm.ingest.title import fill, fill_text, metadata_texts, title_texts
from mediafm.progress import Progress, Silent

UNASKED = 10.0
"""Dollars that texts may cost where nobody said how much they may."""

_PAUSE = 1.0
"""Seconds until titles that another process holds are tried again."""

_CLAIMS = 64
"""Titles claimed together: each is an open file, of which a process may have 256."""


@dataclass
class ReencodeReport:
    """What became of a catalog.

    Args:
        encoders: Modality to the encoder that it has now; empty where there was nothing to do.
        done: Titles encoded in this run.
        failed: Title to why it could not be encoded.
        missing: Titles that lack a modality now.
        estimate: What was expected to be paid.
    """

    encoders: dict[str, str] = field(default_factory=dict)
    done: set[str] = field(default_factory=set)
    failed: dict[str, str] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    estimate: Estimate | None = None


def reencode(
    catalog: Catalog | Path | str,
    config: IngestConfig,
    progress: Progress | None = None,
    *,
    allow_missing: bool = False,
    max_price: float | None = None,
) -> ReencodeReport:
    """Gives a catalog other encoders, for the modalities that the config names one for.

    The new vectors are written beside the old ones. When every title has them, the catalog
    switches; until then readers see the old ones. An interrupted run goes on where it was. Titles
    that lack the modality although the catalog has this encoder are filled in.

    Args:
        catalog: The catalog.
        config: The encoders; modalities left open keep theirs. How titles are read is as it was
            when they were ingested.
        progress: Where to report.
        allow_missing: Switch even if some titles could not be encoded; they lack the modality.
        max_price: Dollars that texts may cost at most by estimate; :data:`UNASKED` by default.

    Returns:
        What was done.

    Raises:
        CatalogError: Titles could not be encoded and may not be left out, or the catalog cannot be
            written.
        EncoderError: No encoder was named, one is unknown, not there or failed, or it would cost
            more than allowed.
    """
    if not isinstance(catalog, Catalog):
        catalog = Catalog.open(catalog)
    held = catalog.encoders()
    for modality, name in config.encoders.names.items():
        if name == "none" and modality in held:
            raise EncoderError(
                f"{modality} cannot be taken out of a catalog",
                where=catalog.uri,
                do="leave it as it is, or ingest into a new catalog without it",
            )
    run = Run(catalog, config, progress or Silent(), only_named=True)
    if not run.records:
        raise EncoderError("no encoder was named", do="say which: --text use-multilingual")
    other = {
        modality: record
        for modality, record in run.records.items()
        if modality in held and held[modality].fingerprint != record.fingerprint
    }
    # Where the catalog has none yet, titles without the modality are nothing new: no switch.
    switched = {**other, **({"metadata": other["text"]} if "text" in other else {})}
    for record in (run.records[modality] for modality in run.records if modality not in other):
        catalog.rename_encoder(record)
    report = ReencodeReport()
    wanting = {t.ingest_id for t in catalog.titles() if t.shots}
    changed = [m for m in run.records if m in other or wanting - run.encoded(m)]
    if not changed:
        return report
    if "text" in run.records:
        report.estimate = _estimate(run)
        _check_price(report.estimate, max_price, run.progress)
    if switched:
        catalog.declare_filling(switched)
    _complete(run, report, switched, allow_missing)
    if not other:
        report.missing = sorted(report.failed)
        done = [title.ingest_id for title in catalog.titles() if title.title_id in report.done]
        catalog.forget_embeddings(done, changed)
    report.encoders = {modality: run.records[modality].name for modality in changed}
    catalog.refresh()
    catalog.collect_orphans()
    catalog.compact()
    catalog.index(run.progress)
    return report


def _complete(
    run: Run, report: ReencodeReport, switched: dict[str, EncoderRecord], allow_missing: bool
) -> None:
    """Fills in what titles lack until none is left, then switches."""
    waited: set[str] = set()
    while True:
        _fill(run, report)
        if left := _lacking(run, report):
            if left[0].title_id not in waited:
                waited.add(left[0].title_id)
                run.progress.say(f"waiting for {left[0].title_id}, which another process holds")
            time.sleep(_PAUSE)
            continue
        try:
            if switched:
                # Where every single title failed, the encoder is at fault: nothing to go on with.
                some = all(run.encoded(modality) for modality in run.records)
                report.missing = run.catalog.switch_encoders(
                    switched, allow_missing=allow_missing and some
                )
            return
        except CatalogError:
            if _lacking(run, report):
                continue  # somebody ingested a title with the old encoder meanwhile
            if not report.failed:
                raise
            raise CatalogError(
                f"{len(report.failed)} titles could not be encoded anew "
                f"({', '.join(list(report.failed)[:3])}), so it keeps its encoders",
                where=run.catalog.uri,
                do="mend them and run the same again, which does only those, or go without their "
                "vectors (--allow-missing)",
            ) from None


def _lacking(run: Run, report: ReencodeReport) -> list[TitleRecord]:
    """Titles that still have to be done."""
    run.catalog.refresh()
    done = [run.encoded(modality) for modality in run.records]
    return [
        title
        for title in run.catalog.titles()
        if title.shots
        and title.title_id not in report.failed
        and any(title.ingest_id not in ingests for ingests in done)
    ]


def _fill(run: Run, report: ReencodeReport) -> None:
    """Media and tables a title at a time; timed text of many titles together."""
    titles = _lacking(run, report)
    media = [modality for modality in run.records if modality != "text"]
    if media:
        with run.progress.task("reencode", len(titles), "titles") as task:
            for number, title in enumerate(titles, 1):
                task.note(title.title_id)
                _claimed(run, [title], report, lambda found: fill(run, found[0], media))
                task.advance()
                if number % COMPACT_EVERY == 0:
                    run.catalog.compact()
    if "text" in run.records:
        done = run.encoded("text")
        titles = [t for t in titles if t.ingest_id not in done and t.title_id not in report.failed]
        with run.progress.task("reencode text", sum(t.shots for t in titles), "shots") as task:
            for batch in _batches(titles):
                if not _claimed(run, batch, report, lambda found: fill_text(run, found)):
                    # One of them is at fault; the others go on without it.
                    for title in batch:
                        _claimed(run, [title], report, lambda found: fill_text(run, found))
                task.advance(sum(title.shots for title in batch))
                task.note(batch[-1].title_id)


def _claimed(
    run: Run,
    titles: Sequence[TitleRecord],
    report: ReencodeReport,
    work: Callable[[list[TitleRecord]], object],
) -> bool:
    """Does something for titles that nobody else is at, as they are now.

    Returns:
        False where one of several failed; a single one is noted as failed.
    """
    with ExitStack() as stack:
        claim = run.catalog.claim
        ours = [t for t in titles if stack.enter_context(claim(t.title_id))]
        run.catalog.refresh()
        found = [now for t in ours if (now := run.catalog.find(t.title_id)) is not None]
        if not found:
            return True
        try:
            work(found)
        except Exception as error:
            reason = of_title(error, found[0].path or found[0].title_id)
            if reason is None:
                raise
            if len(titles) > 1:
                return False
            report.failed[found[0].title_id] = reason
            run.progress.say(f"failed     {reason}")
            return True
        report.done.update(title.title_id for title in found)
        return True


def _batches(titles: Sequence[TitleRecord]) -> Iterator[list[TitleRecord]]:
    for batch in batches(titles):
        for start in range(0, len(batch), _CLAIMS):
            yield batch[start : start + _CLAIMS]


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
        try:
            words = title_texts(run, title)
        except MediaError:
            continue  # imported without its words, which is said when its turn comes
        texts = sorted({*words, *metadata_texts(title).values()} - {""})
        keys = [content_key(text) for text in texts]
        known = run.cache.get(info.fingerprint, keys, info.dim)
        total += encoder.estimate(
            [t for t, key in zip(texts, keys, strict=True) if key not in known]
        )
    return total


def _check_price(estimate: Estimate | None, most: float | None, progress: Progress) -> None:
    if most is not None and not most >= 0:
        raise EncoderError(f"--max-price {most} is no price", do="say dollars, 0 or more")
    if estimate is None or not estimate.texts:
        return
    progress.say(f"text to encode: {estimate}")
    if estimate.dollars is None:
        if most is None:
            return  # a server of one's own, most often
        raise EncoderError(
            f"nobody knows what {estimate} would cost",
            do="write ?price=DOLLARS-PER-MILLION-TOKENS behind the encoder; 0 where it is free",
        )
    limit = UNASKED if most is None else most
    if estimate.dollars > limit:
        raise EncoderError(
            f"encoding the text of this catalog would cost about {_dollars(estimate.dollars)}, "
            f"more than {_dollars(limit)}",
            do="allow it with --max-price",
        )


def _dollars(amount: float) -> str:
    return f"${amount:.2f}" if amount >= 1 or not amount else f"${amount:.4g}"
