"""What is done for one title: decoding it, updating it, filling in a modality."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mediafm.catalog import TitleRecord, TitleWriter
from mediafm.encoders import TitleView
from mediafm.errors import MediaError
from mediafm.fingerprint import file_fingerprint
from mediafm.ingest.candidate import Candidate, Content
from mediafm.ingest.config import IngestConfig, read_options
from mediafm.ingest.pipeline import Pipeline, Tracks, encode_known
from mediafm.ingest.run import THREE, Run
from mediafm.ingest.texts import encode_texts, from_zero, shot_texts
from mediafm.media.chunks import AudioChunk, ReadOptions
from mediafm.media.reader import Reader
from mediafm.media.subtitles import read_cues
from mediafm.shots import make_detector
from mediafm.timeline import US, Cue

_OF_A_SIDECAR = re.compile(
    r"[^:]+\.[A-Za-z0-9]+: |cue times count from |all cues lie after |no timed text"
)
"""How notes begin that speak of sidecars and cues, not of the media file."""


def options(
    run: Run, config: IngestConfig, *, pictures: bool = True, sound: bool = True
) -> ReadOptions:
    """What has to leave a pass over a title for the run's encoders; loads those that are asked."""
    video = run.encoder("video") if pictures else None
    audio = run.encoder("audio") if sound else None
    return read_options(
        config,
        size=video and video.size,
        rate=audio and audio.sample_rate,
        pictures=pictures,
        sound=sound,
    )


def decode(run: Run, candidate: Candidate, twin: TitleRecord | None) -> TitleRecord:
    """Reads a title once, front to back, and writes all of it.

    Args:
        run: What is shared.
        candidate: The title.
        twin: Another title of the same media that is still there.

    Returns:
        The title as written.

    Raises:
        MediaError: The title cannot be read to its end.
    """
    path, notes = candidate.item.path, list(candidate.notes)
    content = candidate.content
    cues = _sidecar_cues(candidate, notes)
    with (
        Reader(path, options(run, run.config)) as reader,
        run.catalog.writer(candidate.title_id, run.records) as writer,
        run.progress.task(path.name, reader.info.duration / US or None, "s") as task,
    ):
        pipeline = Pipeline(
            reader,
            detector=make_detector(run.config.shots.detector),
            encoders=run.encoders(THREE),
            shots=run.config.shots,
            frames=run.config.frames,
            sink=writer,
            cache=run.cache,
            transcribe=(lambda: transcribe(run, path)) if run.config.transcribe else None,
            announce=run.progress.say,
            keep_keyframes=bool(run.others),
        )
        shots, cues = pipeline.run(cues, notes, task)
        keyframes = [pipeline.keyframes.get(shot.index) for shot in shots]
        view = TitleView(candidate.title_id, candidate.path, shots, cues, lambda: keyframes)
        _write_others(run, view, writer, run.others)
        _write_metadata(run, candidate, writer)
        notes += reader.info.notes
        if twin is not None:
            notes.append(
                f"the same film as '{twin.title_id}' ({twin.path}); as two titles they may "
                "stand on both sides of a validation split"
            )
        info = reader.info
        record = TitleRecord(
            title_id=candidate.title_id,
            ingest_id="",
            duration=shots[-1].span.end - shots[0].span.start,
            start_offset=info.start_offset,
            timecode=info.timecode,
            frame_rate=str(info.frame_rate) if info.frame_rate else None,
            width=info.width,
            height=info.height,
            settings=run.config.settings,
        )
        content = replace(content, sources=run.sources(candidate.title_id))
        if run.transcriber and all(cue.machine_made for cue in cues):
            content = replace(content, recogniser=run.transcriber.fingerprint)
            notes.append(_heard(cues))
        return writer.commit(candidate.describe(record, content, notes))


