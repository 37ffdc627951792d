"""Keyframes for posters and tiles. ``mediafm suggest artwork``.

Sharp, neither dark nor empty, typical of the title, and unlike one another.

Shapes: N shots of a title, K of them with a picture, H the width of an embedding.
"""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from mediafm.catalog import Catalog
from mediafm.catalog.clip import unit
from mediafm.errors import MediaFMError
from mediafm.suggest.clips import SPOILER
from mediafm.suggest.fitted import FittedProbes, noted
from mediafm.suggest.suggestion import Suggestion, Suggestions, diverse, of_others, percentile

CHOSEN = "artwork"
"""A probe of what people chose (``mediafm suggest accept artwork``), where one is fitted."""

_SIDE = 160  # pixels of the longer side, at which pictures are judged
_DARK, _FLAT = 0.08, 0.04
"""Mean brightness, and its deviation, below which a picture shows nothing; black is 0, white 1."""


@dataclass(frozen=True, slots=True)
class Picture(Suggestion):
    """A keyframe.

    Args:
        shot: The shot that it is of.
    """

    shot: int = 0


def suggest_artwork(
    catalog: Catalog,
    title_id: str,
    count: int = 5,
    *,
    probes: FittedProbes | None = None,
    version: str | None = None,
    spoilers: bool = False,
) -> Suggestions:
    """Suggests keyframes.

    Args:
        catalog: The catalog.
        title_id: The title.
        count: How many.
        probes: Where a probe :data:`CHOSEN`, fitted on answers to earlier suggestions, is looked
            for; it needs none.
        version: Version of the embeddings, by which pictures are typical, and told apart.
        spoilers: Whether the last part of the title may be shown.

    Returns:
        Keyframes, best first.

    Raises:
        CatalogError: There is no such title, or it is not embedded.
        MediaFMError: The title has no keyframes.
    """
    shots, jpegs = catalog.shots(title_id), catalog.keyframes(title_id)
    if not any(jpegs):
        raise MediaFMError(
            "the title has no keyframes",
            where=title_id,
            do="ingest its film; imported features come without pictures",
        )
    whole = shots[-1].span.end - shots[0].span.start
    last = shots[0].span.start + SPOILER * whole
    looks: list[tuple[int, float]] = []
    for shot, jpeg in zip(shots, jpegs, strict=True):
        if jpeg and (spoilers or shot.span.end <= last):
            sharp = sharpness(jpeg)
            if sharp is not None:
                looks.append((shot.index, sharp))
    if not looks:
        said = "no keyframe is bright enough to show something"
        if not spoilers:
            said += f", before the last {100 * (1 - SPOILER):.0f}% (--spoilers)"
        return Suggestions(title_id, "artwork", [], (), noted(probes, (said,)))
    e_NH = catalog.embeddings(version, title_id)
    x_NH = unit(e_NH - e_NH.mean(axis=0))
    places = [index for index, _ in looks]
    sharp_K = percentile([sharp for _, sharp in looks])
    typical = _typical(x_NH, places)
    typical_K = percentile(typical)
    shares = {"sharper": sharp_K, "more typical": typical_K}
    by = ["sharpness", "typical in context"]
    evidence: dict[str, npt.NDArray[np.float64]] = {
        "sharpness": np.array([sharp for _, sharp in looks]),
        "typical": typical,
    }
    if probes is not None and probes.get(CHOSEN) is not None:
        liked_K = probes.of_shots(CHOSEN, title_id)[places, 0]
        evidence[CHOSEN] = np.nan_to_num(liked_K)
        shares["more like what was chosen before"] = percentile(evidence[CHOSEN])
        by.append(CHOSEN)
    score_K = np.mean(list(shares.values()), axis=0)
    spans = [shots[i].span for i in places]
    found: list[Suggestion] = []
    for k in diverse(score_K, x_NH[places].astype(np.float64), spans, count):
        reasons = tuple(
            f"{name} than {of_others(share_K[k])} keyframes of the title"
            for name, share_K in shares.items()
        )
        numbers = {name: round(float(x_K[k]), 5) for name, x_K in evidence.items()}
        found.append(
            Picture(title_id, spans[k], round(float(score_K[k]), 4), reasons, numbers, places[k])
        )
    return Suggestions(title_id, "artwork", found, tuple(by), noted(probes, ()))


def sharpness(jpeg: bytes) -> float | None:
    """How sharp a picture is.

    Args:
        jpeg: The picture.

    Returns:
        Variance of the Laplacian of its brightness, 0 .. 1 from black to white, at a fixed size
        (Pech-Pacheco et al. 2000); ``None`` where it is damaged, dark, or of one colour.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(jpeg)) as image:
                grey = image.convert("L")
                grey.thumbnail((_SIDE, _SIDE))
                x = np.asarray(grey, np.float64) / 255
    except (OSError, ValueError, Image.DecompressionBombError, Image.DecompressionBombWarning):
        return None
    if min(x.shape) < 3 or x.mean() < _DARK or x.std() < _FLAT:
        return None
    inner = x[1:-1, 1:-1]
    laplacian = x[:-2, 1:-1] + x[2:, 1:-1] + x[1:-1, :-2] + x[1:-1, 2:] - 4 * inner
    return float(laplacian.var())


def _typical(x_NH: npt.NDArray[np.float32], places: list[int]) -> npt.NDArray[np.float64]:
    """How near each shot is to the shots that are like it: the mean cosine with a tenth of them."""
    cosine_KN = x_NH[places] @ x_NH.T
    near = max(2, len(x_NH) // 10)
    top_KM = np.sort(cosine_KN, axis=1)[:, -near:]
    means: npt.NDArray[np.float64] = top_KM.mean(axis=1).astype(np.float64)
    return means
