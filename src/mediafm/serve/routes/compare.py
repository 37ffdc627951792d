"""Two versions beside one another."""

from __future__ import annotations

import threading
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from mediafm.serve.compare import Comparison
from mediafm.serve.compare import compare as find
from mediafm.serve.library import View, ViewOf
from mediafm.serve.problems import NotFoundError, NotNowError
from mediafm.serve.routes.versions import Check
from mediafm.serve.schemas import HitModel, Text, hit_of, name_of

router = APIRouter(tags=["versions"])
_ALONE = threading.Lock()  # each takes all cores, and much memory


class Share(BaseModel):
    """A title, and the share of its shots' neighbours that both versions have in common."""

    title_id: str
    title: str
    overlap: float
    shots: int = Field(description="Shots of it that were asked about.")


class ChangedModel(BaseModel):
    """A shot, and its neighbours in either version."""

    query: HitModel
    overlap: float
    a: list[HitModel]
    b: list[HitModel]


class ComparisonModel(BaseModel):
    """How alike two versions are."""

    a: str
    b: str
    shots: int = Field(description="Shots that were asked about: all, or a sample of many.")
    of: int = Field(description="Shots that both versions have.")
    k: int = Field(description="Neighbours of each shot.")
    overlap: float = Field(description="Mean share of the neighbours in common.")
    error: float = Field(description="Half the width of its 95 % interval; 0 for one title.")
    left_out: int = Field(description="Titles that one of the versions lacks.")
    by_title: list[Share]
    changed: list[ChangedModel]
    validations: dict[str, list[Check]]


@router.get("/compare")
def compare(
    view: ViewOf,
    a: Text,
    b: Text,
    title_id: Text | None = None,
    count: Annotated[int, Query(ge=1, le=100)] = 10,
    elsewhere: Annotated[bool, Query(description="Only neighbours in other titles.")] = False,
) -> ComparisonModel:
    """How many of a shot's nearest neighbours two versions have in common, and where fewest."""
    held = {version.name for version in view.catalog.versions()}
    for name in (a, b):
        if name not in held:
            raise NotFoundError(f"there is no version '{name[:200]}'", do="see /api/versions")
    if a == b:
        raise NotNowError("a version is like itself", do="name two versions")
    if title_id is not None:
        view.title(title_id)
    # Threads that ask for the same wait for one: it takes seconds on a large catalog.
    key = ("compare", a, b, title_id, count, elsewhere)

    def make() -> Comparison:
        with _ALONE:
            return find(view.catalog, a, b, title_id=title_id, count=count, elsewhere=elsewhere)

    return _model(view, a, b, view.once(key, make))


def _model(view: View, a: str, b: str, found: Comparison) -> ComparisonModel:
    def name(title_id: str) -> str:
        record = view.titles.get(title_id)
        return name_of(record) if record else title_id

    return ComparisonModel(
        a=a,
        b=b,
        shots=found.shots,
        of=found.of,
        k=found.k,
        overlap=found.overlap,
        error=found.error,
        left_out=found.left_out,
        by_title=[
            Share(title_id=title_id, title=name(title_id), overlap=overlap, shots=shots)
            for title_id, overlap, shots in found.by_title
        ],
        changed=[
            ChangedModel(
                query=HitModel(**hit_of(one.query, view.titles)),
                overlap=one.overlap,
                a=[HitModel(**hit_of(hit, view.titles)) for hit in one.a],
                b=[HitModel(**hit_of(hit, view.titles)) for hit in one.b],
            )
            for one in found.changed
        ],
        validations={
            version: [
                Check(against=c.against, passed=c.passed, tasks=c.tasks, at=c.at)
                for c in view.catalog.validations(version)
            ]
            for version in (a, b)
        },
    )
