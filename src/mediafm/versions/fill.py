"""Filling in versions, whole or what they lack."""

from __future__ import annotations

from pathlib import Path

from mediafm.catalog import Catalog
from mediafm.embed import EmbedResult, Layers, embed
from mediafm.errors import MediaFMError
from mediafm.progress import Progress


def backfill(
    catalog: Catalog,
    name: str,
    model: str | Path | None = None,
    progress: Progress | None = None,
    *,
    device: str = "auto",
) -> EmbedResult:
    """Embeds every title that a version lacks, with the model that made the others.

    Titles are committed batch by batch: interrupted or killed, the same call goes on.

    Args:
        catalog: The catalog.
        name: The version.
        model: The model, where it is not found where the version says.
        progress: Where to report, in shots.
        device: ``auto`` (a GPU if there is one), or torch's name of a device.

    Raises:
        CatalogError: There is no such version.
        FingerprintError: The model is another one than the version's.
        ModelError: The model cannot be loaded.
    """
    record = catalog.version(name)
    source = str(model or record.model)
    if not source:
        raise MediaFMError(
            "it is not known where its model lies",
            where=f"version '{name}'",
            do="name it: --model",
        )
    layers: Layers = "all" if record.settings.get("layer") == "all" else "last"
    return embed(catalog, source, name, progress, device=device, layers=layers)


def keep_complete(catalog: Catalog, progress: Progress | None = None) -> tuple[int, list[str]]:
    """Gives every version that is current or was the titles that it lacks.

    To be called when titles came or changed; other versions wait for :func:`backfill`.

    Args:
        catalog: The catalog.
        progress: Where to report.

    Returns:
        How many embeddings of titles were made, and a line for each version that could not be
        brought up to date.
    """
    catalog.refresh()
    made, wrong = 0, []
    for version in catalog.live_versions():
        if not catalog.lacking(version.name):
            continue
        try:
            made += backfill(catalog, version.name, progress=progress).titles
        except MediaFMError as error:
            lacking = len(catalog.lacking(version.name))
            wrong.append(f"version '{version.name}' lacks {lacking} titles: {error}")
    return made, wrong
