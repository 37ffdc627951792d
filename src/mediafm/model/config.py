"""Configuration of the model: one typed dataclass and two presets."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self, get_args

from mediafm.errors import ModelError

Treatment = Literal["raw", "unit", "centred"]
"""What happens to a modality's vectors before they are concatenated.

``raw``: nothing. ``unit``: unit norm. ``centred``: minus the training mean, then unit norm.
"""

Preset = Literal["small", "netflix"]
"""Sizes of the network by name."""


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
    treatment: Treatment = "centred"


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
        rotary: Whether attention also knows the distance of shots (RoPE), with heads that begin by
            looking at neighbourhoods of different sizes; small catalogs do not learn that alone.
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
    rotary: bool = True
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
        if not 0 <= self.overlap < self.max_shots or not 0 <= self.dropout < 1:
            raise ModelError(f"overlap {self.overlap} or dropout {self.dropout} is out of range")

    @property
    def fused(self) -> int:
        """Width F of the fused embedding: the sum over the modalities."""
        return sum(block.dim for block in self.modalities.values())

    @property
    def global_dim(self) -> int:
        """Width G of the metadata vector: the sum over the fields."""
        return sum(block.dim for block in self.metadata.values())

    @classmethod
    def preset(
        cls,
        name: Preset,
        modalities: Mapping[str, Modality],
        metadata: Mapping[str, Modality] | None = None,
    ) -> Self:
        """Builds a configuration by the name of its size.

        Args:
            name: ``small`` (2 layers of 256: trains on a laptop) or ``netflix`` (the network of
                the original: 3 layers of 768, 12 heads as BERT-base has at that width).
            modalities: Blocks of the fused embedding.
            metadata: Fields of [GLOBAL].

        Raises:
            ModelError: There is no such preset.
        """
        blocks, fields = dict(modalities), dict(metadata or {})
        if name == "small":
            return cls(blocks, fields, hidden=256, layers=2, heads=4)
        if name == "netflix":
            return cls(blocks, fields, hidden=768, layers=3, heads=12, rotary=False)
        raise ModelError(f"there is no preset '{name}'", do="use 'small' or 'netflix'")

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
