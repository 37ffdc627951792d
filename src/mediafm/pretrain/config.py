"""Options of a training run: few, with defaults for a catalog on one machine."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

from mediafm.errors import ModelError
from mediafm.model import Preset, Treatment


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """How a model is trained.

    Args:
        preset: Size of the network.
        modalities: Modalities to use; all that the catalog has by default.
        metadata: Metadata fields that feed [GLOBAL]; what is not in the catalog is left out.
        treatment: Treatment of every modality.
        split: What is held out together: ``group`` (the series, else the title) or ``title``.
        val_fraction: Share of the groups held out for validation, at least one.
        steps: Most optimizer steps.
        batch_shots: Shots in a batch, about; a batch holds whole windows.
        mask_ratio: Share of the shots that are masked (20% in the original).
        metadata_dropout: How often a title's metadata is withheld, so that the model also works
            without.
        muon_lr: Peak learning rate of the hidden matrices, in units of AdamW's (``adjust_lr_fn``
            ``match_rms_adamw`` of ``torch.optim.Muon``, after Moonlight, arXiv 2502.16982).
        adam_lr: Peak learning rate of everything else.
        weight_decay: Decoupled weight decay of matrices.
        warmup: Share of the steps in which the learning rate rises; then it falls as a cosine.
        clip: Largest norm of the gradient.
        eval_every: Steps between two validations.
        patience: Validations without improvement before training stops.
        checkpoint_every: Steps between two checkpoints.
        seed: Decides weights, split, windows, masks and dropout.
        device: ``auto`` (a GPU if there is one), or torch's name of a device.
    """

    preset: Preset = "small"
    modalities: tuple[str, ...] = ()
    metadata: tuple[str, ...] = ("synopsis",)
    treatment: Treatment = "centred"
    split: Literal["group", "title"] = "group"
    val_fraction: float = 0.1
    steps: int = 600
    batch_shots: int = 2048
    mask_ratio: float = 0.2
    metadata_dropout: float = 0.1
    muon_lr: float = 2e-3
    adam_lr: float = 5e-4
    weight_decay: float = 0.1
    warmup: float = 0.1
    clip: float = 1.0
    eval_every: int = 25
    patience: int = 6
    checkpoint_every: int = 100
    seed: int = 0
    device: str = "auto"

    def __post_init__(self) -> None:
        if not 0 < self.mask_ratio < 1:
            raise ModelError(f"mask ratio {self.mask_ratio} is not between 0 and 1")
        if not 0 <= self.val_fraction < 1:
            raise ModelError(f"validation fraction {self.val_fraction} is not between 0 and 1")
        counts = ("steps", "batch_shots", "eval_every", "patience", "checkpoint_every")
        for name in counts:
            if getattr(self, name) < 1:
                raise ModelError(f"{name} is {getattr(self, name)}, must be at least 1")

    def decisive(self) -> dict[str, Any]:
        """The options that change the result: a run is resumed only under the same ones."""
        values = dataclasses.asdict(self)
        for name in ("device", "checkpoint_every"):
            del values[name]
        return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}
