"""What every request goes through: what Starlette leaves open about addresses, HEAD and accidents.

**Ids with slashes.** An id may end like a route: of ``show/tags``, ``/api/titles/show/tags`` are
the tags of ``show``, and ``/api/titles/show%2Ftags`` is the title. Servers decode addresses before
routes are matched, which makes the two one. Here escaped slashes stay escaped until the id is read.
"""

from __future__ import annotations

import logging
import re
from urllib.parse import unquote, unquote_to_bytes

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOG = logging.getLogger(__name__)

_TITLES = "/api/titles/"
_ESCAPED = re.compile(rb"%(25|2[fF])")
_OWN_HEAD = ("/media", "/proxy")


class EscapedSlashes:
    """Keeps the escaped slashes of titles' addresses; see :func:`decoded`.

    Args:
        app: What answers.
    """

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request; see ASGI."""
        if scope["type"] == "http":
            root, path = scope.get("root_path", "").rstrip("/"), own_path(scope)
            if path.startswith(_TITLES):
                scope = {**scope, "path": root + _kept(path, scope.get("raw_path"))}
        await self.app(scope, receive, send)


def own_path(scope: Scope) -> str:
    """The address as routes see it: without the place that the application is mounted at."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", "").rstrip("/"))


def _kept(path: str, raw: bytes | None) -> str:
    """An address with all escapes decoded but those of slashes and of per cent signs."""
    at = -1 if raw is None else raw.find(_TITLES.encode())
    if raw is None or at < 0:
        return path.replace("%", "%25")  # nothing tells what was escaped
    kept = _ESCAPED.sub(rb"%25\1", raw[at:].partition(b"?")[0])
    return unquote_to_bytes(kept).decode(errors="replace")


def decoded(title_id: str) -> str:
    """An id from an address whose escaped slashes were kept."""
    return unquote(title_id)


class HeadLikeGet:
    """Answers ``HEAD`` as ``GET`` without the body; FastAPI has it for no route of its own.

    Files are left alone: they know their length without being read.

    Args:
        app: What answers.
    """

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request; see ASGI."""
        if (
            scope["type"] != "http"
            or scope["method"] != "HEAD"
            or (own_path(scope).startswith(_TITLES) and own_path(scope).endswith(_OWN_HEAD))
        ):
            await self.app(scope, receive, send)
            return

        async def send_head(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        await self.app({**scope, "method": "GET"}, receive, send_head)


class Unexpected:
    """Answers what nobody foresaw: one line for the asker, the rest for the server's log.

    Inside :class:`~mediafm.serve.security.Guard`, so that this answer has its headers too.

    Args:
        app: What answers.
    """

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request; see ASGI."""
        started = False

        async def send_watched(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self.app(scope, receive, send_watched)
        except Exception as error:
            if scope["type"] != "http" or started:
                raise  # an answer that breaks off tells the asker
            # Without the query: it is the user's.
            LOG.exception("%s %s", scope["method"], scope["path"])
            line = f"unexpected {type(error).__name__}; the server's log has more"
            await JSONResponse({"error": line}, 500)(scope, receive, send)
