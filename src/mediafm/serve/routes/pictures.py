"""Pictures of titles: posters, keyframes, sheets of sprites."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response

from mediafm.catalog import TitleRecord
from mediafm.serve import pictures
from mediafm.serve.conditional import not_modified
from mediafm.serve.library import View, ViewOf
from mediafm.serve.problems import NotFoundError
from mediafm.serve.schemas import TitleId
from mediafm.serve.turns import IN_TURN

router = APIRouter(
    tags=["pictures"],
    default_response_class=Response,
)
JPEG: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/jpeg": {}}, "description": "The picture."}
}
Ingest = Annotated[
    str | None,
    Query(
        max_length=100, description="The title's `ingest_id`: with it, the picture never changes."
    ),
]
Number = Annotated[int, Path(ge=0, le=10**9)]


@router.get("/titles/{title_id:path}/poster.jpg", responses=JPEG)
def poster(title_id: TitleId, request: Request, view: ViewOf, v: Ingest = None) -> Response:
    """A picture that stands for a title."""
    record = view.title(title_id)
    return _jpeg(request, view, record, v, "poster", lambda: pictures.poster(view, record))


@router.get("/titles/{title_id:path}/keyframes/{shot}.jpg", responses=JPEG)
def keyframe(
    title_id: TitleId, shot: Number, request: Request, view: ViewOf, v: Ingest = None
) -> Response:
    """The picture of one shot, at most 180 pixels high."""
    record = view.title(title_id)

    def read() -> bytes:
        held = view.catalog.keyframe(title_id, shot) if shot < record.shots else None
        if held is None:
            raise NotFoundError(f"there is no picture of shot {shot}", where=title_id)
        return held

    return _jpeg(request, view, record, v, f"shot-{shot}", read)


@router.get("/titles/{title_id:path}/strip/{page}.jpg", responses=JPEG, dependencies=[IN_TURN])
def strip(
    title_id: TitleId, page: Number, request: Request, view: ViewOf, v: Ingest = None
) -> Response:
    """A page of sprites; `timeline` says how they lie on it."""
    record = view.title(title_id)
    return _jpeg(
        request, view, record, v, f"strip-{page}", lambda: pictures.draw_strip(view, record, page)
    )


def _jpeg(
    request: Request,
    view: View,
    record: TitleRecord,
    asked: str | None,
    name: str,
    make: Callable[[], bytes],
) -> Response:
    """A picture of one ingest, of which it is always the same."""
    etag = f'"{record.ingest_id}-{name}"'
    lasting = asked == record.ingest_id
    headers = {
        "etag": etag,
        "cache-control": "private, max-age=31536000, immutable" if lasting else "no-cache",
    }
    unchanged = not_modified(request, etag, headers)
    if unchanged is not None:
        return unchanged
    jpeg = view.picture((record.ingest_id, name), make)
    return Response(jpeg, media_type="image/jpeg", headers=headers)
