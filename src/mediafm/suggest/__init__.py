"""What to make of a catalog: scenes, and what editors and marketers ask for."""

from mediafm.suggest.arc import Arc, find_arc
from mediafm.suggest.artwork import suggest_artwork
from mediafm.suggest.breaks import suggest_breaks
from mediafm.suggest.clips import suggest_clips
from mediafm.suggest.cold_start import ColdStart, cold_start
from mediafm.suggest.fitted import FittedProbes
from mediafm.suggest.scenes import Scene, Segmentation, find_scenes
from mediafm.suggest.suggestion import Suggestion, Suggestions
from mediafm.suggest.tags import suggest_tags

__all__ = [
    "Arc",
    "ColdStart",
    "FittedProbes",
    "Scene",
    "Segmentation",
    "Suggestion",
    "Suggestions",
    "cold_start",
    "find_arc",
    "find_scenes",
    "suggest_artwork",
    "suggest_breaks",
    "suggest_clips",
    "suggest_tags",
]
