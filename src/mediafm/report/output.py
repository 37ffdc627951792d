"""Files that appear whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from mediafm.errors import MediaFMError, describe_os_error

SUFFIXES = (".png", ".html")


def targets(out: Path, name: str) -> list[Path]:
    """The files that a path asked for stands for.

    Args:
        out: A ``.png`` or ``.html`` file; a path without suffix for both; a folder for both in it.
        name: Name of the files in a folder.

    Raises:
        MediaFMError: Another suffix.
    """
    if out.is_dir():
        stem = name.replace("/", "-").strip(".") or "title"
        return [out / f"{stem}{suffix}" for suffix in SUFFIXES]
    if not out.suffix:
        return [out.with_name(out.name + suffix) for suffix in SUFFIXES]
    if out.suffix.lower() not in SUFFIXES:
        raise MediaFMError(
            f"a picture cannot be written as {out.suffix}",
            where=out,
            do="name a .png or an .html file, or no suffix for both",
        )
    return [out]


def write(out: Path, data: bytes) -> None:
    """Writes a file under another name first, so that nobody sees half of it.

    Args:
        out: The file; its folder is made where it is missing.
        data: What goes into it.

    Raises:
        MediaFMError: The system refuses, in one line.
    """
    half = out.with_name(f".{out.name}-{os.urandom(4).hex()}")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        try:
            half.write_bytes(data)
            half.replace(out)
        finally:
            half.unlink(missing_ok=True)
    except OSError as error:
        raise MediaFMError(
            f"cannot write it: {describe_os_error(error)}",
            where=out,
            do="name a file in a folder that you may write to",
        ) from error
