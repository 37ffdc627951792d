"""Fingerprints: every stored vector knows what made it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mediafm.errors import EncoderError, MediaFMError, describe_os_error

_BYTES = 8


def fingerprint(settings: Any) -> str:
    """Digests a JSON-like value; equal values give equal digests on every machine.

    Args:
        settings: Nested mappings, sequences, dataclasses, strings, numbers, ``None``.

    Returns:
        16 hexadecimal digits (BLAKE2b, 8 bytes).

    Raises:
        TypeError: The value holds something that JSON cannot say.
    """
    text = json.dumps(
        settings, sort_keys=True, separators=(",", ":"), ensure_ascii=True, default=_plain
    )
    return hashlib.blake2b(text.encode(), digest_size=_BYTES).hexdigest()


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"cannot fingerprint a {type(value).__name__}")


def file_fingerprint(*paths: Path) -> str:
    """Digests the content of one or several files, in the order given.

    Args:
        *paths: Files to read, each in full.

    Returns:
        16 hexadecimal digits (BLAKE2b, 8 bytes, over the files' own digests).

    Raises:
        MediaFMError: A file cannot be read.
    """
    whole = hashlib.blake2b(digest_size=_BYTES)
    for path in paths:
        try:
            with path.open("rb") as file:
                whole.update(hashlib.file_digest(file, "blake2b").digest())
        except OSError as error:
            raise MediaFMError(f"cannot be read ({describe_os_error(error)})", where=path) from None
    return whole.hexdigest()


def verify_sha256(path: Path, expected: str) -> Path:
    """Refuses a weight file whose content is not the one that was tested.

    Args:
        path: The file.
        expected: Its SHA-256 as 64 hexadecimal digits.

    Returns:
        The path, so that a call can be chained.

    Raises:
        EncoderError: The file is absent or its digest differs.
    """
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise EncoderError(
            f"weights cannot be read ({describe_os_error(error)})", where=path
        ) from None
    if found != expected:
        raise EncoderError(
            f"weights have sha256 {found[:12]}…, expected {expected[:12]}…",
            where=path,
            do="re-install the package that carries them at its pinned version",
        )
    return path
