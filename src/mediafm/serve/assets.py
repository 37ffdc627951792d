"""The page's own files: known by name, so that no address can lead to any other.

A view needs some thirty modules, which a browser would find one behind the other, an answer at a
time. So the page names, for the view that its address shows, all modules at once.
"""

from __future__ import annotations

import hashlib
import posixpath
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response
from starlette.types import Receive, Scope, Send

from mediafm.serve.conditional import not_modified
from mediafm.serve.problems import NotFoundError

STATIC = Path(__file__).with_name("static")

VIEWS = {
    "": "catalog",
    "search": "search",
    "titles": "title",
    "map": "map",
    "versions": "versions",
    "api-docs": "api-docs",
}
"""From the first part of an address of the page to the module that draws it."""

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_IMPORT = re.compile(r"""^\s*(?:import|export)\b[^'"()]*?from\s*['"](\.[^'"]+)['"]""", re.M)
_BARE = re.compile(r"""^\s*import\s*['"](\.[^'"]+)['"]""", re.M)
_PRELOADS = "<!-- modules -->"


@dataclass(frozen=True)
class Asset:
    """A file of the page.

    Args:
        name: Its path below ``static``, with slashes.
        content: What is in it.
    """

    name: str
    content: bytes

    @cached_property
    def etag(self) -> str:
        """Changes with the content."""
        return f'"{hashlib.blake2b(self.content, digest_size=8).hexdigest()}"'

    @property
    def kind(self) -> str:
        """Its media type."""
        return _TYPES[posixpath.splitext(self.name)[1]]


class Assets:
    """All files of the page, read when they are first asked for and again when they changed.

    Args:
        folder: Where they are.
    """

    def __init__(self, folder: Path = STATIC):
        self.paths = {
            path.relative_to(folder).as_posix(): path
            for path in sorted(folder.rglob("*"))
            if path.suffix in _TYPES and path.is_file()
        }
        self._held: dict[str, tuple[int, Asset]] = {}

    def get(self, name: str) -> Asset:
        """One file.

        Raises:
            NotFoundError: The page has none of this name.
        """
        path = self.paths.get(name)
        if path is None:
            raise NotFoundError("the page has no such file")
        changed = path.stat().st_mtime_ns
        held = self._held.get(name)
        if held is None or held[0] != changed:
            held = self._held[name] = changed, Asset(name, path.read_bytes())
        return held[1]

    def modules(self, name: str) -> list[str]:
        """A module and all that it imports, that of others too, in the order of finding."""
        found, waiting = dict.fromkeys([name]), [name]
        while waiting:
            own = waiting.pop(0)
            text = self.get(own).content.decode()
            for there in (*_IMPORT.findall(text), *_BARE.findall(text)):
                other = posixpath.normpath(posixpath.join(posixpath.dirname(own), there))
                if other in self.paths and other not in found:
                    found[other] = None
                    waiting.append(other)
        return list(found)

    def page(self, path: str) -> str:
        """The page for an address: the same but for the modules that it names first."""
        view = VIEWS.get(path.strip("/").partition("/")[0], "catalog")
        names = [*self.modules("js/main.js"), *self.modules(f"js/views/{view}.js")]
        links = "\n    ".join(
            f'<link rel="modulepreload" href="/assets/{name}">' for name in dict.fromkeys(names)
        )
        return self.get("index.html").content.decode().replace(_PRELOADS, links)


class AssetFiles:
    """Serves them, as an ASGI application of its own.

    A page has sixty of them. What FastAPI does for an answer of the API (parameters, a thread)
    takes longer than all that there is to do here.

    Args:
        assets: The files.
    """

    def __init__(self, assets: Assets):
        self.assets = assets

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request; see ASGI."""
        request = Request(scope)
        answer: Response
        try:
            answer = self._answer(
                scope["path"].removeprefix(scope.get("root_path", "")).removeprefix("/"), request
            )
        except NotFoundError as error:
            answer = JSONResponse({"error": str(error)}, 404)
        await answer(scope, receive, send)

    def _answer(self, name: str, request: Request) -> Response:
        if request.method not in ("GET", "HEAD"):
            return JSONResponse({"error": "files are read only"}, 405, {"allow": "GET, HEAD"})
        found = self.assets.get(name)
        headers = {"etag": found.etag, "cache-control": "no-cache"}
        unchanged = not_modified(request, found.etag, headers)
        return unchanged or Response(found.content, media_type=found.kind, headers=headers)


def add_page(app: FastAPI) -> None:
    """Gives an application the addresses of the page and of its files."""
    assets = Assets()
    files = AssetFiles(assets)

    def page(request: Request) -> HTMLResponse:
        return HTMLResponse(assets.page(request.url.path))

    for path in (*VIEWS, "titles/{title:path}"):
        app.add_api_route(f"/{path}", page, include_in_schema=False)
    app.mount("/assets", files)
    app.mount("/favicon.ico", Icon(files))


class Icon:
    """The picture that browsers ask for by a name of their own.

    Args:
        files: Where it is one of.
    """

    def __init__(self, files: AssetFiles):
        self.files = files

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request; see ASGI."""
        await self.files({**scope, "path": "/icon.svg", "root_path": ""}, receive, send)
