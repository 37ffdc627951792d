"""Ingest: a folder of films becomes titles, shots, cues and features in a catalog."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from mediafm.catalog import Catalog, TitleRecord
from mediafm.encoders.base import TitleTable
from mediafm.errors import (
    MediaError,
)
from mediafm.ingest.candidate import Candidate, Content, look
from mediafm.ingest.config import IngestConfig, IngestReport, Outcome, Status
from mediafm.ingest.run import COMPACT_EVERY, Run, of_title
from mediafm.ingest.title import decode, fill, refresh, update
from mediafm.media.sidecars import MediaItem, find_media
from mediafm.progress import Progress, Silent
from mediafm.timeline import US

Work = Callable[[], Outcome]


def ingest(
    paths: Path | str | Sequence[Path | str],
    catalog: Catalog | Path | str,
    config: IngestConfig | None = None,
    progress: Progress | None = None,
) -> IngestReport:
    """Brings media files into a catalog: one pass over each new or changed title.

    Unchanged titles are not opened; of a title whose subtitles or metadata changed, or that lacks
    a modality, only that is done. A title that fails stops nobody else, and a run that was killed
    is completed by the next one.

    Args:
        paths: Media files and folders, searched recursively.
        catalog: A catalog, or where to open or make one.
        config: What to do; by default with the encoders of the catalog, or the embedded ones.
        progress: Where to report.

    Returns:
        What became of each file.

    Raises:
        MediaError: There is nothing to ingest at the paths.
        EncoderError: An encoder is unknown, not there, or failed.
        FingerprintError: The catalog was made with other encoders.
        CatalogError: The catalog cannot be written; what was committed before is safe.
    """
    if isinstance(paths, str | Path):
        paths = [paths]
    notes: list[str] = []
    items = find_media([Path(path) for path in paths], notes=notes)
    if not isinstance(catalog, Catalog):
        catalog = Catalog.open_or_create(catalog)
    run = Run(catalog, config or IngestConfig(), progress or Silent())
    for note in notes:
        run.progress.say(note)
    return _Ingest(run).all(items)


class _Ingest:
    def __init__(self, run: Run):
        self.run, self.catalog, self.progress = run, run.catalog, run.progress
        self.settings = run.config.settings
        self.report = IngestReport()
        self._ids: dict[str, str] = {}
        self._encoded: dict[str, set[str]] = {}
        self.forgotten = 0  # titles whose embeddings went

    def all(self, items: Sequence[MediaItem]) -> IngestReport:
        self.catalog.check_encoders(self.run.records)
        for record in self.run.records.values():
            self.catalog.rename_encoder(record)
        self.catalog.collect_orphans()
        self._encoded = {modality: self.run.encoded(modality) for modality in self.run.records}
        with self.progress.task("ingest", len(items), "titles") as task:
            for number, item in enumerate(items, 1):
                outcome = self._guarded(item)
                self.report.outcomes.append(outcome)
                self._say(outcome)
                task.advance()
                if number % COMPACT_EVERY == 0 and self.report.worked:
                    self.catalog.compact()
        if self.forgotten:
            self.progress.say(
                f"{self.forgotten} titles have features now that their embeddings know nothing of: "
                "run mediafm embed again"
            )
        for source in self.run.opened.sources.values():
            if isinstance(source, TitleTable):
                source.unknown([title.title_id for title in self.catalog.titles()])
        for failure in self.catalog.failures():
            if not Path(failure.path).exists():
                self.catalog.clear_failure(failure.path)
        self.catalog.collect_orphans()
        self.catalog.compact()
        self.catalog.index(self.progress)
        return self.report

    def _guarded(self, item: MediaItem) -> Outcome:
        """One title; its failure is recorded, a failing catalog ends the run."""
        try:
            return self._one(item)
        except Exception as error:
            reason = of_title(error, item.path)
            if reason is None:
                raise
        self.catalog.record_failure(str(item.path.resolve()), reason)
        return Outcome(str(item.path), item.title_id, "failed", reason=reason)

    def _one(self, item: MediaItem) -> Outcome:
        candidate = look(item, self.run.config.languages)
        other = self._ids.setdefault(candidate.title_id, candidate.path)
        if other != candidate.path:
            raise MediaError(
                f"has the same id '{candidate.title_id}' as {other}",
                where=item.path,
                do='give one of them another "id" in a .json sidecar',
            )
        plan = self._plan(candidate)
        if not isinstance(plan, Outcome):
            with self.catalog.claim(candidate.title_id) as ours:
                if not ours:
                    return Outcome(str(item.path), candidate.title_id, "busy")
                self.catalog.refresh()  # another process may have brought it meanwhile
                plan = self._plan(candidate)
                if not isinstance(plan, Outcome):
                    started = time.monotonic()
                    outcome = plan()
                    return replace(outcome, seconds=time.monotonic() - started)
        self.catalog.clear_failure(candidate.path)
        return plan

    def _plan(self, candidate: Candidate) -> Outcome | Work:
        """What to say of a title that is known, or what to do for one that is not."""
        held = self.catalog.find(candidate.title_id)
        if held is None:
            return partial(self._decode, candidate)
        return self._plan_known(candidate, held)

    def _plan_known(self, candidate: Candidate, held: TitleRecord) -> Outcome | Work:
        if not held.path:
            raise MediaError(
                f"has the same id '{held.title_id}' as imported features",
                where=candidate.item.path,
                do='give it another "id" in a .json sidecar, or ingest into another catalog',
            )
        same_place = held.path == candidate.path
        if not same_place and Path(held.path).exists():
            known, content = Content.parse(held.content), candidate.content
            if (known.media, known.sidecars) != (content.media, content.sidecars):
                raise MediaError(
                    f"has the same id '{held.title_id}' as {held.path}",
                    where=candidate.item.path,
                    do='give one of them another "id" in a .json sidecar',
                )
            return self._plan_whole(candidate, held, "unchanged")
        if held.settings != self.settings:
            return partial(self._decode, candidate)
        known = Content.parse(held.content)
        touched = (held.size, held.mtime_ns) != (candidate.size, candidate.mtime_ns)
        if (touched or not same_place) and candidate.content.media != known.media:
            return partial(self._decode, candidate)
        if known.sidecars != candidate.sidecars or self._is_silent(held, known):
            return lambda: self._update(candidate, held)
        if touched or not same_place:
            held = self.catalog.touch(
                replace(held, path=candidate.path, size=candidate.size, mtime_ns=candidate.mtime_ns)
            )
        return self._plan_whole(candidate, held, "unchanged" if same_place else "moved")

    def _plan_whole(
        self, candidate: Candidate, held: TitleRecord, status: Status
    ) -> Outcome | Work:
        """For a title whose media and sidecars are known: what it may lack."""
        known, sources = Content.parse(held.content), self.run.sources(held.title_id)
        if any(known.sources.get(m, "") != sources.get(m, "") for m in self.run.others):
            return partial(self._refresh, candidate, held, sources)
        if any(held.ingest_id not in ingests for ingests in self._encoded.values()):
            return partial(self._fill, candidate, held)
        return _outcome(candidate, held, status)

    def _is_silent(self, held: TitleRecord, known: Content) -> bool:
        """Whether a title without text was not listened to yet as it is wanted now."""
        wanted = self.run.transcriber
        return wanted is not None and not held.cues and known.recogniser != wanted.fingerprint

    def _decode(self, candidate: Candidate) -> Outcome:
        twin = self._twin(candidate)
        there = twin is not None and Path(twin.path).exists()
        record = decode(self.run, candidate, twin if there else None)
        if twin is not None and not there:
            self.catalog.remove(twin.title_id)
            self.progress.say(f"renamed    {twin.title_id} -> {record.title_id}")
        return _outcome(candidate, record, "ingested", record.notes)

    def _update(self, candidate: Candidate, held: TitleRecord) -> Outcome:
        record = update(self.run, candidate, held)
        if record is None:
            return self._decode(candidate)
        fill(self.run, record)
        return _outcome(candidate, record, "updated", record.notes)

    def _refresh(self, candidate: Candidate, held: TitleRecord, sources: dict[str, str]) -> Outcome:
        self._stale(held, refresh(self.run, held, sources))
        return _outcome(candidate, held, "updated")

    def _stale(self, held: TitleRecord, added: list[str]) -> None:
        """A model that reads what was added saw zeros there, or what is of yesterday."""
        self.catalog.clear_failure(held.path)
        self.forgotten += self.catalog.forget_embeddings([held.ingest_id], added)

    def _fill(self, candidate: Candidate, held: TitleRecord) -> Outcome:
        if lacked := fill(self.run, held):
            self._stale(held, lacked)
        return _outcome(candidate, held, "updated" if lacked else "unchanged")

    def _twin(self, candidate: Candidate) -> TitleRecord | None:
        """Another title of the same media: the same file under an older name, or a copy."""
        media = candidate.content.media
        for title in self.catalog.titles():
            same = title.path and Content.parse(title.content).media == media
            if same and title.title_id != candidate.title_id:
                return title
        return None

    def _say(self, outcome: Outcome) -> None:
        if outcome.status == "failed":
            self.progress.say(f"failed     {outcome.reason}")
        elif outcome.status == "busy":
            self.progress.say(f"busy       {outcome.title_id}: another process is ingesting it")
        elif outcome.status in ("ingested", "updated"):
            length = outcome.duration / US
            self.progress.say(
                f"{outcome.status:10} {outcome.title_id}: {outcome.shots} shots in {length:.0f} s "
                f"of media, {length / max(outcome.seconds, 1e-9):.1f} times real time"
            )
            for note in outcome.notes:
                self.progress.say(f"           {note}")


def _outcome(
    candidate: Candidate, held: TitleRecord, status: Status, notes: tuple[str, ...] = ()
) -> Outcome:
    return Outcome(
        path=str(candidate.item.path),
        title_id=held.title_id,
        status=status,
        shots=held.shots,
        duration=held.duration,
        notes=notes,
    )
