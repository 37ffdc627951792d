"""The page's own files: known by name, so that no address can lead to any other.

A view needs some thirty modules, which a browser would find one behind the other, an answer at a
time. So the page names, for the view that its address shows, all modules at once; all style sheets
are one answer; and what an address serves changes with an edition in it, so that a browser that has
been here asks for none of them again.
"""

from __future__ import annotations

import hashlib
import posixpath
import re
from dataclasses import dataclass, field
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from mediafm.serve.conditional import not_modified
from mediafm.serve.middleware import own_path
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
_SHEET = re.compile(r"""[ \t]*<link rel="stylesheet" href="/assets/([^"]+)">\n""")
_SHEETS = "css/all.css"
_ASSETS = "/assets/"
_EDITION = "v-"
_LASTING = "private, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Asset:
    """A file of the page.

    Args:
        name: Its path below ``static``, with slashes.
        content: What is in it.
    """

    name: str
    content: bytes
    etag: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "etag", f'"{_digest(self.content)}"')

    @property
    def kind(self) -> str:
        """Its media type."""
        return _TYPES[posixpath.splitext(self.name)[1]]


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=8).hexdigest()


class Assets:
    """All files of the page, read when they are first asked for and again when they changed.

    Args:
        folder: Where they are.

    Attributes:
        edition: Changes with any file; of when a page was last given out.
    """

    def __init__(self, folder: Path = STATIC):
        self.paths = {
            path.relative_to(folder).as_posix(): path
            for path in sorted(folder.rglob("*"))
            if path.suffix in _TYPES and path.is_file()
        }
        self._held: dict[str, tuple[int, Asset]] = {}
        self.edition = self._look()

    def get(self, name: str) -> Asset:
        """One file, or all style sheets as one.

        Raises:
            NotFoundError: The page has none of this name.
        """
        if name == _SHEETS:
            names = _SHEET.findall(self.get("index.html").content.decode())
            return Asset(name, b"\n".join(self.get(sheet).content for sheet in names))
        path = self.paths.get(name)
        if path is None:
            raise NotFoundError("the page has no such file")
        changed = path.stat().st_mtime_ns
        held = self._held.get(name)
        if held is None or held[0] != changed:
            held = self._held[name] = changed, Asset(name, path.read_bytes())
        return held[1]

    def _look(self) -> str:
        return _EDITION + _digest("".join(self.get(name).etag for name in self.paths).encode())

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
        names = self.modules("js/main.js")
        view = VIEWS.get(path.strip("/").partition("/")[0])
        if view is not None:
            names += self.modules(f"js/views/{view}.js")
        links = [
            f'<link rel="modulepreload" href="/assets/{name}">' for name in dict.fromkeys(names)
        ]
        text = self.get("index.html").content.decode()
        self.edition = self._look()
        first = True

        def sheet(_: re.Match[str]) -> str:
            nonlocal first
            link = f'    <link rel="stylesheet" href="/assets/{_SHEETS}">\n' if first else ""
            first = False
            return link

        text = _SHEET.sub(sheet, text).replace(_PRELOADS, "\n    ".join(links))
        return text.replace(f'"{_ASSETS}', f'"{_ASSETS}{self.edition}/')


class AssetFiles:
    """Serves them, before the routes of the API are asked.

    A page has fifty of them. What FastAPI does for an answer of the API (some sixty routes to
    compare, parameters, a thread) takes longer than all that there is to do here.

    Args:
        app: What answers everything else.
        assets: The files.
    """

    def __init__(self, app: ASGIApp, assets: Assets):
        self.app, self.assets = app, assets

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request; see ASGI."""
        path = own_path(scope) if scope["type"] == "http" else ""
        if path == "/favicon.ico":  # which browsers ask for by a name of their own
            path = f"{_ASSETS}icon.svg"
        if not path.startswith(_ASSETS):
            await self.app(scope, receive, send)
            return
        answer: Response
        try:
            answer = self._answer(path.removeprefix(_ASSETS), Request(scope))
        except NotFoundError as error:
            answer = JSONResponse({"error": str(error)}, 404)
        await answer(scope, receive, send)

    def _answer(self, name: str, request: Request) -> Response:
        if request.method not in ("GET", "HEAD"):
            return JSONResponse({"error": "files are read only"}, 405, {"allow": "GET, HEAD"})
        edition, _, rest = name.partition("/")
        lasting = edition.startswith(_EDITION)
        found = self.assets.get(rest if lasting else name)
        # Of another edition than this one, it is what there is by now, and is asked for again.
        lasting = lasting and edition == self.assets.edition
        headers = {"etag": found.etag, "cache-control": _LASTING if lasting else "no-cache"}
        unchanged = not_modified(request, found.etag, headers)
        return unchanged or Response(found.content, media_type=found.kind, headers=headers)


def add_page(app: FastAPI) -> None:
    """Gives an application the addresses of the page and of its files."""
    assets = app.state.assets = Assets()

    def page(request: Request) -> HTMLResponse:
        return HTMLResponse(assets.page(own_path(request.scope)))

    for path in (*VIEWS, "titles/{title:path}"):
        app.add_api_route(f"/{path}", page, include_in_schema=False)
    app.add_middleware(AssetFiles, assets=assets)
