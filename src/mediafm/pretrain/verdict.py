"""The verdict of a training run, in numbers and in plain words."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from pydantic import TypeAdapter

from mediafm.pretrain.data import Chance
from mediafm.pretrain.evaluate import MODEL, Scores

Outcome = Literal["context wins", "no gain", "unknown"]
_INSTEAD = (
    "use the encoders' features as they are (mediafm similar --features fused), "
    "or train on more titles"
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether context beats what needs no model, on validation titles.

    Args:
        outcome: ``context wins`` if the whole interval of the margin lies above zero; ``unknown``
            where nothing could be held out.
        text: The same in plain words, with what to do.
        margin: The model's mean cosine at masked shots minus the best baseline's.
        interval: 95% bootstrap interval of the margin.
        best_baseline: The baseline with the highest mean cosine.
        resampled: What the bootstrap resamples: ``titles``, or ``shots`` with one or two titles.
        titles: Validation titles.
        shots: Different masked shots.
        cosine: Predictor to mean cosine with the true shot.
        reciprocal_rank: Predictor to mean reciprocal rank of the true shot in its title.
        median_rank_percent: Predictor to the median rank in percent of the title's shots.
        modality: Modality to predictor to mean cosine.
    """

    outcome: Outcome
    text: str
    margin: float | None = None
    interval: tuple[float, float] | None = None
    best_baseline: str | None = None
    resampled: str | None = None
    titles: int = 0
    shots: int = 0
    cosine: dict[str, float] = field(default_factory=dict)
    reciprocal_rank: dict[str, float] = field(default_factory=dict)
    median_rank_percent: dict[str, float] = field(default_factory=dict)
    modality: dict[str, dict[str, float]] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The verdict as JSON says it."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Verdict:
        """Reads what :meth:`to_dict` wrote.

        Raises:
            ValueError: Somebody changed it.
        """
        known = {f.name: values[f.name] for f in dataclasses.fields(cls) if f.name in values}
        return TypeAdapter(cls).validate_python(known)


def judge(scores: Scores | None, *, note: str = "", seed: int = 0, draws: int = 2000) -> Verdict:
    """Compares the model with the best baseline on the same masked shots.

    The margin's interval is a percentile bootstrap over titles, because shots of one title are
    not independent. With one or two titles there is nothing to resample but their shots; the
    interval then says nothing about other titles, and the text says so.

    Args:
        scores: Of the validation titles; ``None`` or empty where there are none.
        note: What the user should know about the split.
        seed: Decides the bootstrap.
        draws: Bootstrap samples.
    """
    if scores is None or not len(scores.title_S):
        why = note or "no validation title has two shots with features that say anything"
        return Verdict(
            "unknown",
            f"No verdict: {why}. Whether context helps is not known; add titles, or "
            f"compare mediafm similar with --features context and --features fused.",
        )
    cosine = {name: float(values.mean()) for name, values in scores.cosine.items()}
    best = max((name for name in cosine if name != MODEL), key=cosine.__getitem__)
    gain_S = scores.cosine[MODEL] - scores.cosine[best]
    titles = len(np.unique(scores.title_S))
    shots = np.unique(np.stack([scores.title_S, scores.shot_S]), axis=1).shape[1]
    resampled = "titles" if titles > 2 else "shots"
    if resampled == "titles":
        _, unit_S = np.unique(scores.title_S, return_inverse=True)
    else:
        stride = int(scores.shot_S.max()) + 1
        _, unit_S = np.unique(scores.title_S * stride + scores.shot_S, return_inverse=True)
    totals = np.bincount(unit_S, weights=gain_S)
    counts = np.bincount(unit_S)
    rng = np.random.default_rng([seed, Chance.RESAMPLING])
    drawn = rng.integers(len(totals), size=(draws, len(totals)))
    means = totals[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    low, high = (float(v) for v in np.percentile(means, [2.5, 97.5]))
    margin = float(gain_S.mean())
    outcome: Outcome = "context wins" if low > 0 else "no gain"
    return Verdict(
        outcome,
        _text(outcome, cosine, best, margin, (high - low) / 2, titles, shots, note)
        + _behind(scores.modality),
        margin,
        (low, high),
        best,
        resampled,
        titles,
        shots,
        cosine,
        {name: float((1 / values).mean()) for name, values in scores.rank.items()},
        {name: float(np.median(values) * 100) for name, values in scores.share.items()},
        scores.modality,
    )


def _behind(modality: dict[str, dict[str, float]]) -> str:
    """In which modalities the model loses, although it may win over all."""
    words = []
    for name, cosine in modality.items():
        best = max((other for other in cosine if other != MODEL), key=cosine.__getitem__)
        if cosine[best] > cosine[MODEL]:
            words.append(f"{name} ({best}: {cosine[best]:.3f} against {cosine[MODEL]:.3f})")
    return f" A baseline is closer in {', '.join(words)}." if words else ""


def _text(
    outcome: Outcome,
    cosine: dict[str, float],
    best: str,
    margin: float,
    half: float,
    titles: int,
    shots: int,
    note: str,
) -> str:
    against = f"the best baseline ({best}, {cosine[best]:.3f})"
    where = f"on {titles} validation title{'s' * (titles != 1)} ({shots} masked shots)"
    numbers = f"cosine {cosine[MODEL]:.3f}, {margin:+.3f} ± {half:.3f}"
    if outcome == "context wins":
        text = f"Context helps: the model predicts masked shots better than {against} {where}: "
    elif margin > 0:
        text = f"Context is not shown to help: its lead over {against} may be chance {where}: "
    else:
        text = f"Context does not help here: the model does not beat {against} {where}: "
    text += f"{numbers}."
    if outcome != "context wins":
        text += f" What to do: {_INSTEAD}."
    if titles <= 2:
        text += " The ± is over the shots of so few titles and says little about other titles."
    return text + (f" Note: {note}." if note else "")
