"""Story segments of a title. ``mediafm scenes``.

With a fitted probe of the task ``segment-boundary``, a scene begins with every shot to which the
probe gives at least its threshold. Without one, it begins where the embeddings before a shot differ
from those after it: their novelty, as in TextTiling (Hearst 1997), with vectors in the place of
words, at several scales.

Shapes: N shots of a title, H the width of an embedding.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mediafm.catalog import Catalog
from mediafm.catalog.clip import unit
from mediafm.errors import MediaFMError
from mediafm.suggest.fitted import FittedProbes, noted
from mediafm.timeline import Shot, Span

PROBE = "segment-boundary"

_SCALES = (1, 2, 4)
"""Shots on each side that are compared."""

LEVEL = 0.7
"""Deviations above a title's mean from which novelty begins a scene.

Scales and level were chosen on validation episodes of ``examples/sitcom``. A lower level finds more
beginnings and is wrong more often, at about the same F1.
"""


@dataclass(frozen=True, slots=True)
class Scene:
    """A story segment: consecutive shots.

    Args:
        index: Which of its title, from 0.
        first: Its first shot.
        end: The first shot after it.
        span: Its time.
        score: How sure its beginning is: the probe's probability, or novelty in deviations from
            the title's mean; 1 for the first scene.
    """

    index: int
    first: int
    end: int
    span: Span
    score: float


@dataclass(frozen=True, slots=True)
class Segmentation:
    """The scenes of a title.

    Args:
        title_id: The title.
        scenes: In order, without gaps.
        by: What decided: ``probe`` or ``novelty``.
        notes: What a user should know: that no probe was there, or why it was not used.
    """

    title_id: str
    scenes: list[Scene]
    by: str
    notes: tuple[str, ...] = ()


def find_scenes(
    catalog: Catalog,
    title_id: str,
    probes: FittedProbes | None = None,
    *,
    version: str | None = None,
) -> Segmentation:
    """Cuts a title into story segments.

    Args:
        catalog: The catalog.
        title_id: The title.
        probes: Where the probe is looked for; none by default.
        version: Version of the embeddings for the way without a probe; the current one by default.

    Raises:
        CatalogError: There is no such title; or there is no probe, and the title is not embedded.
    """
    shots = catalog.shots(title_id)
    if not shots:
        raise MediaFMError("the title has no shots", where=title_id)
    probe = probes.get(PROBE) if probes else None
    if probe is not None and probes is not None:
        score_N = probes.of_shots(PROBE, title_id)[:, 0]
        if not np.isnan(score_N).all():  # a shot of which nothing is known begins no scene
            begins_N = score_N >= probe.head.threshold_C[0]
            return Segmentation(
                title_id, _between(shots, begins_N, score_N), "probe", noted(probes, ())
            )
        missing = f"nothing that probe '{PROBE}' reads is known of the title"
    else:
        missing = probes.missing(PROBE) if probes is not None else f"no probe '{PROBE}' is fitted"
    score_N = novelty(catalog.embeddings(version, title_id))
    notes = noted(probes, (f"{missing}: by where the embeddings change",))
    return Segmentation(title_id, _between(shots, score_N >= LEVEL, score_N), "novelty", notes)


def novelty(x_NH: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """How much what follows from a shot on differs from what came before it.

    Args:
        x_NH: Vectors of a title's shots.

    Returns:
        ``s_N``: one minus the cosine of the means of the shots on either side, without what the
        whole title has in common; standardised over the title, and averaged over the scales.
        Minus infinity for the first shot.
    """
    x_NH = np.asarray(x_NH, np.float64)
    found_N = np.full(len(x_NH), -np.inf)
    if len(x_NH) < 2:
        return found_N
    x_NH = unit(x_NH - x_NH.mean(axis=0)).astype(np.float64)
    sum_NH = np.concatenate([np.zeros_like(x_NH[:1]), np.cumsum(x_NH, axis=0)])
    at = np.arange(1, len(x_NH))
    found_N[1:] = 0.0
    for scale in _SCALES:
        before_NH = sum_NH[at] - sum_NH[np.maximum(at - scale, 0)]
        after_NH = sum_NH[np.minimum(at + scale, len(x_NH))] - sum_NH[at]
        norm_N = np.linalg.norm(before_NH, axis=1) * np.linalg.norm(after_NH, axis=1)
        apart_N = 1 - (before_NH * after_NH).sum(axis=1) / np.maximum(norm_N, 1e-9)
        spread = float(apart_N.std())
        if spread > 1e-9:
            found_N[1:] += (apart_N - apart_N.mean()) / spread / len(_SCALES)
    return found_N


def _between(
    shots: list[Shot], begins_N: npt.NDArray[np.bool_], score_N: npt.NDArray[np.float64]
) -> list[Scene]:
    firsts = [0, *(np.flatnonzero(begins_N[1:]) + 1).tolist()]
    ends = [*firsts[1:], len(shots)]
    return [
        Scene(
            index,
            first,
            end,
            Span(shots[first].span.start, shots[end - 1].span.end),
            round(float(score_N[first]), 4) if first else 1.0,
        )
        for index, (first, end) in enumerate(zip(firsts, ends, strict=True))
    ]
