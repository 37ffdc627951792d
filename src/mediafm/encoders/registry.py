"""The encoders at hand, by the names a user types."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from mediafm.encoders.base import AudioEncoder, Encoders, TextEncoder, VideoEncoder
from mediafm.errors import EncoderError

E = TypeVar("E")


def _efficientnet() -> VideoEncoder:
    from mediafm.encoders.efficientnet import EfficientNetLite2

    return EfficientNetLite2()


def _whisper() -> AudioEncoder:
    from mediafm.encoders.whisper import WhisperBase

    return WhisperBase()


def _use() -> TextEncoder:
    from mediafm.encoders.use import UniversalSentenceEncoder

    return UniversalSentenceEncoder()


VIDEO: dict[str, Callable[[], VideoEncoder]] = {"efficientnet-lite2": _efficientnet}
AUDIO: dict[str, Callable[[], AudioEncoder]] = {"whisper-base": _whisper}
TEXT: dict[str, Callable[[], TextEncoder]] = {"use-multilingual": _use}


def load_encoders(
    video: str | None = "efficientnet-lite2",
    audio: str | None = "whisper-base",
    text: str | None = "use-multilingual",
) -> Encoders:
    """Loads the chosen encoders, weights verified.

    Args:
        video: Name of the picture encoder, ``None`` or ``none`` to leave the modality out.
        audio: Name of the sound encoder, likewise.
        text: Name of the text encoder, likewise.

    Returns:
        The three; 1280 + 512 + 512 = 2304 numbers a shot by default.

    Raises:
        EncoderError: A name is unknown, or weights are not the tested ones.
        MissingExtraError: Weights are not installed.
    """
    return Encoders(
        video=_make(VIDEO, video, "video"),
        audio=_make(AUDIO, audio, "audio"),
        text=_make(TEXT, text, "text"),
    )


def _make(known: dict[str, Callable[[], E]], name: str | None, modality: str) -> E | None:
    if name is None or name == "none":
        return None
    if name not in known:
        raise EncoderError(
            f"there is no {modality} encoder '{name}'",
            do=f"choose one of {', '.join(known)}, or none",
        )
    return known[name]()
