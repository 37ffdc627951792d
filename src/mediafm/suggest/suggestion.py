"""What all suggestions have in common."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from mediafm.timeline import Clip, Span

Vectors = npt.NDArray[np.floating]
Scores = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A place in a title, and why.

    Args:
        title_id: The title.
        span: Where; an ad break has no length.
        score: What orders the suggestions of a title, 0 .. 1.
        reasons: Why, in words, the strongest first.
        evidence: The numbers behind it, by name.
    """

    title_id: str
    span: Span
    score: float
    reasons: tuple[str, ...] = ()
    evidence: dict[str, float] = field(default_factory=dict)

    @property
    def clip(self) -> Clip:
        """The place, as a clip."""
        return Clip(self.title_id, self.span)


@dataclass(frozen=True, slots=True)
class Suggestions:
    """What is suggested for a title.

    Args:
        title_id: The title.
        kind: ``clips``, ``artwork``, ``ad-breaks``.
        found: Best first.
        by: What decided: names of probes, and of what stood in for those that are not fitted.
        notes: What a user should know.
    """

    title_id: str
    kind: str
    found: list[Suggestion]
    by: tuple[str, ...]
    notes: tuple[str, ...] = ()


def percentile(score_N: npt.ArrayLike) -> Scores:
    """The share of a title's other candidates that each one is above; ties count half.

    Args:
        score_N: Scores of any scale; NaN, where nothing is known, is below all.

    Returns:
        ``p_N``, 0 .. 1; one half for a single candidate.
    """
    from scipy.stats import rankdata

    x_N = np.nan_to_num(np.asarray(score_N, np.float64), nan=-np.inf, posinf=np.inf, neginf=-np.inf)
    if len(x_N) < 2:
        return np.full(len(x_N), 0.5)
    shares: Scores = (rankdata(x_N) - 1) / (len(x_N) - 1)
    return shares


def of_others(share: float) -> str:
    """A share of the others in words: ``84% of the other``, ``all other``."""
    whole = round(100 * share)
    if whole in (0, 100):
        return "all other" if whole else "none of the other"
    return f"{whole}% of the other"


def diverse(
    score_N: Scores, x_NH: Vectors, spans: list[Span], count: int, weight: float = 0.5
) -> list[int]:
    """Picks candidates that are good, and unlike those picked before.

    Maximal marginal relevance (Carbonell and Goldstein 1998): the score minus the largest cosine
    with what was picked, the latter weighted. None overlaps another.

    Args:
        score_N: How good each is, 0 .. 1.
        x_NH: Unit vectors that say what each is like.
        spans: Where each is.
        count: How many.
        weight: Of unlikeness.

    Returns:
        Places of the picked ones, in the order of picking.
    """
    picked: list[int] = []
    free_N = np.ones(len(spans), np.bool_)
    nearest_N = np.zeros(len(spans))
    starts = np.array([span.start for span in spans])
    ends = np.array([span.end for span in spans])
    while len(picked) < count and free_N.any():
        best = int(np.argmax(np.where(free_N, score_N - weight * nearest_N, -np.inf)))
        picked.append(best)
        free_N &= (ends <= starts[best]) | (starts >= ends[best])
        free_N[best] = False
        nearest_N = np.maximum(nearest_N, x_NH @ x_NH[best])
    return picked
