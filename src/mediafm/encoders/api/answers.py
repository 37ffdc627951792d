"""Reads what an OpenAI-compatible endpoint answers; nothing in an answer is taken on trust."""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from mediafm.encoders.base import Vectors

_KEY_LIKE = re.compile(r"\bsk-[\w*.-]+|(?i:\bbearer\s+)\S+")
_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+)ms)?")
_SECONDS = (86400.0, 3600.0, 60.0, 1.0, 0.001)
_LONGEST_MESSAGE = 200


class DamagedAnswerError(Exception):
    """An answer that says it is fine and is not; a server may do better when asked again."""


class Secret:
    """A key that does not show itself in a log, a traceback or a ``repr``."""

    __slots__ = ("_value",)

    def __init__(self, value: str):
        self._value = value

    def reveal(self) -> str:
        """The key itself."""
        return self._value

    def scrub(self, text: str) -> str:
        """The text without the key and without what looks like one."""
        text = text.replace(self._value, "***") if self._value else text
        return _KEY_LIKE.sub("***", text)

    def __bool__(self) -> bool:
        return bool(self._value)

    def __repr__(self) -> str:
        return "Secret(***)"

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("a key is not pickled")


def read_vectors(content: bytes, count: int) -> Vectors:
    """Reads the vectors of an answer, as numbers or in base64, in the order of the texts.

    Args:
        content: Body of the answer.
        count: Texts that were asked about.

    Returns:
        ``x_ND`` of one width, finite, no row all zero.

    Raises:
        DamagedAnswerError: It is not JSON, or rows are missing, doubled, of several widths or no
            numbers.
    """
    try:
        answer = json.loads(content)
    except (ValueError, RecursionError):
        raise DamagedAnswerError("it is not JSON") from None
    items = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        _, message = read_error(content)
        raise DamagedAnswerError(message or "it holds no list of embeddings")
    if len(items) != count:
        raise DamagedAnswerError(f"it holds {len(items)} embeddings for {count} texts")
    # Some servers leave the index out; without any, the order of the answer is all there is.
    if any("index" in item for item in items):
        places = [item.get("index") for item in items]
        if any(type(place) is not int for place in places) or sorted(places) != list(range(count)):
            raise DamagedAnswerError("its indexes are not those of the texts")
        items = sorted(items, key=lambda item: int(item["index"]))
    rows = [_row(item.get("embedding")) for item in items]
    if len({len(row) for row in rows}) > 1:
        raise DamagedAnswerError("its embeddings have several widths")
    x_ND = np.stack(rows)
    if not np.isfinite(x_ND).all():
        raise DamagedAnswerError("its embeddings hold numbers that are not finite")
    if not x_ND.any(axis=1).all():
        raise DamagedAnswerError("an embedding is all zero")
    return x_ND


def _row(value: Any) -> npt.NDArray[np.float32]:
    if isinstance(value, str):
        try:
            row = np.frombuffer(base64.b64decode(value, validate=True), dtype="<f4")
        except (binascii.Error, ValueError):
            raise DamagedAnswerError("an embedding is neither numbers nor base64") from None
    else:
        try:
            row = np.asarray(value)
        except (ValueError, OverflowError):
            row = np.zeros(0, dtype=object)
        # NumPy would take strings and null for numbers.
        if row.ndim != 1 or row.dtype.kind not in "fiu":
            raise DamagedAnswerError("an embedding is no list of numbers")
    if not len(row):
        raise DamagedAnswerError("an embedding is empty")
    with np.errstate(over="ignore"):
        return row.astype(np.float32)


def read_error(content: bytes) -> tuple[str, str]:
    """Reads code and message of a refusal, in the shapes that servers use.

    Returns:
        The code (``insufficient_quota``) and a short printable message; empty where it has none.
        The message still has to be scrubbed.
    """
    try:
        answer = json.loads(content)
    except (ValueError, RecursionError):
        return "", _shorten(content.decode("utf-8", "replace"))
    error = answer.get("error", answer) if isinstance(answer, dict) else answer
    if not isinstance(error, dict):
        return "", _shorten(error if isinstance(error, str) else json.dumps(error))
    code = error.get("code") or error.get("type") or ""
    message = error.get("message") or error.get("detail") or error.get("object") or ""
    return str(code), _shorten(message if isinstance(message, str) else json.dumps(message))


def _shorten(text: str) -> str:
    text = " ".join("".join(c if c.isprintable() else " " for c in text[:2000]).split())
    return text if len(text) <= _LONGEST_MESSAGE else text[: _LONGEST_MESSAGE - 1] + "…"


def asked_pause(headers: Mapping[str, str], tokens: int) -> float | None:
    """How long the server asks to wait.

    Args:
        headers: Headers of the answer, looked up in lower case.
        tokens: Tokens of the request, which a limit on tokens left too few for.

    Returns:
        Seconds by ``retry-after-ms``, ``retry-after`` (seconds or a date) or the reset of the limit
        that was hit (``x-ratelimit-reset-*``), in this order; ``None`` where it does not say.
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    after = headers.get("retry-after")
    seconds = _number(after)
    if seconds is not None:
        return seconds
    date = _date(after)
    if date is not None:
        # The server's own clock, where it tells it: ours may be wrong by more than the pause.
        now = _date(headers.get("date")) or datetime.now(UTC)
        return max((date - now).total_seconds(), 0.0)
    resets = []
    for limit, needed in (("requests", 1), ("tokens", tokens)):
        left = _number(headers.get(f"x-ratelimit-remaining-{limit}"))
        reset = _duration(headers.get(f"x-ratelimit-reset-{limit}"))
        if left is not None and left < needed and reset is not None:
            resets.append(reset)
    return max(resets, default=None)


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return max(value, 0.0) if math.isfinite(value) else None


def _date(text: str | None) -> datetime | None:
    try:
        date = parsedate_to_datetime(text or "")
    except (ValueError, IndexError, TypeError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)


def _duration(text: str | None) -> float | None:
    found = _DURATION.fullmatch((text or "").strip())
    if not text or found is None:
        return _number(text)
    parts = zip(found.groups(), _SECONDS, strict=True)
    return sum(float(part) * seconds for part, seconds in parts if part)
