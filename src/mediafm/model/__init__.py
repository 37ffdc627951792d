"""The transformer over shots: configuration, fusion, network, saving and loading."""

from mediafm.model.attention import Packing
from mediafm.model.config import SIZES, Layers, Modality, ModelConfig, Positions, Treatment
from mediafm.model.fusion import Fusion, ShotFeatures
from mediafm.model.mediafm import MediaFM
from mediafm.model.windows import Window, windows

__all__ = [
    "SIZES",
    "Fusion",
    "Layers",
    "MediaFM",
    "Modality",
    "ModelConfig",
    "Packing",
    "Positions",
    "ShotFeatures",
    "Treatment",
    "Window",
    "windows",
]
