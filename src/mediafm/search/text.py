"""Shots that fit a sentence: by the words of their timed text, and by what encoders know of them.

Each way ranks the shots for itself: the timed text by the words that it shares with the sentence,
and every encoder that turns a sentence into a vector among those of its shots. The ranks are fused.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from mediafm.catalog import Catalog
from mediafm.encoders import EMBEDDED, EncoderSource, QueryEncoder, Vocabulary, open_encoder
from mediafm.encoders.devices import resolve_devices
from mediafm.errors import EncoderError, FingerprintError, MediaFMError, MissingExtraError
from mediafm.search.explain import words
from mediafm.search.filters import EVERYWHERE, Filter
from mediafm.timeline import Shot, Span, touched

LOG = logging.getLogger(__name__)

WORDS = "words"
"""The way that needs no encoder: words of the sentence in the timed text."""

_RRF = 60
"""Reciprocal rank fusion: ranks count as 1 / (60 + rank), from 1 (Cormack et al., SIGIR 2009)."""

_STANDS_OUT = 0.5
"""Standard deviations above the mean of a modality's cosines from which a shot counts: where a
modality knows nothing of what is looked for, its order is noise."""

_SAMPLE = 20_000
"""Shots by which mean and deviation are known well enough."""

_EQUAL = 1e-3
"""Cosines of half-precision vectors that differ by less are the same."""

_DEPTH = 10
"""Shots that each way puts forward, as a multiple of those asked for."""

_FOREIGN = 0.2
"""Share of unknown pieces from which an encoder is not asked: it would answer at random."""


@dataclass(frozen=True, slots=True)
class Found:
    """A shot that fits.

    Args:
        score: Sum of the reciprocal ranks.
        title_id: Its title.
        shot: Its number.
        span: Its time.
        because: The ways that put it forward: a modality and its cosine, ``words`` and BM25.
        cue: The cue with the words, where ``words`` is among them.
        text: What is said in it.
    """

    score: float
    title_id: str
    shot: int
    span: Span
    because: dict[str, float] = field(default_factory=dict)
    cue: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a search found.

    Args:
        found: Best first.
        by: The ways that were taken.
        notes: What a user should know, such as a way that could not be taken.
    """

    found: list[Found]
    by: tuple[str, ...]
    notes: tuple[str, ...] = ()


def query_encoders(
    catalog: Catalog, device: str = "auto", only: Collection[str] | None = None
) -> dict[str, QueryEncoder]:
    """Loads the encoders of a catalog that take sentences.

    Args:
        catalog: The catalog.
        device: See :func:`~mediafm.encoders.devices.resolve_devices`.
        only: Modalities that are asked for; all by default.

    Returns:
        Modality to encoder: timed text always, pictures and sound where the checkpoint has a text
        tower. Empty where none takes sentences.

    Raises:
        EncoderError: An encoder of pictures, sound or text is not there any more; a further
            modality whose encoder is not there is left out.
        FingerprintError: It is there, but is another one by now.
        MediaFMError: A modality is named whose encoder takes no sentences.
    """
    held = catalog.encoders()
    sources = query_sources(catalog, only)
    for modality in sorted(set(only or ()) - sources.keys() - {WORDS}):
        if modality not in held:
            raise MediaFMError(
                f"there is no way '{modality}' to search",
                do=f"choose {' or '.join([WORDS, *held])}",
            )
        raise MediaFMError(
            f"its {modality} encoder, {held[modality].name}, has no text tower: no sentence can be "
            f"compared with {modality}",
            where=catalog.uri,
            do=f"give it one that has (`mediafm reencode --{modality} ...`), or search by {WORDS}",
        )
    return {modality: source.load(resolve_devices(device)) for modality, source in sources.items()}


def query_sources(
    catalog: Catalog, only: Collection[str] | None = None
) -> dict[str, EncoderSource]:
    """The encoders of a catalog that take sentences, without loading their weights.

    Args:
        catalog: The catalog.
        only: Modalities that are asked for; all by default.

    Raises:
        EncoderError, FingerprintError: As :func:`query_encoders`.
    """
    found: dict[str, EncoderSource] = {}
    for modality, record in catalog.encoders().items():
        if only is not None and modality not in only:
            continue
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
        found[modality] = source
    return found


def check_query(query: str) -> None:
    """Refuses a query that says nothing.

    Raises:
        MediaFMError: It has no letters and no digits.
    """
    if not any(letter.isalnum() for letter in query):
        raise MediaFMError("there is nothing to look for", do="say what the shot shows")


