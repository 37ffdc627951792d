"""Which streams of a media file are read, and what is said of the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TypeVar

import av
from av.container import InputContainer
from av.stream import Disposition, Stream

from mediafm.errors import MediaError, MediaFMError, describe_os_error
from mediafm.media.languages import base_language
from mediafm.media.subtitles import BITMAP_SUBTITLES, TEXT_SUBTITLES
from mediafm.timeline import US, parse_time

S = TypeVar("S", bound=Stream)


@dataclass(frozen=True, slots=True)
class Streams:
    """The streams of one file that are read.

    Args:
        video: The picture.
        audio: The sound, if there is any.
        subtitles: Embedded text streams.
        notes: What was seen and left aside, for the user.
    """

    video: av.VideoStream
    audio: av.AudioStream | None
    subtitles: tuple[Stream, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What the container says of a title.

    Args:
        duration: Microseconds of picture that the container announces, 0 where it does not say.
        start_offset: Container time of zero, in microseconds.
        timecode: Source timecode of zero as written in the file.
        frame_rate: Average frames per second, for timecodes only.
        width: Width of the upright picture in square pixels.
        height: Height of the upright picture in square pixels.
        rotation: Degrees by which a picture has to be turned counter-clockwise to be upright.
        has_audio: Whether there is sound.
        own_duration: Whether the duration is the picture's own and not that of the longest stream.
        notes: What a user should know.
    """

    duration: int
    start_offset: int
    timecode: str | None
    frame_rate: Fraction | None
    width: int
    height: int
    rotation: int = 0
    has_audio: bool = False
    own_duration: bool = True
    notes: tuple[str, ...] = field(default=())


def open_container(path: Path) -> InputContainer:
    """Opens a media file.

    Args:
        path: The file.

    Returns:
        The open container; the caller closes it.

    Raises:
        MediaError: It cannot be opened, is empty, or is no media file.
    """
    try:
        if path.stat().st_size == 0:
            raise MediaError("the file is empty", where=path, do="copy it again")
        return av.open(str(path), metadata_errors="replace")
    except av.FFmpegError as error:
        raise _unreadable(path, error) from None
    except OSError as error:
        raise MediaError(f"cannot be read ({describe_os_error(error)})", where=path) from None


def _unreadable(path: Path, error: av.FFmpegError) -> MediaFMError:
    reason = (error.strerror or str(error)).lower()
    if isinstance(error, av.InvalidDataError | av.EOFError):
        return MediaError(
            "no media file, or cut off before its index",
            where=path,
            do="play it to see whether it is whole; copy it again if not",
        )
    return MediaError(f"cannot be opened ({reason})", where=path)


def choose_streams(container: InputContainer, path: Path, languages: Sequence[str] = ()) -> Streams:
    """Chooses the default stream of each type, or the first in a wanted language.

    Args:
        container: The open file.
        path: Its path, for messages.
        languages: Languages in the order of preference (``en``, ``de``).

    Returns:
        The streams to read.

    Raises:
        MediaError: There is no picture to segment.
    """
    videos = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    videos = [s for s in videos if s.codec_context is not None]
    audios = [s for s in container.streams.audio if s.codec_context is not None]
    if not videos:
        if container.streams.audio:
            raise MediaError(
                "has sound but no moving picture; audio-only titles are not segmented yet",
                where=path,
            )
        raise MediaError("has no video stream that can be decoded", where=path)
    notes = []
    video = _choose(videos, languages)
    audio = _choose(audios, languages) if audios else None
    for kind, chosen, every in (("video", video, videos), ("audio", audio, audios)):
        if chosen is not None and len(every) > 1:
            others = ", ".join(f"{s.index}{_named(s)}" for s in every if s is not chosen)
            notes.append(f"{kind} stream {chosen.index} of {len(every)} read, not {others}")
    unknown = [s for s in container.streams.audio if s.codec_context is None]
    notes += [f"stream {s.index}: sound in an unknown codec is not read" for s in unknown]
    texts = []
    for stream in container.streams:
        if stream.type != "subtitle":
            continue
        codec = stream.codec_context.name if stream.codec_context else "unknown"
        if codec in TEXT_SUBTITLES:
            texts.append(stream)
        elif codec in BITMAP_SUBTITLES or codec == "pgssub":
            notes.append(f"stream {stream.index}{_named(stream)}: bitmap subtitles are not read")
        else:
            notes.append(f"stream {stream.index}: subtitles in the codec {codec} are not read")
    if len(texts) > 1:
        chosen_text = _choose(texts, languages)
        others = ", ".join(f"{s.index}{_named(s)}" for s in texts if s is not chosen_text)
        notes.append(f"subtitle stream {chosen_text.index} read, not {others}")
        texts = [chosen_text]
    return Streams(video, audio, tuple(texts), tuple(notes))


def _choose(streams: Sequence[S], languages: Sequence[str]) -> S:
    for language in languages:
        for stream in streams:
            if stream_language(stream) == base_language(language):
                return stream
    defaults = [s for s in streams if s.disposition & Disposition.default]
    return (defaults or list(streams))[0]


def _named(stream: Stream) -> str:
    language = stream_language(stream)
    return f" ({language})" if language else ""


def stream_language(stream: Stream) -> str:
    """The language of a stream, two letters where there are two, empty where unknown."""
    return base_language(stream.language or "")


def source_info(container: InputContainer, streams: Streams) -> SourceInfo:
    """Reads what the container says of the title.

    Args:
        container: The open file.
        streams: The streams chosen from it.

    Returns:
        Duration, geometry, timecode; the rotation is known from the first frame only.
    """
    video = streams.video
    aspect = video.sample_aspect_ratio or Fraction(1)
    timecodes = [video.metadata.get("timecode"), container.metadata.get("timecode")]
    timecodes += [s.metadata.get("timecode") for s in container.streams if s.type == "data"]
    duration = _announced(video)
    return SourceInfo(
        duration=duration or container.duration or 0,
        start_offset=container.start_time or 0,
        timecode=next((t for t in timecodes if t), None),
        frame_rate=video.average_rate,
        width=max(round(video.width * (aspect if aspect > 0 else 1)), 1),
        height=video.height,
        has_audio=streams.audio is not None,
        own_duration=duration > 0,
        notes=streams.notes,
    )


def _announced(video: av.VideoStream) -> int:
    """Length of the video stream, 0 where the file does not say."""
    if video.duration and video.time_base:
        return round(video.duration * video.time_base * US)
    tag = video.metadata.get("DURATION", "")  # Matroska: 00:01:00.000000000
    try:
        return parse_time(tag)
    except MediaFMError:
        return 0
