"""Training runs side by side: their numbers, in what they differ, and what compares."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from mediafm.errors import MediaFMError

State = Literal["finished", "stopped", "going on"]
Curve = npt.NDArray[np.float64]

_HIGHEST_FIRST = (
    *("cosine", "margin", "reciprocal_rank", "effective_rank", "verdict.margin"),
    *("shots_per_s", "steps", "shots"),
)


@dataclass(frozen=True, slots=True)
class Validation:
    """One validation while training, as the log keeps it; ``None`` where it does not.

    Args:
        step: Steps done before.
        cosine: Mean cosine at masked shots.
        reciprocal_rank: Mean reciprocal rank of the true shot in its title.
        effective_rank: Directions that the contextual embeddings use.
        modality: Modality to mean cosine.
    """

    step: int
    cosine: float
    reciprocal_rank: float | None = None
    effective_rank: float | None = None
    modality: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Run:
    """One training run. Shapes: S steps in the log; NaN where a line lacks the number.

    Args:
        folder: Its folder.
        name: What it is called among the others: its path below what they have in common.
        state: ``going on`` while a process trains in its folder.
        steps: Steps done.
        of_steps: Steps at most; training may end before.
        checkpoint: Step of the newest checkpoint, from which a stopped run continues.
        best_step: Step whose weights are kept.
        settings: What was chosen, and what the data decided.
        derived: What follows from that in the model.
        blocks: What makes the fused embedding; between runs, cosines compare only where alike.
        held_out: What was validated on: titles and how they are masked.
        start: Further facts: parameters, device, precision, processes.
        curves: ``step``, ``loss``, ``seconds``, ``shots``, ``shots_per_s``, ``waiting`` (share of
            the time), ``memory_gb``, each ``(S,)``.
        validations: By step.
        baselines: Prediction without a model to its ``cosine`` and ``reciprocal_rank``.
        verdict: What the run ended with, if it has ended.
        notes: What the reader should know, a line each.
    """

    folder: Path
    name: str
    state: State
    steps: int
    of_steps: int | None
    checkpoint: int | None
    best_step: int | None
    settings: dict[str, Any]
    derived: dict[str, Any]
    blocks: str
    held_out: str
    start: dict[str, Any]
    curves: dict[str, Curve]
    validations: list[Validation]
    baselines: dict[str, dict[str, float]]
    verdict: dict[str, Any]
    notes: list[str]

    @property
    def best(self) -> Validation | None:
        """The validation of the kept weights."""
        return next((v for v in self.validations if v.step == self.best_step), None)

    @property
    def best_baseline(self) -> str | None:
        """The prediction without a model that has the highest cosine."""
        cosines = {k: v["cosine"] for k, v in self.baselines.items() if "cosine" in v}
        return max(cosines, key=cosines.__getitem__, default=None)

    @property
    def margin(self) -> float | None:
        """Cosine at the best step minus the best baseline's, on the same masked shots."""
        best, baseline = self.best, self.best_baseline
        if best is None or baseline is None:
            return None
        return best.cosine - self.baselines[baseline]["cosine"]

    def measures(self) -> dict[str, Any]:
        """The numbers of the run by name, as the table shows them; ``None`` where unknown."""
        best, curves = self.best, self.curves
        seconds, waiting = curves["seconds"], curves["waiting"]
        timed = np.isfinite(seconds) & np.isfinite(waiting)
        waited = float((seconds[timed] * waiting[timed]).sum())
        total = float(seconds[timed].sum())
        return {
            "run": self.name,
            "folder": str(self.folder),
            "state": self.state,
            "steps": self.steps,
            "of_steps": self.of_steps,
            "checkpoint": self.checkpoint,
            "best_step": self.best_step,
            "cosine": best.cosine if best else None,
            "margin": self.margin,
            "best_baseline": self.best_baseline,
            "reciprocal_rank": best.reciprocal_rank if best else None,
            "effective_rank": best.effective_rank if best else None,
            "modality": best.modality if best else {},
            "loss": over(lambda x: x[-1], curves["loss"]),
            "shots_per_s": over(np.median, curves["shots_per_s"]),
            "waiting": waited / total if total > 0 else None,
            "memory_gb": over(np.max, curves["memory_gb"]),
            "seconds": over(np.sum, seconds),
            "shots": over(np.sum, curves["shots"]),
            "parameters": self.start.get("parameters"),
            "precision": self.start.get("precision"),
            "device": self.start.get("device"),
            "processes": self.start.get("processes"),
            "verdict": self.verdict,
        }


