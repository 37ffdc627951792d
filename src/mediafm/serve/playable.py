"""What browsers play as it is, by what is in a file and not by its name."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeVar

import av
from av.container import InputContainer
from av.stream import Disposition, Stream

from mediafm.errors import MediaError, one_line
from mediafm.timeline import US

_MOVIE = "mov,mp4,m4a,3gp,3g2,mj2"
_MATROSKA = "matroska,webm"
_PLAYED: dict[str, tuple[frozenset[str], frozenset[str], str]] = {
    _MOVIE: (
        frozenset({"h264", "vp9", "av1"}),
        frozenset({"aac", "mp3", "opus", "flac"}),
        "mp4",
    ),
    "webm": (frozenset({"vp8", "vp9", "av1"}), frozenset({"opus", "vorbis"}), "webm"),
    "mp3": (frozenset(), frozenset({"mp3"}), "mpeg"),
    "aac": (frozenset(), frozenset({"aac"}), "aac"),
    "flac": (frozenset(), frozenset({"flac"}), "flac"),
    "wav": (
        frozenset(),
        frozenset({"pcm_s16le", "pcm_u8", "pcm_s24le", "pcm_s32le", "pcm_f32le"}),
        "wav",
    ),
    "ogg": (frozenset(), frozenset({"vorbis", "opus", "flac"}), "ogg"),
}
"""Container to the video and the sound that all browsers play in it, and its MIME subtype."""

_OTHER_TYPES = {
    _MATROSKA: "video/x-matroska",
    "mpegts": "video/mp2t",
    "mpeg": "video/mpeg",
    "avi": "video/x-msvideo",
    "mxf": "application/mxf",
}
_FORMATS = {
    _MOVIE: "MP4 files with such streams",
    _MATROSKA: "Matroska files",
    "mpegts": "MPEG transport streams",
    "mpeg": "MPEG program streams",
    "avi": "AVI files",
    "mxf": "MXF files",
    "asf": "Windows Media files",
    "flv": "Flash video files",
}
_CODECS = {
    "ac3": "AC-3",
    "av1": "AV1",
    "dnxhd": "DNxHD",
    "dts": "DTS",
    "dvvideo": "DV",
    "eac3": "E-AC-3",
    "ffv1": "FFV1",
    "h264": "H.264",
    "hevc": "HEVC",
    "mjpeg": "Motion JPEG",
    "mpeg1video": "MPEG-1",
    "mpeg2video": "MPEG-2",
    "mpeg4": "MPEG-4 Part 2",
    "prores": "ProRes",
    "truehd": "TrueHD",
    "vp9": "VP9",
}
_AAC = {"LC": "mp4a.40.2", "HE-AAC": "mp4a.40.5", "HE-AACv2": "mp4a.40.29"}
_NO_MEDIA = frozenset({"tty", "image2", "hls", "concat", "dash", "imf", "webm_dash_manifest"})
"""What FFmpeg opens and is text, or a list of other files."""

_EVERY = "not played by every browser"

S = TypeVar("S", bound=Stream)


@dataclass(frozen=True, slots=True)
class Playable:
    """Whether browsers play a file.

    Args:
        state: ``direct``: as it is. ``proxy``: after a transcode. ``refused``: it is no media.
        why: In words; empty where it plays.
        type: MIME type, with codecs, of what a browser would play.
        content_type: MIME type of the file itself.
        duration: Microseconds that the container announces, 0 where it does not.
    """

    state: Literal["direct", "proxy", "refused"]
    why: str = ""
    type: str = ""
    content_type: str = "application/octet-stream"
    duration: int = 0


class Descriptor:
    """A file for FFmpeg by an open descriptor, whose own position stays where it is.

    FFmpeg is not told a name: a path may read as a protocol, and an extension as a format.

    Args:
        descriptor: Open for reading; the caller closes it.

    Attributes:
        failed: Why the file ended before its end: FFmpeg takes what a disk refuses for an end.
    """

    def __init__(self, descriptor: int):
        self._descriptor, self._at = descriptor, 0
        self.failed: OSError | None = None

    def read(self, most: int) -> bytes:
        """Up to so many bytes."""
        try:
            read = os.pread(self._descriptor, most, self._at)
        except OSError as error:
            self.failed = error
            return b""
        self._at += len(read)
        return read

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Goes elsewhere."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at}.get(whence)
        if base is None:
            base = os.fstat(self._descriptor).st_size
        self._at = base + offset
        return self._at

    def tell(self) -> int:
        """Where it is."""
        return self._at


@contextlib.contextmanager
def opened(descriptor: int) -> Iterator[InputContainer]:
    """Opens media by a descriptor, and nothing else: a playlist must not lead to other files.

    Args:
        descriptor: Open for reading; the caller closes it.

    Raises:
        MediaError: It is no media file.
        OSError: It could not be read to its end; raised when all is done with what could.
    """
    file = Descriptor(descriptor)
    try:
        # No protocol is called so: what the file names is not opened.
        container = av.open(
            file,
            "r",
            metadata_errors="replace",
            container_options={"protocol_whitelist": "none"},
            buffer_size=1 << 18,
        )
    except (av.FFmpegError, OSError, ValueError):
        if file.failed is not None:
            raise file.failed from None
        raise MediaError("no media file, or cut off before its index") from None
    with container:
        if container.format.name in _NO_MEDIA:
            raise MediaError("no media file, but a list of others or text")
        yield container
    if file.failed is not None:
        raise file.failed


def first_streams(
    container: InputContainer,
) -> tuple[av.VideoStream | None, av.AudioStream | None]:
    """The moving picture and the sound that a player chooses: the default ones, else the first."""
    videos = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    return _first(videos), _first(list(container.streams.audio))


def _first(streams: list[S]) -> S | None:
    streams = [s for s in streams if s.codec_context is not None]
    defaults = [s for s in streams if s.disposition & Disposition.default]
    return next(iter(defaults or streams), None)


def look(descriptor: int) -> Playable:
    """Looks at a file: opens it, decodes nothing.

    Args:
        descriptor: Open for reading.

    Raises:
        OSError: It cannot be read.
    """
    try:
        with opened(descriptor) as container:
            return _judge(container, os.pread(descriptor, 64, 0))
    except MediaError as error:
        return Playable("refused", error.what)


def _judge(container: InputContainer, head: bytes) -> Playable:
    form = container.format.name
    if form == _MATROSKA and b"\x42\x82\x84webm" in head:  # EBML's DocType
        form = "webm"
    video, audio = first_streams(container)
    if video is None and audio is None:
        return Playable("refused", "nothing in it can be decoded")
    kind = "audio" if video is None else "video"
    videos, sounds, subtype = _PLAYED.get(form, (frozenset[str](), frozenset[str](), ""))
    own = f"{kind}/{subtype}" if subtype else _OTHER_TYPES.get(form, "application/octet-stream")
    duration = max(container.duration or 0, 0)
    why = (
        (video and _why_not_video(video, videos))
        or (audio and _why_not_sound(audio, sounds))
        or ("" if subtype else f"{_format_words(container, form)} are {_EVERY}")
        or _why_not_times(container)
    )
    if why:
        return Playable("proxy", one_line(why), f"{kind}/mp4", own, duration)
    codecs = [_video_string(video, form)] if video else []
    codecs += [_sound_string(audio)] if audio else []
    told = all(codecs) and form != "flac"  # of which browsers do not want to be told
    named = f'{own}; codecs="{", ".join(codecs)}"' if told else own
    return Playable("direct", "", named, own, duration)


def _format_words(container: InputContainer, form: str) -> str:
    return _FORMATS.get(form) or f"files of the format {container.format.long_name}"


def _why_not_video(video: av.VideoStream, played: frozenset[str]) -> str:
    codec, pixels = video.codec_context.name, video.codec_context.pix_fmt or ""
    codec = _bare(codec)
    name = _CODECS.get(codec, codec)
    if codec not in {c for videos, _, _ in _PLAYED.values() for c in videos}:
        return f"{name} video is {_EVERY}"
    if played and codec not in played:
        return f"{name} video in such a file is {_EVERY}"
    depth = video.codec_context.format.components[0].bits if video.codec_context.format else 8
    if depth > (10 if codec == "av1" else 8):
        return f"{depth}-bit {name} video is {_EVERY}"
    if not pixels.startswith(("yuv420p", "yuvj420p", "yuva420p", "gray")):
        sampling = next((s for s in ("422", "444", "440", "411") if s in pixels), "")
        words = ":".join(sampling) if sampling else pixels or "unusual"
        return f"{words} {name} video is {_EVERY}"
    if pixels.startswith("gray") and codec != "av1":
        return f"monochrome {name} video is {_EVERY}"
    return ""


def _why_not_sound(audio: av.AudioStream, played: frozenset[str]) -> str:
    codec = _bare(audio.codec_context.name)
    name = "PCM" if codec.startswith("pcm_") else _CODECS.get(codec, codec.upper())
    if codec not in {c for _, sounds, _ in _PLAYED.values() for c in sounds}:
        return f"{name} sound is {_EVERY}"
    if played and codec not in played:
        return f"{name} sound in such a file is {_EVERY}"
    if codec == "aac" and (audio.codec_context.profile or "LC") not in _AAC:
        return f"{audio.codec_context.profile} AAC sound is {_EVERY}"
    return ""


def _bare(decoder: str) -> str:
    """The codec's name, of the name of what decodes it here."""
    known = {"libdav1d": "av1", "libvpx": "vp8", "libvpx-vp9": "vp9", "mp3float": "mp3"}
    known |= {"libopus": "opus", "libvorbis": "vorbis", "dca": "dts", "aac_fixed": "aac"}
    return known.get(decoder, decoder)


