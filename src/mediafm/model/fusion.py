"""Fusion: the features of a shot become one vector, as long as all modalities together.

Shapes: N shots, D width of one modality, F all widths together, G metadata widths together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mediafm.errors import ModelError
from mediafm.model.config import Modality, ModelConfig


class ShotFeatures(Protocol):
    """What the model reads of a title; ``mediafm.catalog.TitleFeatures`` is one."""

    @property
    def times_N2(self) -> npt.NDArray[np.int64]:  # noqa: N802  # shape suffix
        """Start and end of every shot in microseconds."""

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


TINY = 1e-12
"""Norm below which a vector counts as zeros."""


def unit(x: Tensor) -> Tensor:
    """Scales the last dimension to unit norm; zeros stay zeros."""
    return F.normalize(x, dim=-1, eps=TINY)


class Fusion(nn.Module):
    """Treats each modality, concatenates, and scales to unit norm.

    An absent modality is zeros, as in the original; a shot with none at all is zeros throughout.
    The statistics are buffers: they belong to the model and are saved with it.

    Args:
        config: Names, widths and treatments.
    """

    mean_F: Tensor
    std_F: Tensor
    shots_M: Tensor
    mean_G: Tensor

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.modalities, self.fields = config.modalities, config.metadata
        self.spans = config.spans
        self.register_buffer("mean_F", torch.zeros(config.fused))
        self.register_buffer("std_F", torch.ones(config.fused))
        self.register_buffer("shots_M", torch.zeros(len(config.modalities), dtype=torch.int64))
        self.register_buffer("mean_G", torch.zeros(config.global_dim))

    def fit(self, titles: Iterable[ShotFeatures]) -> int:
        """Sets the statistics from training titles (never from validation titles).

        Args:
            titles: Read once.

        Returns:
            Shots seen.
        """
        names = list(self.modalities)
        sums = {name: np.zeros((2, block.dim)) for name, block in self.modalities.items()}
        shots, counts = 0, dict.fromkeys(names, 0)
        global_sums = {name: np.zeros(block.dim) for name, block in self.fields.items()}
        global_counts = dict.fromkeys(global_sums, 0)
        for title in titles:
            shots += len(title)
            for name, block in self.modalities.items():
                x_ND, present_N = _modality(title, name, block)
                x_ND = x_ND[present_N].astype(np.float64)
                sums[name] += x_ND.sum(axis=0), (x_ND**2).sum(axis=0)
                counts[name] += int(present_N.sum())
            for name, block in self.fields.items():
                if (m_D := _field(title.metadata, name, block)) is not None:
                    global_sums[name] += m_D
                    global_counts[name] += 1
        first_F, second_F = np.concatenate(
            [sums[name] / max(counts[name], 1) for name in names], axis=1
        )
        std_F = np.sqrt(np.clip(second_F - first_F**2, 0, None))
        self.mean_F.copy_(torch.from_numpy(first_F))
        # A component that never changes says nothing: minus its mean it is zero, over 1 it stays.
        self.std_F.copy_(torch.from_numpy(np.where(std_F > 1e-6, std_F, 1)))
        self.shots_M.copy_(torch.tensor(list(counts.values())))
        if global_sums:
            # The mean of one or two synopses is no statistic: centring on it would erase them.
            means = [
                global_sums[f] / max(global_counts[f], 1) * (global_counts[f] > 2)
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
        return self._fuse([title], slice(start, end))

    def batch(self, titles: Sequence[ShotFeatures]) -> list[Tensor]:
        """Fuses several titles at once, which for short ones takes a tenth of the time.

        Args:
            titles: One at least; as many as fit in memory together.

        Returns:
            ``x_NF`` of each title, as :meth:`forward` gives it.

        Raises:
            ModelError: As :meth:`forward`.
        """
        return list(torch.split(self._fuse(titles, slice(None)), [len(title) for title in titles]))

    def _fuse(self, titles: Sequence[ShotFeatures], part: slice) -> Tensor:
        device, blocks = self.mean_F.device, {}
        for name, block in self.modalities.items():
            found = [_modality(title, name, block, part) for title in titles]
            x_SD, present_S = (np.concatenate(side) for side in zip(*found, strict=True))
            blocks[name] = torch.from_numpy(x_SD).to(device), torch.from_numpy(present_S).to(device)
        return self.fuse(blocks)

    @torch.no_grad()
    def fuse(self, blocks: Mapping[str, tuple[Tensor, Tensor]]) -> Tensor:
        """Fuses shots that lie on the statistics' device.

        Args:
            blocks: For every modality ``x_SD`` of any float type, and ``present_S``.

        Returns:
            ``x_SF``, float32.
        """
        rows = len(next(iter(blocks.values()))[1])
        x_SF = torch.empty(rows, self.mean_F.numel(), device=self.mean_F.device)
        squares_S1 = x_SF.new_zeros(rows, 1)
        for name, block in self.modalities.items():
            start, end = self.spans[name]
            raw_SD, present_S = blocks[name]
            x_SD, present_S1 = x_SF[:, start:end], present_S[:, None].to(x_SF.dtype)
            x_SD.copy_(raw_SD)
            if block.treatment in ("centred", "standardised"):
                x_SD.sub_(self.mean_F[start:end])
            if block.treatment == "standardised":
                x_SD.div_(self.std_F[start:end])
            norm_S1 = torch.linalg.vector_norm(x_SD, dim=1, keepdim=True)
            if block.treatment == "raw":
                squares_S1 += norm_S1.square() * present_S1
                x_SD.mul_(present_S1)
            else:
                here_S1 = present_S1 * (norm_S1 > TINY)
                squares_S1 += here_S1
                x_SD.mul_(here_S1 / norm_S1.clamp_min(TINY))
        return x_SF.mul_(squares_S1.clamp_min(TINY**2).rsqrt())

    def metadata(self, vectors: Mapping[str, npt.NDArray[np.float16]]) -> Tensor:
        """Fuses a title's metadata for [GLOBAL].

        Args:
            vectors: Metadata field to its vector, as a title holds them.

        Returns:
            ``m_G`` on the statistics' device: unit norm, zeros if no field is there.
        """
        device, blocks = self.mean_G.device, {}
        for name, block in self.fields.items():
            m_D = _field(vectors, name, block)
            here_W = torch.tensor([m_D is not None], device=device)
            m_WD = np.zeros((1, block.dim), np.float32) if m_D is None else m_D[None]
            blocks[name] = (torch.from_numpy(m_WD).to(device), here_W)
        return self.fuse_metadata(blocks, 1)[0]

    @torch.no_grad()
    def fuse_metadata(self, blocks: Mapping[str, tuple[Tensor, Tensor]], windows: int) -> Tensor:
        """Fuses the metadata of several windows.

        Args:
            blocks: For every field ``m_WD`` of any float type, and ``here_W``.
            windows: How many.

        Returns:
            ``m_WG``, float32: unit norm, zeros where no field is there.
        """
        parts, at = [self.mean_G.new_zeros(windows, 0)], 0
        for name, block in self.fields.items():
            m_WD, here_W = blocks[name]
            m_WD = _treat(m_WD.float(), self.mean_G[at : at + block.dim], block)
            parts.append(torch.where(here_W[:, None], m_WD, 0.0))
            at += block.dim
        return unit(torch.cat(parts, dim=1))

    def extra_repr(self) -> str:
        """The blocks, for ``print(model)``."""
        return ", ".join(f"{k}: {b.dim} {b.treatment}" for k, b in self.modalities.items())


def _treat(x: Tensor, mean_D: Tensor, block: Modality) -> Tensor:
    if block.treatment == "raw":
        return x
    return unit(x if block.treatment == "unit" else x - mean_D)


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


def _field(
    vectors: Mapping[str, npt.NDArray[np.float16]], name: str, block: Modality
) -> npt.NDArray[np.float32] | None:
    m_D = vectors.get(name)
    if m_D is None or not np.isfinite(m_D).all():
        return None
    if m_D.shape != (block.dim,):
        raise ModelError(
            f"metadata '{name}' has width {m_D.shape[-1]}, the model expects {block.dim}",
            do="use the text encoder that the model was trained on, or pretrain a new model",
        )
    return m_D.astype(np.float32)
