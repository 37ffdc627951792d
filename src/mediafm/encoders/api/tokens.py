"""How many tokens a text is for an API, counted where that needs no download, else estimated."""

from __future__ import annotations

import hashlib
import math
import os
import re
import tempfile
from bisect import bisect_right
from pathlib import Path
from typing import Any

from mediafm.errors import EncoderError
from mediafm.fingerprint import verify_sha256

_URL = "https://openaipublic.blob.core.windows.net/encodings/cl100k_base.tiktoken"
_SHA256 = "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7"
_PIECE = re.compile(r" ?[^\W\d_]+|\d{1,3}| ?[^\s\w]+|\s+|_+|\w")
_SPARE = 8
"""Tokens to stay below a limit when cutting: the end of a text that was cut may count anew."""


class Tokens:
    """Counts tokens and cuts texts.

    Args:
        tokenizer: The model's own, as of ``tiktoken``; without it numbers are estimates.
    """

    def __init__(self, tokenizer: Any | None = None):
        self._tokenizer = tokenizer
        self.exact = tokenizer is not None

    def count(self, text: str) -> int:
        """Tokens of a text; an estimate errs on the high side."""
        return len(self._tokenizer.encode_ordinary(text)) if self._tokenizer else _about(text)

    def cut(self, text: str, most: int) -> str:
        """The beginning of a text that has at most so many tokens."""
        if self._tokenizer:
            tokens = self._tokenizer.encode_ordinary(text)
            if len(tokens) <= most:
                return text
            head: bytes = self._tokenizer.decode_bytes(tokens[: most - _SPARE])
            return head.decode("utf-8", "ignore")
        return text[: bisect_right(range(len(text) + 1), most, key=lambda n: _about(text[:n])) - 1]


def cut_bytes(text: str, most: int) -> str:
    """The beginning of a text that no byte-level tokenizer can give more tokens than ``most``."""
    return text.encode()[:most].decode("utf-8", "ignore")


def _about(text: str) -> int:
    """Estimates tokens from the words of a text and their bytes in UTF-8.

    No token of cl100k_base crosses the pieces that the text falls into. In them English runs at
    about 5 bytes a token, rare words at 4; other scripts spend between 1.5 bytes (Indic, Thai) and
    4 (Cyrillic) on one.
    """
    tokens = 0
    for piece in _PIECE.findall(text):
        plain = len(piece.encode("ascii", "ignore"))
        tokens += math.ceil(plain / 4 + (len(piece.encode()) - plain) / 1.5)
    return tokens


def local_tokenizer() -> Any | None:
    """The tokenizer of OpenAI's embedding models, if its file is in tiktoken's cache already.

    tiktoken downloads a file that is missing or damaged, which hangs on a machine without internet:
    it is asked only when it finds what it needs.
    """
    default = str(Path(tempfile.gettempdir(), "data-gym-cache"))
    folder = os.environ.get("TIKTOKEN_CACHE_DIR", os.environ.get("DATA_GYM_CACHE_DIR", default))
    if not folder:
        return None
    try:
        verify_sha256(Path(folder, hashlib.sha1(_URL.encode()).hexdigest()), _SHA256)
        import tiktoken

        return tiktoken.get_encoding("cl100k_base")
    except (ImportError, EncoderError, OSError, ValueError):
        return None
