"""The model: a transformer encoder over the shots of a title.

Shape suffixes:
    N shots of one title        S shots of all windows in a batch, one after the other
    W windows in a batch        T tokens of all windows: S plus [CLS] and [GLOBAL] per window
    L tokens of the longest     F fused width        G metadata width
    H hidden width              A attention heads    K width of a head, H / A

Sequences are packed: every linear layer runs on ``(T, ...)`` without padding; only the attention
itself is laid out per window (see :func:`attend`), and no token sees another window.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mediafm.errors import ModelError
from mediafm.fingerprint import fingerprint
from mediafm.model.config import ModelConfig
from mediafm.model.fusion import Fusion, ShotFeatures, unit
from mediafm.model.hub import SafeHub, tensors_fingerprint
from mediafm.model.windows import Window, windows

HEAD = 2
"""Tokens before the shots of a window: [CLS], [GLOBAL]."""

NEAR = 4.0
"""Logit that a head gives to the nearest shot before anything is learned."""


@dataclass(frozen=True, slots=True)
class Packing:
    """Where the windows of a packed batch lie.

    Args:
        lengths: Tokens of each window.
        window_T: The window of each token.
        place_T: The place of each token in its window.
        cu_seqlens: Offsets of the windows, ``(W + 1,)`` int32, for kernels of variable length.
    """

    lengths: tuple[int, ...]
    window_T: Tensor
    place_T: Tensor
    cu_seqlens: Tensor

    @classmethod
    def of(cls, lengths: Sequence[int], device: torch.device | None = None) -> Packing:
        """Lays windows of ``lengths`` tokens one after the other."""
        sizes = torch.tensor(lengths, dtype=torch.int64, device=device)
        cu = F.pad(sizes.cumsum(0), (1, 0))
        window_T = torch.repeat_interleave(torch.arange(len(lengths), device=device), sizes)
        place_T = torch.arange(int(sum(lengths)), device=device) - cu[window_T]
        return cls(tuple(lengths), window_T, place_T, cu.to(torch.int32))


def attend(q_TAK: Tensor, k_TAK: Tensor, v_TAK: Tensor, pack: Packing) -> Tensor:
    """Attention within each window: the one place that knows how windows are laid out.

    Windows of one length are a plain batch; others are padded to the longest for the attention
    product alone, with a mask over the keys. A kernel of variable length fits here.

    Returns:
        ``(T, A, K)``.
    """
    w, longest, (heads, width) = len(pack.lengths), max(pack.lengths), q_TAK.shape[1:]
    if min(pack.lengths) == longest:
        q, k, v = (x.view(w, longest, heads, width).transpose(1, 2) for x in (q_TAK, k_TAK, v_TAK))
        o_WALK = F.scaled_dot_product_attention(q, k, v)
        return o_WALK.transpose(1, 2).reshape(-1, heads, width)
    at_T = pack.window_T * longest + pack.place_T
    rooms = [x.new_zeros(w * longest, heads, width) for x in (q_TAK, k_TAK, v_TAK)]
    q, k, v = (
        room.index_copy(0, at_T, x).view(w, longest, heads, width).transpose(1, 2)
        for room, x in zip(rooms, (q_TAK, k_TAK, v_TAK), strict=True)
    )
    keys_WL = torch.zeros(w * longest, dtype=torch.bool, device=q_TAK.device)
    mask_W11L = keys_WL.index_fill(0, at_T, True).view(w, 1, 1, longest)
    o_WALK = F.scaled_dot_product_attention(q, k, v, attn_mask=mask_W11L)
    return o_WALK.transpose(1, 2).reshape(-1, heads, width)[at_T]


def rotate(x_TAK: Tensor, angle_TK2: Tensor) -> Tensor:
    """Turns pairs of components by the token's place (RoPE: Su et al. 2021, arXiv 2104.09864).

    The product of a turned query and a turned key depends on the distance of their places.

    Args:
        x_TAK: Queries or keys; component ``i`` pairs with ``i + K / 2``.
        angle_TK2: Angle of each pair, ``(T, K / 2)``.
    """
    cos, sin = angle_TK2.cos()[:, None], angle_TK2.sin()[:, None]
    a, b = x_TAK.chunk(2, dim=-1)
    return torch.cat([a * cos - b * sin, a * sin + b * cos], dim=-1).to(x_TAK.dtype)


def frequencies(width: int, max_shots: int) -> Tensor:
    """Angles per shot of the ``width / 2`` pairs: periods from 4 shots to 4 windows, geometric."""
    share = torch.arange(width // 2) / max(width // 2 - 1, 1)
    return math.pi / 2 * (1 / max_shots) ** share


class Block(nn.Module):
    """Pre-norm encoder layer: attention and a GELU feed-forward part, each with a residual.

    BERT normalises after the residual, which needs a long warm-up; before it, gradients at the
    start do not depend on depth (Xiong et al. 2020, arXiv 2002.04745), so that short runs on small
    catalogs are safe at Muon's step sizes. q, k and v are separate matrices because Muon
    orthogonalises each matrix as a whole.
    """

    def __init__(self, config: ModelConfig):
        super().__init__()
        h, self.heads = config.hidden, config.heads
        self.norm1, self.norm2 = nn.LayerNorm(h), nn.LayerNorm(h)
        self.q, self.k, self.v, self.o = (nn.Linear(h, h) for _ in range(4))
        self.up, self.down = nn.Linear(h, config.mlp_ratio * h), nn.Linear(config.mlp_ratio * h, h)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x_TH: Tensor, pack: Packing, angle_TK2: Tensor | None) -> Tensor:
        """Maps ``x_TH`` to the same shape."""
        y_TH = self.norm1(x_TH)
        q, k, v = (
            layer(y_TH).view(len(y_TH), self.heads, -1) for layer in (self.q, self.k, self.v)
        )
        if angle_TK2 is not None:
            q, k = rotate(q, angle_TK2), rotate(k, angle_TK2)
        x_TH = x_TH + self.dropout(self.o(attend(q, k, v, pack).flatten(1)))
        y_TH = self.down(F.gelu(self.up(self.norm2(x_TH))))
        x_TH = x_TH + self.dropout(y_TH)
        return x_TH


class MediaFM(SafeHub):
    """Contextual shot embeddings by Masked Shot Modeling.

    The contextual embedding of a shot is the hidden state after the final layer norm, scaled to
    unit norm; ``project`` maps hidden states back to the fused space for the training objective.

    Args:
        config: Shapes, encoders, treatments.
    """

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.config = config
        self.summary: dict[str, Any] = {}  # how it was trained, with the verdict; training.json
        h = config.hidden
        self.angles_K2: Tensor
        self.fusion = Fusion(config)
        self.input = nn.Linear(config.fused, h)
        self.cls_H = nn.Parameter(torch.empty(h))
        self.mask_H = nn.Parameter(torch.empty(h))
        self.no_metadata_H = nn.Parameter(torch.empty(h))
        self.metadata = nn.Linear(config.global_dim, h) if config.global_dim else None
        self.positions = nn.Parameter(torch.empty(HEAD + config.max_shots, h))
        self.dropout = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(h)
        self.output = nn.Linear(h, config.fused)
        angles = frequencies(h // config.heads, config.max_shots)
        self.register_buffer("angles_K2", angles, persistent=False)
        self.reset()

    @torch.no_grad()
    def reset(self) -> None:
        """Draws the weights anew from torch's random state.

        BERT's 0.02, but attention begins by passing on what it looks at (``o v = 1``, the mimetic
        initialisation of Trockman and Kolter 2023, arXiv 2305.09828), the feed-forward parts
        begin silent, and the output is the input transposed. With ``rotary``, attention begins
        by looking at neighbours (see :meth:`_look_near`) and masks begin empty: before the first
        step, a masked shot is predicted by about the mean of its neighbourhood.
        """
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)
        for block in self.blocks:
            assert isinstance(block, Block)
            nn.init.zeros_(block.down.weight)
            nn.init.orthogonal_(block.v.weight)
            block.o.weight.copy_(block.v.weight.T)
            if self.config.rotary:
                self._look_near(block)
        for vector in (self.cls_H, self.no_metadata_H):
            nn.init.normal_(vector, std=0.5)
        for vector in (self.mask_H, self.positions):
            nn.init.normal_(vector, std=0.0 if self.config.rotary else 0.02)
        if self.metadata is not None:
            nn.init.orthogonal_(self.metadata.weight)
        nn.init.orthogonal_(self.input.weight)
        self.output.weight.copy_(self.input.weight.T)

    def _look_near(self, block: Block) -> None:
        """Gives queries and keys a common bias, so that near shots attract each other.

        Under RoPE a bias ``b`` in both adds ``sum b_i^2 cos(w_i d)`` at distance ``d`` to the
        logit. With weights of a Gaussian's spectrum that is about a Gaussian of the distance;
        the heads get widths from one shot to an eighth of the window.
        """
        heads, pairs = self.config.heads, len(self.angles_K2)
        for head in range(heads):
            width = (self.config.max_shots / 8) ** (head / max(heads - 1, 1))
            spectrum = self.angles_K2 * torch.exp(-((self.angles_K2 * width) ** 2) / 2)
            bias_K2 = (spectrum / spectrum.sum() * NEAR * math.sqrt(2 * pairs)).sqrt()
            for layer in (block.q, block.k):
                layer.bias[2 * pairs * head : 2 * pairs * head + pairs] = bias_K2

    @torch.no_grad()
    def adapt(self, x_NF: Tensor) -> None:
        """Starts the projections in and out at the principal directions of the training shots.

        A random projection from F to H keeps H / F of a vector's energy and would have to be
        unlearned; principal directions keep most of it. Both stay trainable.

        Args:
            x_NF: Fused training shots, some thousands are enough.
        """
        _, vectors_FF = torch.linalg.eigh((x_NF.T @ x_NF).double())
        rank = min(self.config.hidden, self.config.fused)
        directions = vectors_FF.flip(1)[:, :rank].T.to(self.input.weight.dtype)
        # Mix them, or the leading direction alone would fill one component of every norm.
        mix = nn.init.orthogonal_(torch.empty(self.config.hidden, rank)).to(directions.device)
        self.input.weight.copy_(mix @ directions)
        self.output.weight.copy_(self.input.weight.T)

    def forward(
        self,
        x_SF: Tensor,
        lengths: Sequence[int],
        metadata: Sequence[Tensor | None],
        masked_S: Tensor | None = None,
    ) -> Tensor:
        """Runs packed windows through the encoder.

        Args:
            x_SF: Fused shots of all windows, one window after the other.
            lengths: Shots of each window, ``sum(lengths) == S``, each at most ``max_shots``.
            metadata: For each window ``m_G`` or ``None``: [GLOBAL].
            masked_S: Where shots are replaced by [MASK].

        Returns:
            ``h_SH`` after the final layer norm.
        """
        e_SH = self.input(x_SF * math.sqrt(self.config.hidden))  # components around 1
        if masked_S is not None:
            e_SH = torch.where(masked_S[:, None], self.mask_H.to(e_SH.dtype), e_SH)
        pack = Packing.of([HEAD + n for n in lengths], x_SF.device)
        shot_T = pack.place_T >= HEAD
        e_TH = e_SH.new_zeros(len(pack.place_T), self.config.hidden)
        e_TH = e_TH.index_copy(0, shot_T.nonzero()[:, 0], e_SH)
        starts_W = pack.cu_seqlens[:-1].long()
        cls_WH = self.cls_H.expand(len(lengths), -1).to(e_SH.dtype)
        e_TH = e_TH.index_copy(0, starts_W, cls_WH)
        e_TH = e_TH.index_copy(0, starts_W + 1, self._global(metadata).to(e_SH.dtype))
        x_TH = self.dropout(e_TH + self.positions[pack.place_T])
        angle_TK2 = pack.place_T[:, None] * self.angles_K2 if self.config.rotary else None
        for block in self.blocks:
            x_TH = block(x_TH, pack, angle_TK2)
        h_TH: Tensor = self.norm(x_TH)
        return h_TH[shot_T]

    def _global(self, metadata: Sequence[Tensor | None]) -> Tensor:
        if self.metadata is None:
            return self.no_metadata_H.expand(len(metadata), -1)
        g, scale = self.config.global_dim, math.sqrt(self.config.hidden)
        empty = torch.zeros(g, device=self.no_metadata_H.device)
        m_WG = torch.stack([empty if m is None else m for m in metadata]) * scale
        here_W1 = torch.tensor([[m is not None] for m in metadata], device=m_WG.device)
        return torch.where(here_W1, self.metadata(m_WG), self.no_metadata_H)

    def project(self, h_SH: Tensor) -> Tensor:
        """Predicts fused embeddings ``y_SF`` (any norm) from hidden states."""
        y_SF: Tensor = self.output(h_SH)
        return y_SF

    @torch.inference_mode()
    def hidden(
        self, x_NF: Tensor, metadata: Tensor | None, masked_N: Tensor | None = None
    ) -> Tensor:
        """Hidden states ``h_NH`` of one title of any length, in evaluation mode, by windows."""
        plan = windows(len(x_NF), self.config.max_shots, self.config.overlap)
        if not plan:
            return x_NF.new_zeros(0, self.config.hidden)
        parts = []
        training, _ = self.training, self.eval()
        for w in plan:
            masked = None if masked_N is None else masked_N[w.start : w.end]
            h_SH = self(x_NF[w.start : w.end], [len(w)], [metadata], masked)
            parts.append(_taken(h_SH, w))
        self.train(training)
        return torch.cat(parts)

    def contextual(
        self, title: ShotFeatures, *, use_metadata: bool = True
    ) -> npt.NDArray[np.float32]:
        """Embeds every shot of a title in its context.

        Args:
            title: Features of one title, of any number of shots.
            use_metadata: Whether [GLOBAL] sees the title's metadata.

        Returns:
            ``e_NH``, unit norm, float32.

        Raises:
            ModelError: The features do not fit the model.
        """
        return next(iter(self.contextual_batch([title], use_metadata=use_metadata)))

    @torch.inference_mode()
    def contextual_batch(
        self, titles: Iterable[ShotFeatures], *, use_metadata: bool = True
    ) -> list[npt.NDArray[np.float32]]:
        """As :meth:`contextual` for several titles, whose windows share one packed pass.

        Args:
            titles: As many as fit in memory together.
            use_metadata: Whether [GLOBAL] sees the titles' metadata.

        Returns:
            One ``e_NH`` per title.
        """
        plans, x, metadata, lengths = [], [], [], []
        for title in titles:
            x_NF = self.fusion(title)
            m_G = self.fusion.metadata(title) if use_metadata else None
            plan = windows(len(x_NF), self.config.max_shots, self.config.overlap)
            plans.append(plan)
            x += [x_NF[w.start : w.end] for w in plan]
            metadata += [m_G] * len(plan)
            lengths += [len(w) for w in plan]
        training, _ = self.training, self.eval()
        h_SH = self(torch.cat(x), lengths, metadata) if x else None
        self.train(training)
        if h_SH is not None and not bool(torch.isfinite(h_SH).all()):
            raise ModelError("the embeddings are not finite", do="pretrain the model again")
        parts = iter(() if h_SH is None else torch.split(unit(h_SH.float()).cpu(), lengths))
        empty = torch.zeros(0, self.config.hidden)
        return [torch.cat([empty, *(_taken(next(parts), w) for w in p)]).numpy() for p in plans]

    @property
    def fingerprint(self) -> str:
        """Digest of the weights, the statistics and of how the embedding is taken."""
        return fingerprint(
            {
                "config": self.config.to_dict(),
                "weights": tensors_fingerprint(self.state_dict()),
                "embedding": self.embedding_settings(),
            }
        )

    def embedding_settings(self) -> dict[str, str]:
        """How a contextual embedding is taken, in words: part of the fingerprint."""
        return {
            "layer": "final norm",
            "scale": "unit",
            "window": str(self.config.max_shots),
            "overlap": str(self.config.overlap),
            "global": "+".join(self.config.metadata) or "none",
        }


def _taken(h_SH: Tensor, w: Window) -> Tensor:
    return h_SH[w.take_start - w.start : w.take_end - w.start]
