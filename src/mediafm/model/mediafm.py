"""The model: a transformer encoder over the shots of a title.

Shape suffixes:
    N shots of one title        S shots of all windows in a batch, one after the other
    W windows in a batch        T tokens of all windows: S plus [CLS] and [GLOBAL] per window
    F fused width               D width of a block   G metadata width
    H hidden width              A attention heads    K width of a head, H / A
    M modalities

Sequences are packed: every linear layer runs on ``(T, ...)`` without padding; only attention knows
windows (see :mod:`mediafm.model.attention`), and no token sees another window.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mediafm.errors import ModelError
from mediafm.fingerprint import fingerprint
from mediafm.model.attention import HEAD, TOKENS, Packing, attend, dropout, rotate
from mediafm.model.config import Layers, ModelConfig
from mediafm.model.fusion import Fusion, ShotFeatures, unit
from mediafm.model.hub import SafeHub, tensors_fingerprint
from mediafm.model.start import draw_weights
from mediafm.model.windows import Window, windows

PACE = 4.0
"""Seconds that count as the distance of one shot where positions are in seconds."""


def frequencies(width: int, max_shots: int) -> Tensor:
    """Angles per shot of the ``width / 2`` pairs: periods from 4 shots to 4 windows, geometric."""
    share = torch.arange(width // 2) / max(width // 2 - 1, 1)
    return math.pi / 2 * (1 / max_shots) ** share


Turn = tuple[Tensor, Tensor]
"""Cosine and sine of each token's angles, ``(T, 1, K / 2)``: see :func:`rotate`."""


class Dropout(nn.Dropout):
    """``nn.Dropout`` with cheaper chance on a CPU."""

    def forward(self, x: Tensor) -> Tensor:
        """Drops components while training."""
        return dropout(x, self.p) if self.training and self.p else x


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
        self.dropout = Dropout(config.dropout)

    def forward(self, x_TH: Tensor, pack: Packing, turn: Turn | None) -> Tensor:
        """Maps ``x_TH`` to the same shape."""
        y_TH = self.norm1(x_TH)
        q, k, v = (
            layer(y_TH).view(len(y_TH), self.heads, -1) for layer in (self.q, self.k, self.v)
        )
        if turn is not None:
            q, k = rotate(q, turn), rotate(k, turn)
        x_TH = x_TH + self.dropout(self.o(attend(q, k, v, pack).flatten(1)))
        y_TH = self.down(F.gelu(self.up(self.norm2(x_TH))))
        x_TH = x_TH + self.dropout(y_TH)
        return x_TH