def _why_not_times(container: InputContainer) -> str:
    """A title's zero is its container's start; a player's is the container's zero."""
    start = (container.start_time or 0) / US
    if abs(start) < _LATE:
        return ""
    return f"its times begin at {start:.2f} s, which players show differently"


_LATE = 0.05
"""Seconds: what priming of sound makes of a start is less."""


def _video_string(video: av.VideoStream, form: str) -> str:
    """The codecs string of a picture, RFC 6381."""
    codec, extra = _bare(video.codec_context.name), video.codec_context.extradata or b""
    if codec == "h264" and len(extra) > 3 and extra[0] == 1:
        return f"avc1.{extra[1:4].hex()}"
    if codec == "av1":
        if len(extra) < 4:
            return "av01.0.08M.08"
        profile, level, flags = extra[1] >> 5, extra[1] & 31, extra[2]
        tier, depth = "H" if flags & 0x80 else "M", 10 if flags & 0x40 else 8
        return f"av01.{profile}.{level:02}{tier}.{depth:02}"
    if codec == "vp9":
        return "vp9" if form == "webm" else "vp09.00.41.08"
    return codec if codec == "vp8" else ""


def _sound_string(audio: av.AudioStream) -> str:
    codec = _bare(audio.codec_context.name)
    if codec == "aac":
        return _AAC.get(audio.codec_context.profile or "LC", "")
    return {"pcm_s16le": "1", "pcm_u8": "1", "pcm_s24le": "1", "pcm_s32le": "1"}.get(
        codec, "3" if codec.startswith("pcm_f") else codec
    )
