"""What the catalog is: sizes, facets, versions, probes."""

from __future__ import annotations

from collections import Counter
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel

from mediafm.export import SUFFIXES
from mediafm.probes.artifact import Probe, list_probes
from mediafm.search.spaces import CONTEXT, FUSED
from mediafm.serve.library import View, ViewOf
from mediafm.serve.schemas import finite

router = APIRouter(tags=["catalog"])


class Series(BaseModel):
    """A series, and how many titles it has."""

    series_id: str
    titles: int


class Named(BaseModel):
    """A class of a probe: as labels write it, and for people."""

    id: str
    name: str


class ProbeModel(BaseModel):
    """A fitted probe."""

    name: str
    kind: str
    classes: list[Named]
    measured: dict[str, Any]


class CatalogModel(BaseModel):
    """The catalog as a whole."""

    name: str
    titles: int
    shots: int
    duration: int
    series: list[Series]
    genres: list[str]
    tags: list[str]
    kinds: list[str]
    version: str | None
    versions: list[str]
    features: list[str]
    probes: list[ProbeModel]
    export_forms: list[str]
    token: bool


@router.get("/catalog")
def catalog(view: ViewOf) -> CatalogModel:
    """Sizes, what titles can be filtered by, versions, probes."""
    return view.once(("catalog", view.fitted()), lambda: _about(view))


def _about(view: View) -> CatalogModel:
    held = view.titles.values()
    versions = view.catalog.versions()
    encoders = view.catalog.encoders()
    series = Counter(title.series_id for title in held if title.series_id)
    features = [FUSED, *encoders] if encoders else []
    current = view.catalog.version().name if versions else None
    return CatalogModel(
        name=view.catalog.uri.rstrip("/").rpartition("/")[2],
        titles=len(held),
        shots=sum(title.shots for title in held),
        duration=sum(title.duration for title in held),
        series=[Series(series_id=name, titles=number) for name, number in sorted(series.items())],
        genres=sorted({genre for title in held for genre in title.genres}),
        tags=sorted({tag for title in held for tag in title.tags}),
        kinds=sorted({title.kind for title in held}),
        version=view.settings.version or current,
        versions=[version.name for version in versions],
        features=[*([CONTEXT] if versions else []), *features],
        probes=[_probe(probe) for probe in _probes(view)],
        export_forms=list(SUFFIXES),
        token=view.settings.token is not None,
    )


def _probes(view: View) -> list[Probe]:
    return list_probes(view.settings.probes)[0] if view.settings.probes.is_dir() else []


def _probe(probe: Probe) -> ProbeModel:
    pairs = zip(probe.head.classes, probe.names, strict=True)
    return ProbeModel(
        name=probe.name,
        kind=probe.head.kind,
        classes=[Named(id=one, name=name) for one, name in pairs],
        measured=finite(probe.measured),
    )
