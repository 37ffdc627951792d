"""Films whose every frame says its number, titles of them, and what browsers would be sent."""

from __future__ import annotations

import os
import struct
import sys
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "media"))
from media_kit import Sound, Video, beeps, onsets, write

from mediafm.catalog import Catalog, TitleRecord
from mediafm.fingerprint import file_fingerprint
from mediafm.serve import Settings
from mediafm.serve.faststart import index_first
from mediafm.serve.transcode import transcode
from mediafm.timeline import US, Shot, Span

__all__ = ["Sound", "Video", "beeps", "onsets", "write"]

BITS = 8
FRAMES = Fraction(1, 25)
"""A time base that old codecs take."""


def numbered(count: int, width: int = 96, height: int = 64) -> list[np.ndarray]:
    """Pictures that say their number in black and white bars, on grey."""
    frames = []
    for number in range(count):
        bits = [(number >> bit) & 1 for bit in range(BITS)]
        row = np.repeat(np.array(bits, np.uint8) * 180 + 35, -(-width // BITS))[:width]
        frames.append(np.broadcast_to(row[None, :, None], (height, width, 3)).copy())
    return frames


def number_of(frame: av.VideoFrame) -> int:
    """The number that a picture says; -1 for black."""
    row = frame.to_ndarray(format="gray").mean(axis=0)
    if row.max() < 30:
        return -1
    places = ((np.arange(BITS) + 0.5) * frame.width / BITS).astype(int)
    return int(sum(1 << bit for bit, place in enumerate(places) if row[place] > 125))


@dataclass
class Film(Video):
    """A video stream in any pixel format."""

    pixels: str = "yuv420p"

    def add(self, container):
        stream = super().add(container)
        stream.pix_fmt = self.pixels
        return stream


def old(codec: str, count: int = 30, size: tuple[int, int] = (96, 64), **more) -> Film:
    """A video stream by a codec that knows whole frames only."""
    frames = numbered(count, *size)
    return Film(frames, times=list(range(count)), base=FRAMES, codec=codec, **more)


def turned(path: Path, clockwise: int) -> Path:
    """Writes into an MP4 file how it is to be turned."""
    matrix = {90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}[clockwise]
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 44
    a, b, c, d = (value * 65536 for value in matrix)
    data[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    return path


def shelf(
    folder: Path, titles: dict[str, str | Path], *, size: int | None = None, **more
) -> Settings:
    """A catalog whose titles have these files, or say that they are of another size."""
    catalog = Catalog.open_or_create(str(folder / "catalog"))
    for title_id, path in titles.items():
        file = path if isinstance(path, Path) and path.is_file() else None
        was = file.stat() if file else None
        small = was is not None and was.st_size < 1 << 24  # others take long to read
        with catalog.writer(title_id, {}) as writer:
            writer.add_shots([Shot(0, Span(0, US))])
            writer.commit(
                TitleRecord(
                    title_id,
                    "",
                    path=str(path),
                    size=size or (was.st_size if was else 7),
                    mtime_ns=was.st_mtime_ns if was else 0,
                    content=f"{file_fingerprint(file) if small else 'ab' * 8}+{'0' * 16}",
                    duration=US,
                )
            )
    return Settings(str(folder / "catalog"), cache=folder / "cache", **more)


def proxy_of(source: Path, target: Path) -> bool:
    """Makes a proxy without a server; says whether it has a picture."""
    descriptor = os.open(source, os.O_RDONLY)
    try:
        with target.with_suffix(".work").open("w+b") as work, target.open("wb") as file:
            moving = transcode(descriptor, work, lambda reached: None)
            index_first(work, file)
        return moving
    finally:
        os.close(descriptor)


def shown(path: Path) -> list[tuple[int, int]]:
    """When which picture is shown: microseconds from the file's zero as a browser has it, number.

    A browser's zero is that of the container, not of its first packet.
    """
    with av.open(str(path)) as container:
        return [
            (round(frame.pts * frame.time_base * US), number_of(frame))
            for frame in container.decode(video=0)
        ]


def expected(path: Path) -> list[tuple[int, int]]:
    """When which picture is shown in a title's time: from the start of its container."""
    with av.open(str(path)) as container:
        start = container.start_time or 0
        return [
            (round(frame.pts * frame.time_base * US) - start, number_of(frame))
            for frame in container.decode(video=0)
        ]


def heard(path: Path) -> list[float]:
    """When beeps begin, seconds from the file's zero."""
    with av.open(str(path)) as container:
        sound = np.zeros(0, np.float32)
        for frame in container.decode(audio=0):
            # As it is but for the form, so that nothing is delayed; holes are silence.
            [piece] = av.AudioResampler("flt", "mono", frame.sample_rate).resample(frame)
            at = max(round(frame.time * frame.sample_rate), 0)
            sound = np.pad(sound, (0, max(at + piece.samples - len(sound), 0)))
            sound[at : at + piece.samples] = piece.to_ndarray().reshape(-1)
    return onsets(sound, frame.sample_rate)
