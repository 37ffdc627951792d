"""Options of a training run: few, with defaults for a catalog on one machine."""

from __future__ import annotations

import dataclasses
import operator
import sys
from dataclasses import dataclass
from typing import Any, Literal, get_args

from mediafm.errors import ModelError
from mediafm.model import Positions, Treatment

Precision = Literal["auto", "fp32", "bf16"]

_SHARES = ("val_fraction", "hide_ratio", "modality_dropout", "metadata_dropout")
_CHOICES = {
    "optimizer": ("muon", "adamw"),
    "precision": get_args(Precision),
    "split": ("group", "title"),
}

WIDTH = 256
"""Hidden width for which the learning rates are said; others follow from it (:meth:`rates`)."""


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """How a model is trained.

    Args:
        size: Size of the network: ``small``, ``netflix``, ``large``, a number of layers, or e.g.
            ``4x256``.
        modalities: Modalities to use; all that the catalog has by default.
        metadata: Metadata fields that feed [GLOBAL]; what is not in the catalog is left out.
        treatment: What happens to each block before fusion: ``raw``, ``unit``, ``centred`` or
            ``standardised``.
        positions: How the network knows places: ``learned``, ``rotary``, ``both``, or relative in
            ``seconds``; by default what suits the size.
        absent: What stands for an absent modality: ``zeros``, or a ``learned`` vector.
        fusion: ``early`` or ``late``.
        dropout: Dropout in the network.
        window: Longest window of shots to train on, ``max_shots`` by default. Titles are embedded
            in windows of ``max_shots`` all the same.
        max_shots: Longest sequence of shots that the model takes.
        split: What is held out together: ``group`` (the series, else the title) or ``title``.
        val_fraction: Share of the groups held out for validation, at least one.
        val_groups: The groups to hold out, by name, instead of a share of them.
        steps: Most optimizer steps.
        batch_shots: Shots in a batch, about, over all processes; a batch holds whole windows.
        micro_shots: Most shots that a device works on at once, about (by default 4,096 on a CPU and
            65,536 elsewhere); a larger batch is taken in parts, which changes memory and speed,
            and of the result only what dropout draws.
        mask_ratio: Share of the shots that are masked (20% in the original).
        mask_span: Mean length of a run of masked shots; 1 masks single shots, as the original.
        hide_ratio: Share of the shots of which one modality is hidden and predicted from the rest.
        modality_dropout: How often a window goes without a modality.
        metadata_dropout: How often a window goes without the title's metadata, so that the model
            also works without.
        optimizer: ``muon`` for the hidden matrices and AdamW for the rest, or ``adamw`` for all.
        muon_lr: Peak learning rate of Muon, in units of AdamW's (``adjust_lr_fn``
            ``match_rms_adamw`` of ``torch.optim.Muon``, after Moonlight, arXiv 2502.16982).
        adam_lr: Peak learning rate of AdamW.
        weight_decay: Decoupled weight decay of matrices.
        warmup: Share of the steps in which the learning rate rises; then it falls as a cosine.
        clip: Largest norm of the gradient.
        eval_every: Steps between two validations.
        patience: Validations without improvement before training stops.
        checkpoint_every: Steps between two checkpoints.
        keep: Checkpoints that are kept.
        seed: Decides weights, windows, masks and dropout.
        split_seed: Decides which groups are held out.
        device: ``auto`` (a GPU if there is one), or torch's name of a device.
        precision: ``fp32``, ``bf16`` (weights stay in fp32), or ``auto``: bf16 where the device
            has matrix units for it.
        compile: Whether the layers go through ``torch.compile``.
        workers: Threads that read and mask batches ahead.
        tensorboard: Whether the log also goes to TensorBoard files in the model's folder.
    """

    size: str = "small"
    modalities: tuple[str, ...] = ()
    metadata: tuple[str, ...] = ("synopsis",)
    treatment: Treatment = "standardised"
    positions: Positions | None = None
    absent: Literal["zeros", "learned"] = "zeros"
    fusion: Literal["early", "late"] = "early"
    dropout: float = 0.1
    window: int | None = None
    max_shots: int = 512
    split: Literal["group", "title"] = "group"
    val_fraction: float = 0.1
    val_groups: tuple[str, ...] = ()
    steps: int = 400
    batch_shots: int = 2048
    micro_shots: int | None = None
    mask_ratio: float = 0.2
    mask_span: float = 1.0
    hide_ratio: float = 0.0
    modality_dropout: float = 0.0
    metadata_dropout: float = 0.1
    optimizer: Literal["muon", "adamw"] = "muon"
    muon_lr: float = 2e-3
    adam_lr: float = 5e-4
    weight_decay: float = 0.1
    warmup: float = 0.1
    clip: float = 1.0
    eval_every: int = 25
    patience: int = 6
    checkpoint_every: int = 100
    keep: int = 2
    seed: int = 0
    split_seed: int = 0
    device: str = "auto"
    precision: Precision = "auto"
    compile: bool = False
    workers: int = 2
    tensorboard: bool = False

    def __post_init__(self) -> None:
        counts = ("steps", "batch_shots", "micro_shots", "eval_every", "patience")
        least = dict.fromkeys((*counts, "checkpoint_every", "keep", "workers", "mask_span"), 1)
        least |= dict.fromkeys(("seed", "split_seed", "weight_decay", "warmup"), 0)
        least |= dict.fromkeys(_SHARES, 0) | {"max_shots": 2, "window": 2}
        most: dict[str, float] = {
            "mask_span": self.max_shots,
            "window": self.max_shots,
            "warmup": 1,
            "workers": 64,
        }
        most |= dict.fromkeys(("seed", "split_seed"), 2**63 - 1)
        most |= dict.fromkeys(("muon_lr", "adam_lr", "clip", "weight_decay"), sys.float_info.max)
        above = dict.fromkeys(("muon_lr", "adam_lr", "clip", "mask_ratio"), 0)
        below = dict.fromkeys((*_SHARES, "mask_ratio"), 1)
        for bounds, holds, words in (
            (least, operator.ge, "at least"),
            (most, operator.le, "at most"),
            (above, operator.gt, "above"),
            (below, operator.lt, "below"),
        ):
            for name, bound in bounds.items():
                value = getattr(self, name)
                if value is not None and not holds(value, bound):
                    raise ModelError(f"{name} is {value}, must be {words} {bound}")
        for name, known in _CHOICES.items():
            if getattr(self, name) not in known:
                raise ModelError(
                    f"there is no {name} '{getattr(self, name)}'", do=f"use {' or '.join(known)}"
                )

    @property
    def longest(self) -> int:
        """The longest window to train on."""
        return self.max_shots if self.window is None else self.window

    def rates(self, hidden: int) -> tuple[float, float]:
        """Peak learning rates of Muon and AdamW for a width of the network.

        Muon's update has a spectral norm of about ``0.2 lr sqrt(H)`` at this scaling; to change
        hidden states equally at every width it has to stay constant (Yang et al. 2023,
        arXiv 2310.17813), so that the rate falls with the root of the width.
        """
        scale = (WIDTH / hidden) ** 0.5
        return self.muon_lr * scale, self.adam_lr * scale

    def decisive(self) -> dict[str, Any]:
        """The options that change the result: a run is resumed only under the same ones."""
        values = dataclasses.asdict(self) | {"window": self.longest}
        free = ("device", "checkpoint_every", "keep", "workers", "tensorboard", "micro_shots")
        for name in free:
            del values[name]
        return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}