def update(run: Run, candidate: Candidate, held: TitleRecord) -> TitleRecord | None:
    """Writes a title anew whose media is the same, without decoding what is known of it.

    Args:
        run: What is shared.
        candidate: The title as it is beside its media now.
        held: The title as the catalog holds it.

    Returns:
        The title as written; ``None`` if its cues are gone and only the media can tell whether it
        has others inside.
    """
    notes = list(candidate.notes)
    shots = run.catalog.shots(held.title_id)
    before = sorted(run.catalog.cues(held.title_id), key=lambda cue: cue.span)
    cues = from_zero(_sidecar_cues(candidate, notes), shots[-1].span.end, notes)
    if not cues:
        cues = before
        if any(not cue.machine_made and not cue.source.startswith("stream ") for cue in cues):
            return None
    known = Content.parse(held.content)
    recogniser = known.recogniser if all(cue.machine_made for cue in cues) else ""
    if not cues and run.transcriber and recogniser != run.transcriber.fingerprint:
        cues, recogniser = transcribe(run, candidate.item.path), run.transcriber.fingerprint
    if recogniser:
        notes.append(_heard(cues))
    cues = sorted(cues, key=lambda cue: cue.span)
    # What does not hang on what changed is copied, whether the run has its encoder or not.
    sources = {**known.sources, **run.sources(held.title_id)}
    current = run.catalog.encoders()
    kept = [m for m in current if m in ("video", "audio") or (cues == before and m == "text")]
    kept += [
        modality
        for modality in current
        if modality not in THREE
        and cues == before
        and known.sources.get(modality) == sources.get(modality)
    ]
    described = candidate.describe(held, None, ())
    if same_description := metadata_texts(held) == metadata_texts(described):
        kept.append("metadata")
    with run.catalog.writer(held.title_id, {**current, **run.records}) as writer:
        writer.copy_from(run.catalog, held, kept)
        writer.add_cues(cues)
        if "text" not in kept and (text := run.encoder("text")):
            texts = list(shot_texts(shots, cues))
            writer.add_features("text", 0, *encode_texts(text, texts, run.cache, run.progress.say))
        keyframes = partial(run.catalog.keyframes, held.title_id)
        view = TitleView(held.title_id, candidate.path, shots, cues, keyframes)
        _write_others(run, view, writer, [m for m in run.others if m not in kept])
        if not same_description:
            _write_metadata(run, candidate, writer)
        notes += [note for note in held.notes if not _OF_A_SIDECAR.match(note)]
        content = Content(known.media, candidate.sidecars, recogniser, sources)
        return writer.commit(candidate.describe(held, content, notes))


def fill(run: Run, title: TitleRecord, modalities: Collection[str] | None = None) -> list[str]:
    """Adds what a title lacks to it as it stands: decodes only what that needs.

    Args:
        run: What is shared.
        title: The title as the catalog holds it; the caller has claimed it.
        modalities: What to look at; all that the run has encoders for by default.

    Returns:
        The modalities that were added.

    Raises:
        MediaError: The media has changed or is gone.
    """
    wanted = run.records if modalities is None else modalities
    modalities = [m for m in wanted if title.ingest_id not in run.encoded(m)]
    shots = run.catalog.shots(title.title_id)
    pictures, sound = "video" in modalities, "audio" in modalities
    found = _Collected()
    if pictures or sound:
        path, config = unchanged_media(title), _as_ingested(run, title)
        tracks = Tracks(run.encoders(modalities), config.frames, found, run.cache)
        with (
            Reader(path, options(run, config, pictures=pictures, sound=sound)) as reader,
            run.progress.task(path.name, title.duration / US, "s") as task,
        ):
            done = 0
            for _ in encode_known(reader, shots, tracks):
                task.advance((reader.end - done) / US)
                done = reader.end
    for modality in modalities:
        if modality in run.others:
            x_ND, present_N = run.encoder(modality).encode_shots(run.view(title.title_id))
            found.add_features(modality, 0, x_ND, present_N)
    for modality in sorted(found.parts):
        rows = (title.title_id, title.ingest_id, *found.whole(modality))
        run.catalog.append_features(run.records[modality], [rows])
    if "text" in modalities:
        fill_text(run, [title])
    return modalities


def refresh(run: Run, title: TitleRecord, sources: Mapping[str, str]) -> list[str]:
    """Encodes further modalities anew whose tables say something else of a title now.

    Args:
        run: What is shared.
        title: The title as the catalog holds it; the caller has claimed it.
        sources: Modality to the digest of what its table says now.

    Returns:
        The modalities that were encoded.
    """
    known = Content.parse(title.content)
    changed = [m for m in run.others if known.sources.get(m) != sources.get(m)]
    for modality in changed:
        fingerprint = run.records[modality].fingerprint
        run.catalog.drop_features(modality, fingerprint, [title.ingest_id])
    filled = fill(run, title)
    content = replace(known, sources={**known.sources, **dict.fromkeys(changed, ""), **sources})
    run.catalog.touch(replace(title, content=str(content)))
    return filled


def fill_text(run: Run, titles: Sequence[TitleRecord]) -> int:
    """Adds text vectors, those of cues and of metadata, to titles as they stand.

    All texts go to the encoder together, and into the catalog in one commit.

    Args:
        run: What is shared.
        titles: Titles that lack them.

    Returns:
        Titles written.
    """
    encoder, record = run.encoder("text"), run.records["text"]
    texts: list[str] = []
    ends = [0]
    described: list[dict[str, str]] = []
    for title in titles:
        texts += title_texts(run, title)
        ends.append(len(texts))
        described.append(metadata_texts(title))
    values = [value for fields in described for value in fields.values()]
    x_ND, present_N = encode_texts(encoder, [*texts, *values], run.cache, run.progress.say)
    vectors = iter(x_ND[len(texts) :])
    metadata = [
        (title.title_id, title.ingest_id, {name: next(vectors) for name in fields})
        for title, fields in zip(titles, described, strict=True)
    ]
    # Text counts as complete when its rows are there: the metadata's go first.
    run.catalog.append_metadata(record, [one for one in metadata if one[2]])
    rows = [
        (title.title_id, title.ingest_id, x_ND[a:b], present_N[a:b])
        for title, a, b in zip(titles, ends[:-1], ends[1:], strict=True)
    ]
    return run.catalog.append_features(record, rows)


