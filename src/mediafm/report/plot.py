"""Pictures of titles as files: ``mediafm plot`` and ``mediafm arc``."""

from __future__ import annotations

from pathlib import Path

from mediafm.catalog import Catalog
from mediafm.errors import MediaFMError
from mediafm.files import save
from mediafm.report import output
from mediafm.report.material import collect
from mediafm.suggest.arc import Arc


def plot(catalog: Catalog, title_id: str, out: Path, version: str | None = None) -> list[Path]:
    """Draws the self-similarity of a title, raw and contextual, over its filmstrip.

    Args:
        catalog: The catalog.
        title_id: The title.
        out: A ``.png`` or ``.html`` file; without suffix, both are written; a folder gets both
            under the name of the title.
        version: The version of contextual embeddings; the current one by default. Where there is
            none, the picture says how to make one.

    Returns:
        The files written.

    Raises:
        MediaFMError: No such title or version, a title without shots, another suffix, or a file
            that cannot be written.
    """
    files = output.targets(Path(out), title_id)
    material = collect(catalog, title_id, version)
    for file in files:
        if file.suffix.lower() == ".png":
            from mediafm.report.picture import draw  # matplotlib takes a second to load

            save(file, draw(material))
        else:
            from mediafm.report.page import page

            save(file, page(material).encode())
    return files


def plot_arc(catalog: Catalog, arc: Arc, out: Path, *, keyframes: bool = True) -> Path:
    """Draws an arc: a row per curve, and under them the moments at their peaks.

    Args:
        catalog: Where the keyframes are.
        arc: From :func:`mediafm.suggest.find_arc`.
        out: A ``.png`` file.
        keyframes: Whether the moments are shown; without, a picture holds nothing of the film.

    Returns:
        The file.

    Raises:
        MediaFMError: Another suffix, or the file cannot be written.
    """
    from mediafm.report.arc import draw  # matplotlib takes a second to load

    out = Path(out)
    if out.suffix.lower() != ".png":
        what = out.suffix or "a file without suffix"
        raise MediaFMError(f"an arc cannot be written as {what}", where=out, do="name a .png file")
    save(out, draw(catalog, arc, keyframes=keyframes))
    return out
