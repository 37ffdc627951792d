"""How much arithmetic training takes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mediafm.model import ModelConfig


def flops_per_shot(config: ModelConfig, mask_ratio: float, span: float) -> float:
    """Floating-point operations to train on one shot.

    A matrix of R x C costs ``2 R C`` forward and twice that backward, but for the input
    projection, whose input needs no gradient. Attention costs ``4 H`` per pair of tokens and layer
    forward. The output projection is taken at masked shots only.

    Args:
        config: The network.
        mask_ratio: Share of masked shots.
        span: Tokens that a token attends to, on average.
    """
    h, f, layers = config.hidden, config.fused, config.layers
    towers = 1 if config.fusion == "early" else len(config.modalities)
    matrices = 2 * layers * towers * (4 + 2 * config.mlp_ratio) * h * h
    attention = 4 * layers * towers * span * h
    ends = 2 * f * h * (1 + mask_ratio)
    return 3 * (matrices + attention + ends) - 2 * f * h


def attended(lengths: Sequence[int], window: int) -> float:
    """Tokens that a token attends to, averaged over shots, not over titles.

    Args:
        lengths: Shots of every title.
        window: The longest window.
    """
    whole, rest = np.divmod(np.asarray(lengths, dtype=np.float64), window)
    return float((whole * window**2 + rest**2).sum() / max(sum(lengths), 1))
