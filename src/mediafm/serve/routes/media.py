"""A title's media file, and the proxy that is played in its place."""

from __future__ import annotations

from pathlib import PurePath
from typing import Annotated, Any, Literal, cast

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from mediafm.catalog import TitleRecord
from mediafm.serve.conditional import strong
from mediafm.serve.library import LibraryOf, View, ViewOf
from mediafm.serve.media import content_of, open_media, probe
from mediafm.serve.problems import NotFoundError, NotNowError, RefusedError
from mediafm.serve.proxies import Proxies
from mediafm.serve.schemas import Problem, TitleId
from mediafm.serve.streaming import OpenFile, file_answer

router = APIRouter(tags=["media"])


class JobModel(BaseModel):
    """Where a proxy stands."""

    state: Literal["none", "waiting", "working", "ready", "failed"]
    done: float = Field(description="Share of the work that is done, 0 to 1.")
    rate: float = Field(description="Seconds of media in a second.")
    left: float | None = Field(description="Seconds until it is ready, where that can be said.")
    error: str | None = Field(description="Why it failed; it may be asked for again.")


def _proxies(request: Request) -> Proxies:
    return cast(Proxies, request.app.state.proxies)


ProxiesOf = Annotated[Proxies, Depends(_proxies)]
_FILE: dict[int | str, dict[str, Any]] = {
    200: {"description": "The file.", "content": {"*/*": {}}},
    206: {"description": "The ranges that were asked for.", "content": {"*/*": {}}},
    304: {"description": "It is the one that the asker has."},
    412: {"description": "It is another one than the asker has."},
    416: {"description": "None of the ranges lies in it, or there are too many.", "model": Problem},
}


@router.head("/titles/{title_id:path}/media", include_in_schema=False)
@router.get("/titles/{title_id:path}/media", response_class=Response, responses=_FILE)
def media(title_id: TitleId, view: ViewOf, request: Request) -> Response:
    """The media file as it is, whole or in ranges."""
    title = view.title(title_id)
    file = open_media(view.settings, title)
    try:
        found = probe(view, file)
        if found.state == "refused":
            raise RefusedError(f"is not sent: {found.why}", where=file.name)
        etag = strong(content_of(title, file))
        return file_answer(request, file, etag, found.content_type)
    except BaseException:
        file.close()
        raise


@router.head("/titles/{title_id:path}/proxy", include_in_schema=False)
@router.get("/titles/{title_id:path}/proxy", response_class=Response, responses=_FILE)
def proxy(title_id: TitleId, view: ViewOf, proxies: ProxiesOf, request: Request) -> Response:
    """The proxy, whole or in ranges, once it is there: H.264 and AAC in MP4, on the same times."""
    title = view.title(title_id)
    key = _key(proxies, view, title)
    file, content_type = proxies.open(key, PurePath(title.path).stem or title.title_id)
    try:
        etag = strong(key, f"{file.stat.st_mtime_ns:x}")
        return file_answer(request, file, etag, content_type)
    except BaseException:
        file.close()
        raise


@router.post("/titles/{title_id:path}/proxy")
def make_proxy(title_id: TitleId, view: ViewOf, library: LibraryOf, proxies: ProxiesOf) -> JobModel:
    """Has a proxy made, or says where it stands."""
    title = view.title(title_id)
    with open_media(view.settings, title) as file:
        found = probe(view, file)
        if found.state == "refused":
            raise RefusedError(f"cannot be played: {found.why}", where=file.name)
        key = proxies.key(content_of(title, file))

    def source() -> OpenFile:
        now = library.view().title(title_id)  # may have been removed before its turn
        again = open_media(view.settings, now)
        if proxies.key(content_of(now, again)) == key:
            return again
        again.close()
        raise NotNowError("was written meanwhile", where=again.name, do="ask again")

    job = proxies.ask(key, source, found.duration or title.duration)
    return JobModel.model_validate(job, from_attributes=True)


@router.get("/titles/{title_id:path}/proxy/status")
def proxy_status(title_id: TitleId, view: ViewOf, proxies: ProxiesOf) -> JobModel:
    """Where the proxy stands."""
    title = view.title(title_id)
    job = proxies.status(_key(proxies, view, title))
    return JobModel.model_validate(job, from_attributes=True)


def _key(proxies: Proxies, view: View, title: TitleRecord) -> str:
    """The name of a title's proxy, which plays on while the file itself is away."""
    if not title.path:
        raise NotFoundError("has no media file: its features were imported", where=title.title_id)
    try:
        with open_media(view.settings, title) as file:
            return proxies.key(content_of(title, file))
    except NotFoundError:
        return proxies.key(content_of(title))