def differing(runs: Sequence[Run]) -> list[str]:
    """The settings in which runs differ.

    A setting that some runs do not know, because they were made by another version, counts as
    alike. What follows from the settings is left out: a size that differs says what the widths
    would say again.
    """
    changed = [key for key in _keys(run.settings for run in runs) if len(_values(runs, key)) > 1]
    for key in _keys(run.derived for run in runs):
        groups: dict[str, list[Run]] = {}
        for run in runs:
            groups.setdefault(json.dumps([run.settings.get(k) for k in changed]), []).append(run)
        if any(len(_values(group, key)) > 1 for group in groups.values()):
            changed.append(key)
    return changed


def setting(run: Run, key: str) -> Any:
    """A setting of a run, chosen or derived; ``None`` where it has none."""
    return run.settings.get(key, run.derived.get(key))


def _keys(every: Iterable[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(key for held in every for key in held))


def _values(runs: Sequence[Run], key: str) -> set[str]:
    return {json.dumps(setting(r, key)) for r in runs if key in r.settings or key in r.derived}


def caveats(runs: Sequence[Run]) -> list[str]:
    """Why numbers of runs do not compare, a line each; the first is about cosines alone."""
    found = []
    if not comparable(runs):
        found.append(
            "The runs differ in treatment, modalities or encoders, so that cosines, margins and "
            "losses do not compare: compare reciprocal ranks."
        )
    if len({run.held_out for run in runs}) > 1:
        found.append(
            "The runs were validated on different titles or with different masks: small "
            "differences may come from these."
        )
    return found


def comparable(runs: Sequence[Run]) -> bool:
    """Whether the runs predict the same vectors, so that their cosines compare."""
    return len({run.blocks for run in runs}) <= 1


def sort_runs(runs: Sequence[Run], key: str | None = None) -> list[Run]:
    """Runs in the order of a measure or a setting; those without it come last.

    Args:
        runs: The runs.
        key: A key of :meth:`Run.measures` or a setting, nested ones with dots; by default the
            cosine, or the reciprocal rank where cosines do not compare.

    Raises:
        MediaFMError: No run has such a key.
    """
    key = key or ("cosine" if comparable(runs) else "reciprocal_rank")
    values = [flat(run.measures()).get(key, setting(run, key)) for run in runs]
    if all(value is None for value in values):
        held = _keys(flat(run.measures()) for run in runs)
        if key not in held and not any(key in run.settings for run in runs):
            known = [*(k for k in held if not k.startswith("verdict.")), *differing(runs)]
            raise MediaFMError(
                f"the runs cannot be sorted by '{key}'", do=f"choose {', '.join(known)}"
            )
    sign = -1.0 if key in _HIGHEST_FIRST or key.startswith("modality.") else 1.0

    def place(i: int) -> tuple[bool, bool, float, str]:
        value = values[i]
        if isinstance(value, int | float) and not isinstance(value, bool):
            return False, False, sign * value, ""
        return value is None, True, 0.0, str(value)

    return [runs[i] for i in sorted(range(len(runs)), key=place)]


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested keys joined by dots."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found


def over(measure: Callable[[Curve], Any], curve: Curve) -> float | None:
    """A measure over the numbers of a curve; ``None`` if it has none."""
    there = curve[np.isfinite(curve)]
    return float(measure(there)) if len(there) else None
