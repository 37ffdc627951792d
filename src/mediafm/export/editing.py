"""Edit lists: OpenTimelineIO, and through its adapters CMX 3600 EDL and Final Cut Pro XML."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mediafm.catalog import Catalog, TitleRecord
from mediafm.errors import MediaFMError, MissingExtraError
from mediafm.export.frames import Frames
from mediafm.export.marks import Mark, one_name

ADAPTERS = {".otio": "otio_json", ".edl": "cmx_3600", ".xml": "fcp_xml"}


def to_timeline(catalog: Catalog, marks: Sequence[Mark], name: str) -> Any:
    """An OpenTimelineIO timeline: the places one after the other, each of its media file.

    Args:
        catalog: Where the titles are.
        marks: The places, in the order of the edit; each lasts a frame at least.
        name: Of the timeline.

    Returns:
        ``opentimelineio.schema.Timeline``: a video track, where what is known of a place is in
        ``metadata["mediafm"]``, and an audio track under it where a title has sound.

    Raises:
        MediaFMError: A title has no frame rate.
        MissingExtraError: OpenTimelineIO is not installed.
    """
    otio = _otio()
    timeline = otio.schema.Timeline(name)
    track = otio.schema.Track("V1", kind=otio.schema.TrackKind.Video)
    timeline.tracks.append(track)
    sound = otio.schema.Track("A1", kind=otio.schema.TrackKind.Audio)
    heard = {own for own, present in catalog.present_counts().items() if present.get("audio")}
    held: dict[str, tuple[TitleRecord, Frames]] = {}
    for number, mark in enumerate(marks, 1):
        title_id = mark.clip.title_id
        if title_id not in held:
            title = catalog.title(title_id)
            held[title_id] = (title, Frames.of(title))
        title, frames = held[title_id]
        first, end = frames.at(mark.clip.span.start), frames.at(mark.clip.span.end)
        span = _range(otio, first, end - first, frames)
        media = _media(otio, title, frames)
        # Numbered: Final Cut Pro XML takes clips that are equal for one clip.
        about = {"mediafm": {"event": number} | _about(mark), "cmx_3600": {"reel": _reel(title)}}
        track.append(otio.schema.Clip(mark.name, media, span, metadata=about))
        if title_id in heard:
            about = {"mediafm": {"event": number}}
            sound.append(otio.schema.Clip(mark.name, media, span, metadata=about))
        else:
            sound.append(otio.schema.Gap(duration=span.duration))
    if heard & {*held}:
        timeline.tracks.append(sound)
    return timeline


def write_edit(catalog: Catalog, marks: Sequence[Mark], out: Path, name: str) -> str:
    """An edit list as text.

    Args:
        catalog: Where the titles are.
        marks: The places.
        out: Its suffix decides the form: ``.otio``, ``.edl`` or ``.xml`` (Final Cut Pro 7).
        name: Of the timeline.

    Raises:
        MediaFMError: A title has no frame rate; or titles of several rates, for an EDL.
        MissingExtraError: OpenTimelineIO or its adapter is not installed.
    """
    otio = _otio()
    suffix = out.suffix.lower()
    marks = [mark for mark in marks if mark.clip.span.duration > 0]
    if not marks:
        raise MediaFMError("there is no clip to write", where=out)
    options: dict[str, Any] = {}
    if suffix == ".edl":
        ids = dict.fromkeys(mark.clip.title_id for mark in marks)
        labels = {Frames.of(catalog.title(title_id)).labels for title_id in ids}
        if len(labels) > 1:
            rates = " and ".join(f"{rate:g}" for rate in sorted(labels))
            raise MediaFMError(
                f"an EDL has one frame rate, these titles have {rates}",
                where=out,
                do="write .otio or .xml, or the titles apart",
            )
        options["rate"] = labels.pop()
    timeline = to_timeline(catalog, marks, one_name(name))
    if suffix == ".edl":
        _relabel(otio, timeline, options["rate"])
    try:
        text = otio.adapters.write_to_string(timeline, ADAPTERS[suffix], **options)
    except otio.exceptions.NotSupportedError:  # the adapter is a package of its own
        raise MissingExtraError(
            f"OpenTimelineIO's adapter {ADAPTERS[suffix]}",
            extra="otio",
            purpose=f"writing {suffix}",
        ) from None
    return str(text)


def unsteady(catalog: Catalog, marks: Sequence[Mark]) -> list[str]:
    """A line for each title whose frames an edit list can only guess at."""
    lines = []
    for title_id in dict.fromkeys(mark.clip.title_id for mark in marks):
        title = catalog.title(title_id)
        frames = Frames.of(title)
        if not frames.steady:
            lines.append(
                f"{title_id}: {title.frame_rate} frames/s is no rate of timecode; frames are "
                f"counted at {float(frames.rate):g}, and its own need not be there"
            )
    return lines


def _relabel(otio: Any, timeline: Any, rate: float) -> None:
    """The same numbers of frames, at the rate by whose rules their timecode is written."""
    for clip in timeline.find_clips():
        span = clip.source_range
        clip.source_range = otio.opentime.TimeRange(
            otio.opentime.RationalTime(span.start_time.value, rate),
            otio.opentime.RationalTime(span.duration.value, rate),
        )
        clip.media_reference.available_range = None


def _range(otio: Any, first: int, count: int, frames: Frames) -> Any:
    rate = float(frames.rate)
    return otio.opentime.TimeRange(
        otio.opentime.RationalTime(first, rate), otio.opentime.RationalTime(max(count, 1), rate)
    )


def _media(otio: Any, title: TitleRecord, frames: Frames) -> Any:
    count = frames.at(title.duration) - frames.first
    return otio.schema.ExternalReference(
        target_url=Path(title.path).as_uri() if title.path else title.title_id,
        available_range=_range(otio, frames.first, count, frames),
    )


def _reel(title: TitleRecord) -> str:
    return Path(title.path).stem if title.path else title.title_id


def _about(mark: Mark) -> dict[str, Any]:
    span = mark.clip.span
    return {
        "title_id": mark.clip.title_id,
        "start_us": span.start,
        "end_us": span.end,
        "score": mark.score,
        "reasons": list(mark.reasons),
        **mark.about,
    }


def _otio() -> Any:
    try:
        import opentimelineio
    except ImportError:
        raise MissingExtraError(
            "OpenTimelineIO", extra="otio", purpose="writing edit lists"
        ) from None
    return opentimelineio
