"""What a head is given of a clip: which vectors of its shots, in context or of the clip alone.

Shapes: N shots of a title, E components of one part, D of all parts, M clips of a title.
"""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from mediafm.catalog.clip import shots_of
from mediafm.catalog.records import EncoderRecord, TitleFeatures, VersionRecord
from mediafm.errors import MediaFMError
from mediafm.progress import Progress, Silent
from mediafm.timeline import Clip, Span

if TYPE_CHECKING:
    from mediafm.embed import Embedder

Vectors = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Block = tuple[Vectors, Mask]
"""Vectors of shots, zeros where there is none, and where there is one."""

WORDS = ("context", "untrained", "fused", "concatenated")
"""Sources beside the modalities."""
SHORT = {"window": "fused:window4", "neighbours": "fused:around1"}
FARTHEST = 64
_PART = re.compile(r"([A-Za-z0-9_-]+)((?::(?:window|sides|around|step)\d{1,2})*)")
_BATCH_SHOTS = 4096


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a specification: vectors of the shots, and how neighbours join them.

    Args:
        source: ``context``, ``untrained``, ``fused``, or a modality.
        readouts: What joins the shot's own vector, with the shots on each side: ``window``, the
            mean over the neighbourhood; ``sides``, the mean of the shots before it, and that of
            the shots from it on; ``step``, how the second of these differs from the first;
            ``around``, the vector of each neighbour.
    """

    source: str
    readouts: tuple[tuple[str, int], ...] = ()

    def __str__(self) -> str:
        return ":".join([self.source, *(f"{kind}{reach}" for kind, reach in self.readouts)])


@dataclass(frozen=True, slots=True)
class FeatureSpec:
    """What a head is given.

    Args:
        parts: Concatenated in this order.
        alone: Whether the model sees the clip only, and not the title around it.
        use_metadata: Whether [GLOBAL] sees the title's metadata.
    """

    parts: tuple[Part, ...]
    alone: bool = False
    use_metadata: bool = True

    @classmethod
    def parse(
        cls,
        text: str,
        modalities: Sequence[str],
        *,
        alone: bool = False,
        use_metadata: bool = True,
    ) -> FeatureSpec:
        """Reads what a user typed.

        Args:
            text: Names joined by ``+``: ``context`` (contextual embeddings), ``untrained`` (the
                same network with random weights), ``fused``, ``window`` (fused, and the mean of
                nine shots), ``neighbours``, ``concatenated`` (the encoders' vectors as they are),
                or a modality. Any may be followed by ``:window4``, ``:sides4``, ``:around2``,
                ``:step3`` or several of them.
            modalities: Those of the catalog.
            alone: See the class.
            use_metadata: See the class.

        Raises:
            MediaFMError: There is no such name.
        """
        parts: list[Part] = []
        for word in text.split("+"):
            name = SHORT.get(word.strip(), word.strip())
            match = _PART.fullmatch(name)
            if match is None or (match[1] not in WORDS and match[1] not in modalities):
                raise MediaFMError(
                    f"there are no features '{word.strip()}'",
                    do=f"join any of {', '.join([*WORDS, *SHORT, *modalities])} by +, each with or "
                    "without :window4, :sides4, :around2 or :step3 (shots on each side)",
                )
            found = re.findall(r"([a-z]+)(\d+)", match[2])
            readouts = tuple((kind, int(reach)) for kind, reach in found)
            for _, reach in readouts:
                if not 1 <= reach <= FARTHEST:
                    raise MediaFMError(f"'{name}' reaches {reach} shots, must be 1 to {FARTHEST}")
            sources = modalities if match[1] == "concatenated" else [match[1]]
            parts += [Part(own, readouts) for own in sources]
        return cls(tuple(parts), alone, use_metadata)

    @property
    def needs_model(self) -> bool:
        """Whether a model is needed, and not only what the catalog holds."""
        sources = {part.source for part in self.parts}
        stored = not self.alone and self.use_metadata
        return bool(sources & {"untrained", "fused"}) or ("context" in sources and not stored)

    @property
    def reads_model(self) -> bool:
        """Whether another model of the same architecture would give other features."""
        return any(part.source == "context" for part in self.parts)

    @property
    def sees_global(self) -> bool:
        """Whether anything in it has seen the title's metadata."""
        return self.use_metadata and any(p.source in ("context", "untrained") for p in self.parts)


class FeatureStore(Protocol):
    """What features need of a catalog."""

    def encoders(self) -> dict[str, EncoderRecord]:
        """Modality to its encoder."""

    def version(self, name: str | None = None) -> VersionRecord:
        """A version of contextual embeddings."""

    def embeddings(self, name: str | None, title_id: str) -> Vectors:
        """The contextual embeddings of a title."""

    def title_features(
        self, ids: Sequence[str] | None = None, modalities: Sequence[str] | None = None
    ) -> Iterator[TitleFeatures]:
        """Features of titles, in the order of the ids."""


class ClipFeatures:
    """Vectors of clips.

    Args:
        catalog: Where the features and embeddings are.
        spec: What is wanted.
        version: Name of the stored version, the current one by default; read where it serves.
        embedder: The model, where the specification needs one.
        seed: Draws the weights of ``untrained``.
    """

    def __init__(
        self,
        catalog: FeatureStore,
        spec: FeatureSpec,
        version: str | None = None,
        embedder: Embedder | None = None,
        *,
        seed: int = 0,
    ):
        self.catalog, self.spec, self.version, self.embedder = catalog, spec, version, embedder
        sources = {part.source for part in spec.parts}
        if embedder is None and spec.needs_model:
            raise MediaFMError(f"{spec_text(spec)} needs the model itself", do="name it: --model")
        self.untrained = embedder.untrained(seed) if embedder and "untrained" in sources else None
        self.modalities = self._modalities(sources)

    def _modalities(self, sources: set[str]) -> list[str] | None:
        """What has to be read: nothing but times where stored embeddings are enough."""
        held = self.catalog.encoders()
        if self.embedder is not None and self.spec.needs_model:
            wanted = {*self.embedder.modalities} & set(held)
        else:
            wanted = set()
        wanted |= sources - {*WORDS}
        # At least one, because no list at all means every modality.
        return sorted(wanted) or sorted(held)[:1]

    def of(self, clips: Sequence[Clip], progress: Progress | None = None) -> Vectors:
        """The vectors of clips.

        Args:
            clips: Sorted by title.
            progress: Where to report, in clips.

        Returns:
            ``x_MD``, one row per clip: the vectors of its shots, averaged by how long each is in
            it. A modality is averaged over the shots that have it; zeros where none has.

        Raises:
            CatalogError: There is no such title, or it is not embedded.
            FingerprintError: The model was trained on other encoders.
        """
        by_title: dict[str, list[int]] = {}
        for place, clip in enumerate(clips):
            by_title.setdefault(clip.title_id, []).append(place)
        found: Vectors | None = None
        with (progress or Silent()).task("features", len(clips), "clips") as task:
            for title in self.catalog.title_features(list(by_title), self.modalities):
                places = by_title[title.title_id]
                x_MD = self._title(title, [clips[i].span for i in places])
                if found is None:
                    found = np.zeros((len(clips), x_MD.shape[1]), np.float32)
                found[places] = x_MD
                task.advance(len(places))
        return np.zeros((0, 0), np.float32) if found is None else found

    def _title(self, title: TitleFeatures, spans: Sequence[Span]) -> Vectors:
        if not self.spec.alone:
            overlap = [shots_of(title.times_N2, span) for span in spans]
            blocks = [b for part in self.spec.parts for b in self._part(title, part, None)]
            return np.concatenate([_pool(x, here, overlap) for x, here in blocks], axis=1)
        cuts = [cut(title, span) for span in spans]
        overlap = [shots_of(own.times_N2, span) for own, span in zip(cuts, spans, strict=True)]
        columns = []
        for part in self.spec.parts:
            vectors = self._alone(cuts, part)
            rows = [
                np.concatenate([_pool(*b, [weight]) for b in self._part(own, part, x)], axis=1)
                for own, x, weight in zip(cuts, vectors, overlap, strict=True)
            ]
            columns.append(np.concatenate(rows))
        return np.concatenate(columns, axis=1)

    def _alone(self, cuts: Sequence[TitleFeatures], part: Part) -> list[Vectors | None]:
        """Contextual embeddings of clips that know nothing of their title, many at a time."""
        if part.source not in ("context", "untrained"):
            return [None] * len(cuts)
        found: list[Vectors | None] = []
        batch: list[TitleFeatures] = []
        for own in cuts:
            if batch and sum(map(len, batch)) + len(own) > _BATCH_SHOTS:
                found += self._contextual(batch, part.source)
                batch = []
            batch.append(own)
        return found + (self._contextual(batch, part.source) if batch else [])

    def _contextual(self, titles: Sequence[TitleFeatures], source: str) -> list[Vectors]:
        model = self.untrained if source == "untrained" else self.embedder
        assert model is not None
        return model.contextual(titles, use_metadata=self.spec.use_metadata)

    def _part(self, title: TitleFeatures, part: Part, given: Vectors | None) -> list[Block]:
        """Vectors of one part for every shot, and where they are there; its readouts after it."""
        here_N = np.ones(len(title), np.bool_)
        if given is not None:
            x_NE = given
        elif part.source == "fused":
            assert self.embedder is not None
            x_NE = self.embedder.fused(title)
        elif part.source == "untrained" or (part.source == "context" and self.spec.needs_model):
            x_NE = self._contextual([title], part.source)[0]
        elif part.source == "context":
            x_NE = self.catalog.embeddings(self.version, title.title_id)
        else:
            x_NE = title.features[part.source].astype(np.float32)
            here_N = title.present[part.source] & np.isfinite(x_NE).all(axis=1)
            x_NE = np.where(here_N[:, None], x_NE, np.float32(0))
        joined = [read_out(x_NE, here_N, kind, reach) for kind, reach in part.readouts]
        return [(x_NE, here_N), *itertools.chain(*joined)]


def spec_text(spec: FeatureSpec) -> str:
    """A specification as reports name it."""
    text = "+".join(str(part) for part in spec.parts)
    text += ", clip alone" if spec.alone else ""
    return text if spec.use_metadata else f"{text}, without [GLOBAL]"


def read_out(x_NE: Vectors, here_N: Mask, kind: str, reach: int) -> list[Block]:
    """What the shots around each shot add to it; see :class:`Part`.

    Args:
        x_NE: Vectors of the shots of a title.
        here_N: Where there is one; others are left out of means.
        kind: ``window``, ``sides``, ``step`` or ``around``.
        reach: Shots on each side.

    Returns:
        Blocks of width E, each with where it is there: one of ``window`` and ``step``, two of
        ``sides``, ``2 reach`` of ``around``, by distance, the earlier shot first. Zeros elsewhere,
        such as beyond the title's ends.
    """
    n = len(x_NE)
    if kind == "around":
        padded, there = np.pad(x_NE, ((reach, reach), (0, 0))), np.pad(here_N, reach)
        shifts = [sign * distance for distance in range(1, reach + 1) for sign in (-1, 1)]
        moved = [slice(reach + shift, reach + shift + n) for shift in shifts]
        return [(padded[some], there[some]) for some in moved]
    sum_NE = np.concatenate([np.zeros_like(x_NE[:1]), x_NE]).astype(np.float64).cumsum(axis=0)
    count_N = np.concatenate([[0], here_N.cumsum()])
    at = np.arange(n)

    def mean(first: npt.NDArray[np.int64], end: npt.NDArray[np.int64]) -> Block:
        first, end = first.clip(0, n), end.clip(0, n)
        many_N = count_N[end] - count_N[first]
        mean_NE = (sum_NE[end] - sum_NE[first]) / np.maximum(many_N, 1)[:, None]
        return np.asarray(mean_NE, np.float32), many_N > 0

    if kind == "window":
        return [mean(at - reach, at + reach + 1)]
    before, after = mean(at - reach, at), mean(at, at + reach)
    if kind == "step":
        both_N = before[1] & after[1]
        return [(np.where(both_N[:, None], after[0] - before[0], np.float32(0)), both_N)]
    return [before, after]


def cut(title: TitleFeatures, span: Span) -> TitleFeatures:
    """The part of a title that a span covers, as a title of its own."""
    first, covered_K = shots_of(title.times_N2, span)
    part = slice(first, first + len(covered_K))
    return dataclasses.replace(
        title,
        times_N2=title.times_N2[part],
        features={name: x_ND[part] for name, x_ND in title.features.items()},
        present={name: here_N[part] for name, here_N in title.present.items()},
    )


def _pool(
    x_NE: Vectors, here_N: Mask, overlap: Sequence[tuple[int, npt.NDArray[np.float64]]]
) -> Vectors:
    found = np.zeros((len(overlap), x_NE.shape[1]), np.float32)
    for place, (first, covered_K) in enumerate(overlap):
        part = slice(first, first + len(covered_K))
        weight_K = covered_K * here_N[part]
        if total := weight_K.sum():
            found[place] = (weight_K / total) @ x_NE[part]
    return found
