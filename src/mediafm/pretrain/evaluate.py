"""How well masked shots are predicted, beside predictions that need no model.

Shapes: N shots of one title, M masked shots among them, F fused width, S masked shots in all.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mediafm.catalog.records import TitleFeatures
from mediafm.model import MediaFM
from mediafm.model.fusion import unit
from mediafm.model.mediafm import seconds_of
from mediafm.pretrain.data import draw_mask

MODEL = "model"
NEIGHBOURS = 8
"""Visible shots that the baseline ``neighbourhood`` averages."""
_ROWS = 1024
"""Masked shots that are ranked at once: a day of live recording has tens of thousands."""


@dataclass
class Scores:
    """What was measured, one entry per masked shot and predictor.

    Args:
        title_S: Index of the title.
        shot_S: Index of the shot in its title.
        cosine: Predictor to the cosine with the true fused embedding.
        rank: Predictor to the rank of the true shot among all shots of its title by the cosine
            with the prediction, 1 at best. A prediction that copies a visible shot ranks that
            shot first, so such baselines reach rank 2 at best.
        share: Predictor to the rank as a share of the title's shots, 0 at best.
        modality: Modality to predictor to the mean cosine of its block, where it is present.
        effective_rank: Directions that the contextual embeddings of visible shots really use; 1 if
            all shots look alike, at most the hidden width.
    """

    title_S: npt.NDArray[np.int64]
    shot_S: npt.NDArray[np.int64]
    cosine: dict[str, npt.NDArray[np.float64]]
    rank: dict[str, npt.NDArray[np.float64]] = field(default_factory=dict)
    share: dict[str, npt.NDArray[np.float64]] = field(default_factory=dict)
    modality: dict[str, dict[str, float]] = field(default_factory=dict)
    effective_rank: float = float("nan")

    @property
    def score(self) -> float:
        """The model's MSM score: its mean cosine at masked places."""
        return float(self.cosine[MODEL].mean())

    def to_log(self) -> dict[str, Any]:
        """What the log keeps: means over the masked shots, of the model and of the others."""
        others = {
            name: {
                "cosine": round(float(values.mean()), 6),
                "reciprocal_rank": round(float((1 / self.rank[name]).mean()), 6),
            }
            for name, values in self.cosine.items()
        }
        return {
            **others.pop(MODEL),
            "effective_rank": round(self.effective_rank, 3),
            "modality": {name: round(by[MODEL], 6) for name, by in self.modality.items()},
            **({"baselines": others} if others else {}),
        }


def baselines(x_NF: Tensor, visible_N: Tensor, masked_N: Tensor) -> dict[str, Tensor]:
    """Predictions of masked shots without a model.

    Args:
        x_NF: Fused shots of one title.
        visible_N: Shots that may be used: not masked, and with any modality.
        masked_N: Shots to predict.

    Returns:
        Name to ``y_MF``, unit norm: ``nearest`` (the nearest visible shot, the earlier one of
        two), ``title mean`` (of the visible shots), ``interpolation`` (between the visible
        neighbours, linear in the index; the only neighbour at the ends) and ``neighbourhood``
        (mean of the eight nearest visible shots).
    """
    seen = visible_N.nonzero()[:, 0]
    at = masked_N.nonzero()[:, 0]
    after = torch.searchsorted(seen, at)
    # The nearest eight are among the eight visible shots on either side.
    slot_MK = after[:, None] + torch.arange(-NEIGHBOURS, NEIGHBOURS, device=at.device)
    there_MK = (slot_MK >= 0) & (slot_MK < len(seen))
    slot_MK = slot_MK.clamp(0, len(seen) - 1)
    distance_MK = (at[:, None] - seen[slot_MK]).abs().masked_fill(~there_MK, 2**62)
    near_MK = slot_MK.gather(1, distance_MK.sort(dim=1, stable=True).indices)
    near_MK = seen[near_MK[:, : min(NEIGHBOURS, len(seen))]]
    left, right = seen[(after - 1).clamp_min(0)], seen[after.clamp_max(len(seen) - 1)]
    gap = (right - left).clamp_min(1)
    weight = torch.where(right > left, (at - left) / gap, torch.zeros(len(at), device=at.device))
    weight = weight.clamp(0, 1)[:, None].to(x_NF.dtype)
    return {
        "nearest": x_NF[near_MK[:, 0]],
        "title mean": unit(x_NF[seen].mean(dim=0)).expand(len(at), -1),
        "interpolation": unit((1 - weight) * x_NF[left] + weight * x_NF[right]),
        "neighbourhood": unit(x_NF[near_MK].mean(dim=1)),
    }


