"""What a media file's name says about the title, when nobody else does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mediafm.media.subtitle_names import nfc

_EPISODE = re.compile(
    r"(?:^|(?<=[\s._\-\[(]))"
    r"(?:s(\d{1,4})[\s._-]*e(\d{1,4})(?:-?e?\d{1,4})*[a-d]?|(\d{1,2})x(\d{2,3}))"
    r"(?=$|[\s._\-\])])",
    re.IGNORECASE,
)
_YEAR_IN_BRACKETS = re.compile(r"[\s._-]*[(\[]((?:18[5-9]|19\d|20\d|21\d)\d)[)\]]")
_BARE_YEAR = re.compile(r"(?<=[\s._])((?:18[89]|19\d|20[0-3])\d)(?=$|[\s._])")
_RELEASE = re.compile(
    r"(?:^|[\s._\-\[(])(?:\d{3,4}[pi]|[48]k|uhd|web(?:-?dl|-?rip)?|blu-?ray|b[dr]-?rip|dvd(?:-?rip)?"
    r"|hdtv|remux|[xh][\s.]?26[45]|hevc|av1|xvid|aac|ac3|dts|ddp?5[\s.]1|hdr(?:10)?|proper"
    r"|repack|multi|internal)(?=$|[\s._\-\])]).*$",
    re.IGNORECASE | re.DOTALL,
)
_SEASON_FOLDER = re.compile(r"^(?:season|series|staffel|saison|s)[\s._-]*\d+$|^specials$", re.I)


def guess_from_name(path: Path) -> dict[str, Any]:
    """Guesses from names such as ``Show.Name.S01E02.Title.mkv`` or ``Film (2012).mp4``.

    Args:
        path: The media file; for an episode whose name has no show, the folder's name counts.

    Returns:
        Fields of ``TitleMetadata``: always ``title``; where told, ``kind``, ``series``, ``season``,
        ``episode``, ``year``.
    """
    stem = nfc(path.stem)
    if match := _EPISODE.search(stem):
        season, number = (match[1], match[2]) if match[1] else (match[3], match[4])
        guess: dict[str, Any] = {
            "kind": "episode",
            "season": int(season),
            "episode": int(number),
            "title": _words(_RELEASE.sub("", stem[match.end() :])),
        }
        series = _year_of(stem[: match.start()], {}) or _show_folder(path)
        if series:
            guess["series"] = series
        guess["title"] = guess["title"] or f"{series} {match[0]}".strip()
        return guess
    guess = {}
    title = _year_of(stem, guess)
    if "year" in guess:
        guess["kind"] = "movie"
    guess["title"] = title or stem
    return guess


def _year_of(text: str, guess: dict[str, Any]) -> str:
    """The words before a year, which goes into the guess; the last year that has words before."""
    cut = _RELEASE.sub("", text)
    years = list(_YEAR_IN_BRACKETS.finditer(text))
    if not years and (cut != text or " " not in text):
        years = list(_BARE_YEAR.finditer(cut))
    for year in reversed(years):
        if words := _words(text[: year.start()]):
            guess["year"] = int(year[1])
            return words
    return _words(cut) or _words(text)


def _words(text: str) -> str:
    """Dots, underscores or hyphens stand for spaces where a name has none."""
    text = text.strip(" ._-[](){}")
    if " " not in text:
        text = re.sub(r"[._]+" if re.search(r"[._]", text) else r"-+", " ", text)
    return " ".join(text.strip(" ._-[](){}").split())


def _show_folder(path: Path) -> str:
    folder = path.absolute().parent
    if _SEASON_FOLDER.match(folder.name):
        folder = folder.parent
    return _year_of(nfc(folder.name), {}) if folder.name else ""
