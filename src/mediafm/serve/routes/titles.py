"""Titles, and what they are made of: shots, cues, and both at once for a timeline."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel

from mediafm.catalog import TitleRecord
from mediafm.serve import media
from mediafm.serve.library import View, ViewOf
from mediafm.serve.pictures import Strip, strip_of
from mediafm.serve.schemas import (
    CueModel,
    Offset,
    Span,
    Text,
    Title,
    TitleId,
    cues_of,
    name_of,
    title_of,
)

router = APIRouter(tags=["titles"])
Limit = Annotated[int, Query(ge=1, le=500)]
Many = Annotated[int, Query(ge=1, le=5000)]
Sort = Literal["title", "newest", "longest", "shots"]

_ORDERS: dict[str, Callable[[TitleRecord], Any]] = {
    "title": lambda t: (name_of(t).casefold(), t.title_id),
    "newest": lambda t: (-t.committed_at, t.title_id),
    "longest": lambda t: (-t.duration, t.title_id),
    "shots": lambda t: (-t.shots, t.title_id),
}


class Titles(BaseModel):
    """A page of titles."""

    total: int
    offset: int
    items: list[Title]


class MediaModel(BaseModel):
    """Whether a browser can play the title's file."""

    state: Literal["direct", "proxy", "missing", "refused", "none"]
    why: str
    type: str


class TitleAbout(Title):
    """A title, whether it is embedded, and whether it can be played."""

    embedded: bool
    media: MediaModel


class ShotModel(BaseModel):
    """The frames between two cuts."""

    index: int
    span: Span
    forced: bool
    keyframe: str


class Shots(BaseModel):
    """A page of shots."""

    total: int
    offset: int
    items: list[ShotModel]


class Cues(BaseModel):
    """A page of cues."""

    total: int
    offset: int
    items: list[CueModel]


class Timeline(BaseModel):
    """Shots by columns, cues, and how the pictures of the filmstrip are laid out."""

    title_id: str
    ingest_id: str
    start: list[int]
    end: list[int]
    forced: list[bool]
    cues: list[CueModel]
    strip: Strip | None


@router.get("/titles")
def titles(
    view: ViewOf,
    q: Text = "",
    series: Text | None = None,
    genre: Text | None = None,
    tag: Text | None = None,
    kind: Text | None = None,
    sort: Sort = "title",
    offset: Offset = 0,
    limit: Limit = 60,
) -> Titles:
    """Titles whose name, series, synopsis or tags hold all words of `q`."""
    words = q.casefold().split()
    found = [
        title
        for title in view.titles.values()
        if (series is None or title.series_id == series)
        and (kind is None or title.kind == kind)
        and (genre is None or genre in title.genres)
        and (tag is None or tag in title.tags)
        and all(word in _text(title) for word in words)
    ]
    found.sort(key=_ORDERS[sort])
    page = found[offset : offset + limit]
    return Titles(
        total=len(found), offset=offset, items=[Title(**title_of(title)) for title in page]
    )


def _text(title: TitleRecord) -> str:
    parts = (title.title_id, title.title, title.series_id, title.synopsis, *title.tags)
    return " ".join(part for part in (*parts, *title.genres) if part).casefold()


@router.get("/titles/{title_id:path}/timeline")
def timeline(title_id: TitleId, view: ViewOf) -> Timeline:
    """All shots and cues of a title, for drawing."""
    record = view.title(title_id)
    return view.once(("timeline", record.ingest_id), lambda: _timeline(view, record))


def _timeline(view: View, record: TitleRecord) -> Timeline:
    shots = view.catalog.shots(record.title_id)
    return Timeline(
        title_id=record.title_id,
        ingest_id=record.ingest_id,
        start=[shot.span.start for shot in shots],
        end=[shot.span.end for shot in shots],
        forced=[shot.forced for shot in shots],
        cues=[CueModel(**cue) for cue in cues_of(view.catalog.cues(record.title_id))],
        strip=strip_of(record),
    )


@router.get("/titles/{title_id:path}/shots")
def shots(title_id: TitleId, view: ViewOf, offset: Offset = 0, limit: Many = 1000) -> Shots:
    """The shots of a title in temporal order."""
    held = view.catalog.shots(view.title(title_id).title_id)
    page = held[offset : offset + limit]
    items = [ShotModel(**asdict(s), keyframe=f"keyframes/{s.index}.jpg") for s in page]
    return Shots(total=len(held), offset=offset, items=items)


@router.get("/titles/{title_id:path}/cues")
def cues(title_id: TitleId, view: ViewOf, offset: Offset = 0, limit: Many = 1000) -> Cues:
    """The timed text of a title."""
    held = view.catalog.cues(view.title(title_id).title_id)
    page = [CueModel(**cue) for cue in cues_of(held[offset : offset + limit])]
    return Cues(total=len(held), offset=offset, items=page)


whole = APIRouter(tags=["titles"])
"""The address of a title itself, which would take those of its parts for ids: it comes last."""


@whole.get("/titles/{title_id:path}")
def title(title_id: TitleId, view: ViewOf) -> TitleAbout:
    """One title."""
    record = view.title(title_id)
    held = media.state(view, record)
    lacking = set(view.once(("lacking",), lambda: _lacking(view)))
    return TitleAbout(
        **title_of(record),
        embedded=record.title_id not in lacking,
        media=MediaModel(state=held.state, why=held.why, type=held.type),
    )


def _lacking(view: View) -> tuple[str, ...]:
    if not view.catalog.versions():
        return tuple(view.titles)
    name = view.catalog.version(view.settings.version).name
    return tuple(title.title_id for title in view.catalog.lacking(name))
