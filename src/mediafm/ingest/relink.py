"""Media that moved: the titles stay, and know where their files are now."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from mediafm.catalog import Catalog
from mediafm.errors import MediaError


@dataclass
class Relinked:
    """What became of the titles whose files were under the old place.

    Args:
        moved: Titles that were found at the new place.
        missing: Titles without a file there.
        different: Titles with a file there that is of another size, so not theirs.
    """

    moved: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    different: list[str] = field(default_factory=list)


def relink(catalog: Catalog, old: Path, new: Path) -> Relinked:
    """Tells titles that their media files are in another place; nothing is read or encoded.

    Args:
        catalog: The catalog.
        old: The folder or file that was; it need not exist any more.
        new: The folder or file that is.

    Raises:
        MediaError: No title's file was there, or there is nothing at the new place.
    """
    # Not resolve(): what is gone is as it was written when it was ingested, links resolved then.
    gone, there = old.expanduser().absolute(), new.expanduser().resolve()
    if not there.exists():
        raise MediaError("there is nothing", where=new, do="name where the files are now")
    found = Relinked()
    for title in catalog.titles():
        path = Path(title.path)
        if not title.path or not path.is_relative_to(gone):
            continue
        place = there / path.relative_to(gone) if path != gone else there
        if not place.is_file():
            found.missing.append(title.title_id)
        elif (stat := place.stat()).st_size != title.size:
            found.different.append(title.title_id)
        else:
            catalog.touch(replace(title, path=str(place), mtime_ns=stat.st_mtime_ns))
            found.moved.append(title.title_id)
    if not (found.moved or found.missing or found.different):
        known = sorted({str(Path(t.path).parent) for t in catalog.titles() if t.path})
        raise MediaError(
            "no title's file was there",
            where=old,
            do=f"titles' files are in {', '.join(known[:3]) or 'no folder'}",
        )
    return found
