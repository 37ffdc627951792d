"""Timed text: SubRip, WebVTT, SubStation, TTML/IMSC, SCC and a few older formats become cues.

SubRip, WebVTT and SubStation are read here, block by block, so that one broken block costs one
cue and a note, not the file. TTML and SCC go through ttconv, SAMI and MicroDVD through pysubs2.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mediafm.errors import MediaError
from mediafm.media import cue_text
from mediafm.media.subtitle_names import SUBTITLE_SUFFIXES, subtitle_name
from mediafm.media.text_files import read_text
from mediafm.timeline import US, Cue, CueKind, format_time

if TYPE_CHECKING:
    from av.subtitles.subtitle import Subtitle

TEXT_SUBTITLES = frozenset(
    (
        *("ass", "ssa", "mov_text", "subrip", "srt", "webvtt", "text", "ttml", "eia_608", "cc_dec"),
        *("jacosub", "microdvd", "mpl2", "pjs", "realtext", "sami", "stl"),
        *("subviewer", "subviewer1", "vplayer"),
    )
)
"""FFmpeg's codec names of subtitle streams that hold text."""

BITMAP_SUBTITLES = frozenset(
    ("dvb_subtitle", "dvbsub", "dvd_subtitle", "dvdsub", "hdmv_pgs_subtitle", "pgssub", "xsub")
)
"""FFmpeg's codec names of subtitle streams that hold pictures of text, which are not read."""

_TIME = r"(-?)(?:(\d{1,3})\s*:\s*)?(\d{1,3})\s*:\s*(\d{1,2})(?:\s*[.,:]\s*(\d{1,9}))?"
_TIMING = re.compile(rf"^\s*{_TIME}\s*-{{1,3}}>\s*{_TIME}(?:\s.*)?$")
_ARROW = re.compile(r"\d\s*-->|-->\s*\d")
_COUNTER = re.compile(r"^\s*\d{1,7}\s*$", re.ASCII)
_VTT_BLOCK = re.compile(r"^(?:NOTE|STYLE|REGION)(?:\s|$)")
_ASS_TIME = re.compile(rf"^\s*{_TIME}\s*$")
_ASS_FIELDS = "layer, start, end, style, name, marginl, marginr, marginv, effect, text"
_MOST_TIME = 1000 * 3600 * US

Lines = Iterator[tuple[int, int, str]]
"""Start, end (microseconds, unchecked) and stripped text."""


@dataclass(frozen=True, slots=True)
class TimedText:
    """What a timed-text file says.

    Args:
        cues: Sorted by start; may overlap.
        notes: What a user should know: what was skipped, repaired or guessed.
    """

    cues: list[Cue]
    notes: list[str]


def read_cues(path: Path, *, stem: str | None = None) -> TimedText:
    """Reads a timed-text file; its content decides over its suffix where it is unmistakable.

    Args:
        path: The file. Language and kind come from its name (``film.pt-BR.forced.srt``,
            ``film.descriptions.en.vtt``).
        stem: Name of the media file without suffix, so that no part of it is taken for a language.

    Returns:
        The cues, with ``source`` the file's name, and notes. An empty file has no cues.

    Raises:
        MediaError: It cannot be read, is no timed text, or has content but not one readable cue.
    """
    name = subtitle_name(path, stem=stem)
    if path.suffix.lower() not in SUBTITLE_SUFFIXES:
        known = " ".join(sorted(SUBTITLE_SUFFIXES))
        raise MediaError("is not a timed-text file", where=path, do=f"use one of {known}")
    text, encoding = read_text(path, language=name.language)
    notes = [f"{path.name}: read as {encoding}"] if encoding else []
    if not text.strip():
        return TimedText([], [*notes, f"{path.name}: is empty"])
    broken: list[str] = []
    language, rolling, lines = name.language, None, list[tuple[int, int, str]]()
    form = _format(text, path)
    if form in ("ttml", "scc"):
        from mediafm.media import ttml_scc

        document = ttml_scc.read_ttml if form == "ttml" else ttml_scc.read_scc
        found = document(text, path)
        lines, rolling = found.lines, found.rolling
        language = language or found.language
        broken.extend(found.notes)
    elif form == "old":
        lines = _read_with_pysubs2(text, path)
    else:
        lines = list(_READERS[form](text, broken))
    cues: list[Cue] = []
    for start, end, words in lines:
        span = _repaired(start, end, broken)
        if span and (
            cue := cue_text.make_cue(
                *span, words, kind=name.kind, language=language, source=path.name
            )
        ):
            cues.append(cue)
    notes.extend(_summary(path.name, broken))
    if not lines and _has_content(text, form):
        raise MediaError(
            f"has no readable cue ({broken[0]})" if broken else "has no readable cue",
            where=path,
            do="check that it is a subtitle file, or remove it",
        )
    if not cues:
        notes.append(f"{path.name}: has no text")
    cues = cue_text.order(cues)
    if form == "ass":
        cues = cue_text.join_repeated(cues)
    return TimedText(cue_text.unroll(cues, rolling=rolling), notes)


