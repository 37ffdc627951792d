"""Conditional requests, ranges and names of files, as RFC 9110 and RFC 6266 have them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.utils import formatdate, parsedate_to_datetime
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

MOST_RANGES = 32
"""Ranges that one request may name: players name one, and a list is a way to ask for much."""

_CLOSE = 512
"""Ranges with less than this between them are sent as one: a header between them costs as much."""

_TAG = re.compile(r'(W/)?("[^"]*")')
_RANGES = re.compile(r"\s*bytes\s*=(.*)", re.IGNORECASE | re.DOTALL)
_RANGE = re.compile(r"([0-9]{0,40})-([0-9]{0,40})")


class UnsatisfiableError(Exception):
    """None of the ranges lies inside the file, or there are too many: 416."""


def strong(*parts: object) -> str:
    """A strong ETag of what tells one content from any other."""
    return f'"{"-".join(map(str, parts))}"'


def etag_matches(header: str | None, etag: str, *, weakly: bool = True) -> bool:
    """Whether a list of ETags (``If-None-Match``, ``If-Match``) holds one, or is ``*``.

    Args:
        header: The header's value.
        etag: What we have.
        weakly: Whether weak ones count; for ``If-Match`` and ``If-Range`` they do not.
    """
    if header is None:
        return False
    if header.strip() == "*":
        return True
    if not weakly and etag.startswith("W/"):
        return False
    bare = etag.removeprefix("W/")
    return any(tag == bare and (weakly or not weak) for weak, tag in _TAG.findall(header))


def http_date(seconds: float) -> str:
    """A time as HTTP writes it."""
    return formatdate(int(seconds), usegmt=True)


def not_modified(
    request: Request, etag: str, headers: Mapping[str, str] | None = None
) -> Response | None:
    """The answer to a request whose conditions say that nothing has to be sent: 304 or 412.

    Args:
        request: The request.
        etag: What we have.
        headers: What goes with it; ``last-modified`` among them answers conditions by date.

    Returns:
        The answer, or ``None`` where the content is to be sent.
    """
    asked = request.headers
    kept = {name.lower(): value for name, value in (headers or {}).items()}
    modified = kept.get("last-modified")
    kept = {n: v for n, v in kept.items() if not n.startswith("content-")} | {"etag": etag}
    if (wanted := asked.get("if-match")) is not None:
        if not etag_matches(wanted, etag, weakly=False):
            return Response(status_code=412, headers=kept)
    elif modified and _later(modified, asked.get("if-unmodified-since")):
        return Response(status_code=412, headers=kept)
    if (known := asked.get("if-none-match")) is not None:
        return Response(status_code=304, headers=kept) if etag_matches(known, etag) else None
    since = asked.get("if-modified-since")
    if modified and since and _later(modified, since) is False:
        return Response(status_code=304, headers=kept)
    return None


def _later(date: str, than: str | None) -> bool | None:
    """Whether a date is after another; ``None`` where that one is none."""
    try:
        return parsedate_to_datetime(date) > parsedate_to_datetime(than) if than else None
    except (ValueError, TypeError, OverflowError):
        return None


def wanted_ranges(request: Request, size: int, etag: str, modified: str) -> list[tuple[int, int]]:
    """What of a file a request asks for.

    Args:
        request: The request.
        size: Bytes of the file.
        etag: The file's.
        modified: The file's date as HTTP writes it.

    Returns:
        ``(start, end)`` in order, apart from one another; empty for the whole file: none is asked
        for, the unit is another one, or the file is not the one of which the asker has a part.

    Raises:
        UnsatisfiableError: None lies inside the file, or there are too many.
    """
    header = request.headers.get("range")
    if header is None or request.method != "GET":
        return []
    part_of = request.headers.get("if-range")
    if part_of is not None and part_of.strip() not in (etag, modified):
        return []
    found = _RANGES.fullmatch(header)
    return [] if found is None else _together(_inside(found[1], size))


def _inside(text: str, size: int) -> list[tuple[int, int]]:
    """The ranges of a list that begin inside the file; empty for a list that is malformed."""
    parts = [part.strip() for part in text.split(",")]
    if len(parts) > MOST_RANGES:
        raise UnsatisfiableError
    ranges = []
    for part in parts:
        if not part:
            continue  # RFC 9110 lets lists have empty elements
        found = _RANGE.fullmatch(part)
        if found is None or part == "-":
            return []
        first, last = found.groups()
        if not first:
            start, end = max(size - int(last), 0), size
        else:
            start, end = int(first), min(int(last) + 1, size) if last else size
            if last and int(last) < start:
                return []
        if start < min(end, size):
            ranges.append((start, end))
    if not ranges and any(parts):
        raise UnsatisfiableError
    return ranges


def _together(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Ranges in order, those that overlap or nearly touch as one: no byte is sent twice."""
    joined: list[tuple[int, int]] = []
    for start, end in sorted(ranges):
        if joined and start - joined[-1][1] < _CLOSE:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return joined


def disposition(kind: str, name: str) -> str:
    """``Content-Disposition`` for a file name of any characters.

    Args:
        kind: ``inline`` or ``attachment``.
        name: The name, without folders.
    """
    plain = "".join(c if c.isascii() and c.isprintable() and c not in '"\\%' else "_" for c in name)
    if plain == name:
        return f'{kind}; filename="{name}"'
    whole = quote(name.encode("utf-8", "replace"), safe="!#$&+-.^_`|~")
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{whole}"
