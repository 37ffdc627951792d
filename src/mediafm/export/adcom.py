"""Ad breaks as advertising systems exchange them.

The ``content`` object says what an impression is shown in. The fields written here have the same
names and meanings in OpenRTB 2.6 (3.2.16) and AdCOM 1.0 (IAB Tech Lab).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mediafm.catalog import Catalog, TitleRecord
from mediafm.errors import MediaFMError
from mediafm.files import save
from mediafm.probes.iab import CATTAX
from mediafm.suggest import Suggestions
from mediafm.suggest.breaks import Break
from mediafm.timeline import US

_VIDEO = 1  # of AdCOM's list of content contexts


def content(
    title: TitleRecord, categories: Sequence[str] = (), words: Sequence[str] = ()
) -> dict[str, Any]:
    """The ``content`` object of a title, or of a place in it.

    Args:
        title: The title.
        categories: What is around the place, by ids of the IAB Content Taxonomy 3.1.
        words: Likewise by words, for ``kwarray``; the title's tags come first.

    Returns:
        Plain values; what is not known is left out.
    """
    found: dict[str, Any] = {
        "id": title.title_id,
        "title": title.title,
        "series": title.series_id,
        "season": None if title.season is None else str(title.season),
        "episode": title.episode,
        "genre": title.genres[0] if title.genres else None,
        "cattax": CATTAX if categories else None,
        "cat": list(categories),
        "kwarray": list(dict.fromkeys((*title.tags, *words))),
        "context": _VIDEO if title.width else None,
        "len": round(title.duration / US),
    }
    return {name: value for name, value in found.items() if value not in (None, "", [])}


def breaks(catalog: Catalog, found: Suggestions) -> dict[str, Any]:
    """Ad breaks with a ``content`` object each.

    Args:
        catalog: Where the title is.
        found: From :func:`mediafm.suggest.suggest_breaks`.
    """
    title = catalog.title(found.title_id)
    rows = []
    for one in found.found:
        assert isinstance(one, Break)
        rows.append(
            {
                "at": one.span.start / US,
                "at_us": one.span.start,
                "score": one.score,
                "reasons": list(one.reasons),
                "before": list(one.before),
                "after": list(one.after),
                "content": content(title, one.categories, one.words),
            }
        )
    return {
        "title_id": found.title_id,
        "seconds": title.duration / US,
        "by": list(found.by),
        "breaks": rows,
        "notes": list(found.notes),
    }


def write_breaks(catalog: Catalog, found: Suggestions, out: Path) -> Path:
    """Writes ad breaks as JSON; the file appears whole or not at all.

    Raises:
        MediaFMError: There are none, or the file cannot be written.
    """
    if not found.found:
        raise MediaFMError("there is no ad break to write", where=out, do="; ".join(found.notes))
    text = json.dumps(breaks(catalog, found), indent=2, ensure_ascii=False) + "\n"
    return save(out, text.encode())
