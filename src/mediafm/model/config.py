"""Configuration of the model: one typed dataclass, and its sizes."""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self, get_args

from mediafm.errors import ModelError

Treatment = Literal["raw", "unit", "centred", "standardised"]
"""What happens to a modality's vectors before they are concatenated.

``raw``: nothing. ``unit``: unit norm. ``centred``: minus the training mean, then unit norm.
``standardised``: minus the mean, over the standard deviation of each component, then unit norm
(metadata, of which there is too little for that, is only centred).
"""

Positions = Literal["learned", "rotary", "both", "seconds"]
"""How the network knows where a shot is.

``learned``: a vector per place in the window, as the original. ``rotary``: attention sees the
distance in shots (RoPE). ``both``. ``seconds``: rotary by the distance in time.
"""

Layers = Literal["last", "all"]
"""Whose hidden states are the contextual embedding: of the last layer, as the original, or of all,
one beside the other."""

SIZES: dict[str, tuple[int, int, int]] = {
    "small": (2, 256, 4),
    "netflix": (3, 768, 12),
    "large": (8, 1024, 16),
}
"""Sizes by name: layers, hidden width, heads. ``netflix`` is the network of the original, with
BERT-base's heads at its width."""

DEEPEST = 64


@dataclass(frozen=True, slots=True)
class Modality:
    """One block of the fused embedding, or one metadata field of [GLOBAL].

    Args:
        dim: Width of the encoder's vectors.
        encoder: Fingerprint of the encoder, empty where unknown.
        treatment: See :data:`Treatment`.
    """

    dim: int
    encoder: str = ""
    treatment: Treatment = "standardised"


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """Everything that decides the shapes and the meaning of the weights.

    Args:
        modalities: Modality to its block, in the order of concatenation.
        metadata: Metadata field to its block: what feeds [GLOBAL]. Empty: a learned vector only.
        hidden: Width H of the network and of the contextual embedding.
        layers: Encoder layers.
        heads: Attention heads; ``hidden`` must be a multiple.
        max_shots: Longest sequence of shots; longer titles go through in windows.
        overlap: Fewest shots that neighbouring windows share.
        mlp_ratio: Width of the feed-forward part, in hiddens.
        positions: See :data:`Positions`. Rotary heads begin by looking at neighbourhoods of
            different sizes; small catalogs do not learn that alone.
        absent: What stands for a modality that a shot lacks, beside the zeros of the original:
            nothing, or a learned vector.
        fusion: ``early``: one encoder over the fused shots, as the original. ``late``: an encoder
            of the same shape per modality, whose hidden states are averaged.
        dropout: Dropout after attention and after the feed-forward part.
    """

    modalities: dict[str, Modality]
    metadata: dict[str, Modality] = field(default_factory=dict)
    hidden: int = 256
    layers: int = 2
    heads: int = 4
    max_shots: int = 512
    overlap: int = 256
    mlp_ratio: int = 4
    positions: Positions = "rotary"
    absent: Literal["zeros", "learned"] = "zeros"
    fusion: Literal["early", "late"] = "early"
    dropout: float = 0.1

    def __post_init__(self) -> None:
        if not self.modalities:
            raise ModelError("a model needs at least one modality")
        for name, block in {**self.metadata, **self.modalities}.items():
            if block.dim < 1 or block.treatment not in get_args(Treatment):
                raise ModelError(f"'{name}' has width {block.dim}, treatment '{block.treatment}'")
        numbers = (self.hidden, self.layers, self.heads, self.max_shots, self.mlp_ratio)
        if min(numbers) < 1 or self.hidden % (2 * self.heads):
            raise ModelError(f"hidden {self.hidden} does not split into {self.heads} even heads")
        for name, known in (
            ("positions", get_args(Positions)),
            ("absent", ("zeros", "learned")),
            ("fusion", ("early", "late")),
        ):
            if getattr(self, name) not in known:
                raise ModelError(
                    f"there is no {name} '{getattr(self, name)}'", do=f"choose {' or '.join(known)}"
                )
        if not 0 <= self.overlap < self.max_shots:
            raise ModelError(f"overlap is {self.overlap}, must be less than max_shots")
        if not 0 <= self.dropout <= 0.9:
            raise ModelError(f"dropout is {self.dropout}, must be from 0 to 0.9")

    @property
    def fused(self) -> int:
        """Width F of the fused embedding: the sum over the modalities."""
        return sum(block.dim for block in self.modalities.values())

    @property
    def global_dim(self) -> int:
        """Width G of the metadata vector: the sum over the fields."""
        return sum(block.dim for block in self.metadata.values())

    @property
    def rotary(self) -> bool:
        """Whether attention sees distances."""
        return self.positions != "learned"

    @property
    def spans(self) -> dict[str, tuple[int, int]]:
        """Modality to the columns ``[start, end)`` of its block in the fused embedding."""
        ends = itertools.accumulate(block.dim for block in self.modalities.values())
        return {
            name: (end - block.dim, end)
            for (name, block), end in zip(self.modalities.items(), ends, strict=True)
        }

    @classmethod
    def of_size(
        cls,
        size: str | int,
        modalities: Mapping[str, Modality],
        metadata: Mapping[str, Modality] | None = None,
        **options: Any,
    ) -> Self:
        """Builds a configuration by its size.

        Args:
            size: A name of :data:`SIZES`; or a number N: N layers of width 128 N with heads of
                64, so that the parameters grow with the cube (2 is ``small``, 8 is ``large``);
                or both, ``3x768``.
            modalities: Blocks of the fused embedding.
            metadata: Fields of [GLOBAL].
            **options: Further fields.

        Raises:
            ModelError: There is no such size.
        """
        match = re.fullmatch(r"(\d{1,4})(?:x(\d{1,6}))?", str(size))
        if str(size) in SIZES:
            layers, hidden, heads = SIZES[str(size)]
        elif match and 1 <= int(match[1]) <= DEEPEST:
            layers, hidden = int(match[1]), int(match[2] or 128 * int(match[1]))
            heads = max(1, hidden // 64)
        else:
            raise ModelError(
                f"there is no size '{size}'",
                do=f"use {', '.join(SIZES)}, a number of layers up to {DEEPEST}, or e.g. 4x256",
            )
        shape: dict[str, Any] = {"layers": layers, "hidden": hidden, "heads": heads}
        if size == "netflix":
            shape["positions"] = "learned"
        return cls(dict(modalities), dict(metadata or {}), **{**shape, **options})

    def to_dict(self) -> dict[str, Any]:
        """The configuration as JSON says it."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Reads what :meth:`to_dict` wrote.

        Args:
            values: Nested mappings.

        Raises:
            ModelError: A field is missing, unknown or of the wrong kind.
        """
        try:
            known = {f.name: values[f.name] for f in dataclasses.fields(cls) if f.name in values}
            if unknown := sorted(set(values) - set(known)):
                raise ModelError(f"unknown setting '{unknown[0]}' in the model's configuration")
            for name in ("modalities", "metadata"):
                known[name] = {k: Modality(**v) for k, v in known.get(name, {}).items()}
            return cls(**known)
        except (TypeError, AttributeError, ValueError) as error:
            raise ModelError(f"the model's configuration is damaged ({error})") from None
