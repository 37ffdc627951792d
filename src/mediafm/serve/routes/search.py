"""Finding: by a sentence, and by what is like a shot, a clip or a title."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from mediafm.errors import MediaFMError
from mediafm.search import (
    Filter,
    check_query,
    query_sources,
    shot_at,
    similar,
    similar_clips,
    similar_titles,
)
from mediafm.search import search as find
from mediafm.search.spaces import CONTEXT
from mediafm.search.text import WORDS
from mediafm.serve.library import LibraryOf, View, ViewOf
from mediafm.serve.problems import public
from mediafm.serve.schemas import (
    LATEST,
    Features,
    HitModel,
    Noted,
    Notes,
    Several,
    Span,
    Text,
    TitleId,
    Version,
    hit_of,
)

router = APIRouter(tags=["find"])
Count = Annotated[int, Query(ge=1, le=500)]
Moment = Annotated[int | None, Query(ge=0, le=LATEST)]


def _filter(
    title: Several = (),
    series: Several = (),
    genre: Several = (),
    tag: Several = (),
    after: Annotated[int, Query(ge=0, le=LATEST)] = 0,
    before: Moment = None,
) -> Filter:
    return Filter(title, series, genre, tag, after, before)


Where = Annotated[Filter, Depends(_filter)]


class Answer(Noted):
    """What a search found."""

    query: str
    hits: list[HitModel]


class Asked(BaseModel):
    """What was asked about."""

    title_id: str
    shot: int | None = None
    span: Span | None = None


class Alike(BaseModel):
    """What is like it, most of all first."""

    query: Asked
    features: str
    hits: list[HitModel]


class Ways(BaseModel):
    """What a sentence can be looked for by."""

    ways: list[str] = Field(description="`words`, and modalities whose encoder reads sentences.")
    notes: Notes


@router.get("/search/ways")
def ways(view: ViewOf) -> Ways:
    """The ways to search; those by meaning only where an encoder reads sentences."""
    try:
        readers = view.once(("ways",), lambda: list(query_sources(view.catalog)))
    except MediaFMError as error:
        return Ways(ways=[WORDS], notes=[public(error)])
    return Ways(ways=[WORDS, *readers], notes=[])


@router.get("/search")
def search(
    q: Annotated[str, Query(max_length=500, description="What a shot shows, or what is said.")],
    library: LibraryOf,
    view: ViewOf,
    where: Where,
    by: Several = (),
    count: Count = 24,
) -> Answer:
    """Shots that fit a sentence: by words, by meaning, and in pictures where an encoder can."""
    check_query(q)
    where.within(view.catalog)
    notes: Notes = []
    ways = list(dict.fromkeys(by)) or None
    encoders = {}
    if ways != [WORDS]:
        try:
            encoders = library.encoders(view)
        except MediaFMError as error:
            notes.append(public(error))
        if ways is None and not encoders:
            ways = [WORDS]  # what is left
            notes.append("no encoder here reads sentences: looked for by words only")
    for way in ways or ():
        if way not in (WORDS, *encoders):
            known = way in view.catalog.encoders()
            raise MediaFMError(
                f"the {way} encoder reads no sentences" if known else f"there is no way '{way}'",
                do=f"choose {' or '.join([WORDS, *encoders])}",
            )
    found = find(view.catalog, q, count, encoders=encoders, where=where, by=ways)
    return Answer(
        query=q,
        by=list(found.by),
        notes=[*notes, *found.notes],
        hits=[HitModel(**hit_of(hit, view.titles)) for hit in found.found],
    )


@router.get("/similar")
def like(
    view: ViewOf,
    where: Where,
    title_id: Text,
    time: Annotated[Moment, Query(description="Of a shot.")] = None,
    start: Annotated[Moment, Query(description="Of a clip, with `end`.")] = None,
    end: Moment = None,
    features: Features = CONTEXT,
    count: Count = 12,
    elsewhere: Annotated[bool, Query(description="Only in other titles.")] = False,
    version: Version = None,
) -> Alike:
    """Shots like the one at `time`, or clips like that from `start` to `end`."""
    record = view.title(title_id)
    version = _version(view, features, version)
    clip = start is not None and end is not None
    if (start is None) != (end is None) or (time is None) != clip:
        raise MediaFMError("name `time` for a shot, or `start` and `end` for a clip")
    if time is not None:
        shot, hits = similar(
            view.catalog, title_id, time, count, version=version, features=features,
            elsewhere=elsewhere, where=where,
        )  # fmt: skip
        query = Asked(title_id=title_id, shot=shot.index, span=Span(**asdict(shot.span)))
    else:
        assert start is not None
        assert end is not None
        if end <= start:
            raise MediaFMError("the clip ends before it starts", do="swap `start` and `end`")
        span = view.catalog.clip(record.title_id, start, end).clip.span
        hits = similar_clips(
            view.catalog, title_id, span, count, version=version, features=features,
            elsewhere=elsewhere, where=where,
        )  # fmt: skip
        first = shot_at(view.catalog, title_id, span.start)
        query = Asked(title_id=title_id, shot=first.index, span=Span(**asdict(span)))
    return _alike(view, query, features, hits)


@router.get("/titles/{title_id:path}/similar")
def like_title(
    title_id: TitleId,
    view: ViewOf,
    where: Where,
    features: Features = CONTEXT,
    count: Count = 12,
    version: Version = None,
) -> Alike:
    """Titles like one."""
    view.title(title_id)
    version = _version(view, features, version)
    if where.in_time:
        raise MediaFMError("titles are compared as a whole", do="leave `after`, `before` out")
    hits = similar_titles(
        view.catalog, title_id, count, version=version, features=features, where=where
    )
    return _alike(view, Asked(title_id=title_id), features, hits)


def _version(view: View, features: str, version: str | None) -> str | None:
    """The server's version counts where embeddings are compared."""
    return (version or view.settings.version) if features == CONTEXT else version


def _alike(view: View, query: Asked, features: str, hits: list[Any]) -> Alike:
    found = [HitModel(**hit_of(hit, view.titles)) for hit in hits]
    return Alike(query=query, features=features, hits=found)
