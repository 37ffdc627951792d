"""Who may ask: this machine, or whoever knows the token; and no page but our own.

A browser sends requests for any page that it shows. So a server on loopback, which asks for no
token, answers only where the browser says that its own page asks (``Sec-Fetch-Site``, else
``Origin``), and only under a name of this machine: another name that leads here is DNS rebinding.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
import time

from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mediafm.serve.middleware import own_path
from mediafm.serve.settings import Settings, is_loopback

MOST_BODY = 1_000_000
"""Bytes of a request's body."""

SESSION = 30 * 24 * 3600
"""Seconds for which a browser stays signed in."""

PAUSE = 0.5
"""Seconds that a wrong token costs."""

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[\w.-]+)(?::\d{1,5})?", re.ASCII)
_OPEN = "/api/session"
"""What of the API is answered without a token. The page itself holds nothing of the catalog."""

_HEADERS = {
    "content-security-policy": (
        "default-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; "
        "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "cache-control": "no-cache",
}
_RAW = [(name.encode(), value.encode()) for name, value in _HEADERS.items()]


class Guard:
    """Refuses what may not be asked, and adds to every answer what browsers must not do with it.

    Args:
        app: What answers.
        settings: The token and the names of the server.
    """

    def __init__(self, app: ASGIApp, settings: Settings):
        self.app, self.settings = app, settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request; see ASGI."""
        if scope["type"] != "http":
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008})
            else:
                await self.app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                held = list(message.get("headers", ()))
                names = {name.lower() for name, _ in held}
                message = {**message, "headers": [*held, *(h for h in _RAW if h[0] not in names)]}
            await send(message)

        headers = Headers(scope=scope)
        path = own_path(scope)
        refused = self._refused(scope["method"], path, headers)
        asks = self.settings.token is not None and path.startswith("/api/") and path != _OPEN
        if refused is None and asks and not self._knows(headers):
            refused = (401, "this server asks for a token; sign in, or send it as Bearer")
            if headers.get("authorization"):
                await asyncio.sleep(PAUSE)
        body: bytes | None = None
        if refused is None and "transfer-encoding" in headers:
            body = await _read(receive)
        if refused is None and ((body is not None and len(body) > MOST_BODY) or _too_long(headers)):
            refused = (413, f"a request has {MOST_BODY} bytes at most")
        if refused is not None:
            status, why = refused
            more = {"www-authenticate": "Bearer"} if status == 401 else None
            answer = JSONResponse({"error": why}, status, headers=more)
            await answer(scope, receive, send_guarded)
            return
        await self.app(scope, receive if body is None else _replayed(body, receive), send_guarded)

    def _refused(self, method: str, path: str, headers: Headers) -> tuple[int, str] | None:
        hosts = headers.getlist("host")
        host = hosts[0] if len(hosts) == 1 else ""
        if not self._is_ours(host):
            return 421, "this server is not known by that name; name it with --allow-host"
        if not path.startswith("/api/"):
            return None  # a page elsewhere may link to this one
        site = headers.get("sec-fetch-site")
        if site is not None and site not in ("same-origin", "none"):
            return 403, "another site asks for this; open the page itself"
        origin = headers.get("origin")
        if origin is not None and not self._is_own(origin.partition("://")[2], host):
            return 403, "another site asks for this; open the page itself"
        return None

    def _is_own(self, origin: str, host: str) -> bool:
        """Whether an ``Origin`` is our page's: a proxy may have put its own name in its place."""
        rewritten = is_loopback(_without_port(host))
        return origin == host or (rewritten and origin in self.settings.hosts)

    def _is_ours(self, host: str) -> bool:
        """Whether a ``Host`` header names this server.

        This machine's names always do: proxies put them in place of their own. With a token, any
        will do unless some are named: a page that came by another name has no session.
        """
        name = _without_port(host)
        if name in self.settings.hosts or is_loopback(name):
            return True
        return self.settings.token is not None and not self.settings.hosts and name != ""

    def _knows(self, headers: Headers) -> bool:
        kind, _, token = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer":
            return is_token(self.settings, token.strip())
        # Leniently: one malformed cookie of another program must not hide ours.
        held = cookie_parser(headers.get("cookie", "")).get(cookie_name(self.settings))
        return held is not None and is_session(self.settings, held)


def _without_port(host: str) -> str:
    """The name in a ``Host`` header; empty where it is none."""
    found = _HOST.fullmatch(host.lower())
    return found[1] if found else ""


def _too_long(headers: Headers) -> bool:
    length = headers.get("content-length", "0")
    digits = len(str(MOST_BODY))
    return not length.isdecimal() or len(length) > digits or int(length) > MOST_BODY


async def _read(receive: Receive) -> bytes:
    """A body of unannounced length, up to where it is too long."""
    body, more = b"", True
    while more and len(body) <= MOST_BODY:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Gives a body that was read already, then what comes after it."""
    given = False

    async def replayed() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replayed


def is_token(settings: Settings, token: str) -> bool:
    """Whether it is the server's token; takes equally long whatever is wrong about it."""
    held = settings.token or ""
    return bool(held) and hmac.compare_digest(_digest(held), _digest(token))


def cookie_name(settings: Settings) -> str:
    """The session's cookie, by the token: browsers share those of all ports of a name."""
    return f"mediafm-{_sealed(settings, 'name')[:12]}"


def new_session(settings: Settings) -> str:
    """What a browser that knows the token keeps in its place: when it ends, and a seal."""
    ends = str(int(time.time()) + SESSION)
    return f"{ends}.{_seal(settings, ends)}"


def is_session(settings: Settings, value: str) -> bool:
    """Whether a cookie is a session of this token that has not ended."""
    ends, _, seal = value.partition(".")
    if not hmac.compare_digest(_digest(_seal(settings, ends)), _digest(seal)):
        return False
    return ends.isdecimal() and int(ends) > time.time()


def _seal(settings: Settings, ends: str) -> str:
    return _sealed(settings, f"session {ends}")


def _sealed(settings: Settings, what: str) -> str:
    key = (settings.token or "").encode()
    return hmac.new(key, f"mediafm {what}".encode(), hashlib.sha256).hexdigest()


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
