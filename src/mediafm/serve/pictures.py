"""Keyframes as pictures: posters, and sheets of sprites that a filmstrip is drawn from."""

from __future__ import annotations

import io

from PIL import Image
from pydantic import BaseModel

from mediafm.catalog import TitleRecord
from mediafm.serve.library import View
from mediafm.serve.problems import NotFoundError

_HEIGHT = 72
"""Pixels of a sprite: a filmstrip's, on a screen of double density half as high."""

_COLUMNS = 10
_PER_PAGE = 100


class Strip(BaseModel):
    """How sprites lie on the pages of a title.

    Shot `i` is on page `i // per_page`, in reading order, at its own width: a picture is fitted
    into `width` x `height`, centred, on black.
    """

    width: int
    height: int
    columns: int
    per_page: int
    pages: int


def strip_of(title: TitleRecord) -> Strip | None:
    """The layout of a title's sprites; none without pictures."""
    if not title.shots or not title.width or not title.height:
        return None
    # Of an unusually wide or narrow picture no more than what fits a timeline.
    width = round(_HEIGHT * min(max(title.width / title.height, 0.5), 2.5))
    return Strip(
        width=width,
        height=_HEIGHT,
        columns=_COLUMNS,
        per_page=_PER_PAGE,
        pages=-(-title.shots // _PER_PAGE),
    )


def draw_strip(view: View, title: TitleRecord, page: int) -> bytes:
    """One page of sprites as JPEG.

    Raises:
        NotFoundError: The title has no such page.
    """
    strip = strip_of(title)
    if strip is None or not 0 <= page < strip.pages:
        raise NotFoundError("the title has no such page of pictures", where=title.title_id)
    first = page * strip.per_page
    count = min(strip.per_page, title.shots - first)
    rows = -(-count // strip.columns)
    sheet = Image.new("RGB", (strip.columns * strip.width, rows * strip.height))
    keyframes = view.catalog.keyframes(title.title_id, first, first + count)
    for place, jpeg in enumerate(keyframes):
        if jpeg is None:
            continue
        with Image.open(io.BytesIO(jpeg)) as picture:
            picture.draft("RGB", (strip.width, strip.height))  # JPEG decodes to half for little
            small = picture.convert("RGB")
            small.thumbnail((strip.width, strip.height), Image.Resampling.BILINEAR)
            x = place % strip.columns * strip.width + (strip.width - small.width) // 2
            y = place // strip.columns * strip.height + (strip.height - small.height) // 2
            sheet.paste(small, (x, y))
    out = io.BytesIO()
    sheet.save(out, "JPEG", quality=80)
    return out.getvalue()


def poster(view: View, title: TitleRecord) -> bytes:
    """A picture that stands for a title: of some keyframes spread over it, the one that shows most.

    The size of a JPEG tells: black, blurred and empty frames are small.

    Raises:
        NotFoundError: The title has no pictures.
    """
    wanted = sorted({round(title.shots * part / 12) for part in range(1, 9)})
    held = [view.catalog.keyframe(title.title_id, n) for n in wanted if n < title.shots]
    found = [jpeg for jpeg in held if jpeg is not None]
    if not found:
        raise NotFoundError("the title has no pictures", where=title.title_id)
    return max(found, key=len)
