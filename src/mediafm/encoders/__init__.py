"""Frozen feature extractors, one per modality."""

from mediafm.encoders.base import (
    AudioEncoder,
    EncoderInfo,
    Encoders,
    TextEncoder,
    VideoEncoder,
)
from mediafm.encoders.registry import AUDIO, TEXT, VIDEO, EncoderChoice

__all__ = [
    "AUDIO",
    "TEXT",
    "VIDEO",
    "AudioEncoder",
    "EncoderChoice",
    "EncoderInfo",
    "Encoders",
    "TextEncoder",
    "VideoEncoder",
]