def title_texts(run: Run, title: TitleRecord) -> list[str]:
    """The text of every shot of a title in the catalog, empty where there is none.

    Raises:
        MediaError: The title was imported without its words.
    """
    if not title.path and not title.cues:
        raise _imported(title)
    cues = sorted(run.catalog.cues(title.title_id), key=lambda cue: cue.span)
    return list(shot_texts(run.catalog.shots(title.title_id), cues))


def metadata_texts(title: TitleRecord) -> dict[str, str]:
    """Metadata field to its text, for those that have a vector: ``[GLOBAL]`` reads them."""
    fields = {"synopsis": title.synopsis or "", "tags": ", ".join(title.tags)}
    return {name: text for name, text in fields.items() if text}


def unchanged_media(title: TitleRecord) -> Path:
    """The media file of a title, if it is still what was ingested.

    Raises:
        MediaError: It is gone or another one.
    """
    path = Path(title.path)
    if not title.path:
        raise _imported(title)
    if not path.exists():
        raise MediaError("is not there any more", where=path, do="run mediafm ingest where it is")
    stat = path.stat()
    same = (stat.st_size, stat.st_mtime_ns) == (title.size, title.mtime_ns)
    if not same and file_fingerprint(path) != Content.parse(title.content).media:
        raise MediaError("has changed since it was ingested", where=path, do="ingest it again")
    return path


def _imported(title: TitleRecord) -> MediaError:
    return MediaError(
        "was imported: there is nothing to encode",
        where=title.title_id,
        do="import vectors of the new encoder into a new catalog",
    )


def transcribe(run: Run, path: Path) -> list[Cue]:
    """Writes down what is said in a title: a pass over its sound alone."""
    wanted = read_options(run.config, size=None, rate=16_000, pictures=False)
    with Reader(path, wanted) as reader:
        if not reader.info.has_audio:
            return []
        length = reader.info.duration / US or None
        with run.progress.task(f"{path.name}: speech", length, "s") as task:

            def samples() -> Iterator[npt.NDArray[np.float32]]:
                done = 0
                for chunk in reader:
                    if isinstance(chunk, AudioChunk):
                        yield chunk.samples_S
                        task.advance((reader.end - done) / US)
                        done = reader.end

            # Which language is spoken is heard: what a stream says of itself is often wrong.
            return list(run.speech.transcribe(samples()))


def _heard(cues: Sequence[Cue]) -> str:
    if not cues:
        return "no timed text, and no speech was heard"
    return f"no timed text; {len(cues)} cues were heard ({cues[0].source})"


def _as_ingested(run: Run, title: TitleRecord) -> IngestConfig:
    """How the title was read, so that other encoders get the same of it."""
    try:
        return run.config.as_ingested(title.settings)
    except MediaError as error:
        raise MediaError(error.what, where=title.path, do=error.do) from None


def _sidecar_cues(candidate: Candidate, notes: list[str]) -> list[Cue]:
    cues: list[Cue] = []
    for subtitle in candidate.subtitles:
        timed = read_cues(subtitle, stem=candidate.item.path.stem)
        cues += timed.cues
        notes += timed.notes
    return cues


def _write_others(
    run: Run, view: TitleView, writer: TitleWriter, modalities: Sequence[str]
) -> None:
    for modality in modalities:
        x_ND, present_N = run.encoder(modality).encode_shots(view)
        writer.add_features(modality, 0, x_ND, present_N)


def _write_metadata(run: Run, candidate: Candidate, writer: TitleWriter) -> None:
    """Stores the vectors of the title's metadata, for ``[GLOBAL]``."""
    fields = metadata_texts(candidate.describe(TitleRecord(candidate.title_id, ""), None, ()))
    if fields and (text := run.encoder("text")):
        x_ND, _ = encode_texts(text, list(fields.values()), run.cache)
        for name, x_D in zip(fields, x_ND, strict=True):
            writer.set_metadata(name, x_D)


class _Collected:
    """Vectors of one title, in memory."""

    def __init__(self) -> None:
        self.parts: dict[str, list[tuple[Any, Any]]] = {}

    def add_features(
        self,
        modality: str,
        first_shot: int,
        x_ND: npt.NDArray[np.floating],
        present_N: npt.NDArray[np.bool_],
    ) -> None:
        parts = self.parts.setdefault(modality, [])
        assert first_shot == sum(len(x) for x, _ in parts), "shots come in order"
        parts.append((x_ND, present_N))

    def whole(self, modality: str) -> tuple[npt.NDArray[np.floating], npt.NDArray[np.bool_]]:
        parts = self.parts[modality]
        return np.concatenate([x for x, _ in parts]), np.concatenate([p for _, p in parts])
