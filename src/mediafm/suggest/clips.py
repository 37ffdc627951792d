"""Promotional clips of a title. ``mediafm suggest clips``.

Candidates begin and end with a shot, and cut nobody short. The fitted probes ``clip-retrieval`` (is
it what an editor would choose) and ``clip-popularity`` (do people click on it) rank them; where
neither is there, how much a clip stands out from its title in context, and how much is said in it.

Shapes: N shots of a title, M candidates, H the width of an embedding.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from mediafm.catalog import Catalog
from mediafm.catalog.clip import pooled, shots_of, times_of, unit
from mediafm.errors import MediaFMError
from mediafm.suggest.fitted import FittedProbes, noted
from mediafm.suggest.speech import spoken_share
from mediafm.suggest.suggestion import (
    Scores,
    Suggestion,
    Suggestions,
    diverse,
    of_others,
    percentile,
)
from mediafm.timeline import US, Clip, Cue, Shot, Span

CHOSEN, CLICKED = "clip-retrieval", "clip-popularity"
SHORTEST, LONGEST = 5 * US, 60 * US
SPOILER = 0.85
"""Share of a title after which nothing is suggested unless asked for: how it ends."""

_LENGTHS = tuple(seconds * US for seconds in (8, 15, 30, 45, 60))
_SLACK = US // 4  # by how much a cue may outlast its shot: subtitles stay a little longer
_SENTENCE_END = re.compile(r"""[.!?…。！？]["'”’»)\]]*$""")
_PUNCTUATED = 0.2  # share of cues that end a sentence, below which they say nothing of sentences


def suggest_clips(
    catalog: Catalog,
    title_id: str,
    count: int = 5,
    *,
    probes: FittedProbes | None = None,
    version: str | None = None,
    shortest: int = SHORTEST,
    longest: int = LONGEST,
    spoilers: bool = False,
) -> Suggestions:
    """Suggests promotional clips.

    Args:
        catalog: The catalog.
        title_id: The title.
        count: How many.
        probes: Where the probes are looked for; none by default.
        version: Version of the embeddings, by which clips are told apart.
        shortest: Microseconds that a clip lasts at least.
        longest: Microseconds that a clip lasts at most.
        spoilers: Whether the last part of the title may be shown.

    Returns:
        Clips, best first, none overlapping another; none where no run of shots fits.

    Raises:
        CatalogError: There is no such title, or it is not embedded.
        MediaFMError: No clip can last so long, or the title has no shots.
    """
    if shortest <= 0:
        raise MediaFMError("clips of no length are none", do="name a least length above 0")
    if shortest > longest:
        raise MediaFMError(
            f"no clip lasts at least {shortest / US:g} s and at most {longest / US:g} s",
            do="swap the lengths",
        )
    shots, cues = catalog.shots(title_id), catalog.cues(title_id)
    if not shots:
        raise MediaFMError("the title has no shots", where=title_id)
    e_NH = catalog.embeddings(version, title_id)
    end = shots[0].span.start + SPOILER * (shots[-1].span.end - shots[0].span.start)
    spans = [
        span for span in candidates(shots, cues, shortest, longest) if spoilers or span.end <= end
    ]
    if not spans:
        said = (
            f"no run of shots lasts {shortest / US:g} to {longest / US:g} s without cutting speech"
        )
        if not spoilers:
            said += f", before the last {100 * (1 - SPOILER):.0f}% (--spoilers)"
        return Suggestions(title_id, "clips", [], (), noted(probes, (said,)))
    x_MH = _pooled(unit(e_NH - e_NH.mean(axis=0)), shots, spans)
    ranked, evidence, by, notes = _rank(catalog, title_id, spans, x_MH, e_NH, cues, probes)
    picked = diverse(ranked, x_MH, spans, count)
    found = [
        Suggestion(
            title_id,
            spans[i],
            round(float(ranked[i]), 4),
            _reasons(spans[i], {name: float(p_M[i]) for name, (_, p_M) in evidence.items()}, cues),
            {name: round(float(x_M[i]), 4) for name, (x_M, _) in evidence.items()},
        )
        for i in picked
    ]
    return Suggestions(title_id, "clips", found, by, notes)


def candidates(
    shots: Sequence[Shot], cues: Sequence[Cue], shortest: int, longest: int
) -> list[Span]:
    """Runs of shots that a clip may be: of some usual lengths, and cutting nobody short.

    Args:
        shots: Of a title.
        cues: Its timed text.
        shortest: Microseconds.
        longest: Microseconds.
    """
    clean = Boundaries(cues)
    ends = np.array([shot.span.end for shot in shots])
    found = []
    for first in shots:
        start = first.span.start
        if not clean.begins(start):
            continue
        lasts = ends - start
        fitting = np.flatnonzero((lasts >= shortest) & (lasts <= longest))
        fitting = fitting[[clean.ends(int(ends[i])) for i in fitting]]
        if len(fitting):
            wanted = [min(max(length, shortest), longest) for length in _LENGTHS]
            nearest = {int(fitting[np.abs(lasts[fitting] - length).argmin()]) for length in wanted}
            found += [Span(start, int(ends[i])) for i in sorted(nearest)]
    return found


