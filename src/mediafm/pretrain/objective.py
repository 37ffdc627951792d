"""Masked Shot Modeling: the cosine distance between what was masked and what is predicted.

Shapes: S shots of a batch, F fused width, D width of a modality, P masked shots, Q hidden blocks.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from mediafm.model import MediaFM
from mediafm.model.fusion import unit
from mediafm.pretrain.loader import Batch


@dataclass(frozen=True, slots=True)
class Loss:
    """The loss of a batch, summed, so that parts of a batch and processes add up.

    Args:
        total: Sum to differentiate.
        masked: Sum of the cosine distances at masked shots.
        count: Masked shots: what both are divided by.
    """

    total: Tensor
    masked: Tensor
    count: int


def objective(model: MediaFM, batch: Batch) -> Loss:
    """Predicts masked shots, and hidden modalities where the batch has any.

    A hidden modality is predicted by its block of the fused prediction; its cosine distance
    counts as much as a masked shot's.

    Args:
        model: The model.
        batch: On the model's device.
    """
    x_SF = model.fusion.fuse(batch.blocks)
    seen_SF = x_SF
    if batch.hidden_SM is not None:
        widths = torch.tensor([b - a for a, b in model.config.spans.values()])
        hidden_SF = batch.hidden_SM.repeat_interleave(widths.to(x_SF.device), dim=1)
        seen_SF = unit(x_SF.masked_fill(hidden_SF, 0.0))  # as if the modality were absent
    h_SH = model(seen_SF, batch.pack, batch.m_WG, batch.masked_S, batch.seconds_S)
    masked_P = batch.masked_P[: batch.masked]
    y_PF = model.project(h_SH.index_select(0, batch.masked_P))[: batch.masked].float()
    masked = distance(y_PF, x_SF.index_select(0, masked_P)).sum()
    total = masked
    if len(batch.asked_Q2):
        shot_Q, modality_Q = batch.asked_Q2.unbind(1)
        y_QF = model.project(h_SH[shot_Q]).float()
        for j, (start, end) in enumerate(model.config.spans.values()):
            own = (modality_Q == j).nonzero()[:, 0]
            truth_QD = unit(x_SF[shot_Q[own], start:end])
            total = total + distance(y_QF[own, start:end], truth_QD).sum()
    return Loss(total, masked.detach(), batch.masked)


def distance(y_PF: Tensor, x_PF: Tensor) -> Tensor:
    """Cosine distance of predictions of any norm to unit vectors, ``(P,)``."""
    return 1 - (unit(y_PF) * x_PF).sum(dim=1)
