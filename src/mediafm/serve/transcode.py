"""Any media to the H.264 and AAC in MP4 that every browser plays, on the same times.

The proxy's zero is the title's: a frame that the catalog has at a time is shown at that time. So
the picture keeps its own times, to the microsecond and variable as they may be, and the sound
begins at zero, with silence where the source has none.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, cast

import av
from av.container import InputContainer, OutputContainer
from av.format import Flags

from mediafm.errors import MediaError
from mediafm.media.clock import Clock
from mediafm.serve.playable import first_streams, opened
from mediafm.serve.tracks import BASE, RATE, Geometry, Pictures, Sound, geometry_of
from mediafm.timeline import US

WIDE, HIGH = 1280, 720
"""The most that a proxy measures."""

SETTINGS = {
    "video": "libx264 main veryfast crf 23, no B-frames, a keyframe each second",
    "most": f"{WIDE}x{HIGH}",
    "audio": f"aac 128k stereo {RATE}",
    "form": "1",
}
"""What a proxy is made by; another one is another proxy."""

_BEYOND = 600 * US
_LEAP = 3600 * US
_THREADS = max(1, min(8, os.cpu_count() or 1))

Report = Callable[[int], None]


def transcode(descriptor: int, target: BinaryIO, report: Report) -> bool:
    """Writes the proxy of a media file; of a damaged one, of what can be read.

    Args:
        descriptor: The source, open for reading.
        target: Where to write; seekable.
        report: Is told the time that is reached, microseconds; what it raises ends the work.

    Returns:
        Whether there is a picture.

    Raises:
        MediaError: Nothing in it can be decoded.
        OSError: The proxy cannot be written, or the source cannot be read to its end.
    """
    geometry = _geometry(descriptor, report)
    with opened(descriptor) as source:
        video, audio = first_streams(source)
        if geometry is None and audio is None:
            raise MediaError("no frame in it can be decoded")
        with av.open(target, "w", format="mp4", buffer_size=1 << 18) as output:
            clocks = _Clocks(source)
            tracks: list[Pictures | Sound] = []
            if video is not None and geometry is not None:
                tracks.append(Pictures(output, video, clocks.of(video), geometry, _THREADS))
            if audio is not None:
                tracks.append(Sound(output, audio, clocks.of(audio), clocks.latest))
            _run(source, output, tracks, report)
    return geometry is not None


class _Clocks:
    """The title's time, of every stream, as ingest has it."""

    def __init__(self, source: InputContainer):
        self._start, self._joins = source.start_time or 0, list[int]()
        jumpy = Flags.ts_discont in Flags(source.format.flags)
        self._leap = _LEAP if jumpy else None
        # What a file of joined recordings announces is not its length.
        self.latest = source.duration + _BEYOND if source.duration and not jumpy else None

    def of(self, stream: av.VideoStream | av.AudioStream) -> Clock:
        return Clock(stream.time_base or BASE, self._start, self._joins, self._leap)


def _geometry(descriptor: int, report: Report) -> Geometry | None:
    """Looks for the first frame; ``None`` where no picture can be decoded."""
    with opened(descriptor) as source:
        video, _ = first_streams(source)
        for packet in _packets(source, [video] if video is not None else []):
            report(0)
            for frame in _decoded(packet):
                return geometry_of(cast(av.VideoStream, video), frame, WIDE, HIGH)
    return None


def _run(
    source: InputContainer,
    output: OutputContainer,
    tracks: list[Pictures | Sound],
    report: Report,
) -> None:
    by_index: dict[int, Any] = {track.source_index: track for track in tracks}
    for packet in _packets(source, [source.streams[index] for index in by_index]):
        track = by_index[packet.stream.index]
        for frame in _decoded(packet):
            for made in track.push(frame):
                output.mux(made)
        report(max(track.end for track in tracks))
    if not any(track.count for track in tracks):
        raise MediaError("no frame in it can be decoded")
    for track in tracks:
        for made in track.finish():
            output.mux(made)


def _packets(source: InputContainer, wanted: list[Any]) -> Iterator[av.Packet[Any]]:
    """The packets of streams, until the end or until no more can be read."""
    packets = source.demux(*wanted) if wanted else iter(())
    while True:
        try:
            packet = next(packets)
        except (StopIteration, av.FFmpegError):
            return
        yield packet


def _decoded(packet: av.Packet[Any]) -> list[Any]:
    """What a packet decodes to; nothing where it is damaged."""
    try:
        return list(packet.decode())
    except av.FFmpegError:
        return []