class Tower(nn.Module):
    """An encoder: the projection of what it reads of a shot, and its layers."""

    def __init__(self, config: ModelConfig, width: int):
        super().__init__()
        self.input = nn.Linear(width, config.hidden)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))

    def layers(self) -> Iterator[Block]:
        """The layers in order."""
        for block in self.blocks:
            assert isinstance(block, Block)
            yield block

    def project(self, x_SD: Tensor) -> Tensor:
        """Maps blocks of unit shots to ``e_SH`` with components around 1."""
        scale = math.sqrt(self.input.out_features)
        return F.linear(x_SD, self.input.weight) * scale + self.input.bias


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
        early = config.fusion == "early"
        self.spans = {"fused": (0, config.fused)} if early else config.spans
        self.towers = nn.ModuleDict({k: Tower(config, b - a) for k, (a, b) in self.spans.items()})
        self.cls_H = nn.Parameter(torch.empty(h))
        self.mask_H = nn.Parameter(torch.empty(h))
        self.no_metadata_H = nn.Parameter(torch.empty(h))
        self.metadata = nn.Linear(config.global_dim, h) if config.global_dim else None
        learned = config.absent == "learned"
        self.absent_MH = nn.Parameter(torch.empty(len(config.spans), h)) if learned else None
        placed = config.positions in ("learned", "both")
        self.positions = nn.Parameter(torch.empty(HEAD + config.max_shots, h)) if placed else None
        self.dropout = Dropout(config.dropout)
        self.norm = nn.LayerNorm(h)
        self.output = nn.Linear(h, config.fused)
        angles = frequencies(h // config.heads, config.max_shots)
        self.register_buffer("angles_K2", angles, persistent=False)
        draw_weights(self)

    def encoders(self) -> Iterator[tuple[str, Tower]]:
        """The towers by the name of what they read."""
        for name, tower in self.towers.items():
            assert isinstance(tower, Tower)
            yield name, tower

    def forward(
        self,
        x_SF: Tensor,
        pack: Packing,
        m_WG: Tensor,
        masked_S: Tensor | None = None,
        seconds_S: Tensor | None = None,
        layers: list[Tensor] | None = None,
    ) -> Tensor:
        """Runs packed windows through the encoder.

        Args:
            x_SF: Fused shots of all windows, one window after the other; rows beyond are ignored.
            pack: Where the windows lie, each of at most ``max_shots`` shots.
            m_WG: Metadata of each window for [GLOBAL]; a row of zeros where there is none.
            masked_S: Where shots are replaced by [MASK].
            seconds_S: Time of each shot; needed where positions are in seconds.
            layers: Receives ``x_SH`` after each layer but the last, before any norm.

        Returns:
            ``h_SH`` after the final layer norm.
        """
        absent_SM = self._absent(x_SF)
        g_WH, turn = self._global(m_WG), self._turn(pack, seconds_S)
        special_2H, source_T = torch.stack([self.cls_H, self.mask_H]), self._sources(pack, masked_S)
        total_TH: Tensor | None = None
        for name, tower in self.encoders():
            start, end = self.spans[name]
            e_SH = tower.project(x_SF[:, start:end])
            if absent_SM is not None and self.absent_MH is not None:
                own = self._own(name)
                e_SH = e_SH + absent_SM[:, own].to(e_SH.dtype) @ self.absent_MH[own]
            # One gather lays out all tokens: [CLS], [MASK], [GLOBAL] of each window, shots.
            vectors = torch.cat([special_2H.to(e_SH.dtype), g_WH.to(e_SH.dtype), e_SH])
            e_TH = F.embedding(source_T, vectors)
            if self.positions is not None:
                e_TH = e_TH + F.embedding(pack.place_T, self.positions)
            x_TH = self.dropout(e_TH)
            for depth, block in enumerate(tower.layers()):
                x_TH = block(x_TH, pack, turn)
                if layers is not None and depth < self.config.layers - 1:
                    x_SH = x_TH.index_select(0, pack.shot_S)
                    if depth < len(layers):  # a further tower: the sum, as of the last layer
                        layers[depth] = layers[depth] + x_SH
                    else:
                        layers.append(x_SH)
            total_TH = x_TH if total_TH is None else total_TH + x_TH
        assert total_TH is not None
        h_TH: Tensor = self.norm(total_TH)  # the norm takes the mean's scale away
        return h_TH.index_select(0, pack.shot_S)

    @staticmethod
    def _sources(pack: Packing, masked_S: Tensor | None) -> Tensor:
        """For each token the row it is made of: 0 [CLS], 1 [MASK], then [GLOBAL]s, then shots."""
        windows, shots = len(pack.head_W), len(pack.shot_S)
        row_S = torch.arange(2 + windows, 2 + windows + shots, device=pack.shot_S.device)
        if masked_S is not None:
            row_S = row_S.masked_fill(masked_S[:shots], 1)
        row_W = torch.arange(2, 2 + windows, device=pack.shot_S.device)
        source_T = torch.zeros_like(pack.place_T).index_copy(0, pack.shot_S, row_S)
        return source_T.index_copy(0, pack.head_W + 1, row_W)

    def _own(self, tower: str) -> slice:
        """The modalities that a tower reads."""
        at = list(self.spans).index(tower)
        return slice(None) if self.config.fusion == "early" else slice(at, at + 1)

    def _absent(self, x_SF: Tensor) -> Tensor | None:
        if self.absent_MH is None:
            return None
        spans = self.config.spans.values()
        return torch.stack([(x_SF[:, a:b] == 0).all(dim=1) for a, b in spans], dim=1)

    def _global(self, m_WG: Tensor) -> Tensor:
        if self.metadata is None:
            return self.no_metadata_H.expand(len(m_WG), -1)
        here_W1 = (m_WG != 0).any(dim=1, keepdim=True)
        g_WH = self.metadata(m_WG * math.sqrt(self.config.hidden))
        return torch.where(here_W1, g_WH, self.no_metadata_H.to(g_WH.dtype))

    def _turn(self, pack: Packing, seconds_S: Tensor | None) -> Turn | None:
        if not self.config.rotary:
            return None
        place_T = pack.place_T.float()
        if self.config.positions == "seconds":
            if seconds_S is None:
                raise ValueError("positions in seconds need the time of each shot")
            # [CLS] and [GLOBAL] lie before the first shot, as they do in shots.
            since_S = pack.place_T[pack.shot_S] - HEAD
            first_S = torch.arange(len(since_S), device=since_S.device) - since_S
            passed_S = (seconds_S - seconds_S[first_S]).float() / PACE
            place_T = place_T.index_copy(0, pack.shot_S, HEAD + passed_S)
        angle_T1K2 = (place_T[:, None] * self.angles_K2)[:, None]
        dtype = self._compute_dtype()
        return angle_T1K2.cos().to(dtype), angle_T1K2.sin().to(dtype)

    def _compute_dtype(self) -> torch.dtype:
        kind = self.angles_K2.device.type
        on = torch.is_autocast_enabled(kind)
        return torch.get_autocast_dtype(kind) if on else torch.float32

    def project(self, h_SH: Tensor) -> Tensor:
        """Predicts fused embeddings ``y_SF`` (any norm) from hidden states."""
        y_SF: Tensor = self.output(h_SH)
        return y_SF

    def compile_layers(self) -> None:
        """Compiles each layer with ``torch.compile``: one graph serves all of one shape."""
        for _, tower in self.encoders():
            for block in tower.layers():
                block.compile(dynamic=True)

    @torch.inference_mode()
    def hidden(
        self,
        x_NF: Tensor,
        m_G: Tensor,
        masked_N: Tensor | None = None,
        seconds_N: Tensor | None = None,
    ) -> Tensor:
        """Hidden states ``h_NH`` of one title of any length, in evaluation mode, by windows."""
        plan = windows(len(x_NF), self.config.max_shots, self.config.overlap)
        if not plan:
            return x_NF.new_zeros(0, self.config.hidden)

        def cut(a_N: Tensor | None) -> Tensor | None:
            return None if a_N is None else torch.cat([a_N[w.start : w.end] for w in plan])

        x = [x_NF[w.start : w.end] for w in plan]
        h_SH = self._encode(x, m_G.expand(len(plan), -1), cut(masked_N), cut(seconds_N))
        parts = torch.split(h_SH, [len(w) for w in plan])
        return torch.cat([_taken(h, w) for h, w in zip(parts, plan, strict=True)])

    def _encode(
        self,
        x: Sequence[Tensor],
        m_WG: Tensor,
        masked_S: Tensor | None = None,
        seconds_S: Tensor | None = None,
        layers: list[Tensor] | None = None,
    ) -> Tensor:
        """Hidden states ``h_SH`` of windows, each a part of ``x``, in evaluation mode."""
        x_SF = torch.cat(list(x))
        multiple = TOKENS if x_SF.device.type == "cpu" else 1
        pack = Packing.of([len(part) for part in x], x_SF.device, multiple=multiple)
        x_SF = F.pad(x_SF, (0, 0, 0, -len(x_SF) % multiple))
        training, _ = self.training, self.eval()
        h_SH: Tensor = self(x_SF, pack, m_WG, masked_S, seconds_S, layers)
        self.train(training)
        return h_SH

    def contextual(
        self, title: ShotFeatures, *, use_metadata: bool = True, layers: Layers = "last"
    ) -> npt.NDArray[np.float32]:
        """Embeds every shot of a title in its context.

        Args:
            title: Features of one title, of any number of shots.
            use_metadata: Whether [GLOBAL] sees the title's metadata.
            layers: Whether to take the last layer, or all.

        Returns:
            ``e_NH``, unit norm, float32. Of all layers: their hidden states, each unit norm, one
            beside the other, scaled to unit norm; width ``layers * H``.

        Raises:
            ModelError: The features do not fit the model.
        """
        return self.contextual_batch([title], use_metadata=use_metadata, layers=layers)[0]

    @torch.inference_mode()
    def contextual_batch(
        self,
        titles: Iterable[ShotFeatures],
        *,
        use_metadata: bool = True,
        layers: Layers = "last",
    ) -> list[npt.NDArray[np.float32]]:
        """As :meth:`contextual` for several titles, whose windows share one packed pass.

        Args:
            titles: As many as fit in memory together.
            use_metadata: Whether [GLOBAL] sees the titles' metadata.
            layers: Whether to take the last layer, or all.

        Returns:
            One ``e_NH`` per title.
        """
        plans, x, metadata, seconds = [], [], [], []
        titles = list(titles)
        for title, x_NF in zip(titles, self.fusion.batch(titles) if titles else [], strict=True):
            seconds_N = seconds_of(title.times_N2)
            plan = windows(len(x_NF), self.config.max_shots, self.config.overlap)
            m_G = self.fusion.metadata(title.metadata)
            plans.append(plan)
            x += [x_NF[w.start : w.end] for w in plan]
            seconds += [seconds_N[w.start : w.end] for w in plan]
            metadata += [m_G if use_metadata else torch.zeros_like(m_G)] * len(plan)
        empty = torch.zeros(0, self.embedding_width(layers))
        if not x:
            return [empty.numpy() for _ in plans]
        seconds_S = torch.cat(seconds).to(x[0].device)
        below: list[Tensor] | None = [] if layers == "all" else None
        h_SH = self._encode(x, torch.stack(metadata), seconds_S=seconds_S, layers=below)
        e_SH = unit(torch.cat([unit(x_SH.float()) for x_SH in (*(below or ()), h_SH)], dim=1))
        if not bool(torch.isfinite(e_SH).all()):
            raise ModelError("the embeddings are not finite", do="pretrain the model again")
        parts = iter(torch.split(e_SH.cpu(), [len(part) for part in x]))
        return [torch.cat([empty, *(_taken(next(parts), w) for w in p)]).numpy() for p in plans]

    @property
    def fingerprint(self) -> str:
        """Digest of the weights, the statistics and of how the embedding is taken."""
        return self.embedding_fingerprint()

    def embedding_fingerprint(self, layers: Layers = "last") -> str:
        """As :attr:`fingerprint`, for embeddings of the layers named."""
        return fingerprint(
            {
                "config": self.config.to_dict(),
                "weights": tensors_fingerprint(self.state_dict()),
                "embedding": self.embedding_settings(layers),
            }
        )

    def embedding_width(self, layers: Layers = "last") -> int:
        """Width of a contextual embedding."""
        return self.config.hidden * (self.config.layers if layers == "all" else 1)

    def embedding_settings(self, layers: Layers = "last") -> dict[str, str]:
        """How a contextual embedding is taken, in words: part of the fingerprint."""
        return {
            "layer": "final norm" if layers == "last" else "all",
            "scale": "unit",
            "window": str(self.config.max_shots),
            "overlap": str(self.config.overlap),
            "global": "+".join(self.config.metadata) or "none",
        }


def _taken(h_SH: Tensor, w: Window) -> Tensor:
    return h_SH[w.take_start - w.start : w.take_end - w.start]


def seconds_of(times_N2: npt.NDArray[np.int64]) -> Tensor:
    """Middle of each shot in seconds, ``(N,)`` float64."""
    return torch.from_numpy(times_N2.mean(axis=1) / 1e6)
