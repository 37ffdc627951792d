"""What to make of a catalog: scenes, and what editors and marketers ask for."""

from mediafm.suggest.arc import Arc, find_arc
from mediafm.suggest.artwork import suggest_artwork
from mediafm.suggest.breaks import suggest_breaks
from mediafm.suggest.clips import suggest_clips
from mediafm.suggest.fitted import FittedProbes
from mediafm.suggest.scenes import Scene, Segmentation, find_scenes
from mediafm.suggest.suggestion import Suggestion, Suggestions

__all__ = [
    "Arc",
    "FittedProbes",
    "Scene",
    "Segmentation",
    "Suggestion",
    "Suggestions",
    "find_arc",
    "find_scenes",
    "suggest_artwork",
    "suggest_breaks",
    "suggest_clips",
]
