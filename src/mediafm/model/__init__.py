"""The transformer over shots: configuration, fusion, network, saving and loading."""

from mediafm.model.config import Modality, ModelConfig, Preset, Treatment
from mediafm.model.fusion import Fusion, ShotFeatures
from mediafm.model.mediafm import MediaFM
from mediafm.model.windows import Window, windows

__all__ = [
    "Fusion",
    "MediaFM",
    "Modality",
    "ModelConfig",
    "Preset",
    "ShotFeatures",
    "Treatment",
    "Window",
    "windows",
]