def search(
    catalog: Catalog,
    query: str,
    count: int = 10,
    *,
    encoders: Mapping[str, QueryEncoder] | None = None,
    where: Filter = EVERYWHERE,
    by: Collection[str] | None = None,
) -> Answer:
    """Finds the shots that fit a sentence best.

    Args:
        catalog: The catalog.
        query: What to look for.
        count: How many to find.
        encoders: Modality to encoder, from :func:`query_encoders`, to load them once only.
        where: Where to look.
        by: The ways to take: modalities, and ``words``; all by default.

    Raises:
        MediaFMError: The query is empty, there is no such way, or none can read the query.
    """
    check_query(query)
    if encoders is None:
        encoders = query_encoders(catalog, only=by)
    ways = [m for m in encoders if by is None or m in by]
    ranking = _Ranking(catalog, where, _DEPTH * count)
    notes = []
    for modality in ways:
        encoder = encoders[modality]
        if isinstance(encoder, Vocabulary) and encoder.foreign(query) > _FOREIGN:
            name = catalog.encoders()[modality].name
            notes.append(f"the {modality} encoder, {name}, does not know the language of the query")
            continue
        ranking.vectors(modality, encoder.encode_queries([query])[0])
    if by is None or WORDS in by:
        ways.append(WORDS)
        ranking.words(query)
    nobody = len(notes) == len(encoders) and (notes or by is None)
    if nobody and not ranking.scores:
        what = "; ".join(notes) or "none of its encoders takes sentences"
        raise MediaFMError(
            f"{what}, and no cue has its words" if WORDS in ways else what,
            where=catalog.uri,
            do="ask in a language that it knows, or give it a text encoder with `mediafm reencode`"
            if notes
            else "give it one with `mediafm reencode --text use-multilingual`",
        )
    return Answer(ranking.best(count), tuple(ways), tuple(notes))


class _Ranking:
    """Shots, as several ways rank them."""

    def __init__(self, catalog: Catalog, where: Filter, depth: int):
        self.catalog, self.where, self.depth = catalog, where, depth
        self.within = where.within(catalog)
        self.scores: dict[tuple[str, int], float] = {}
        self.because: dict[tuple[str, int], dict[str, float]] = {}
        self.cues: dict[tuple[str, int], str] = {}
        self._shots: dict[str, list[Shot]] = {}

    def vectors(self, modality: str, query_D: npt.NDArray[np.floating]) -> None:
        """Ranks by the cosine of what an encoder says."""
        least = self._level(modality, query_D)
        number = self.depth
        while True:
            near = self.catalog.nearest_features(modality, query_D, number, titles=self.within)
            good = [n for n in near if n.cosine > least + _EQUAL]
            kept = [n for n in good if self._holds(n.title_id, n.shot)]
            if len(kept) >= self.depth or len(good) < len(near) or len(near) < number:
                break
            number *= 4
        for rank, (title_id, shot, cosine) in enumerate(kept[: self.depth], 1):
            self._add(modality, (title_id, shot), rank, cosine)

    def words(self, query: str) -> None:
        """Ranks by the words that a cue shares with the query."""
        rank = 0
        for title_id, cue, score in self.catalog.said(query, self.depth, titles=self.within):
            shots = touched(self._shots_of(title_id), cue.span)
            if not shots:
                continue
            best = max(shots, key=lambda shot: shot.span.overlap(cue.span))
            place = (title_id, best.index)
            if self._holds(*place) and WORDS not in self.because.get(place, {}):
                rank += 1
                self._add(WORDS, place, rank, score)
                self.cues[place] = cue.text

    def best(self, count: int) -> list[Found]:
        """The shots that are ranked highest by all ways together."""
        places = sorted(self.scores, key=lambda place: (-self.scores[place], place))[:count]
        return [self._found(place) for place in places]

    def _found(self, place: tuple[str, int]) -> Found:
        title_id, number = place
        span = self._shots_of(title_id)[number].span
        return Found(
            self.scores[place],
            title_id,
            number,
            span,
            self.because[place],
            self.cues.get(place, ""),
            words(self.catalog, title_id, span),
        )

    def _add(self, way: str, place: tuple[str, int], rank: int, evidence: float) -> None:
        self.scores[place] = self.scores.get(place, 0.0) + 1 / (_RRF + rank)
        self.because.setdefault(place, {})[way] = round(evidence, 4)

    def _level(self, modality: str, query_D: npt.NDArray[np.floating]) -> float:
        """The cosine from which a shot stands out."""
        titles = [t for t in self.catalog.titles() if t.shots]
        every = max(1, sum(t.shots for t in titles) // _SAMPLE)
        ids = [title.title_id for title in titles[::every]]
        cosines = [np.zeros(0, np.float32)]
        for title in self.catalog.title_features(ids, [modality]):
            x_ND = title.features[modality][title.present[modality]].astype(np.float32)
            norm_N = np.maximum(np.linalg.norm(x_ND, axis=1), 1e-12)
            cosines.append(x_ND @ np.asarray(query_D, np.float32) / norm_N)
        all_N = np.concatenate(cosines) / max(float(np.linalg.norm(query_D)), 1e-12)
        return float(all_N.mean() + _STANDS_OUT * all_N.std()) if len(all_N) else 1.0

    def _shots_of(self, title_id: str) -> Sequence[Shot]:
        if title_id not in self._shots:
            self._shots[title_id] = self.catalog.shots(title_id)
        return self._shots[title_id]

    def _holds(self, title_id: str, shot: int) -> bool:
        if not self.where.in_time:
            return True
        shots = self._shots_of(title_id)
        return shot < len(shots) and self.where.holds(shots[shot].span)
