"""A model as those use it who only want vectors: probes, versions, search."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from mediafm.catalog.records import TitleFeatures
from mediafm.model import Layers, MediaFM
from mediafm.model.device import find_device

Vectors = npt.NDArray[np.float32]


class Embedder:
    """A frozen model.

    Args:
        model: The model.
        source: Where it was loaded from.
        device: ``auto`` (a GPU if there is one), or torch's name of a device.
        layers: Whether the embedding is the last layer's, or that of all.
    """

    def __init__(
        self, model: MediaFM, source: str = "", device: str = "auto", layers: Layers = "last"
    ):
        self.model, self.source, self.layers = model, source, layers
        model.to(find_device(device))

    @classmethod
    def load(cls, source: str | Path, device: str = "auto", layers: Layers = "last") -> Embedder:
        """Loads a model from its folder or from the hub.

        Raises:
            ModelError: Nothing is there, it is damaged, or there is no such device.
        """
        return cls(MediaFM.from_pretrained(source), str(source), device, layers)

    @property
    def fingerprint(self) -> str:
        """Of the weights and of how the embedding is taken."""
        return self.model.embedding_fingerprint(self.layers)

    @property
    def dim(self) -> int:
        """Width of an embedding."""
        return self.model.embedding_width(self.layers)

    @property
    def metadata(self) -> tuple[str, ...]:
        """Fields of a title's metadata that [GLOBAL] sees."""
        return tuple(self.model.config.metadata)

    @property
    def modalities(self) -> tuple[str, ...]:
        """What the model reads."""
        return tuple(self.model.config.modalities)

    def contextual(
        self, titles: Sequence[TitleFeatures], *, use_metadata: bool = True
    ) -> list[Vectors]:
        """Contextual embeddings ``e_NH`` of titles, as many as fit in memory together."""
        return self.model.contextual_batch(titles, use_metadata=use_metadata, layers=self.layers)

    def fused(self, title: TitleFeatures) -> Vectors:
        """Fused embeddings ``x_NF`` of a title, as the model sees them."""
        fused: Vectors = self.model.fusion(title).cpu().numpy()
        return fused

    def untrained(self, seed: int = 0) -> Embedder:
        """The same architecture and statistics with weights as they are before any training.

        Args:
            seed: Draws the weights; the state of torch's chance stays as it is.
        """
        device = self.model.fusion.mean_F.device
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = MediaFM(self.model.config)
        model.fusion.load_state_dict(self.model.fusion.state_dict())
        model.eval()
        return Embedder(model, f"untrained, seed {seed}", str(device), self.layers)
