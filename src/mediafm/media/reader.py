"""One demux and decode pass over a title: thumbnails, stills, sound and embedded cues.

Everything that later stages need leaves this pass as a stream of chunks, so that memory does not
grow with the title: small thumbnails of every frame for the shot detector, stills at a fixed period
for the picture encoder and the keyframes, 16 kHz mono sound, and the cues of embedded subtitles.

A pass over the pictures alone or the sound alone gives the same chunks as the full pass, without
the work for the others: a new sound encoder needs no picture decoded.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
from av.format import Flags
from av.stream import Stream
from av.subtitles.subtitle import Subtitle

from mediafm.errors import MediaError
from mediafm.media.chunks import AudioChunk, Chunk, ReadOptions
from mediafm.media.clock import Clock
from mediafm.media.pictures import Pictures
from mediafm.media.sound import Sound
from mediafm.media.streams import (
    SourceInfo,
    choose_streams,
    open_container,
    source_info,
    stream_language,
)
from mediafm.media.subtitles import subtitle_cue
from mediafm.timeline import US, Cue

_LOST = 0.02
"""Share of the announced duration that may be missing before a file counts as cut off."""

_LEAP = 3600 * US
"""A stream that says of itself that its times may jump, and then jumps over an hour, was joined."""


class Reader:
    """A title that is read once, front to back.

    Args:
        path: The media file.
        options: What leaves the pass.

    Raises:
        MediaError: It cannot be opened or has no picture.

    Attributes:
        info: What the container says; complete after the first chunk of pictures.
    """

    def __init__(self, path: Path, options: ReadOptions | None = None):
        self.path = path
        self.options = options or ReadOptions()
        self._container = open_container(path)
        try:
            self._streams = choose_streams(self._container, path, self.options.languages)
        except MediaError:
            self._container.close()
            raise
        self.info: SourceInfo = source_info(self._container, self._streams)
        self._damaged = 0
        self._joins: list[int] = []
        self._passed = 0  # end of the packets that are not decoded, microseconds
        self._pictures: Pictures | None = None
        self._sound: Sound | None = None
        video, audio = self._streams.video, self._streams.audio
        if self.options.pictures:
            self._pictures = Pictures(self.options, self._clock(video), self.info)
        if self.options.sound and audio:
            lasts = max(self.info.duration, self._container.duration or 0)
            # What a file of joined recordings announces is not its length.
            self._sound = Sound(self.options, self._clock(audio), 0 if self._jumpy else lasts)
        self._passing = self._clock(audio if self.options.pictures and audio else video)

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *args: object) -> None:
        self._container.close()

    @property
    def end(self) -> int:
        """When the last frame read so far leaves the screen, microseconds.

        Where no pictures are read: until when there is sound so far.
        """
        if self._pictures is not None:
            return self._pictures.end
        return self._sound.end if self._sound is not None else 0

    def _clock(self, stream: av.VideoStream | av.AudioStream) -> Clock:
        base = stream.time_base or Fraction(1, US)
        return Clock(base, self.info.start_offset, self._joins, _LEAP if self._jumpy else None)

    @property
    def _jumpy(self) -> bool:
        return Flags.ts_discont in Flags(self._container.format.flags)

    def __iter__(self) -> Iterator[Chunk]:
        """Yields chunks in the order of the file.

        Raises:
            MediaError: No frame can be decoded, or the file ends long before its announced end.
        """
        # A stream that jumps asks how the other one jumped: the full pass alone knows.
        partial = not (self.options.pictures and self.options.sound)
        given = 0
        for chunk in self._chunks():
            if partial and self._joins:
                break
            given += 1
            yield chunk
        if partial and self._joins:
            yield from self._from_full_pass(given)

    def _from_full_pass(self, given: int) -> Iterator[Chunk]:
        """Yields what is wanted from a full pass, after the chunks that were given already."""
        with Reader(self.path, replace(self.options, pictures=True, sound=True)) as full:
            pictures = self.options.pictures
            self._pictures = full._pictures if pictures else None
            self._sound = None if pictures else full._sound
            wanted = (chunk for chunk in full if isinstance(chunk, AudioChunk) != pictures)
            for chunk in itertools.islice(wanted, given, None):
                self.info = full.info
                yield chunk
            self.info = full.info

    def _chunks(self) -> Iterator[Chunk]:
        wanted: list[Stream] = [self._streams.video, *self._streams.subtitles]
        if self._streams.audio:
            wanted.append(self._streams.audio)
        self._streams.video.thread_type = "AUTO"
        try:
            for packet in self._container.demux(wanted):
                yield from self._decode(packet)
        except av.FFmpegError as error:
            self._damaged += 1
            self._note(f"reading stopped early ({(error.strerror or str(error)).lower()})")
        if self._pictures is not None:
            yield from self._pictures.finish()
        if self._sound is not None:
            yield from self._sound.finish()
        self._check_whole()

    def _decode(self, packet: av.Packet[Any]) -> Iterator[Chunk]:
        kind = packet.stream.type
        if kind == "subtitle":
            if self._pictures is not None:
                yield from self._cues(packet)
            return
        if (self._pictures if kind == "video" else self._sound) is None:
            self._pass(packet)
            return
        try:
            frames = cast(list[av.VideoFrame | av.AudioFrame], packet.decode())
        except av.FFmpegError:
            self._damaged += 1
            return
        for frame in frames:
            if isinstance(frame, av.AudioFrame) and self._sound is not None:
                yield from self._sound.push(frame)
            elif isinstance(frame, av.VideoFrame) and self._pictures is not None:
                yield from self._pictures.push(frame)
                self.info = self._pictures.info

    def _pass(self, packet: av.Packet[Any]) -> None:
        """Notes when a packet that is not decoded ends, to know whether the file is whole."""
        base = packet.time_base or Fraction(1, US)
        time = self._passing.time(packet.dts, base, guess=self._passed)
        if packet.pts is not None:
            time = round(packet.pts * base * US) - self.info.start_offset
        self._passed = max(self._passed, time + round((packet.duration or 0) * base * US))

    def _cues(self, packet: av.Packet[Any]) -> Iterator[Cue]:
        if packet.pts is None or not packet.size:
            return
        base = packet.time_base or Fraction(1, US)
        start = round(packet.pts * base * US) - self.info.start_offset
        end = start + round((packet.duration or 0) * base * US)
        try:
            subtitles = cast(list[Subtitle], packet.decode())
        except av.FFmpegError:
            self._damaged += 1
            return
        source = f"stream {packet.stream.index}"
        language = stream_language(packet.stream)
        cue = subtitle_cue(subtitles, max(start, 0), max(end, 0), source, language)
        if cue is not None:
            yield cue

    def _note(self, text: str) -> None:
        self.info = replace(self.info, notes=(*self.info.notes, text))

    def _check_whole(self) -> None:
        if self._pictures is not None and self._pictures.count == 0:
            raise MediaError(
                "no frame can be decoded", where=self.path, do="play it to see whether it is whole"
            )
        pictures = self._passed if self._pictures is None else self._pictures.end
        sound = self._passed if self._sound is None else self._sound.end
        read = pictures if self.info.own_duration else max(pictures, sound)
        missing = self.info.duration - read
        # What a file of joined recordings announces is not its length.
        whole = self._joins or not self.info.duration
        if not whole and missing > max(2 * US, _LOST * self.info.duration):
            raise MediaError(
                f"is cut off: {pictures / US:.1f} s of {self.info.duration / US:.1f} s can be read",
                where=self.path,
                do="copy it again, or remux what is left",
            )
        if self._damaged:
            self._note(f"{self._damaged} damaged packets were skipped")
