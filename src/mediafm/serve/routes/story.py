"""How a title runs: scenes, arc, and which of its moments are alike."""

from __future__ import annotations

import base64
from dataclasses import asdict
from typing import Annotated

import numpy as np
from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from mediafm.report.similarity import colour_limits, cosines, pool
from mediafm.search.spaces import CONTEXT, space_of
from mediafm.serve.library import View, ViewOf
from mediafm.serve.problems import NotFoundError
from mediafm.serve.schemas import Features, Noted, Notes, Several, Span, Text, TitleId, Version
from mediafm.suggest import Arc, Segmentation, find_arc, find_scenes
from mediafm.timeline import US

router = APIRouter(tags=["story"])


class SceneModel(BaseModel):
    """A story segment: shots from `first` to before `end`."""

    index: int
    first: int
    end: int
    span: Span
    score: float


class Scenes(BaseModel):
    """The scenes of a title, in order and without gaps."""

    title_id: str
    scenes: list[SceneModel]
    by: str
    notes: Notes


class PartModel(BaseModel):
    """A title on the arc's time axis."""

    title_id: str
    name: str
    offset: int
    span: Span


class CurveModel(BaseModel):
    """One curve; a value per place on the axis."""

    name: str
    unit: str
    values: list[float]


class PeakModel(BaseModel):
    """Where a curve is highest, and the shot that names it."""

    curve: str
    time: int
    value: float
    title_id: str
    shot: int
    span: Span
    said: str


class ArcModel(Noted):
    """Curves over a title or a series."""

    name: str
    parts: list[PartModel]
    times: list[int]
    curves: list[CurveModel]
    peaks: list[PeakModel]
    smooth: int


class Similarity(BaseModel):
    """How alike all moments of a title are.

    Cell `c` averages the shots from `edges[c]` to before `edges[c + 1]`.
    """

    cells: int
    edges: list[int]
    low: float
    high: float
    values: str = Field(
        description="Base64 of one byte per cell, row by row: 0 is `low` or less, 255 `high` or "
        "more."
    )


@router.get("/titles/{title_id:path}/scenes")
def scenes(title_id: TitleId, view: ViewOf, version: Version = None) -> Scenes:
    """Story segments: by a fitted probe, else where the embeddings change."""
    record = view.title(title_id)
    version = version or view.settings.version

    def make() -> Segmentation:
        return find_scenes(view.catalog, title_id, view.probes(version), version=version)

    found = view.once(("scenes", record.ingest_id, version, view.fitted()), make)
    return Scenes(**asdict(found))


@router.get("/titles/{title_id:path}/arc")
def arc(
    title_id: TitleId,
    view: ViewOf,
    probe: Text | None = None,
    classes: Annotated[Several, Query(alias="class")] = (),
    season: Annotated[int | None, Query(ge=0, le=100_000)] = None,
    smooth: Annotated[int | None, Query(ge=1, le=24 * 3600 * US)] = None,
    peaks: Annotated[int, Query(ge=0, le=100)] = 6,
    version: Version = None,
) -> ArcModel:
    """A probe's classes over a title, or over a series by its id; peaks are named."""
    if title_id not in view.titles and all(t.series_id != title_id for t in view.titles.values()):
        raise NotFoundError(f"there is no title and no series '{title_id[:200]}'")
    version = version or view.settings.version

    def make() -> Arc:
        return find_arc(
            view.catalog, title_id, season=season, probe=probe, classes=classes,
            probes=view.probes(version), version=version, smooth=smooth, peaks=peaks,
        )  # fmt: skip

    key = ("arc", title_id, season, probe, tuple(classes), smooth, peaks, version, view.fitted())
    return ArcModel(**asdict(view.once(key, make)))


@router.get("/titles/{title_id:path}/similarity")
def similarity(
    title_id: TitleId,
    view: ViewOf,
    features: Features = CONTEXT,
    cells: Annotated[int, Query(ge=1, le=800)] = 400,
    version: Version = None,
) -> Similarity:
    """Cosines of all pairs of moments of a title, in context or out of it."""
    record = view.title(title_id)
    if features == CONTEXT:
        version = version or view.settings.version
    key = ("similarity", record.ingest_id, features, cells, version)
    return view.once(key, lambda: _similarity(view, title_id, features, cells, version))


def _similarity(
    view: View, title_id: str, features: str, cells: int, version: str | None
) -> Similarity:
    x_NF = space_of(view.catalog, features, title_id, version).title(title_id)
    if not len(x_NF):
        raise NotFoundError("the title has no shots", where=title_id)
    x_CF, edges = pool(x_NF, cells)
    s_CC = cosines(x_CF)
    low, high = colour_limits(s_CC)
    level_CC = np.clip((s_CC - low) / (high - low) * 255, 0, 255).round().astype(np.uint8)
    return Similarity(
        cells=len(x_CF),
        edges=edges.tolist(),
        low=low,
        high=high,
        values=base64.b64encode(level_CC.tobytes()).decode(),
    )
