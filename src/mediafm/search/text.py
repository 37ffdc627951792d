"""Shots that fit a sentence: by their pictures, their sound and their timed text.

Each encoder that turns a sentence into a vector among those of its shots ranks all shots; the ranks
are fused.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from mediafm.catalog import Catalog
from mediafm.encoders import EMBEDDED, QueryEncoder, open_encoder
from mediafm.encoders.devices import resolve_devices
from mediafm.errors import EncoderError, FingerprintError, MediaFMError, MissingExtraError
from mediafm.timeline import Span

LOG = logging.getLogger(__name__)

_RRF = 60
"""Reciprocal rank fusion: ranks count as 1 / (60 + rank), from 1 (Cormack et al., SIGIR 2009)."""

_STANDS_OUT = 0.5
"""Standard deviations above the mean of a modality's cosines from which a shot counts: where a
modality knows nothing of what is looked for, its order is noise."""

_EQUAL = 1e-3
"""Cosines of half-precision vectors that differ by less are the same."""

_DEPTH = 10
"""Shots that each modality puts forward, as a multiple of those asked for."""


@dataclass(frozen=True, slots=True)
class Found:
    """A shot that fits.

    Args:
        score: Sum of the reciprocal ranks.
        title_id: Its title.
        shot: Its number.
        span: Its time.
        because: Modality to the cosine by which it was put forward.
        text: What is said in it.
    """

    score: float
    title_id: str
    shot: int
    span: Span
    because: dict[str, float] = field(default_factory=dict)
    text: str = ""


def query_encoders(catalog: Catalog, device: str = "auto") -> dict[str, QueryEncoder]:
    """Loads the encoders of a catalog that take sentences.

    Args:
        catalog: The catalog.
        device: See :func:`~mediafm.encoders.devices.resolve_devices`.

    Returns:
        Modality to encoder: timed text always, pictures and sound where the checkpoint has a text
        tower.

    Raises:
        EncoderError: An encoder of pictures, sound or text is not there any more; a further
            modality whose encoder is not there is left out.
        FingerprintError: It is there, but is another one by now.
        MediaFMError: None of the catalog's encoders takes sentences.
    """
    found: dict[str, QueryEncoder] = {}
    for modality, record in catalog.encoders().items():
        if "source" in record.settings:  # imported vectors: nobody knows what made them
            continue
        try:
            source = open_encoder(modality, record.name)
        except (EncoderError, MissingExtraError) as error:
            if modality in EMBEDDED:
                raise
            # A table that is gone; search goes on without, as most further modalities do anyway.
            LOG.info("%s is not searched: %s", modality, error)
            continue
        if not source.queries:
            continue
        if source.info.fingerprint != record.fingerprint:
            option = modality if modality in EMBEDDED else f"with {modality}=ENCODER"
            raise FingerprintError(
                f"its {modality} vectors come from {record.name} ({record.fingerprint}), which is "
                f"another encoder by now ({source.info.fingerprint})",
                where=catalog.uri,
                do=f"bring the old weights back, or run `mediafm reencode --{option}`",
            )
        found[modality] = source.load(resolve_devices(device))
    if not found:
        raise MediaFMError(
            "none of its encoders takes sentences",
            where=catalog.uri,
            do="give it one with `mediafm reencode --text use-multilingual`",
        )
    return found


def search(
    catalog: Catalog,
    query: str,
    count: int = 10,
    *,
    encoders: Mapping[str, QueryEncoder] | None = None,
) -> list[Found]:
    """Finds the shots that fit a sentence best.

    Every shot of the catalog is compared, title by title.

    Args:
        catalog: The catalog.
        query: What to look for.
        count: How many to find.
        encoders: Modality to encoder, from :func:`query_encoders`, to load them once only.

    Returns:
        Best first.

    Raises:
        MediaFMError: The query is empty, or no encoder of the catalog takes sentences.
    """
    if not query.strip():
        raise MediaFMError("there is nothing to look for", do="say what the shot shows")
    encoders = query_encoders(catalog) if encoders is None else encoders
    queries = {m: _unit(encoder.encode_queries([query])[0]) for m, encoder in encoders.items()}
    best: dict[str, list[tuple[float, str, int]]] = {modality: [] for modality in queries}
    depth = _DEPTH * count
    seen: dict[str, list[npt.NDArray[np.float32]]] = {modality: [] for modality in queries}
    for title in catalog.title_features(modalities=list(queries)):
        for modality, query_D in queries.items():
            cosines_N = _cosines(title.features[modality], query_D)
            shots_K = np.flatnonzero(title.present[modality])
            seen[modality].append(cosines_N[shots_K])
            shots_K = shots_K[np.argsort(-cosines_N[shots_K], kind="stable")[:depth]]
            held = best[modality]
            held += [(float(cosines_N[shot]), title.title_id, int(shot)) for shot in shots_K]
            best[modality] = sorted(held, key=lambda hit: (-hit[0], *hit[1:]))[:depth]
    scores: dict[tuple[str, int], float] = {}
    because: dict[tuple[str, int], dict[str, float]] = {}
    for modality, hits in best.items():
        all_N = np.concatenate(seen[modality]) if seen[modality] else np.zeros(1)
        least = float(all_N.mean() + _STANDS_OUT * all_N.std())
        for rank, (cosine, title_id, shot) in enumerate(hits, 1):
            if cosine <= least + _EQUAL:
                break
            place = (title_id, shot)
            scores[place] = scores.get(place, 0.0) + 1 / (_RRF + rank)
            because.setdefault(place, {})[modality] = cosine
    places = sorted(scores, key=lambda place: (-scores[place], place))[:count]
    return [_found(catalog, place, scores[place], because[place]) for place in places]


def _found(
    catalog: Catalog, place: tuple[str, int], score: float, because: dict[str, float]
) -> Found:
    title_id, number = place
    span = catalog.shots(title_id)[number].span
    said = [cue.text for cue in catalog.cues(title_id) if span.touches(cue.span)]
    return Found(score, title_id, number, span, because, "\n".join(said))


def _unit(x_D: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
    x_D = np.asarray(x_D, np.float32)
    unit_D: npt.NDArray[np.float32] = x_D / max(float(np.linalg.norm(x_D)), 1e-12)
    return unit_D


def _cosines(
    x_ND: npt.NDArray[np.floating], unit_D: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    x_ND = np.asarray(x_ND, np.float32)
    cosines_N: npt.NDArray[np.float32] = (x_ND @ unit_D) / np.maximum(
        np.linalg.norm(x_ND, axis=1), 1e-12
    )
    return cosines_N
