"""The words of a cue: styling stripped, whitespace normalised, sounds told from speech."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from itertools import pairwise

from mediafm.timeline import US, Cue, CueKind, Span

_ROLL_GAP = US // 10
_TYPESETTING_GAP = US // 20

_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});")
_RUBY = re.compile(r"<rt(?:[\s.][^<>]*)?>[^<>]*</rt\s*>", re.IGNORECASE)
_VTT_TAG = re.compile(r"<[/A-Za-z0-9.][^<>]*>|</?>")
_SRT_TAG = re.compile(
    r"</?(?:i|b|u|s|em|strong|font|span|p|div|c|v|lang|ruby|rb|rt|rp)(?:[\s.=/][^<>]*)?>"
    r"|<\d+:\d\d[\d:.]*>",
    re.IGNORECASE,
)
_BREAK_TAG = re.compile(r"<br\s*/?>", re.IGNORECASE)
_STRAY_OVERRIDE = re.compile(r"\{\\[^{}]*\}|\{[yYcCfFsSpPibu]:[^{}]*\}")
_ASS_TOKEN = re.compile(r"\\([{}\\Nnh])|\{([^}]*)\}")
_ASS_DRAWING = re.compile(r"\\p(\d+)")

# Zero-width, directional and other marks that show nothing; the joiners of Persian and emoji stay.
_INVISIBLE = re.compile(r"[\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]")
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f]")
_BRACKETS = re.compile(r"\[[^\[\]]*\]|\([^()]*\)|（[^（）]*）|【[^【】]*】|［[^［］]*］")
_MUSIC = frozenset("♩♪♫♬")
_WORD = re.compile(r"[^\W_]")


def normalise(text: str) -> str:
    r"""Trims every line, joins runs of whitespace, drops empty lines and invisible characters.

    Args:
        text: Plain text; line breaks as ``\n``, ``\r\n``, ``\v``, U+2028 or the like.
    """
    text = _CONTROL.sub("", _INVISIBLE.sub("", text))
    lines = (" ".join(line.split()) for line in text.splitlines())
    return "\n".join(line for line in lines if line)


def strip_webvtt(text: str) -> str:
    """Removes the tags of WebVTT (``<v Ann>``, ``<c.red>``, times), resolves entities."""
    text = _VTT_TAG.sub("", _RUBY.sub("", _BREAK_TAG.sub("\n", text)))
    return normalise(_unescape(_STRAY_OVERRIDE.sub("", text)))


def strip_subrip(text: str) -> str:
    r"""Removes HTML-like tags and ``{\an8}``; other angle brackets are text in SubRip."""
    text = _SRT_TAG.sub("", _BREAK_TAG.sub("\n", text))
    return normalise(_unescape(_STRAY_OVERRIDE.sub("", text)))


def strip_ass(text: str) -> str:
    r"""Removes override blocks, comments and drawings (``{\p1}``) of SubStation text."""
    kept: list[str] = []
    position, drawing = 0, False
    for token in _ASS_TOKEN.finditer(text):
        if not drawing:
            kept.append(text[position : token.start()])
        position = token.end()
        escaped, block = token.groups()
        if block is not None:
            for scale in _ASS_DRAWING.findall(block):
                drawing = int(scale) > 0
        elif not drawing:
            kept.append({"N": "\n", "n": "\n", "h": " "}.get(escaped, escaped))
    if not drawing:
        kept.append(text[position:])
    return normalise("".join(kept))


def _unescape(text: str) -> str:
    return _ENTITY.sub(lambda entity: html.unescape(entity[0]), text)


def kind_of(text: str) -> CueKind:
    """Tells a line that only names sounds (``[door slams]``, ``♪ ♪``) from spoken words.

    Args:
        text: Normalised text of a cue; song words between notes are speech.
    """
    rest = _BRACKETS.sub("", text)
    named = rest != text or not _MUSIC.isdisjoint(text)
    return "sound" if named and not _WORD.search(rest) else "speech"


def make_cue(
    start: int, end: int, text: str, *, kind: CueKind = "speech", language: str = "", source: str
) -> Cue | None:
    """Builds a cue from stripped text.

    Args:
        start: Microseconds.
        end: Microseconds, not before ``start``.
        text: Normalised text.
        kind: What the track holds; in a track of speech, lines of sound are told apart.
        language: Code or tag, empty where unknown.
        source: File name or stream.

    Returns:
        The cue, or ``None`` where there is no text.
    """
    if not text:
        return None
    told = kind_of(text) if kind == "speech" else kind
    return Cue(Span(start, end), text, told, language, source)


def order(cues: Iterable[Cue]) -> list[Cue]:
    """Sorts by start, then end; of cues that are the same in time and text, one stays."""
    return list(dict.fromkeys(sorted(cues, key=lambda cue: (cue.span.start, cue.span.end))))


def join_repeated(cues: Iterable[Cue]) -> list[Cue]:
    """Joins cues of the same text that follow one another at once, as in frame-wise typesetting.

    Args:
        cues: Sorted by start.
    """
    joined: list[Cue] = []
    last_with: dict[str, int] = {}
    for cue in cues:
        at = last_with.get(cue.text)
        if at is not None and cue.span.start <= joined[at].span.end + _TYPESETTING_GAP:
            joined[at] = _until(joined[at], cue.span.end)
            continue
        last_with[cue.text] = len(joined)
        joined.append(cue)
    return joined


def unroll(cues: list[Cue], *, rolling: bool | None = None) -> list[Cue]:
    """Collapses rolling captions, in which each cue repeats the last lines of the one before.

    Args:
        cues: Sorted by start.
        rolling: Whether the captions are known to roll; ``None`` looks: at least three pairs and
            half of all neighbours must repeat, so that dialogue with an echo stays as it is.

    Returns:
        The cues without the repeated lines; those with nothing new lengthen the one before.
    """
    repeats = [_repeated(before, cue) for before, cue in pairwise(cues)]
    if rolling is None:
        count = sum(repeat > 0 for repeat in repeats)
        rolling = count >= 3 and 2 * count >= len(repeats)
    if not rolling or not cues:
        return cues
    flat = [cues[0]]
    for cue, repeat in zip(cues[1:], repeats, strict=True):
        fresh = "\n".join(cue.text.split("\n")[repeat:])
        if not fresh:
            flat[-1] = _until(flat[-1], cue.span.end)
            continue
        kind = cue.kind if cue.kind == "description" else kind_of(fresh)
        flat.append(Cue(cue.span, fresh, kind, cue.language, cue.source))
    return flat


def _repeated(before: Cue, cue: Cue) -> int:
    """How many lines at the head of a cue are those at the end of the one before."""
    if cue.span.start > before.span.end + _ROLL_GAP:
        return 0
    old, new = before.text.split("\n"), cue.text.split("\n")
    for count in range(min(len(old), len(new)), 0, -1):
        if old[-count:] == new[:count]:
            return count
    return 0


def _until(cue: Cue, end: int) -> Cue:
    span = Span(cue.span.start, max(cue.span.end, end))
    return Cue(span, cue.text, cue.kind, cue.language, cue.source)
