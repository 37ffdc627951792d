"""Suggestions of a title: tags, clips, artwork, ad breaks, and what content tells of a new one."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel

from mediafm.serve.library import View, ViewOf
from mediafm.serve.schemas import HitModel, Noted, Notes, Several, Span, TitleId, Version, hit_of
from mediafm.suggest import (
    FittedProbes,
    Suggestion,
    Suggestions,
    cold_start,
    suggest_artwork,
    suggest_breaks,
    suggest_clips,
    suggest_tags,
)
from mediafm.timeline import US

router = APIRouter(tags=["suggest"])
Count = Annotated[int, Query(ge=1, le=100)]
Length = Annotated[int, Query(ge=1, le=24 * 3600 * US)]


class SuggestionModel(BaseModel):
    """A place in a title, and why."""

    title_id: str
    span: Span
    score: float
    reasons: list[str]
    evidence: dict[str, float | None]
    shot: int | None = None
    before: list[str] | None = None
    after: list[str] | None = None
    categories: list[str] | None = None
    probe: str | None = None
    tags: list[str] | None = None
    names: list[str] | None = None


class SuggestionsModel(Noted):
    """What is suggested for a title, best first; tags in the order of time."""

    title_id: str
    kind: str
    found: list[SuggestionModel]


class ColdStartModel(BaseModel):
    """What content alone tells of a title."""

    title_id: str
    nearest: list[HitModel]
    tags: list[SuggestionModel]
    notes: Notes


@router.get("/titles/{title_id:path}/tags")
def tags(
    title_id: TitleId,
    view: ViewOf,
    probe: Several = (),
    version: Version = None,
) -> SuggestionsModel:
    """Tags scene by scene, by every fitted probe that gives classes."""
    return _suggested(
        view, title_id, version, ("tags", *probe),
        lambda probes, version: suggest_tags(
            view.catalog, title_id, only=probe, probes=probes, version=version
        ),
    )  # fmt: skip


@router.get("/titles/{title_id:path}/suggestions/clips")
def clips(
    title_id: TitleId,
    view: ViewOf,
    count: Count = 5,
    shortest: Length = 5 * US,
    longest: Length = 60 * US,
    spoilers: bool = False,
    version: Version = None,
) -> SuggestionsModel:
    """Promotional clips, from shot to shot and without cutting speech."""
    return _suggested(
        view, title_id, version, ("clips", count, shortest, longest, spoilers),
        lambda probes, version: suggest_clips(
            view.catalog, title_id, count, probes=probes, version=version, shortest=shortest,
            longest=longest, spoilers=spoilers,
        ),
    )  # fmt: skip


@router.get("/titles/{title_id:path}/suggestions/artwork")
def artwork(
    title_id: TitleId,
    view: ViewOf,
    count: Count = 5,
    spoilers: bool = False,
    version: Version = None,
) -> SuggestionsModel:
    """Keyframes for posters and tiles."""
    return _suggested(
        view, title_id, version, ("artwork", count, spoilers),
        lambda probes, version: suggest_artwork(
            view.catalog, title_id, count, probes=probes, version=version, spoilers=spoilers
        ),
    )  # fmt: skip


@router.get("/titles/{title_id:path}/suggestions/ad-breaks")
def ad_breaks(
    title_id: TitleId,
    view: ViewOf,
    spacing: Length = 8 * 60 * US,
    exclude: Several = (),
    version: Version = None,
) -> SuggestionsModel:
    """Places for advertisements: between scenes, away from speech."""
    return _suggested(
        view, title_id, version, ("ad-breaks", spacing, *exclude),
        lambda probes, version: suggest_breaks(
            view.catalog, title_id, probes=probes, version=version, spacing=spacing,
            exclude=exclude,
        ),
    )  # fmt: skip


@router.get("/titles/{title_id:path}/cold-start")
def new_title(
    title_id: TitleId, view: ViewOf, count: Count = 10, version: Version = None
) -> ColdStartModel:
    """Titles like a new one, and tags for it, before anybody watched it."""
    record = view.title(title_id)
    version = version or view.settings.version
    key = ("cold-start", record.ingest_id, count, version, view.fitted())
    found = view.once(
        key,
        lambda: cold_start(
            view.catalog, title_id, count, probes=view.probes(version), version=version
        ),
    )
    return ColdStartModel(
        title_id=title_id,
        nearest=[HitModel(**hit_of(hit, view.titles)) for hit in found.nearest],
        tags=[_model(one) for one in found.tags],
        notes=list(found.notes),
    )


def _suggested(
    view: View,
    title_id: str,
    version: str | None,
    key: tuple[Hashable, ...],
    find: Callable[[FittedProbes, str | None], Suggestions],
) -> SuggestionsModel:
    record = view.title(title_id)
    version = version or view.settings.version
    whole = (*key, record.ingest_id, version, view.fitted())
    found = view.once(whole, lambda: find(view.probes(version), version))
    return SuggestionsModel(
        title_id=title_id,
        kind=found.kind,
        found=[_model(one) for one in found.found],
        by=list(found.by),
        notes=list(found.notes),
    )


def _model(one: Suggestion) -> SuggestionModel:
    about: dict[str, Any] = asdict(one)
    evidence = {name: _number(value) for name, value in one.evidence.items()}
    known = {name: about[name] for name in SuggestionModel.model_fields if name in about}
    return SuggestionModel(**{**known, "evidence": evidence})


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
