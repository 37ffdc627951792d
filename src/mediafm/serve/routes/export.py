"""Clips of a basket, and what there is of a title, as files of other programs."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote

from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic import BaseModel, Field

from mediafm.errors import MediaFMError
from mediafm.export import (
    ADAPTERS,
    Mark,
    marks_of_scenes,
    marks_of_shots,
    marks_of_suggestions,
    one_name,
    unsteady,
    write_breaks,
    write_embeddings,
    write_marks,
)
from mediafm.files import file_stem
from mediafm.serve.library import View, ViewOf
from mediafm.serve.problems import NotFoundError, UnavailableError, public_notes
from mediafm.serve.schemas import Several, Span, Text, TitleId, Version
from mediafm.suggest import find_scenes, suggest_breaks, suggest_clips, suggest_tags

router = APIRouter(tags=["export"])
Form = Literal[".otio", ".edl", ".xml", ".vtt", ".csv", ".jsonl", ".parquet"]
What = Literal["shots", "scenes", "clips", "tags", "ad-breaks"]
_TYPES = {
    ".otio": "application/json",
    ".json": "application/json",
    ".jsonl": "application/x-ndjson",
    ".edl": "text/plain; charset=utf-8",
    ".xml": "application/xml",
    ".vtt": "text/vtt; charset=utf-8",
    ".csv": "text/csv; charset=utf-8",
    ".parquet": "application/vnd.apache.parquet",
}
_NOTES, _NOTE = 20, 300  # notes in a header, and characters of each
FILE: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {kind: {} for kind in ("application/octet-stream", *_TYPES.values())},
        "description": "The file.",
    }
}


class ClipIn(BaseModel):
    """A clip of a basket."""

    title_id: Text
    span: Span
    name: str = Field("", max_length=500)


class Basket(BaseModel):
    """Clips in the order of the edit."""

    form: Form
    name: str = Field("mediafm", max_length=200)
    clips: list[ClipIn] = Field(min_length=1, max_length=2000)


@router.post("/export", responses=FILE, response_class=Response)
def export(body: Basket, view: ViewOf) -> Response:
    """Clips as an edit list, chapters or a table; notes in the header `x-mediafm-notes`."""
    marks = []
    for clip in body.clips:
        view.title(clip.title_id)
        if clip.span.end <= clip.span.start:
            raise MediaFMError("a clip ends before it starts", where=clip.title_id)
        span = view.catalog.clip(clip.title_id, clip.span.start, clip.span.end).clip
        marks.append(Mark(span, one_name(clip.name) or f"{clip.title_id} {span.span}"))
    return _written(view, marks, body.form, one_name(body.name) or "mediafm", ())


@router.get("/titles/{title_id:path}/export/{what}", responses=FILE, response_class=Response)
def export_title(
    title_id: TitleId,
    what: What,
    view: ViewOf,
    form: Annotated[
        Form | Literal[".json"], Query(description="`.json` of ad breaks: OpenRTB content objects.")
    ] = ".csv",
    version: Version = None,
) -> Response:
    """Shots, scenes, suggested clips, tags or ad breaks of a title."""
    view.title(title_id)
    version = version or view.settings.version
    if version is not None:
        view.catalog.version(version)
    probes = view.probes(version)
    catalog = view.catalog
    notes: Sequence[str] = ()
    metadata = what in ("tags", "ad-breaks")
    if form == ".json" and what != "ad-breaks":
        raise MediaFMError(f"{what} are not written as .json", do="choose .jsonl or another form")
    if metadata and form in ADAPTERS:
        raise MediaFMError(f"{what} are no edit", do="choose .vtt, .csv, .jsonl or .parquet")
    if what == "shots":
        marks = marks_of_shots(catalog, title_id)
    elif what == "scenes":
        scenes = find_scenes(catalog, title_id, probes, version=version)
        marks, notes = marks_of_scenes(catalog, scenes), scenes.notes
    else:
        if what == "clips":
            found = suggest_clips(catalog, title_id, probes=probes, version=version)
        elif what == "tags":
            found = suggest_tags(catalog, title_id, probes=probes, version=version)
        else:
            found = suggest_breaks(catalog, title_id, probes=probes, version=version)
            if form == ".json":
                name = f"{file_stem(title_id)}-ad-breaks"
                return _answer(
                    _made(form, lambda out: write_breaks(catalog, found, out)),
                    name, form, found.notes,
                )  # fmt: skip
        marks, notes = marks_of_suggestions(catalog, found), found.notes
    if not marks:
        raise NotFoundError(f"there are no {what} to write", where=title_id, do="; ".join(notes))
    return _written(view, marks, form, f"{file_stem(title_id)}-{what}", notes, metadata)


@router.get("/export/embeddings.{form}", responses=FILE, response_class=Response)
def export_embeddings(
    form: Literal["npz", "parquet"],
    view: ViewOf,
    title: Several = (),
    version: Version = None,
) -> Response:
    """Contextual embeddings of the shots of the titles that are named: fifty at most."""
    if not title:
        raise MediaFMError(
            "name the titles with `title`", do="of a whole catalog: mediafm export embeddings"
        )
    for name in title:
        view.title(name)
    version, catalog = version or view.settings.version, view.catalog
    content = _made(f".{form}", lambda out: write_embeddings(catalog, out, version, title))
    return _answer(content, "embeddings", f".{form}", ())


def _written(
    view: View,
    marks: Sequence[Mark],
    form: str,
    name: str,
    notes: Sequence[str],
    metadata: bool = False,
) -> Response:
    def write(out: Path) -> object:
        return write_marks(view.catalog, marks, out, name, metadata=metadata)

    content = _made(form, write)
    if form in ADAPTERS:
        notes = [*notes, *unsteady(view.catalog, marks)]
    if form == ".edl":
        notes = [*notes, "an EDL is of the picture only; .otio and .xml have the sound as well"]
    return _answer(content, name, form, notes)


def _made(form: str, write: Callable[[Path], object]) -> bytes:
    """What is written into a file."""
    with tempfile.TemporaryDirectory(prefix="mediafm-export-") as folder:
        out = Path(folder) / f"out{form}"
        try:
            write(out)
            return out.read_bytes()
        except MediaFMError as error:
            if isinstance(error.__context__, OSError):
                raise UnavailableError(f"the file {error.what}") from None  # where is ours to know
            raise


def _answer(content: bytes, name: str, form: str, notes: Sequence[str]) -> Response:
    called = quote(f"{_stem(name)}{form}")
    return Response(
        content,
        media_type=_TYPES.get(form, "application/octet-stream"),
        headers={
            "content-disposition": f"attachment; filename*=UTF-8''{called}",
            "x-mediafm-notes": _header(public_notes(notes)),
        },
    )


def _header(notes: list[str]) -> str:
    """Notes as a header: as many as clients take, which refuse long ones."""
    said = [note[:_NOTE] for note in notes[:_NOTES]]
    if len(notes) > _NOTES:
        said.append(f"and {len(notes) - _NOTES} notes more")
    return json.dumps(said)


def _stem(name: str) -> str:
    """A name of a file that every system takes."""
    kept = "".join(c if c.isprintable() and c not in '\\/:*?"<>|' else "-" for c in name)
    return file_stem(kept.strip())[:80] or "mediafm"