class Boundaries:
    """Where a title may be cut without cutting speech.

    Args:
        cues: Its timed text.
    """

    def __init__(self, cues: Sequence[Cue]):
        spoken = sorted((cue for cue in cues if cue.kind != "sound"), key=lambda cue: cue.span)
        self._spans = [cue.span for cue in spoken]
        self._whole = [bool(_SENTENCE_END.search(cue.text.strip())) for cue in spoken]
        self._starts = np.array([span.start for span in self._spans], np.int64)
        # Of cues that overlap, the last to end: they are few, and speech goes on till then.
        self._ends = np.maximum.accumulate(np.array([s.end for s in self._spans], np.int64))
        if np.mean(self._whole or [False]) < _PUNCTUATED:
            self._whole = [True] * len(spoken)

    def speaks(self, time: int) -> bool:
        """Whether a cue goes on well before and after an instant."""
        last = int(np.searchsorted(self._starts, time - _SLACK, side="left")) - 1
        return last >= 0 and int(self._ends[last]) > time + _SLACK

    def begins(self, time: int) -> bool:
        """Whether what is said from an instant on does not need what was said before."""
        return not self.speaks(time) and self._sentence_over(time)

    def ends(self, time: int) -> bool:
        """Whether what was said until an instant is over."""
        return not self.speaks(time) and self._sentence_over(time)

    def _sentence_over(self, time: int) -> bool:
        last = int(np.searchsorted(self._starts, time - _SLACK, side="left")) - 1
        return last < 0 or self._whole[last]

    def pause(self, time: int) -> int:
        """Microseconds from an instant to the nearest speech; 0 within it."""
        next_ = int(np.searchsorted(self._starts, time, side="left"))
        after = int(self._starts[next_]) - time if next_ < len(self._starts) else _FAR
        before = time - int(self._ends[next_ - 1]) if next_ else _FAR
        return max(0, min(after, before))


_FAR = 24 * 3600 * US


def _pooled(x_NH: npt.NDArray[np.float32], shots: Sequence[Shot], spans: Sequence[Span]) -> Scores:
    times_N2 = times_of(list(shots))
    rows = []
    for span in spans:
        first, covered_K = shots_of(times_N2, span)
        rows.append(pooled(x_NH[first : first + len(covered_K)], covered_K))
    return np.stack(rows).astype(np.float64)


def _rank(
    catalog: Catalog,
    title_id: str,
    spans: list[Span],
    x_MH: Scores,
    e_NH: npt.NDArray[np.float32],
    cues: Sequence[Cue],
    probes: FittedProbes | None,
) -> tuple[Scores, dict[str, tuple[Scores, Scores]], tuple[str, ...], tuple[str, ...]]:
    """Scores of the candidates, the evidence for each (numbers and percentiles), and by what."""
    clips = [Clip(title_id, span) for span in spans]
    evidence: dict[str, tuple[Scores, Scores]] = {}
    for name in (CHOSEN, CLICKED):
        if probes is not None and probes.get(name) is not None:
            score_M = probes.scores(name, clips)[:, 0]
            if not np.isnan(score_M).all():
                evidence[name] = (
                    np.nan_to_num(score_M, nan=np.nanmin(score_M)),
                    percentile(score_M),
                )
    notes: list[str] = []
    if not evidence:
        shots = catalog.shots(title_id)
        mean_H = e_NH.mean(axis=0)
        apart_M = 1 - _pooled(e_NH, shots, spans) @ unit(mean_H[None])[0]
        evidence["stands out"] = (apart_M, percentile(apart_M))
        spoken = any(cue.kind == "speech" for cue in cues)
        if spoken:
            said_M = spoken_share(spans, cues)
            evidence["speech"] = (said_M, percentile(np.minimum(said_M, 0.7)))
        instead = "by what stands out" + (", and by what is said" if spoken else "")
        notes.append(f"neither '{CHOSEN}' nor '{CLICKED}' is fitted: {instead}")
    score_M = np.mean([p_M for _, p_M in evidence.values()], axis=0)
    return score_M, evidence, tuple(evidence), noted(probes, notes)


_WORDS = {
    CHOSEN: "like what editors chose",
    CLICKED: "like what people click on",
    "stands out": "stands out from the title",
    "speech": "speech",
}


def _reasons(span: Span, shares: dict[str, float], cues: Sequence[Cue]) -> tuple[str, ...]:
    ordered = sorted(shares.items(), key=lambda item: -item[1])
    found = [f"{_WORDS[name]}: above {of_others(share)} candidates" for name, share in ordered]
    spoken = [c.text for c in cues if c.kind == "speech" and span.touches(c.span)]
    said = [" ".join(text.split()) for text in spoken]
    if said:
        found.append(f"“{said[0]}”" if len(said) == 1 else f"“{said[0]}” … “{said[-1]}”")
    return tuple(found)
