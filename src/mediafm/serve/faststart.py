"""MP4 files with their index in front, so that a player starts without looking for it at the end.

FFmpeg does it too, but PyAV holds the interpreter's lock while it does: with a long film the server
would stand still for seconds.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np

from mediafm.errors import MediaError

_HOLDERS = (b"moov", b"trak", b"mdia", b"minf", b"stbl")
_OFFSETS = {b"stco": (">u4", 2**32), b"co64": (">u8", 2**63)}
_MOST_INDEX = 1 << 30


def index_first(source: BinaryIO, target: BinaryIO) -> None:
    """Copies an MP4 file with its index before its media.

    Args:
        source: The file, whole and of one ``moov``; is read from its start.
        target: Where to write.

    Raises:
        MediaError: It is no such file.
        OSError: It cannot be written.
    """
    size = source.seek(0, os.SEEK_END)
    boxes = {kind: (at, length) for kind, at, length in _boxes(source, 0, size)}
    if b"moov" not in boxes or b"mdat" not in boxes or boxes[b"moov"][1] > _MOST_INDEX:
        raise MediaError("the proxy was not written to its end")
    start, length = boxes[b"moov"]
    index = bytearray(_read(source, start, length))
    media = boxes[b"mdat"][0]
    if start < media or not _shift(index, length):
        source.seek(0)
        shutil.copyfileobj(source, target, 1 << 20)
        return
    target.write(_read(source, 0, media))
    target.write(index)
    source.seek(media)
    _copy(source, target, start - media)
    source.seek(start + length)
    shutil.copyfileobj(source, target, 1 << 20)


def _read(source: BinaryIO, at: int, length: int) -> bytes:
    source.seek(at)
    read = source.read(length)
    if len(read) != length:
        raise MediaError("the proxy was not written to its end")
    return read


def _copy(source: BinaryIO, target: BinaryIO, length: int) -> None:
    while length:
        piece = source.read(min(length, 1 << 20))
        if not piece:
            raise MediaError("the proxy was not written to its end")
        target.write(piece)
        length -= len(piece)


def _boxes(source: BinaryIO, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """The boxes of a file: kind, start, length with the header."""
    while at + 8 <= end:
        head = _read(source, at, min(16, end - at))
        length, kind = int.from_bytes(head[:4], "big"), head[4:8]
        if length == 1:
            length = int.from_bytes(head[8:16], "big")
        if length < 8 or at + length > end:
            raise MediaError("the proxy was not written to its end")
        yield kind, at, length
        at += length


def _shift(index: bytearray, by: int) -> bool:
    """Adds to the places of all chunks; says whether they still fit their fields."""
    found = list(_tables(index, 0, len(index)))
    views = []
    for kind, at, count in found:
        form, most = _OFFSETS[kind]
        places = np.frombuffer(index, form, count, at)
        if count and int(places.max()) + by >= most:
            return False
        views.append(places)
    for places in views:
        np.add(places, by, out=places)
    return True


def _tables(index: bytearray, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    while at + 8 <= end:
        length, kind = int.from_bytes(index[at : at + 4], "big"), bytes(index[at + 4 : at + 8])
        if length < 8:
            return
        if kind in _HOLDERS:
            yield from _tables(index, at + 8, at + length)
        elif kind in _OFFSETS:
            yield kind, at + 16, int.from_bytes(index[at + 12 : at + 16], "big")
        at += length
