"""The server: the API under ``/api``, and the page."""

from __future__ import annotations

import logging
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from starlette.exceptions import HTTPException

from mediafm.errors import MediaFMError, StaleError, StorageError, one_line
from mediafm.serve.assets import add_page
from mediafm.serve.library import Library
from mediafm.serve.middleware import EscapedSlashes, HeadLikeGet, Unexpected, own_path
from mediafm.serve.problems import UnavailableError, public, status_of
from mediafm.serve.projection import Projections
from mediafm.serve.proxies import Proxies
from mediafm.serve.routes import (
    answers,
    catalog,
    compare,
    export,
    map,
    media,
    pictures,
    search,
    session,
    story,
    suggest,
    titles,
    versions,
)
from mediafm.serve.schemas import Problem
from mediafm.serve.security import Guard
from mediafm.serve.settings import Settings
from mediafm.serve.turns import IN_TURN, make_turns

LOG = logging.getLogger(__name__)

# Ids may hold slashes: longer addresses come before those that would take their ends for ids.
_ROUTERS = (
    catalog, export, pictures, media, story, suggest, search, titles, answers, map, versions,
    compare, session,
)  # fmt: skip
_COMPUTING = (story, suggest, search)


def create_app(settings: Settings) -> FastAPI:
    """Makes the application, for any ASGI server.

    Args:
        settings: The catalog, and who may ask.

    Raises:
        CatalogError: There is no catalog, or it cannot be read.
    """
    library = Library(settings)
    projections, proxies = Projections(settings.cache), Proxies(settings.cache)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        # Loading what reads sentences takes seconds; the first search should not.
        threading.Thread(target=_warm, args=(library,), daemon=True).start()
        try:
            yield
        finally:
            projections.close()
            proxies.close()

    app = FastAPI(
        title="mediafm",
        summary="A catalog of films, shot by shot: see, search and cut.",
        description="Times are whole microseconds from the start of the file; ends are exclusive.",
        version="1",
        lifespan=lifespan,
        # Their pages load scripts from elsewhere; ours is /api-docs.
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
        responses={
            code: {"model": Problem, "description": what}
            for code, what in (
                (400, "What is asked for does not fit the catalog"),
                (401, "The token is missing"),
                (403, "Refused"),
                (404, "There is no such thing"),
                (405, "Not by this method"),
                (409, "Not in this state of things"),
                (413, "Too long"),
                (421, "Not the name of this server"),
                (422, "A parameter is not as described"),
                (503, "The catalog cannot be read now"),
            )
        },
    )
    app.state.library, app.state.settings = library, settings
    app.state.projections, app.state.proxies = projections, proxies
    app.state.turns = make_turns()
    for module in _ROUTERS:
        waits = [IN_TURN] if module in _COMPUTING else []
        app.include_router(module.router, prefix="/api", dependencies=waits)
    app.include_router(titles.whole, prefix="/api")
    app.add_exception_handler(MediaFMError, _on_error)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_middleware(HeadLikeGet)  # from the inside out
    app.add_middleware(EscapedSlashes)
    add_page(app)
    app.add_middleware(Unexpected)
    app.add_middleware(Guard, settings=settings)
    return app


def _warm(library: Library) -> None:
    try:
        library.encoders(library.view())
    except MediaFMError as error:
        LOG.info("no sentences are read: %s", error)  # a search will say so


def _problem(status: int, line: str) -> JSONResponse:
    return JSONResponse({"error": line}, status)


def _on_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, MediaFMError)
    status = status_of(error)
    if request.method in ("GET", "HEAD") and _is_past(request, error):
        return JSONResponse({"error": _CHANGED}, 503, headers={"retry-after": "0"})
    if status == 503:
        LOG.error("%s", error)
    return _problem(status, public(error))


_CHANGED = "the catalog has just changed: ask again"
_JUST = 0.3
"""Seconds after a look at the catalog in which errors are believed: looking takes a while."""


def _is_past(request: Request, error: Exception) -> bool:
    """Whether an error is of a catalog that has changed since: a title was erased, say."""
    view, library = getattr(request.state, "view", None), request.app.state.library
    if view is None or isinstance(error, StorageError | UnavailableError):
        return False
    library.look(_JUST)
    return isinstance(error, StaleError) or library.shown() is not view


def _on_invalid(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"][1:])
    return _problem(422, one_line(f"{ascii(where)[1:-1] or 'the body'}: {first['msg']}"))


def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    path = own_path(request.scope)
    people = request.method == "GET" and "text/html" in request.headers.get("accept", "")
    if error.status_code == 404 and people and not path.startswith("/api/"):
        return HTMLResponse(request.app.state.assets.page(path), 404)
    line = "there is nothing here; see /api-docs" if error.status_code == 404 else error.detail
    return JSONResponse({"error": line}, error.status_code, headers=error.headers)
