"""Where shots begin and end."""

from mediafm.shots.detector import DETECTORS, Detector, make_detector
from mediafm.shots.segment import Segmenter, ShotConfig, segment

__all__ = ["DETECTORS", "Detector", "Segmenter", "ShotConfig", "make_detector", "segment"]
