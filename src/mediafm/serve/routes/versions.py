"""Versions of the embeddings: which there are, and which readers see."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from mediafm.catalog import Catalog
from mediafm.serve.library import LibraryOf, ViewOf
from mediafm.serve.problems import NotFoundError, NotNowError
from mediafm.serve.schemas import Text
from mediafm.versions import describe

router = APIRouter(tags=["versions"])


class Check(BaseModel):
    """What the probe gate said."""

    against: str
    passed: bool
    tasks: dict[str, str]
    at: int


class VersionModel(BaseModel):
    """One model's contextual embeddings over the catalog."""

    name: str
    state: str
    lacking: int
    current: bool
    gate: str
    dim: int
    model: str
    made: str
    encoders: dict[str, str]
    settings: dict[str, str]
    validations: list[Check]


class Versions(BaseModel):
    """All versions, the oldest first."""

    current: str | None
    before: str | None = Field(description="Where a roll-back leads.")
    versions: list[VersionModel]


class Switch(BaseModel):
    """Which version readers see since, and before."""

    current: str
    before: str | None


class Promote(BaseModel):
    """How a version is made current."""

    force: bool = Field(False, description="Although it failed the gate.")


@router.get("/versions")
def versions(view: ViewOf) -> Versions:
    """All versions."""
    rows: list[dict[str, Any]] = [describe(view.catalog, v) for v in view.catalog.versions()]
    for row in rows:
        row["model"] = row["model"].rstrip("/").rpartition("/")[2]  # not where it lies here
    current = view.catalog.current_version()
    return Versions(
        current=current.name if current else None,
        before=view.catalog.version_before(),
        versions=[VersionModel(**row) for row in rows],
    )


@router.post("/versions/rollback")
def rollback(library: LibraryOf) -> Switch:
    """Makes the version current that was so before, for all readers."""
    catalog = _now(library)
    before = catalog.current_version()
    return _switched(library, catalog.rollback().version, before.name if before else None)


@router.post("/versions/{name}/promote")
def promote(name: Text, library: LibraryOf, body: Promote | None = None) -> Switch:
    """Makes a version current, for all readers who name none."""
    catalog = _now(library)
    if name not in {version.name for version in catalog.versions()}:
        raise NotFoundError(f"there is no version '{name[:200]}'", do="see /api/versions")
    checks = catalog.validations(name)
    if checks and not checks[-1].passed and not (body and body.force):
        raise NotNowError(
            f"version '{name}' failed the gate against '{checks[-1].against}'",
            do="validate it again, or promote it all the same with `force`",
        )
    before = catalog.current_version()
    catalog.promote(name)
    return _switched(library, name, before.name if before else None)


def _now(library: LibraryOf) -> Catalog:
    """The catalog, not as it was two seconds ago."""
    return Catalog.open(library.settings.catalog)


def _switched(library: LibraryOf, current: str, before: str | None) -> Switch:
    library.look()
    return Switch(current=current, before=before)
