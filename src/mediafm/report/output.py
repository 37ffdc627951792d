"""Where pictures go."""

from __future__ import annotations

from pathlib import Path

from mediafm.errors import MediaFMError
from mediafm.files import file_stem

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
        stem = file_stem(name)
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
