"""Ingest: a folder of films becomes titles, shots, cues and features in a catalog."""

from __future__ import annotations

import functools
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mediafm.catalog import Catalog, TitleRecord, TitleWriter
from mediafm.encoders import Encoders
from mediafm.errors import (
    CatalogError,
    EncoderError,
    MediaError,
    MediaFMError,
    MissingExtraError,
    TitleDataError,
    describe_os_error,
)
from mediafm.fingerprint import file_fingerprint, fingerprint
from mediafm.ingest.config import IngestConfig, IngestReport, Outcome, Status
from mediafm.ingest.pipeline import Pipeline
from mediafm.media.metadata import TitleMetadata, read_metadata
from mediafm.media.reader import Reader
from mediafm.media.sidecars import MediaItem, find_media
from mediafm.media.subtitle_names import choose_subtitles
from mediafm.media.subtitles import read_cues
from mediafm.progress import Progress, Silent
from mediafm.shots import make_detector
from mediafm.timeline import US, Cue, Shot

LOG = logging.getLogger(__name__)


def ingest(
    paths: Path | str | Sequence[Path | str],
    catalog: Catalog | Path | str,
    config: IngestConfig | None = None,
    progress: Progress | None = None,
) -> IngestReport:
    """Brings media files into a catalog: one pass over each new or changed title.

    Unchanged titles are not opened, a title that fails stops nobody else, and a run that was
    killed is completed by the next one.

    Args:
        paths: Media files and folders, searched recursively.
        catalog: A catalog, or where to open or make one.
        config: What to do; the embedded encoders by default.
        progress: Where to report.

    Returns:
        What became of each file.

    Raises:
        MediaError: There is nothing to ingest at the paths.
        FingerprintError: The catalog was made with other encoders.
        CatalogError: The catalog cannot be written; what was committed before is safe.
    """
    if isinstance(paths, str | Path):
        paths = [paths]
    notes: list[str] = []
    items = find_media([Path(path) for path in paths], notes=notes)
    if not isinstance(catalog, Catalog):
        catalog = Catalog.open_or_create(catalog)
    run = _Run(catalog, config or IngestConfig(), progress or Silent())
    for note in notes:
        run.progress.say(note)
    return run.all(items)


@dataclass(frozen=True)
class _Candidate:
    """A media file with what is cheap to know about it."""

    item: MediaItem
    title_id: str
    metadata: TitleMetadata
    notes: tuple[str, ...]
    subtitles: tuple[Path, ...]
    size: int
    mtime_ns: int
    sidecars: str

    @functools.cached_property
    def content(self) -> str:
        """Fingerprint of the media, then that of its sidecars; reads the whole file."""
        return f"{file_fingerprint(self.item.path)}+{self.sidecars}"

    @property
    def path(self) -> str:
        return str(self.item.path.resolve())


