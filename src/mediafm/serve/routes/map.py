"""The map of all shots, and what it can be coloured by."""

from __future__ import annotations

import base64
from typing import Annotated, Literal

import numpy as np
from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, Field

from mediafm.catalog.clip import times_of
from mediafm.errors import MediaFMError
from mediafm.probes.artifact import Probe
from mediafm.serve.conditional import not_modified, strong
from mediafm.serve.library import View, ViewOf
from mediafm.serve.problems import NotFoundError, NotNowError
from mediafm.serve.projection import Drawn, Map, Projections
from mediafm.serve.schemas import Text, Version, name_of, pictured

router = APIRouter(tags=["map"])
MOST_CLASSES = 254


def _projections(request: Request) -> Projections:
    found: Projections = request.app.state.projections
    return found


ProjectionsOf = Annotated[Projections, Depends(_projections)]


class Part(BaseModel):
    """A title on the map: its shots are the points from `first` to before `first + shots`."""

    title_id: str
    title: str
    ingest_id: str
    series_id: str | None
    frame_rate: str | None
    timecode: str | None
    poster: bool = Field(description="Whether it has pictures.")
    first: int
    shots: int


class MapModel(BaseModel):
    """The shots of a version on a plane; those that are alike lie near one another."""

    version: str | None
    state: Literal["none", "working", "ready"]
    method: Literal["pca", "neighbours"] = Field(
        description="What made the points: `pca` at once, `neighbours` when it is ready."
    )
    done: float = Field(description="How far the map by neighbours is, 0 to 1.")
    error: str | None = Field(description="Why there is no map by neighbours.")
    points: int
    left_out: int = Field(description="Titles with shots that have no embeddings.")
    key: str = Field(description="Of the shots; the points must be asked for by it.")
    etag: str = Field(description="Changes with the points.")
    titles: list[Part]


class ClassesModel(BaseModel):
    """What a probe says of every point."""

    probe: str
    names: list[str]
    key: str
    values: str = Field(
        description="Base64 of a byte per point: the class that fits best, counted from 1; 0 "
        "where nothing is known, or no class is likelier than not."
    )


@router.get("/map")
def map_(view: ViewOf, projections: ProjectionsOf, version: Version = None) -> MapModel:
    """The map of a version, as far as it is made; the first question begins with it."""
    found = _map(view, projections, version)
    if found is None:
        return MapModel(
            version=None, state="none", method="pca", done=0, error=None, points=0,
            left_out=sum(title.shots > 0 for title in view.titles.values()), key="", etag="",
            titles=[],
        )  # fmt: skip
    state, drawn = found.state, found.drawn
    shown = {title.ingest_id for title, _ in drawn.titles}
    out = [t for t in view.titles.values() if t.shots and t.ingest_id not in shown]
    return MapModel(
        version=found.version.name,
        state=state,
        method=drawn.method,
        done=found.done,
        error=found.error,
        points=len(drawn.points),
        left_out=len(out) if state != "working" or shown else 0,
        key=drawn.key,
        etag=drawn.etag,
        titles=[
            Part(
                title_id=title.title_id,
                title=name_of(title),
                ingest_id=title.ingest_id,
                series_id=title.series_id,
                frame_rate=title.frame_rate,
                timecode=title.timecode,
                poster=pictured(title),
                first=first,
                shots=title.shots,
            )
            for title, first in drawn.titles
        ],
    )


@router.get(
    "/map/points",
    response_class=Response,
    responses={
        200: {"content": {"application/octet-stream": {}}, "description": "int16, LE"},
        304: {"description": "As you have it"},
    },
)
def points(
    request: Request,
    view: ViewOf,
    projections: ProjectionsOf,
    version: Version = None,
    key: Annotated[Text | None, Query(description="Of the map that the points are for.")] = None,
) -> Response:
    """Where the shots lie: two numbers per point, -32767 to 32767."""
    drawn = _drawn(view, projections, version, key)
    etag = strong(drawn.etag)
    headers = {"etag": etag}
    answer = not_modified(request, etag, headers)
    if answer is not None:
        return answer
    content = drawn.points.astype("<i2").tobytes()
    return Response(content, media_type="application/octet-stream", headers=headers)


@router.get(
    "/map/times",
    response_class=Response,
    responses={
        200: {
            "content": {"application/octet-stream": {}},
            "description": "float64, LE",
        },
        304: {"description": "As you have it"},
    },
)
def times(
    request: Request,
    view: ViewOf,
    projections: ProjectionsOf,
    version: Version = None,
    key: Text | None = None,
) -> Response:
    """When the shots are: start and end of each point's in its title, whole microseconds."""
    drawn = _drawn(view, projections, version, key)
    etag = strong("times", drawn.key)
    headers = {"etag": etag}
    answer = not_modified(request, etag, headers)
    if answer is not None:
        return answer
    content = view.once(("map times", drawn.key), lambda: _times(view, drawn))
    return Response(content, media_type="application/octet-stream", headers=headers)


@router.get("/map/classes")
def classes(
    view: ViewOf,
    projections: ProjectionsOf,
    probe: Text,
    version: Version = None,
    key: Text | None = None,
) -> ClassesModel:
    """The class of a fitted probe that fits every point best."""
    drawn = _drawn(view, projections, version, key)
    asked = ("map classes", probe, version, drawn.key, view.fitted())
    names, values = view.once(asked, lambda: _classes(view, drawn, probe, version))
    return ClassesModel(probe=probe, names=names, key=drawn.key, values=values)


def _map(view: View, projections: Projections, version: str | None) -> Map | None:
    held = {record.name for record in view.catalog.versions()}
    if version is not None and version not in held:
        raise NotFoundError(f"there is no version '{version[:200]}'", do="see /api/versions")
    if not held:
        return None
    return projections.of(view, version or view.settings.version)


def _drawn(view: View, projections: Projections, version: str | None, key: str | None) -> Drawn:
    found = _map(view, projections, version)
    if found is None or not len(found.drawn.points):
        raise NotNowError("there are no points yet", do="ask /api/map how far they are")
    if key is not None and key != found.drawn.key:
        raise NotNowError("the catalog has changed", do="ask for /api/map again")
    return found.drawn


def _times(view: View, drawn: Drawn) -> bytes:
    time_N2 = np.zeros((len(drawn.points), 2), "<f8")
    for title, first in drawn.titles:
        own_N2 = times_of(view.catalog.shots(title.title_id))
        time_N2[first : first + len(own_N2)] = own_N2
    return time_N2.tobytes()


def _classes(view: View, drawn: Drawn, name: str, version: str | None) -> tuple[list[str], str]:
    probes = view.probes(version)
    probe = probes.get(name)
    if probe is None:
        raise NotFoundError(probes.missing(name), do="see /api/catalog")
    names = _names(probe)
    best_N = np.zeros(len(drawn.points), np.uint8)
    for title, first in drawn.titles:
        p_NC = np.nan_to_num(probes.of_shots(name, title.title_id), nan=0.0)
        own_N = p_NC.argmax(axis=1) + 1
        if probe.head.kind != "multi-class":
            own_N = np.where(p_NC.max(axis=1) >= 0.5, own_N, 0)
        best_N[first : first + len(own_N)] = own_N
    return names, base64.b64encode(best_N.tobytes()).decode()


def _names(probe: Probe) -> list[str]:
    if probe.head.kind == "ranking":
        raise MediaFMError(f"the probe '{probe.name}' ranks the clips of a title: no classes")
    if len(probe.names) > MOST_CLASSES:
        raise MediaFMError(f"the probe '{probe.name}' has more classes than there are colours")
    return list(probe.names)
