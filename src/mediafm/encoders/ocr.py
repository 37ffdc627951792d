"""Text on screen as a further modality: ``--with ocr=ocr:use-multilingual``.

RapidOCR reads the keyframe of every shot, and the text encoder that the rest of the name says turns
what it read into a vector. Keyframes are small, 180 pixels high: titles, signs and captions that
are at least 6 of these pixels high can be read, street names far away cannot. Enlarging them first
reads less, not more: the reader enlarges by itself.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
from collections.abc import Sequence
from typing import Any

import numpy as np

from mediafm.encoders.base import (
    EncoderInfo,
    EncoderSource,
    Mask,
    TextEncoder,
    TitleView,
    Vectors,
    threads,
)
from mediafm.encoders.spec import Spec
from mediafm.errors import MissingExtraError

_LEAST_SCORE = 0.8
"""Grass and folds of cloth are read as single letters, or as words of lower scores; titles and
credits score higher."""


def open_ocr(spec: Spec, modality: str) -> EncoderSource:
    """Finds the reader and the text encoder; loads no weights.

    Args:
        spec: ``ocr:`` and a text encoder with its options (``ocr:hf:ORG/MODEL``).
        modality: Name of the modality.

    Raises:
        EncoderError: There is no such text encoder.
        MissingExtraError: RapidOCR, or what the text encoder needs, is not installed.
    """
    from mediafm.encoders.registry import open_encoder

    if importlib.util.find_spec("rapidocr_onnxruntime") is None:
        raise MissingExtraError("rapidocr-onnxruntime", extra="ocr", purpose="reading keyframes")
    return ScreenTextSource(modality, open_encoder("text", str(spec).removeprefix("ocr:")))


class ScreenTextSource:
    """See :class:`~mediafm.encoders.base.EncoderSource`.

    Args:
        modality: Name of the modality.
        text: What encodes the text that was read.
    """

    queries = False

    def __init__(self, modality: str, text: EncoderSource):
        self.text = text
        reader = f"rapidocr-onnxruntime {importlib.metadata.version('rapidocr-onnxruntime')}"
        settings = {
            "reader": reader,
            "lines": f"score >= {_LEAST_SCORE}, two characters",
            "text": text.info.fingerprint,
        }
        name = f"ocr:{text.info.name}"
        self.info = EncoderInfo(modality, name, text.info.dim, settings, identity="ocr")

    def load(self, devices: Sequence[str]) -> ScreenText:
        """See :class:`~mediafm.encoders.base.EncoderSource`; only the text encoder uses devices."""
        return ScreenText(self.info, self.text.load(devices))


class ScreenText:
    """Keyframes to vectors of the text on them; shots without text are absent.

    Args:
        info: What decides the vectors.
        text: The text encoder.
    """

    def __init__(self, info: EncoderInfo, text: TextEncoder):
        from rapidocr_onnxruntime import RapidOCR

        self.info, self._text = info, text
        self._reader: Any = RapidOCR(text_score=_LEAST_SCORE, intra_op_num_threads=threads())

    def read(self, jpeg: bytes | None) -> str:
        """The lines on a picture from top to bottom, empty where there are none."""
        found, _ = self._reader(jpeg) if jpeg else (None, None)
        return "\n".join(line for _, line, _ in found or () if len(line.strip()) > 1)

    def encode_shots(self, title: TitleView) -> tuple[Vectors, Mask]:
        """See :class:`~mediafm.encoders.base.ShotEncoder`."""
        texts = [self.read(jpeg) for jpeg in title.keyframes()]
        present_N = np.array([bool(text) for text in texts], dtype=np.bool_)
        x_ND = np.zeros((len(texts), self.info.dim), dtype=np.float32)
        if present_N.any():
            x_ND[present_N] = self._text.encode([text for text in texts if text])
        return x_ND, present_N