class _Run:
    def __init__(self, catalog: Catalog, config: IngestConfig, progress: Progress):
        self.catalog, self.config, self.progress = catalog, config, progress
        self.records = config.encoder_records
        self.settings = config.fingerprint
        self.report = IngestReport()
        self._ids: dict[str, str] = {}

    @functools.cached_property
    def encoders(self) -> Encoders:
        """Loaded when the first title needs them."""
        return self.config.encoders.load()

    def all(self, items: Sequence[MediaItem]) -> IngestReport:
        self.catalog.check_encoders(self.records)
        self.catalog.collect_orphans()
        with self.progress.task("ingest", len(items), "titles") as task:
            for item in items:
                outcome = self._guarded(item)
                self.report.outcomes.append(outcome)
                self._say(outcome)
                task.advance()
        for failure in self.catalog.failures():
            if not Path(failure.path).exists():
                self.catalog.clear_failure(failure.path)
        self.catalog.collect_orphans()
        self.catalog.compact()
        return self.report

    def _guarded(self, item: MediaItem) -> Outcome:
        """One title; its failure is recorded, a failing catalog ends the run."""
        try:
            return self._one(item)
        except TitleDataError as error:
            reason = f"{item.path}: {error.what}"
        except (CatalogError, EncoderError, MissingExtraError):
            raise  # no title's fault: the next one would fail the same way
        except MediaFMError as error:
            reason = str(error)
        except OSError as error:
            reason = f"{error.filename or item.path}: {describe_os_error(error)}"
        except MemoryError:
            reason = f"{item.path}: not enough memory"
        except Exception as error:
            # A library may fail on odd media in any way; the other titles must not pay for it.
            LOG.debug("%s", item.path, exc_info=True)
            kind = type(error).__name__
            reason = f"{item.path}: unexpected {kind} ({error}); --debug shows where it comes from"
        reason = " ".join(reason.split())
        self.catalog.record_failure(str(item.path.resolve()), reason)
        return Outcome(str(item.path), item.title_id, "failed", reason=reason)

    def _one(self, item: MediaItem) -> Outcome:
        candidate = self._look(item)
        other = self._ids.setdefault(candidate.title_id, candidate.path)
        if other != candidate.path:
            raise MediaError(
                f"has the same id '{candidate.title_id}' as {other}",
                where=item.path,
                do='give one of them another "id" in a .json sidecar',
            )
        if (known := self._known(candidate)) is not None:
            return known
        with self.catalog.claim(candidate.title_id) as ours:
            if not ours:
                return Outcome(str(item.path), candidate.title_id, "busy")
            self.catalog.refresh()  # another process may have brought it meanwhile
            return self._known(candidate) or self._ingest(candidate)

    def _look(self, item: MediaItem) -> _Candidate:
        stat = item.path.stat()
        found = read_metadata(item.path, item.metadata, title_id=item.title_id)
        subtitles = choose_subtitles(item.subtitles, self.config.languages, stem=item.path.stem)
        # A table of titles serves many: what it says of this one counts, not the file.
        beside = [found.metadata.model_dump(), [path.name for path in subtitles]]
        return _Candidate(
            item=item,
            title_id=found.metadata.id or item.title_id,
            metadata=found.metadata,
            notes=tuple(found.notes),
            subtitles=tuple(subtitles),
            size=stat.st_size,
            mtime_ns=stat.st_mtime_ns,
            sidecars=fingerprint([*beside, file_fingerprint(*subtitles)]),
        )

    def _known(self, candidate: _Candidate) -> Outcome | None:
        """What to say of a title that need not be decoded, ``None`` where it has to be."""
        held = self.catalog.find(candidate.title_id)
        outcome = None if held is None else self._compare(candidate, held)
        if outcome is not None:
            self.catalog.clear_failure(candidate.path)
        return outcome

    def _compare(self, candidate: _Candidate, held: TitleRecord) -> Outcome | None:
        if not held.path:
            raise MediaError(
                f"has the same id '{held.title_id}' as imported features",
                where=candidate.item.path,
                do='give it another "id" in a .json sidecar, or ingest into another catalog',
            )
        same_place = held.path == candidate.path
        if not same_place and Path(held.path).exists():
            if held.content != candidate.content:
                raise MediaError(
                    f"has the same id '{held.title_id}' as {held.path}",
                    where=candidate.item.path,
                    do='give one of them another "id" in a .json sidecar',
                )
            return self._outcome(candidate, held, "unchanged")
        if held.settings != self.settings:
            return None
        touched = (held.size, held.mtime_ns) != (candidate.size, candidate.mtime_ns)
        if same_place and not touched:
            if held.content.endswith(f"+{candidate.sidecars}"):
                return self._outcome(candidate, held, "unchanged")
            return None
        if held.content != candidate.content:
            return None
        moved = replace(held, path=candidate.path, size=candidate.size, mtime_ns=candidate.mtime_ns)
        self.catalog.touch(moved)
        return self._outcome(candidate, held, "unchanged" if same_place else "moved")

    def _outcome(self, candidate: _Candidate, held: TitleRecord, status: Status) -> Outcome:
        return Outcome(
            path=str(candidate.item.path),
            title_id=held.title_id,
            status=status,
            shots=held.shots,
            duration=held.duration,
        )

    def _ingest(self, candidate: _Candidate) -> Outcome:
        started = time.monotonic()
        path, notes = candidate.item.path, list(candidate.notes)
        content = candidate.content
        cues: list[Cue] = []
        for subtitle in candidate.subtitles:
            timed = read_cues(subtitle, stem=path.stem)
            cues += timed.cues
            notes += timed.notes
        with (
            Reader(path, self.config.read_options) as reader,
            self.catalog.writer(candidate.title_id, self.records) as writer,
            self.progress.task(path.name, reader.info.duration / US or None, "s") as task,
        ):
            pipeline = Pipeline(
                reader,
                detector=make_detector(self.config.shots.detector),
                encoders=self.encoders,
                shots=self.config.shots,
                frames=self.config.frames,
                sink=writer,
            )
            shots = pipeline.run(cues, notes, task)
            self._describe(candidate.metadata, writer)
            notes += reader.info.notes
            twin = self._twin(candidate)
            if twin is not None and Path(twin.path).exists():
                notes.append(
                    f"the same film as '{twin.title_id}' ({twin.path}); as two titles they may "
                    "stand on both sides of a validation split"
                )
            record = writer.commit(
                replace(
                    _record(candidate, reader, shots, notes),
                    content=content,
                    settings=self.settings,
                )
            )
        if twin is not None and not Path(twin.path).exists():
            self.catalog.remove(twin.title_id)
            self.progress.say(f"renamed    {twin.title_id} -> {record.title_id}")
        return Outcome(
            path=str(path),
            title_id=record.title_id,
            status="ingested",
            shots=len(shots),
            duration=record.duration,
            seconds=time.monotonic() - started,
            notes=record.notes,
        )

    def _twin(self, candidate: _Candidate) -> TitleRecord | None:
        """Another title of the same media: the same file under an older name, or a copy."""
        media = candidate.content.partition("+")[0]
        for title in self.catalog.titles():
            same = title.path and title.content.partition("+")[0] == media
            if same and title.title_id != candidate.title_id:
                return title
        return None

    def _describe(self, metadata: TitleMetadata, writer: TitleWriter) -> None:
        """Stores the vectors of the title's metadata, for ``[GLOBAL]``."""
        text = self.encoders.text
        fields = {"synopsis": metadata.synopsis, "tags": ", ".join(metadata.tags)}
        for name, value in fields.items():
            if text is not None and value:
                writer.set_metadata(name, text.encode([value])[0])

    def _say(self, outcome: Outcome) -> None:
        if outcome.status == "failed":
            self.progress.say(f"failed     {outcome.reason}")
        elif outcome.status == "busy":
            self.progress.say(f"busy       {outcome.title_id}: another process is ingesting it")
        elif outcome.status == "ingested":
            length = outcome.duration / US
            self.progress.say(
                f"ingested   {outcome.title_id}: {outcome.shots} shots in {length:.0f} s of media, "
                f"{length / max(outcome.seconds, 1e-9):.1f} times real time"
            )
            for note in outcome.notes:
                self.progress.say(f"           {note}")


def _record(
    candidate: _Candidate, reader: Reader, shots: Sequence[Shot], notes: Sequence[str]
) -> TitleRecord:
    metadata, info = candidate.metadata, reader.info
    return TitleRecord(
        title_id=candidate.title_id,
        ingest_id="",
        title=metadata.title or candidate.item.path.stem,
        kind=metadata.kind or "other",
        series_id=metadata.series_id,
        season=metadata.season,
        episode=metadata.episode,
        year=metadata.year,
        synopsis=metadata.synopsis,
        tags=metadata.tags,
        genres=metadata.genres,
        ids=dict(metadata.ids),
        path=candidate.path,
        size=candidate.size,
        mtime_ns=candidate.mtime_ns,
        duration=shots[-1].span.end - shots[0].span.start,
        start_offset=info.start_offset,
        timecode=info.timecode,
        frame_rate=str(info.frame_rate) if info.frame_rate else None,
        width=info.width,
        height=info.height,
        notes=tuple(notes),
    )
