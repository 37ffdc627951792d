"""Fusion: the features of a shot become one vector, as long as all modalities together.

Shapes: N shots, D width of one modality, F all widths together, G metadata widths together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from mediafm.errors import ModelError
from mediafm.model.config import Modality, ModelConfig


class ShotFeatures(Protocol):
    """What the model reads of a title; ``mediafm.catalog.TitleFeatures`` is one."""

    @property
    def features(self) -> Mapping[str, npt.NDArray[np.float16]]:
        """Modality to ``x_ND``."""

    @property
    def present(self) -> Mapping[str, npt.NDArray[np.bool_]]:
        """Modality to ``present_N``."""

    @property
    def metadata(self) -> Mapping[str, npt.NDArray[np.float16]]:
        """Metadata field to ``m_D``."""

    def __len__(self) -> int: ...


def unit(x: Tensor) -> Tensor:
    """Scales the last dimension to unit norm; zeros stay zeros."""
    norm = x.norm(dim=-1, keepdim=True)
    return torch.where(norm > 1e-12, x / norm.clamp_min(1e-12), torch.zeros_like(x))


class Fusion(nn.Module):
    """Treats each modality, concatenates, and scales to unit norm.

    An absent modality is zeros, as in the original; a shot with none at all is zeros throughout.
    The statistics are buffers: they belong to the model and are saved with it.

    Args:
        config: Names, widths and treatments.
    """

    mean_F: Tensor
    shots_M: Tensor
    mean_G: Tensor

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.modalities, self.fields = config.modalities, config.metadata
        self.register_buffer("mean_F", torch.zeros(config.fused))
        self.register_buffer("shots_M", torch.zeros(len(config.modalities), dtype=torch.int64))
        self.register_buffer("mean_G", torch.zeros(config.global_dim))

    def fit(self, titles: Iterable[ShotFeatures]) -> int:
        """Sets the statistics from training titles (never from validation titles).

        Args:
            titles: Read once.

        Returns:
            Shots seen.
        """
        sums = {name: np.zeros(block.dim) for name, block in self.modalities.items()}
        global_sums = {name: np.zeros(block.dim) for name, block in self.fields.items()}
        shots, counts = 0, dict.fromkeys(sums, 0)
        global_counts = dict.fromkeys(global_sums, 0)
        for title in titles:
            shots += len(title)
            for name, block in self.modalities.items():
                x_ND, present_N = _modality(title, name, block)
                sums[name] += x_ND[present_N].sum(axis=0, dtype=np.float64)
                counts[name] += int(present_N.sum())
            for name, block in self.fields.items():
                if (m_D := _field(title, name, block)) is not None:
                    global_sums[name] += m_D
                    global_counts[name] += 1
        means = [sums[name] / max(counts[name], 1) for name in sums]
        self.mean_F.copy_(torch.from_numpy(np.concatenate(means)))
        self.shots_M.copy_(torch.tensor(list(counts.values())))
        if global_sums:
            # The mean of one or two synopses is no statistic: centring on it would erase them.
            means = [
                global_sums[f] / global_counts[f] * (global_counts[f] > 2)
                if global_counts[f]
                else global_sums[f]
                for f in global_sums
            ]
            self.mean_G.copy_(torch.from_numpy(np.concatenate(means)))
        return shots

    def forward(self, title: ShotFeatures, start: int = 0, end: int | None = None) -> Tensor:
        """Fuses some shots of a title.

        Args:
            title: The features.
            start: First shot.
            end: First shot after; the last one by default.

        Returns:
            ``x_NF`` on the statistics' device: unit norm, or zeros where a shot has no modality.

        Raises:
            ModelError: A modality has another width than the model was made for.
        """
        device, blocks, at = self.mean_F.device, [], 0
        for name, block in self.modalities.items():
            x_ND, present_N = _modality(title, name, block, slice(start, end))
            x = torch.from_numpy(np.asarray(x_ND, dtype=np.float32)).to(device)
            x = _treat(x, self.mean_F[at : at + block.dim], block)
            blocks.append(x * torch.from_numpy(present_N.astype(np.float32)).to(device)[:, None])
            at += block.dim
        return unit(torch.cat(blocks, dim=1))

    def metadata(self, title: ShotFeatures) -> Tensor | None:
        """The vector ``m_G`` that [GLOBAL] projects, unit norm; ``None`` if no field is there."""
        blocks, at, found = [], 0, False
        for name, block in self.fields.items():
            m_D = _field(title, name, block)
            found |= m_D is not None
            if m_D is None:
                blocks.append(torch.zeros(block.dim, device=self.mean_G.device))
            else:
                m = torch.from_numpy(m_D).to(self.mean_G.device)
                blocks.append(_treat(m, self.mean_G[at : at + block.dim], block))
            at += block.dim
        return unit(torch.cat(blocks)) if found else None

    def extra_repr(self) -> str:
        """The blocks, for ``print(model)``."""
        return ", ".join(f"{k}: {b.dim} {b.treatment}" for k, b in self.modalities.items())


def _treat(x: Tensor, mean_D: Tensor, block: Modality) -> Tensor:
    if block.treatment == "raw":
        return x
    return unit(x - mean_D if block.treatment == "centred" else x)


def _modality(
    title: ShotFeatures, name: str, block: Modality, part: slice = slice(None)
) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_]]:
    n = len(range(*part.indices(len(title))))
    if name not in title.features:
        return np.zeros((n, block.dim), np.float16), np.zeros(n, np.bool_)
    x_ND = title.features[name]
    if x_ND.ndim != 2 or x_ND.shape != (len(title), block.dim):
        raise ModelError(
            f"{name} features have shape {tuple(x_ND.shape)}, "
            f"the model expects ({len(title)}, {block.dim})",
            where=getattr(title, "title_id", None),
            do="use the encoder that the model was trained on, or pretrain a new model",
        )
    x_ND, present_N = x_ND[part], title.present[name][part]
    finite_N = np.asarray(np.isfinite(x_ND).all(axis=1))
    if not finite_N.all():  # one NaN would spread to the whole title through attention
        present_N = present_N & finite_N
        x_ND = np.where(finite_N[:, None], x_ND, np.float16(0))
    return x_ND, present_N


def _field(title: ShotFeatures, name: str, block: Modality) -> npt.NDArray[np.float32] | None:
    m_D = title.metadata.get(name)
    if m_D is None or not np.isfinite(m_D).all():
        return None
    if m_D.shape != (block.dim,):
        raise ModelError(
            f"metadata '{name}' has width {m_D.shape[-1]}, the model expects {block.dim}",
            where=getattr(title, "title_id", None),
            do="use the text encoder that the model was trained on, or pretrain a new model",
        )
    return m_D.astype(np.float32)
