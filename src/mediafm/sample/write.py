"""Writes a planned title: media file, subtitles, metadata, truth; the media file comes last."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.container import OutputContainer

from mediafm.errors import MediaFMError, describe_os_error
from mediafm.sample.camera import HEIGHT, WIDTH
from mediafm.sample.render import Renderer
from mediafm.sample.sound import mix_sound, rate_of
from mediafm.sample.story import TitlePlan
from mediafm.sample.titles import SERIES
from mediafm.sample.truth import frame_time, truth_of

_KIND = {"mp4": "mp4", "mkv": "matroska"}


def paths_of(plan: TitlePlan, out: Path) -> dict[str, Path]:
    """The files of a title by role; ``media`` is written last."""
    files = {
        "truth": out / "truth" / f"{plan.slug}.truth.json",
        "metadata": out / f"{plan.slug}.json",
    }
    if plan.entry.subtitles == "sidecar":
        files["subtitles"] = out / f"{plan.slug}.en.srt"
    return files | {"media": out / f"{plan.slug}.{plan.entry.container}"}


def write_title(plan: TitlePlan, out: Path, advance: Callable[[float], None]) -> Path:
    """Renders a title into a folder, each file under another name first.

    Args:
        plan: What to render.
        out: An existing folder.
        advance: Called with the seconds of film that are newly rendered.

    Returns:
        The media file.

    Raises:
        MediaFMError: A file cannot be written.
    """
    files = paths_of(plan, out)
    texts = {
        "truth": truth_of(plan).to_json(),
        "metadata": _metadata(plan),
        "subtitles": _srt(plan),
    }
    with _user_errors(out):
        files["truth"].parent.mkdir(parents=True, exist_ok=True)
        parts = {
            role: path.with_name(f".{path.name}.{os.getpid()}.part") for role, path in files.items()
        }
        try:
            for role, part in parts.items():
                if role == "media":
                    _encode(plan, part, advance)
                else:
                    part.write_text(texts[role], encoding="utf-8")
            for role, part in parts.items():
                part.replace(files[role])
        finally:
            for part in parts.values():
                part.unlink(missing_ok=True)
    return files["media"]


@contextmanager
def _user_errors(out: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, av.error.FFmpegError) as error:
        reason = describe_os_error(error) if isinstance(error, OSError) else str(error)
        raise MediaFMError(
            f"the sample cannot be written ({reason})",
            where=out,
            do="choose a folder that can be written, with 60 MB free",
        ) from None


def _encode(plan: TitlePlan, path: Path, advance: Callable[[float], None]) -> None:
    entry = plan.entry
    with av.open(str(path), "w", format=_KIND[entry.container]) as container:
        assert isinstance(container, OutputContainer)
        container.metadata["title"] = entry.name
        video = container.add_stream("libx264", rate=entry.fps)
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        video.time_base = 1 / entry.fps
        video.options = {"preset": "veryfast", "crf": "23", "g": str(round(entry.fps) * 4)}
        video.codec_context.thread_count = 1
        sound = _Sound(plan, container) if entry.sound else None
        captions = _Captions(plan, container) if entry.subtitles == "embedded" else None
        for number, picture in enumerate(Renderer(plan).frames()):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, 1 / entry.fps
            container.mux(video.encode(frame))
            if number % round(entry.fps) == 0:
                until = float((number + 1) / entry.fps) + 1
                if sound:
                    sound.write(until)
                if captions:
                    captions.write(until)
                advance(min(1.0, float((plan.frames - number) / entry.fps)))
        container.mux(video.encode())
        if sound:
            sound.write(None)


class _Sound:
    """The AAC stream, written a little ahead of the pictures."""

    def __init__(self, plan: TitlePlan, container: OutputContainer):
        self.rate, self.container = rate_of(plan), container
        self.samples = np.round(mix_sound(plan) * 32000).astype(np.int16)
        self.stream = container.add_stream("aac", rate=self.rate, layout="stereo")
        self.stream.bit_rate = 96_000
        self.stream.options = {"aac_coder": "fast"}
        self.at = 0
        # Matroska cannot say that the first AAC packet only primes the decoder; with it, FFmpeg
        # would shift all of the file by 21 ms.
        self.primed = plan.entry.container != "mkv"

    def write(self, until: float | None) -> None:
        """Writes up to a time in seconds; ``None`` finishes the stream."""
        end = len(self.samples) if until is None else min(len(self.samples), int(until * self.rate))
        while self.at + 1024 <= end or (until is None and self.at < end):
            part = self.samples[self.at : min(end, self.at + 1024)]
            frame = av.AudioFrame.from_ndarray(
                np.ascontiguousarray(part.reshape(1, -1)), format="s16", layout="stereo"
            )
            frame.sample_rate, frame.pts = self.rate, self.at
            frame.time_base = Fraction(1, self.rate)
            self.at += len(part)
            self._mux(self.stream.encode(frame))
        if until is None:
            self._mux(self.stream.encode(None))

    def _mux(self, packets: list[av.Packet[Any]]) -> None:
        for packet in packets:
            if not self.primed and (packet.pts or 0) < 0:
                continue
            self.primed = True
            self.container.mux(packet)


class _Captions:
    """A text subtitle stream inside the file, taken from the SRT text."""

    def __init__(self, plan: TitlePlan, container: OutputContainer):
        self.container = container
        source = av.open(io.BytesIO(_srt(plan).encode()), "r", format="srt")
        self.stream = container.add_stream_from_template(source.streams.subtitles[0])
        self.stream.metadata["language"] = "eng"
        self.packets = [packet for packet in source.demux() if packet.pts is not None]

    def write(self, until: float) -> None:
        """Writes the captions that begin before a time in seconds."""
        while (
            self.packets and float((self.packets[0].pts or 0) * self.packets[0].time_base) < until
        ):
            packet = self.packets.pop(0)
            packet.stream = self.stream
            self.container.mux(packet)


def _srt(plan: TitlePlan) -> str:
    def clock(frame: int) -> str:
        milliseconds = frame_time(plan, frame) // 1000
        seconds, milliseconds = divmod(milliseconds, 1000)
        return (
            f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d},{milliseconds:03d}"
        )

    return "\n".join(
        f"{number}\n{clock(line.start)} --> {clock(line.end)}\n{line.text}\n"
        for number, line in enumerate(plan.lines, 1)
    )


def _metadata(plan: TitlePlan) -> str:
    entry, series = plan.entry, SERIES[plan.entry.series]
    episode = entry.episode is not None
    return (
        json.dumps(
            {
                "title": entry.name,
                "kind": "episode" if episode else "movie",
                "series": series.name if episode else None,
                "season": 1 if episode else None,
                "episode": entry.episode,
                "synopsis": entry.synopsis,
                "tags": list(series.tags),
                "genres": list(plan.genres),
                "year": plan.year,
            },
            indent=1,
        )
        + "\n"
    )