def _format(text: str, path: Path) -> str:
    head = text[:4096].lstrip()
    if head.startswith("WEBVTT"):
        return "vtt"
    if head.startswith("Scenarist_SCC"):
        return "scc"
    if head.lower().startswith("[script info]"):
        return "ass"
    if re.match(r"(?:<\?xml|<!--|<!DOCTYPE tt\b|<(?:\w+:)?tt[\s>])", head):
        return "ttml"
    return {
        ".srt": "srt", ".vtt": "vtt", ".ass": "ass", ".ssa": "ass", ".scc": "scc",
        ".smi": "old", ".sami": "old", ".sub": "old",
    }.get(path.suffix.lower(), "ttml")  # fmt: skip


def _has_content(text: str, form: str) -> bool:
    """Whether a file without cues should have had some: a lone header is a valid empty file."""
    if form == "vtt":
        head = text.lstrip()
        return not head.startswith("WEBVTT") or "-->" in head
    if form == "ass":
        return "dialogue:" in text.lower() or "[events]" not in text.lower()
    if form == "scc":
        return len(text.split()) > 2 or not text.lstrip().startswith("Scenarist_SCC")
    return form != "ttml"


def _repaired(start: int, end: int, notes: list[str]) -> tuple[int, int] | None:
    if start >= _MOST_TIME or end < 0:
        notes.append(f"a cue at an impossible time ({format_time(start)}) was left out")
        return None
    if end < start:
        notes.append(f"the cue at {format_time(start)} ends before it starts; its end was ignored")
        end = start
    return max(start, 0), end


def _summary(name: str, notes: list[str]) -> list[str]:
    if len(notes) <= 3:
        return [f"{name}: {note}" for note in notes]
    return [*(f"{name}: {note}" for note in notes[:2]), f"{name}: {len(notes) - 2} more like these"]


def _us(parts: tuple[str | None, ...]) -> int:
    """Sign, hours, minutes, seconds, digits of the fraction -> microseconds."""
    sign, hours, minutes, seconds, digits = parts
    whole = int(hours or 0) * 3600 + int(minutes or 0) * 60 + int(seconds or 0)
    time = whole * US + int((digits or "0").ljust(6, "0")[:6])
    return -time if sign else time


def _read_subrip(text: str, notes: list[str]) -> Lines:
    lines = text.split("\n")
    at = [i for i, line in enumerate(lines) if _ARROW.search(line) or _TIMING.match(line)]
    number = _pop_counter(lines[: at[0]], 0) if at else None
    for i, following in zip(at, [*at[1:], len(lines)], strict=False):
        timing = _TIMING.match(lines[i])
        if not timing:
            notes.append(f"line {i + 1}: '{lines[i].strip()[:60]}' is not a timing; cue left out")
            number = None
            continue
        body = lines[i + 1 : following]
        number = _pop_counter(body, number) if following < len(lines) else None
        yield (
            _us(timing.groups()[:5]),
            _us(timing.groups()[5:]),
            cue_text.strip_subrip("\n".join(body)),
        )


def _pop_counter(body: list[str], number: int | None) -> int | None:
    """Takes the next cue's number off the end of a cue's lines; other numbers are text.

    It stands right above the next timing, or, in files with doubled line ends, one line higher; it
    is then known by counting on.
    """
    direct = bool(body and body[-1].strip())
    while body and not body[-1].strip():
        body.pop()
    if not body or not _COUNTER.match(body[-1]):
        return None
    if direct or (number is not None and int(body[-1]) == number + 1):
        return int(body.pop())
    return None


def _read_webvtt(text: str, notes: list[str]) -> Lines:
    lines = text.split("\n")
    if any(line.startswith("X-TIMESTAMP-MAP") for line in lines[:10]):
        notes.append("X-TIMESTAMP-MAP is ignored; times are taken from the file's start")
    i = 0
    while i < len(lines):
        if not lines[i].strip():
            i += 1
            continue
        first = i
        while i < len(lines) and lines[i].strip():
            i += 1
        yield from _webvtt_block(lines[first:i], first, notes)