def evaluate(
    model: MediaFM,
    titles: Iterable[TitleFeatures],
    *,
    mask_ratio: float,
    seed: int,
    repetitions: int = 4,
    compare: bool = True,
    dtype: torch.dtype = torch.float32,
) -> Scores:
    """Predicts masked shots of whole titles.

    The masks depend on the seed, the title's place among the titles, and the repetition only.

    Args:
        model: The model; its mode and weights stay as they are.
        titles: Titles to measure on.
        mask_ratio: Share of masked shots.
        seed: Decides the masks.
        repetitions: Masks per title.
        compare: Whether to measure the baselines too. One of them is the model itself with every
            shot masked (``no context``): what it knows of the place in a title and of its
            metadata.
        dtype: In which the network multiplies matrices; ranks are always taken in float32.

    Returns:
        One entry per title, repetition and masked shot.
    """
    found: dict[str, dict[str, list[Tensor]]] = {"cosine": {}, "rank": {}, "share": {}}
    blocks: dict[str, dict[str, list[Tensor]]] = {name: {} for name in model.config.modalities}
    title_S, shot_S = [], []
    cast = torch.autocast(model.fusion.mean_F.device.type, dtype, enabled=dtype != torch.float32)
    gram_HH = torch.zeros(model.config.hidden, model.config.hidden, dtype=torch.float64)
    for i, title in enumerate(titles):
        with torch.inference_mode():
            x_NF, m_G = model.fusion(title), model.fusion.metadata(title.metadata)
            seconds_N = seconds_of(title.times_N2).to(x_NF.device)
            usable_N = (x_NF != 0).any(dim=1)
            blind_NF = None
            for repetition in range(repetitions):
                rng = np.random.default_rng([seed, i, repetition])
                mask = draw_mask(usable_N.cpu().numpy(), mask_ratio, rng)
                masked_N = torch.from_numpy(mask).to(x_NF.device)
                if not mask.any():
                    continue
                with cast:
                    hidden_NH = model.hidden(x_NF, m_G, masked_N, seconds_N).float()
                e_NH = unit(hidden_NH[usable_N & ~masked_N])
                gram_HH += (e_NH.T @ e_NH).double().cpu()
                made = {MODEL: unit(model.project(hidden_NH[masked_N]).float())}
                if compare:
                    if blind_NF is None:
                        nothing_N = torch.ones_like(masked_N)
                        nothing_NH = model.hidden(x_NF, m_G, nothing_N, seconds_N)
                        blind_NF = unit(model.project(nothing_NH).float())
                    made["no context"] = blind_NF[masked_N]
                    made |= baselines(x_NF, usable_N & ~masked_N, masked_N)
                title_S.append(np.full(int(mask.sum()), i))
                shot_S.append(np.flatnonzero(mask))
                for name, y_MF in made.items():
                    truth_MF = x_NF[masked_N]
                    cosine_M = (y_MF * truth_MF).sum(dim=1)
                    rank_M = _rank(y_MF, x_NF[usable_N], cosine_M)
                    share_M = (rank_M - 1) / max(int(usable_N.sum()) - 1, 1)
                    for kind, values in (
                        ("cosine", cosine_M),
                        ("rank", rank_M),
                        ("share", share_M),
                    ):
                        found[kind].setdefault(name, []).append(values)
                    _by_modality(model, name, y_MF, truth_MF, blocks)
    arrays = {
        kind: {name: torch.cat(parts).double().cpu().numpy() for name, parts in by.items()}
        for kind, by in found.items()
    }
    return Scores(
        np.concatenate([np.zeros(0, np.int64), *title_S]),
        np.concatenate([np.zeros(0, np.int64), *shot_S]),
        arrays["cosine"] or {MODEL: np.zeros(0)},
        arrays["rank"],
        arrays["share"],
        {
            modality: {name: float(torch.cat(parts).mean()) for name, parts in by.items()}
            for modality, by in blocks.items()
            if by
        },
        effective_rank(gram_HH),
    )


def effective_rank(gram_HH: Tensor) -> float:
    """Exponential of the entropy of the singular values (Roy and Vetterli 2007).

    Args:
        gram_HH: ``e.T @ e`` of the embeddings.

    Returns:
        Between 1 and the width; ``nan`` where there are no embeddings.
    """
    if not bool(torch.isfinite(gram_HH).all()):
        return float("nan")
    singular_H = torch.linalg.eigvalsh(gram_HH.double()).clamp_min(0).sqrt()
    share_H = singular_H / singular_H.sum()
    return float(torch.special.entr(share_H).sum().exp())


def _rank(y_MF: Tensor, x_NF: Tensor, true_M: Tensor) -> Tensor:
    """Rank of the true shot; ties share their mean rank, floating-point noise is a tie."""
    ranks = []
    for y, true in zip(torch.split(y_MF, _ROWS), torch.split(true_M, _ROWS), strict=True):
        similarity_MN = y @ x_NF.T
        above_M = (similarity_MN > true[:, None] + 1e-6).sum(dim=1)
        equal_M = ((similarity_MN - true[:, None]).abs() <= 1e-6).sum(dim=1)
        ranks.append(1 + above_M + 0.5 * (equal_M - 1).clamp_min(0))
    return torch.cat(ranks)


def _by_modality(
    model: MediaFM,
    name: str,
    y_MF: Tensor,
    truth_MF: Tensor,
    blocks: dict[str, dict[str, list[Tensor]]],
) -> None:
    at = 0
    for modality, block in model.config.modalities.items():
        y, truth = y_MF[:, at : at + block.dim], truth_MF[:, at : at + block.dim]
        here = (truth != 0).any(dim=1)
        if bool(here.any()):
            cosine = (unit(y[here]) * unit(truth[here])).sum(dim=1)
            blocks[modality].setdefault(name, []).append(cosine)
        at += block.dim
