"""What the commands that encode titles share: the catalog, the encoders, the cache."""

from __future__ import annotations

import functools
import logging
from collections.abc import Collection
from typing import Any

from mediafm.catalog import Catalog
from mediafm.encoders import EncoderChoice, Encoders, TitleView
from mediafm.encoders.base import ReadsElsewhere
from mediafm.encoders.devices import resolve_devices
from mediafm.errors import (
    CatalogError,
    EncoderError,
    MediaFMError,
    MissingExtraError,
    TitleDataError,
    describe_os_error,
)
from mediafm.ingest.cache import NoCache, VectorCache
from mediafm.ingest.config import IngestConfig, encoder_records
from mediafm.progress import Progress

LOG = logging.getLogger(__name__)

COMPACT_EVERY = 100
"""Titles after which small fragments are merged: each title is a commit, and all are read again."""

THREE = ("video", "audio", "text")


def of_title(error: Exception, where: object) -> str | None:
    """Why a title failed, in one line, for an error that is its own.

    Args:
        error: What was raised.
        where: The title's file.

    Returns:
        ``None`` for what is no title's fault: the next one would fail the same way.
    """
    if isinstance(error, TitleDataError):
        reason = f"{where}: {error.what}"
    elif isinstance(error, CatalogError | EncoderError | MissingExtraError):
        return None
    elif isinstance(error, MediaFMError):
        reason = str(error)
    elif isinstance(error, OSError):
        reason = f"{error.filename or where}: {describe_os_error(error)}"
    elif isinstance(error, MemoryError):
        reason = f"{where}: not enough memory"
    else:
        # A library may fail on odd media in any way; the other titles must not pay for it.
        LOG.debug("%s", where, exc_info=error)
        kind = type(error).__name__
        reason = f"{where}: unexpected {kind} ({error}); --debug shows where it comes from"
    return " ".join(reason.split())


class Run:
    """One call of ``ingest`` or ``reencode``.

    Args:
        catalog: Where titles go.
        config: What was asked for; encoders that were left open are the catalog's.
        progress: Where to report.
        only_named: Leave those that were left open out instead.

    Attributes:
        opened: The encoders, found but not loaded.
        records: Modality to the encoder as the catalog records it.

    Raises:
        EncoderError: An encoder is unknown or not there.
        MissingExtraError: A library is not installed.
    """

    def __init__(
        self,
        catalog: Catalog,
        config: IngestConfig,
        progress: Progress,
        *,
        only_named: bool = False,
    ):
        self.catalog, self.config, self.progress = catalog, config, progress
        held = {m: record.name for m, record in catalog.encoders().items()}
        choice = config.encoders.over(held)
        if only_named:
            named = config.encoders.names
            video, audio, text = (named[modality] or "none" for modality in THREE)
            choice = EncoderChoice(video, audio, text, config.encoders.others)
        self.opened = choice.open()
        self.records = encoder_records(self.opened.infos)
        self._loaded: dict[str, Any] = {}

    @functools.cached_property
    def cache(self) -> VectorCache:
        """What was computed before, by whichever catalog."""
        return VectorCache() if self.config.cache else NoCache()

    @functools.cached_property
    def devices(self) -> tuple[str, ...]:
        """Where encoders run."""
        return resolve_devices(self.config.device)

    @functools.cached_property
    def transcriber(self) -> Any:
        """The recogniser, found but not loaded; ``None`` where none is wanted."""
        if not self.config.transcribe:
            return None
        from mediafm.encoders.transcribe import open_transcriber

        return open_transcriber(self.config.transcribe)

    @functools.cached_property
    def speech(self) -> Any:
        """The recogniser, loaded."""
        return self.transcriber.load(self.devices)

    def encoded(self, modality: str) -> set[str]:
        """Ingests that have the run's vectors of a modality."""
        record = self.records.get(modality)
        return (
            set() if record is None else self.catalog.encoded_ingests(modality, record.fingerprint)
        )

    def encoder(self, modality: str) -> Any:
        """An encoder, loaded when it is first needed; ``None`` where the modality is left out."""
        if modality not in self.opened.sources:
            return None
        if modality not in self._loaded:
            self._loaded[modality] = self.opened.sources[modality].load(self.devices)
        return self._loaded[modality]

    def encoders(self, modalities: Collection[str]) -> Encoders:
        """Some of the encoders, loaded; the others are left out."""
        video, audio, text = (self.encoder(m) if m in modalities else None for m in THREE)
        others = {m: self.encoder(m) for m in self.others if m in modalities}
        return Encoders(video, audio, text, others)

    @property
    def others(self) -> list[str]:
        """Modalities beside pictures, sound and text."""
        return [modality for modality in self.records if modality not in THREE]

    def sources(self, title_id: str) -> dict[str, str]:
        """Digests of what further modalities read from elsewhere for a title."""
        found = {
            modality: source.sources(title_id)
            for modality in self.others
            if isinstance(source := self.opened.sources[modality], ReadsElsewhere)
        }
        return {modality: digest for modality, digest in found.items() if digest}

    def view(self, title_id: str) -> TitleView:
        """A title of the catalog as encoders of further modalities see it."""
        catalog = self.catalog
        title = catalog.title(title_id)
        return TitleView(
            title_id=title_id,
            path=title.path,
            shots=catalog.shots(title_id),
            cues=sorted(catalog.cues(title_id), key=lambda cue: cue.span),
            keyframes=functools.partial(catalog.keyframes, title_id),
        )
