"""Files over HTTP: whole or in ranges, from a descriptor that was checked."""

from __future__ import annotations

import logging
import os
import secrets
from collections.abc import Callable

import anyio
import anyio.lowlevel
import anyio.to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from mediafm.serve.conditional import (
    UnsatisfiableError,
    disposition,
    http_date,
    not_modified,
    wanted_ranges,
)

LOG = logging.getLogger(__name__)

_CHUNK = 1 << 18
"""Bytes read at a time: what is read ahead of an asker who goes away."""

_READERS = 32
"""Reads at a time."""

_Part = bytes | tuple[int, int]


_LIMITER = anyio.lowlevel.RunVar[anyio.CapacityLimiter]("media")


def _limiter() -> anyio.CapacityLimiter:
    """Threads of its own: a film plays on while answers of the API wait for one another."""
    try:
        return _LIMITER.get()
    except LookupError:
        made = anyio.CapacityLimiter(_READERS)
        _LIMITER.set(made)
        return made


class OpenFile:
    """A regular file by its descriptor, so that what is sent is what was checked.

    Args:
        descriptor: Open for reading; belongs to this object.
        name: What it is called, without folders.
        on_close: Is called once, when it is closed.
    """

    def __init__(self, descriptor: int, name: str, on_close: Callable[[], None] | None = None):
        self.descriptor, self.name, self._on_close = descriptor, name, on_close
        self.stat = os.fstat(descriptor)

    def __enter__(self) -> OpenFile:
        return self

    def __exit__(self, *args: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()  # of an answer that nobody came to send

    def changed(self) -> bool:
        """Whether somebody wrote into it since it was opened."""
        now = os.fstat(self.descriptor)
        return (now.st_size, now.st_mtime_ns) != (self.stat.st_size, self.stat.st_mtime_ns)

    def close(self) -> None:
        """Closes it; again is nothing."""
        descriptor, self.descriptor = self.descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)
            if self._on_close is not None:
                self._on_close()


def file_answer(request: Request, file: OpenFile, etag: str, content_type: str) -> Response:
    """The answer to a request for a file, as its conditions and ranges have it.

    Args:
        request: ``GET`` or ``HEAD``.
        file: The file; the answer closes it.
        etag: A strong one.
        content_type: Of the file.
    """
    size, modified = file.stat.st_size, http_date(file.stat.st_mtime)
    headers = {
        "accept-ranges": "bytes",
        "content-disposition": disposition("inline", file.name),
        "etag": etag,
        "last-modified": modified,
        "x-content-type-options": "nosniff",
    }
    answer = not_modified(request, etag, headers)
    try:
        ranges = [] if answer is not None else wanted_ranges(request, size, etag, modified)
    except UnsatisfiableError:
        line = f"no such range, or too many; the file has {size} bytes"
        answer = JSONResponse(
            {"error": line}, 416, headers={"content-range": f"bytes */{size}", "etag": etag}
        )
    if answer is not None:
        file.close()
        return answer
    return _FileResponse(file, headers, content_type, ranges)


class _FileResponse(Response):
    """Sends a file or ranges of it, and closes it whatever happens."""

    def __init__(
        self,
        file: OpenFile,
        headers: dict[str, str],
        content_type: str,
        ranges: list[tuple[int, int]],
    ):
        self._file, self.background = file, None
        size = file.stat.st_size
        self.status_code = 206 if ranges else 200
        self._parts: list[_Part] = [*(ranges or [(0, size)])]
        if len(ranges) == 1:
            headers = headers | {"content-range": _content_range(*ranges[0], size)}
        elif ranges:
            boundary = secrets.token_hex(13)
            self._parts = _multipart(ranges, size, content_type, boundary)
            content_type = f"multipart/byteranges; boundary={boundary}"
        length = sum(len(p) if isinstance(p, bytes) else p[1] - p[0] for p in self._parts)
        self.init_headers(headers | {"content-length": str(length), "content-type": content_type})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request; see ASGI."""
        try:
            await send(
                {
                    "type": "http.response.start",
                    "status": self.status_code,
                    "headers": self.raw_headers,
                }
            )
            if scope["method"] == "HEAD":
                await send({"type": "http.response.body", "body": b""})
                return
            async with anyio.create_task_group() as group:

                async def until_gone() -> None:
                    while (await receive())["type"] != "http.disconnect":
                        pass
                    group.cancel_scope.cancel()

                group.start_soon(until_gone)
                await self._send_parts(send)
                group.cancel_scope.cancel()
        finally:
            self._file.close()

    async def _send_parts(self, send: Send) -> None:
        for part in self._parts:
            if isinstance(part, bytes):
                await send({"type": "http.response.body", "body": part, "more_body": True})
                continue
            at, end = part
            while at < end:
                most = min(_CHUNK, end - at)
                chunk = await anyio.to_thread.run_sync(self._read, most, at, limiter=_limiter())
                if not chunk:
                    # It was cut since. What is promised cannot be sent, and an answer that is not
                    # finished makes the server close the connection, by which the asker knows.
                    LOG.warning("%s was cut, or cannot be read, while it was sent", self._file.name)
                    return
                at += len(chunk)
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    def _read(self, most: int, at: int) -> bytes:
        try:
            return os.pread(self._file.descriptor, most, at)
        except OSError:
            return b""  # a disk that fails, a share that went away


def _content_range(start: int, end: int, size: int) -> str:
    return f"bytes {start}-{end - 1}/{size}"


def _multipart(
    ranges: list[tuple[int, int]], size: int, content_type: str, boundary: str
) -> list[_Part]:
    parts: list[_Part] = []
    break_ = "\r\n"
    for i, (start, end) in enumerate(ranges):
        head = (
            f"{break_ if i else ''}--{boundary}\r\nContent-Type: {content_type}\r\n"
            f"Content-Range: {_content_range(start, end, size)}\r\n\r\n"
        )
        parts += [head.encode("latin-1"), (start, end)]
    return [*parts, f"\r\n--{boundary}--\r\n".encode("latin-1")]
