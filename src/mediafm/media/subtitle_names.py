"""What the name of a timed-text file says, and which of several files to read."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mediafm.media.languages import base_language, language_rank, language_tag
from mediafm.timeline import CueKind

_FORMAT_ORDER = (
    *(".srt", ".vtt", ".ttml", ".dfxp", ".xml"),
    *(".ass", ".ssa", ".scc", ".smi", ".sami", ".sub"),
)
SUBTITLE_SUFFIXES = frozenset(_FORMAT_ORDER)
"""Suffixes of timed-text files, lower case."""

_DESCRIPTIONS = frozenset(
    ("ad", "audiodescription", "audio-description", "description", "descriptions")
)
_CAPTIONS = frozenset(("captions", "cc", "hoh", "sdh"))
_FORCED = frozenset(("forced", "foreign"))
_COMMENTARY = frozenset(("comments", "commentary"))
_OTHER = frozenset(
    ("chapters", "metadata", "sprite", "sprites", "storyboard", "thumbnails", "thumbs")
)
_PLAIN = frozenset(
    ("auto", "default", "dialog", "dialogue", "full", "original", "subs", "subtitle", "subtitles")
)
_FLAGS = _DESCRIPTIONS | _CAPTIONS | _FORCED | _COMMENTARY | _OTHER | _PLAIN


@dataclass(frozen=True, slots=True)
class SubtitleName:
    """What the name of a timed-text file says about it.

    Args:
        language: Code or tag, empty where the name has none.
        kind: ``description`` for audio descriptions, else ``speech``.
        captions: Made for the deaf and hard of hearing: with sounds and speakers.
        forced: Holds only what is spoken in a foreign language.
        commentary: Holds what the makers say about the film.
        other: Holds no words of the title (chapters, thumbnails).
    """

    language: str = ""
    kind: CueKind = "speech"
    captions: bool = False
    forced: bool = False
    commentary: bool = False
    other: bool = False


def subtitle_name(path: Path, *, stem: str | None = None) -> SubtitleName:
    """Reads the dotted parts of a file name from the right, up to the first that says nothing.

    Args:
        path: ``film.en.srt``, ``film.pt-BR.forced.srt``, ``film.descriptions.en.vtt``.
        stem: Name of the media file without suffix; no part of it is read. Without it, the first
            dotted part is not.
    """
    parts = nfc(path.name).split(".")[1:-1]
    if stem is not None and nfc(path.name).startswith(nfc(stem) + "."):
        parts = nfc(path.name)[len(nfc(stem)) + 1 :].split(".")[:-1]
    elif stem is None and path.name.split(".")[0].lower() in _FLAGS - _PLAIN:
        parts = path.name.split(".")[:-1]  # a folder of captions.en.vtt, descriptions.en.vtt
    flags: set[str] = set()
    language = ""
    for i in range(len(parts) - 1, -1, -1):
        part = parts[i]
        # 'hi' is Hindi, but 'en.hi' are English captions for the hearing impaired.
        hearing_impaired = part.lower() == "hi" and i > 0 and bool(language_tag(parts[i - 1]))
        if part.lower() in _FLAGS or hearing_impaired:
            flags.add("sdh" if hearing_impaired else part.lower())
        elif not language and (tag := language_tag(part)):
            language = tag
        elif not (part.isdigit() and len(part) < 3):
            break
    return SubtitleName(
        language=language,
        kind="description" if flags & _DESCRIPTIONS else "speech",
        captions=bool(flags & _CAPTIONS),
        forced=bool(flags & _FORCED),
        commentary=bool(flags & _COMMENTARY),
        other=bool(flags & _OTHER),
    )


def nfc(name: str) -> str:
    """A file name with composed letters: file systems of Macs decompose them."""
    return unicodedata.normalize("NFC", name)


def choose_subtitles(
    paths: Sequence[Path], languages: Sequence[str] | None = None, *, stem: str | None = None
) -> list[Path]:
    """Picks one track of dialogue and the audio descriptions in its language.

    The languages asked for come first, in their order; then a file whose name has no language;
    then English; then the others by name. Within a language, captions (which name sounds too) go
    before plain subtitles, both before forced ones, and SubRip before the other formats.
    Commentaries and chapters are never picked.

    Args:
        paths: Timed-text files of one title.
        languages: Codes or tags (``en``, ``pt-BR``); ``None`` or empty: no preference.
        stem: Name of the media file without suffix, see :func:`subtitle_name`.

    Returns:
        At most two paths: dialogue, descriptions.
    """
    named = [(path, subtitle_name(path, stem=stem)) for path in paths]
    named = [(path, name) for path, name in named if not (name.other or name.commentary)]
    wanted = list(languages or ())

    def preference(entry: tuple[Path, SubtitleName]) -> tuple[object, ...]:
        path, name = entry
        asked = [
            (place, rank)
            for place, language in enumerate(wanted)
            if (rank := language_rank(name.language, language)) < 2
        ]
        if asked and name.language:
            by_language = min(asked)
        else:
            base = base_language(name.language)
            by_language = (len(wanted), 0 if not base else 1 if base == "en" else 2)
        suffix = path.suffix.lower()
        form = _FORMAT_ORDER.index(suffix) if suffix in _FORMAT_ORDER else len(_FORMAT_ORDER)
        # A language must be settled before the quality within it is compared.
        named_language = base_language(name.language)
        return (*by_language, named_language, name.forced, not name.captions, form, path.name)

    dialogue = sorted((e for e in named if e[1].kind == "speech"), key=preference)
    described = sorted((e for e in named if e[1].kind == "description"), key=preference)
    chosen = dialogue[:1]
    if dialogue and base_language(dialogue[0][1].language):
        spoken = base_language(dialogue[0][1].language)
        described = [
            *(e for e in described if base_language(e[1].language) == spoken),
            *(e for e in described if not base_language(e[1].language)),
        ]
    chosen += described[:1]
    return [path for path, _ in chosen]