def _webvtt_block(block: list[str], first: int, notes: list[str]) -> Lines:
    """A cue, a header, or a comment; ``-->`` begins a cue wherever it stands (W3C WebVTT 6.1)."""
    at = [i for i, line in enumerate(block) if "-->" in line]
    if _VTT_BLOCK.match(block[0]) and not any(_TIMING.match(block[i]) for i in at):
        return
    for i, following in zip(at, [*at[1:], len(block)], strict=False):
        timing = _TIMING.match(block[i])
        if not timing:
            line = block[i].strip()[:60]
            notes.append(f"line {first + i + 1}: '{line}' is not a timing; cue left out")
            continue
        body = block[i + 1 : following]
        if following < len(block) and body and _COUNTER.match(body[-1]):
            body.pop()
        yield (
            _us(timing.groups()[:5]),
            _us(timing.groups()[5:]),
            cue_text.strip_webvtt("\n".join(body)),
        )


def _read_substation(text: str, notes: list[str]) -> Lines:
    fields = [field.strip() for field in _ASS_FIELDS.split(",")]
    in_events = True
    for number, line in enumerate(text.split("\n"), 1):
        stripped = line.strip()
        if stripped.startswith("[") and stripped.endswith("]"):
            in_events = stripped.lower() == "[events]"
        key, _, rest = stripped.partition(":")
        key = key.strip().lower()
        if not in_events or key not in ("format", "dialogue", "comment"):
            continue
        if key == "format":
            fields = [field.strip().lower() for field in rest.split(",")]
            continue
        values = dict(zip(fields, rest.split(",", len(fields) - 1), strict=False))
        effect = values.get("effect", "").strip().lower()
        # Karaoke scripts keep the words as a comment and show each syllable as an effect.
        if effect == "fx" or (key == "comment" and effect != "karaoke"):
            continue
        start, end = (_ASS_TIME.match(values.get(field, "")) for field in ("start", "end"))
        if not start or not end or "text" not in values:
            notes.append(f"line {number}: '{stripped[:60]}' is not an event; left out")
            continue
        yield _us(start.groups()), _us(end.groups()), cue_text.strip_ass(values["text"])


_READERS: dict[str, Callable[[str, list[str]], Lines]] = {
    "srt": _read_subrip,
    "vtt": _read_webvtt,
    "ass": _read_substation,
}


def _read_with_pysubs2(text: str, path: Path) -> list[tuple[int, int, str]]:
    import pysubs2
    from pysubs2.exceptions import UnknownFPSError

    form = "microdvd" if path.suffix.lower() == ".sub" else "sami"
    try:
        events = pysubs2.SSAFile.from_string(text, form).events
    except UnknownFPSError:
        raise MediaError(
            "counts frames and does not say how many a second has", where=path, do="make it SRT"
        ) from None
    except Exception as error:  # a third-party parser on a stranger's file
        raise MediaError(
            f"cannot be read ({error})", where=path, do="make it SRT, or remove it"
        ) from None
    return [(e.start * 1000, e.end * 1000, cue_text.strip_ass(e.text)) for e in events]


def subtitle_cue(
    subtitles: Subtitle | Iterable[Subtitle],
    start_us: int,
    end_us: int,
    source: str,
    language: str = "",
    *,
    kind: CueKind = "speech",
) -> Cue | None:
    """Turns a decoded packet of an embedded text stream into a cue.

    Args:
        subtitles: What ``packet.decode()`` of PyAV returns, or one piece of it.
        start_us: When it shows, in microseconds of the title.
        end_us: Until when; an end before the start counts as the start.
        source: What to call the stream (``stream 3``).
        language: Its language, empty where unknown.
        kind: ``description`` for a stream that holds audio descriptions.

    Returns:
        The cue, or ``None`` where the packet holds no text (gaps of mov_text, pictures, drawings).
    """
    pieces = subtitles if isinstance(subtitles, Iterable) else (subtitles,)
    texts = [_packet_text(piece) for piece in pieces]
    text = "\n".join(dict.fromkeys(text for text in texts if text))
    return cue_text.make_cue(
        start_us, max(start_us, end_us), text, kind=kind, language=language, source=source
    )


def _packet_text(piece: object) -> str:
    """FFmpeg's ASS form: ReadOrder, Layer, Style, Name, three margins, Effect, Text."""
    ass = getattr(piece, "ass", b"").decode("utf-8", "replace")
    if not ass:
        return cue_text.normalise(getattr(piece, "text", b"").decode("utf-8", "replace"))
    commas = 9 if ass.startswith("Dialogue:") else 8
    return cue_text.strip_ass(ass.split(",", commas)[-1])
