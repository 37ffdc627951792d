"""Why something was found: which modalities are alike, and what is said."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from mediafm.catalog import Catalog, TitleFeatures
from mediafm.catalog.clip import pooled, shots_of
from mediafm.catalog.fused import CatalogFusion, fuse
from mediafm.errors import CatalogError
from mediafm.search.spaces import Vector
from mediafm.timeline import Clip, Span

if TYPE_CHECKING:
    from mediafm.search.similar import Hit


def why(
    catalog: Catalog,
    query: Clip,
    hits: Sequence[Hit],
    *,
    fusion: CatalogFusion | None = None,
    cues: bool = True,
) -> list[Hit]:
    """Adds to hits which modalities speak for them, and what is said in them.

    Args:
        catalog: The catalog.
        query: What they are like.
        hits: What was found.
        fusion: Of all modalities, for the title of the query; made where it is not at hand.
        cues: Whether the words are of interest.
    """
    held = catalog.encoders()
    if not hits:
        return []
    if fusion is None and held:
        fusion = CatalogFusion.of(catalog, query.title_id)
    ids = list(dict.fromkeys([query.title_id, *(hit.title_id for hit in hits)]))
    stream = catalog.title_features(ids, list(held)) if held else iter(())
    features = {title.title_id: title for title in stream}

    def of(title_id: str, span: Span) -> dict[str, Vector]:
        if fusion is None or title_id not in features:
            return {}
        return _modalities(features[title_id], span, fusion)

    own = of(query.title_id, query.span)
    return [
        dataclasses.replace(
            hit,
            because={
                m: round(float(own[m] @ x_D), 4)
                for m, x_D in of(hit.title_id, hit.span).items()
                if m in own
            },
            text=words(catalog, hit.title_id, hit.span) if cues else "",
        )
        for hit in hits
    ]


def _modalities(title: TitleFeatures, span: Span, fusion: CatalogFusion) -> dict[str, Vector]:
    """Modality to the unit vector of a span; those that it lacks are left out."""
    first, covered_K = shots_of(title.times_N2, span)
    own = slice(first, first + len(covered_K))
    found = {}
    for modality in fusion.modalities:
        present_K = title.present[modality][own]
        x_KD = fuse(
            {modality: title.features[modality][own]},
            {modality: present_K},
            {modality: fusion.means[modality]},
        )
        if present_K.any():
            x_D = pooled(x_KD, np.where(present_K, covered_K, 0.0))
            if x_D.any():
                found[modality] = x_D
    return found


def words(catalog: Catalog, title_id: str, span: Span) -> str:
    """What is said in a span, a line per cue; empty where the title was removed meanwhile."""
    try:
        cues = catalog.cues(title_id)
    except CatalogError:
        if catalog.find(title_id) is None:
            raise
        return ""
    return "\n".join(cue.text for cue in cues if span.touches(cue.span))
