"""How the weights begin: before the first step, a masked shot is predicted by its neighbourhood.

A few titles cannot teach that, and short runs on small catalogs begin where they would otherwise
end. Shapes: N shots, F fused width, D width of a block, H hidden width, K width of a head.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from mediafm.model.config import ModelConfig

if TYPE_CHECKING:
    from mediafm.model.mediafm import Block, MediaFM

NEAR = 4.0
"""Logit that a head gives to the nearest shot before anything is learned."""


@torch.no_grad()
def draw_weights(model: MediaFM) -> None:
    """Draws the weights from torch's random state.

    BERT's 0.02, but attention begins by passing on what it looks at (``o v = 1``, the mimetic
    initialisation of Trockman and Kolter 2023, arXiv 2305.09828), the feed-forward parts begin
    silent, and the output is the input transposed. With rotary positions, attention begins by
    looking at neighbours and masks begin empty.

    Args:
        model: Its parameters are set.
    """
    for module in model.modules():
        if isinstance(module, nn.Linear):
            nn.init.trunc_normal_(module.weight, std=0.02)
            nn.init.zeros_(module.bias)
    for _, tower in model.encoders():
        for block in tower.layers():
            nn.init.zeros_(block.down.weight)
            nn.init.orthogonal_(block.v.weight)
            block.o.weight.copy_(block.v.weight.T)
            if model.config.rotary:
                _look_near(block, model.angles_K2, model.config)
    for vector in (model.cls_H, model.no_metadata_H):
        nn.init.normal_(vector, std=0.5)
    for near in (model.mask_H, model.positions, model.absent_MH):
        if near is not None:
            nn.init.normal_(near, std=0.0 if model.config.rotary else 0.02)
    if model.metadata is not None:
        nn.init.orthogonal_(model.metadata.weight)
    for name, tower in model.encoders():
        nn.init.orthogonal_(tower.input.weight)
        _tie(model, name)


@torch.no_grad()
def adapt(model: MediaFM, x_NF: Tensor) -> None:
    """Starts the projections in and out at the principal directions of the training shots.

    A random projection from F to H keeps H / F of a vector's energy and would have to be
    unlearned; principal directions keep most of it. Both stay trainable.

    Args:
        model: Its projections are set.
        x_NF: Fused training shots, some thousands are enough.
    """
    for name, tower in model.encoders():
        start, end = model.spans[name]
        x_ND = x_NF[:, start:end]
        _, vectors_DD = torch.linalg.eigh((x_ND.T @ x_ND).double())
        rank = min(model.config.hidden, end - start)
        directions = vectors_DD.flip(1)[:, :rank].T.to(tower.input.weight.dtype)
        # Mix them, or the leading direction alone would fill one component of every norm.
        mix = nn.init.orthogonal_(torch.empty(model.config.hidden, rank)).to(directions.device)
        tower.input.weight.copy_(mix @ directions)
        _tie(model, name)


def _tie(model: MediaFM, name: str) -> None:
    start, end = model.spans[name]
    model.output.weight[start:end].copy_(dict(model.encoders())[name].input.weight.T)


def _look_near(block: Block, angles_K2: Tensor, config: ModelConfig) -> None:
    """Gives queries and keys a common bias, so that near shots attract each other.

    Under RoPE a bias ``b`` in both adds ``sum b_i^2 cos(w_i d)`` at distance ``d`` to the logit.
    With weights of a Gaussian's spectrum that is about a Gaussian of the distance; the heads get
    widths from one shot to an eighth of the longest window.
    """
    pairs = len(angles_K2)
    for head in range(config.heads):
        width = (config.max_shots / 8) ** (head / max(config.heads - 1, 1))
        spectrum = angles_K2 * torch.exp(-((angles_K2 * width) ** 2) / 2)
        bias_K2 = (spectrum / spectrum.sum() * NEAR * math.sqrt(2 * pairs)).sqrt()
        for layer in (block.q, block.k):
            layer.bias[2 * pairs * head : 2 * pairs * head + pairs] = bias_K2
