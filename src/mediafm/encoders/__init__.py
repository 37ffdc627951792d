"""Frozen feature extractors, one per modality."""

from mediafm.encoders.base import (
    AudioEncoder,
    EncoderInfo,
    Encoders,
    TextEncoder,
    VideoEncoder,
)
from mediafm.encoders.registry import AUDIO, TEXT, VIDEO, load_encoders

__all__ = [
    "AUDIO",
    "TEXT",
    "VIDEO",
    "AudioEncoder",
    "EncoderInfo",
    "Encoders",
    "TextEncoder",
    "VideoEncoder",
    "load_encoders",
]
