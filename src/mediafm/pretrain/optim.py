"""Muon for the hidden matrices, AdamW for the rest or for all, one schedule for both."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import nn

from mediafm.model import MediaFM
from mediafm.pretrain.config import TrainConfig


def parameter_groups(model: MediaFM) -> dict[str, list[nn.Parameter]]:
    """Sorts the parameters; every one is in exactly one group.

    Args:
        model: The model.

    Returns:
        ``hidden``: matrices inside the encoder layers. ``decay``: projections in and out.
        ``plain``: tokens, positions, norms, biases, which are not decayed.
    """
    groups: dict[str, list[nn.Parameter]] = {"hidden": [], "decay": [], "plain": []}
    for name, parameter in model.named_parameters():
        if parameter.ndim == 2 and ".blocks." in name:
            groups["hidden"].append(parameter)
        elif parameter.ndim == 2 and name not in ("positions", "absent_MH"):
            groups["decay"].append(parameter)
        else:
            groups["plain"].append(parameter)
    seen = [id(p) for group in groups.values() for p in group]
    assert len(seen) == len(set(seen)) == len(list(model.parameters()))
    return groups


def optimizers(model: MediaFM, config: TrainConfig) -> list[torch.optim.Optimizer]:
    """Makes the optimizers; each group carries its peak rate as ``peak``."""
    groups = parameter_groups(model)
    muon_lr, adam_lr = config.rates(model.config.hidden)
    decayed, made = groups["decay"], []
    if config.optimizer == "muon":
        made.append(
            torch.optim.Muon(
                [{"params": groups["hidden"], "peak": muon_lr}],
                lr=muon_lr,
                weight_decay=config.weight_decay,
                adjust_lr_fn="match_rms_adamw",
            )
        )
    else:
        decayed = groups["hidden"] + decayed
    adam = torch.optim.AdamW(
        [
            {"params": decayed, "weight_decay": config.weight_decay, "peak": adam_lr},
            {"params": groups["plain"], "weight_decay": 0.0, "peak": adam_lr},
        ],
        lr=adam_lr,
        betas=(0.9, 0.98),
        fused=True,
    )
    return [*made, adam]


def rate(step: int, config: TrainConfig) -> float:
    """Share of the peak learning rate at a step: linear warm-up, then a cosine to 5%."""
    warm = max(1, round(config.warmup * config.steps))
    if step < warm:
        return (step + 1) / warm
    done = (step - warm) / max(1, config.steps - warm)
    return 0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


def set_rate(optimizers: Sequence[torch.optim.Optimizer], share: float) -> None:
    """Sets every group to a share of its peak."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = share * group["peak"]
