"""What to make of a catalog: scenes, and what editors and marketers ask for."""

from mediafm.suggest.fitted import FittedProbes
from mediafm.suggest.scenes import Scene, Segmentation, find_scenes

__all__ = ["FittedProbes", "Scene", "Segmentation", "find_scenes"]
