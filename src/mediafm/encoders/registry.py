"""The encoders at hand, by the names a user types."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mediafm.encoders.base import EncoderInfo, Encoders
from mediafm.errors import EncoderError

VIDEO = {"efficientnet-lite2": "mediafm.encoders.efficientnet:EfficientNetLite2"}
AUDIO = {"whisper-base": "mediafm.encoders.whisper:WhisperBase"}
TEXT = {"use-multilingual": "mediafm.encoders.use:UniversalSentenceEncoder"}


@dataclass(frozen=True)
class EncoderChoice:
    """The encoders that a user chose, by name; ``none`` leaves a modality out.

    Args:
        video: Name of the picture encoder.
        audio: Name of the sound encoder.
        text: Name of the text encoder.

    By default 1280 + 512 + 512 = 2304 numbers a shot, by luck the width of the original.
    """

    video: str = "efficientnet-lite2"
    audio: str = "whisper-base"
    text: str = "use-multilingual"

    def infos(self) -> dict[str, EncoderInfo]:
        """Modality to what decides its vectors; loads no weights.

        Raises:
            EncoderError: A name is unknown.
        """
        chosen = (
            _class(VIDEO, self.video, "video"),
            _class(AUDIO, self.audio, "audio"),
            _class(TEXT, self.text, "text"),
        )
        return {encoder.info.modality: encoder.info for encoder in chosen if encoder is not None}

    def load(self) -> Encoders:
        """Loads the encoders, weights verified.

        Raises:
            EncoderError: A name is unknown, or weights are not the tested ones.
            MissingExtraError: Weights are not installed.
        """
        video = _class(VIDEO, self.video, "video")
        audio = _class(AUDIO, self.audio, "audio")
        text = _class(TEXT, self.text, "text")
        return Encoders(video and video(), audio and audio(), text and text())


def _class(known: Mapping[str, str], name: str, modality: str) -> Any:
    if name == "none":
        return None
    if name not in known:
        raise EncoderError(
            f"there is no {modality} encoder '{name}'",
            do=f"choose one of {', '.join(known)}, or none",
        )
    module, _, cls = known[name].partition(":")
    return getattr(importlib.import_module(module), cls)
