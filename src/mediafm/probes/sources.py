"""What made the features of a catalog: its encoders, and the models behind its versions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mediafm.catalog import Catalog
from mediafm.errors import FingerprintError, MediaFMError
from mediafm.probes.features import WORDS, FeatureSpec

if TYPE_CHECKING:
    from mediafm.embed import Embedder


class Sources:
    """Models, each loaded once, and fingerprints.

    Args:
        catalog: The catalog.
        model: A model instead of the one that a version names.
        device: For models.
    """

    def __init__(self, catalog: Catalog, model: str | Path | None = None, device: str = "auto"):
        self.catalog, self.model, self.device = catalog, model, device
        self._embedders: dict[tuple[str, bool], Embedder] = {}

    def embedder(self, version: str | None) -> Embedder:
        """The model behind a version.

        Raises:
            MediaFMError: It is not where it was, or is another one by now.
        """
        # A model that is named, without a version, need not have made the current one.
        free = version is None and self.model is not None
        record = self.catalog.version(version) if self.catalog.versions() or not free else None
        source = str(self.model or (record.model if record else ""))
        every = record is not None and record.settings.get("layer") == "all"
        if not source:
            raise MediaFMError("it is not known where the model lies", do="name it: --model")
        found = self._load(source, every)
        if record is None or found.fingerprint == record.fingerprint:
            return found
        if free:
            return self._load(source, False)
        raise FingerprintError(
            f"is not the model that made version '{record.name}'",
            where=source,
            do="name that model with --model, or embed the catalog with this one",
        )

    def _load(self, source: str, every: bool) -> Embedder:
        if (source, every) not in self._embedders:
            from mediafm.embed import Embedder  # brings torch, which reading alone does not need

            self._embedders[source, every] = Embedder.load(
                source, self.device, "all" if every else "last"
            )
        return self._embedders[source, every]

    def made_by(self, spec: FeatureSpec, version: str | None) -> dict[str, str]:
        """What made the features: ``model``, and the encoder of each modality read as it is."""
        encoders = self.catalog.encoders()
        found = {
            part.source: encoders[part.source].fingerprint
            for part in spec.parts
            if part.source in encoders
        }
        if any(part.source in WORDS for part in spec.parts):
            if spec.needs_model:
                found["model"] = self.embedder(version).fingerprint
            else:
                found["model"] = self.catalog.version(version).fingerprint
        return found
