"""Runs a model over the catalog and stores a version of contextual embeddings."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from mediafm.catalog import Catalog
from mediafm.catalog.records import EncoderRecord, TitleFeatures, VersionRecord
from mediafm.embed.embedder import Embedder
from mediafm.errors import CatalogError, FingerprintError
from mediafm.model import Layers, MediaFM
from mediafm.progress import Progress, Silent

_BATCH_SHOTS = 4096


@dataclass(frozen=True, slots=True)
class EmbedResult:
    """What was done.

    Args:
        version: The version as the catalog holds it.
        titles: Titles embedded now.
        shots: Shots embedded now.
        skipped: Titles that had their embeddings already.
        missing: Modalities of the model that the catalog does not have.
        current: Whether readers see the version who name none.
    """

    version: VersionRecord
    titles: int
    shots: int
    skipped: int
    missing: tuple[str, ...] = ()
    current: bool = True


def embed(
    catalog: Catalog,
    model: MediaFM | str | Path,
    version: str = "",
    progress: Progress | None = None,
    *,
    device: str = "auto",
    layers: Layers = "last",
) -> EmbedResult:
    """Embeds every title that has no embeddings in the version yet.

    Titles are committed batch by batch, so an interrupted run goes on where it was when the same
    call is made again; so do titles that were ingested since. The first version of a catalog
    becomes current; later ones wait for :meth:`~mediafm.catalog.Catalog.promote`, and readers who
    name no version do not see them before.

    Args:
        catalog: Where features come from and embeddings go.
        model: A model, its folder, or its name on the hub.
        version: Name of the version; by default the model folder's name with the first digits of
            the fingerprint, so that another model never meets the same name.
        progress: Where to report, in shots.
        device: ``auto`` (a GPU if there is one), or torch's name of a device.
        layers: ``last``: the hidden states after the last layer, as the original. ``all``: those
            of every layer side by side, of which linear heads read more.

    Returns:
        What was done.

    Raises:
        FingerprintError: The catalog's features come from other encoders than the model's, or
            the version's name belongs to another model.
        CatalogError: The catalog has no features that the model reads.
        ModelError: The model cannot be loaded or does not fit the features, or there is no such
            device.
    """
    progress = progress or Silent()
    source = "" if isinstance(model, MediaFM) else str(model)
    if source and Path(source).is_dir():
        source = str(Path(source).resolve())  # found again from wherever the catalog is read
    if not isinstance(model, MediaFM):
        model = MediaFM.from_pretrained(model)
    missing = check_encoders(model, catalog.encoders(), catalog.metadata_encoder())
    if missing:
        progress.say(f"the catalog has no {', '.join(missing)} features: the model sees zeros")
    embedder = Embedder(model, source, device, layers)
    fingerprint = embedder.fingerprint
    settings = model.config.modalities
    record = catalog.create_version(
        VersionRecord(
            name=version or default_name(source, fingerprint),
            fingerprint=fingerprint,
            dim=embedder.dim,
            model=source,
            encoders={name: block.encoder for name, block in settings.items()},
            settings=model.embedding_settings(layers),
        )
    )
    done = catalog.embedded_ingests(record.name)
    todo = [t for t in catalog.titles() if t.ingest_id not in done]
    present = [name for name in settings if name not in missing]
    titles = shots = 0
    total = sum(t.shots for t in todo)
    with progress.task("embed", total, "shots") as task:
        stream = catalog.title_features([t.title_id for t in todo], present) if todo else iter(())
        for batch in _batches(stream):
            embedded = embedder.contextual(batch)
            catalog.append_embeddings(
                record.name,
                [(t.title_id, t.ingest_id, e) for t, e in zip(batch, embedded, strict=True)],
            )
            titles, shots = titles + len(batch), shots + sum(map(len, batch))
            task.advance(sum(map(len, batch)))
            task.note(batch[-1].title_id)
    if titles:
        catalog.index(progress)
    if catalog.current_version() is None:
        try:
            catalog.promote(record.name)
        except CatalogError as error:  # others ingested meanwhile; what is embedded is stored
            progress.say(f"not current yet: {error}")
    current = catalog.current_version()
    is_current = current is not None and current.name == record.name
    return EmbedResult(record, titles, shots, len(done), missing, is_current)


def check_encoders(
    model: MediaFM, encoders: Mapping[str, EncoderRecord], metadata: EncoderRecord | None = None
) -> tuple[str, ...]:
    """Refuses features that other encoders made than those of the model's training.

    Args:
        model: The model; blocks whose encoder is unknown are checked for width only.
        encoders: Modality to the catalog's encoder.
        metadata: The catalog's encoder of title metadata.

    Returns:
        Modalities of the model that the catalog does not have.

    Raises:
        FingerprintError: An encoder differs.
        CatalogError: The catalog has none of the model's modalities.
    """
    blocks = model.config.modalities
    missing = tuple(name for name in blocks if name not in encoders)
    if len(missing) == len(blocks):
        raise CatalogError(
            f"the catalog has no {', '.join(blocks)} features, which the model reads",
            do="ingest titles with the model's encoders, or pretrain a model on this catalog",
        )
    pairs = [(name, blocks[name], encoders[name]) for name in blocks if name in encoders]
    if metadata is not None:
        pairs += [(field, block, metadata) for field, block in model.config.metadata.items()]
    for name, block, encoder in pairs:
        known = block.encoder and block.encoder != encoder.fingerprint
        if known or block.dim != encoder.dim:
            raise FingerprintError(
                f"{name} vectors come from {encoder.name} ({encoder.fingerprint}, {encoder.dim} "
                f"wide), the model was trained on encoder {block.encoder or 'unknown'}, "
                f"{block.dim} wide",
                do="pretrain a model on this catalog (mediafm pretrain), or ingest it anew with "
                "the model's encoders",
            )
    return missing


def default_name(source: str, fingerprint: str) -> str:
    """Name of a version: the model folder's name and the first digits of its fingerprint."""
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", Path(source).name).strip("-._") if source else ""
    return f"{stem[:80] or 'model'}-{fingerprint[:8]}"


def _batches(stream: Iterator[TitleFeatures]) -> Iterator[list[TitleFeatures]]:
    batch: list[TitleFeatures] = []
    for title in stream:
        if batch and sum(map(len, batch)) + len(title) > _BATCH_SHOTS:
            yield batch
            batch = []
        batch.append(title)
    if batch:
        yield batch
