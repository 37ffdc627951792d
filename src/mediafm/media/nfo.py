"""Kodi's ``.nfo`` files: movies, episodes, and the show of an episode's folder."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

from mediafm.errors import MediaError
from mediafm.media.text_files import parse_xml, read_text

SHOW_NAME = "tvshow.nfo"
"""The file in a show's folder that tells about all of its episodes."""

_ROOT = re.compile(r"<(movie|episodedetails|tvshow|musicvideo)(?=[\s/>])", re.IGNORECASE)
_TRICKS = re.compile(r"<!(?:DOCTYPE|ENTITY)", re.IGNORECASE)
_KINDS = {"movie": "movie", "episodedetails": "episode", "musicvideo": "other"}
_LINKS = {
    "imdb": re.compile(r"imdb\.com/title/(tt\d+)"),
    "tmdb": re.compile(r"themoviedb\.org/(?:movie|tv)/(\d+)"),
    "tvdb": re.compile(r"thetvdb\.com/\S*?[?&]id=(\d+)"),
}
_LIST_SEPARATOR = re.compile(r"\s+/\s+|\s*\|\s*")
_YEAR = re.compile(r"^\s*((?:18|19|20|21)\d\d)\b")


def read_nfo(path: Path, notes: list[str]) -> dict[str, Any]:
    """Reads what a Kodi file says, as fields of ``TitleMetadata``.

    The line with a web address that may follow the XML, and further episodes of the same file,
    are left out. A file of another kind (release notes, a lone address) is no error.

    Args:
        path: ``film.nfo``, ``movie.nfo``, ``tvshow.nfo``.
        notes: Gets a line where the file holds nothing for us.

    Returns:
        Fields that the file fills.

    Raises:
        MediaError: It cannot be read, or is Kodi's and broken.
    """
    text, _ = read_text(path)
    start = _ROOT.search(text)
    if not start:
        ids = _ids_in_links(text)
        if not ids:
            notes.append(f"{path.name}: is not a Kodi file; not used")
        return {"ids": ids} if ids else {}
    if _TRICKS.search(text):
        raise MediaError("has a <!DOCTYPE>, which is not read", where=path, do="remove that line")
    name = start[1]
    close = re.compile(rf"</{name}\s*>", re.IGNORECASE).search(text, start.end())
    root = parse_xml(text[start.start() : close.end() if close else len(text)], path)
    fields = _fields(root, name.lower())
    if close and (more := _ids_in_links(text[close.end() :])):
        fields["ids"] = {**more, **fields.get("ids", {})}
    return {key: value for key, value in fields.items() if value not in (None, "", (), {}, [])}


def _ids_in_links(text: str) -> dict[str, str]:
    found = {scheme: link.search(text) for scheme, link in _LINKS.items()}
    return {scheme: match[1] for scheme, match in found.items() if match}


def _fields(root: ET.Element, kind: str) -> dict[str, Any]:
    genres = [part for text in _all(root, "genre") for part in _LIST_SEPARATOR.split(text)]
    if kind == "tvshow":  # the show's synopsis and identifiers are not the episode's
        return {"series": _one(root, "title"), "genres": genres, "tags": _all(root, "tag")}
    return {
        "kind": _KINDS[kind],
        "title": _one(root, "title") or _one(root, "originaltitle"),
        "series": _one(root, "showtitle") if kind == "episodedetails" else None,
        "season": _number(root, "season") if kind == "episodedetails" else None,
        "episode": _number(root, "episode") if kind == "episodedetails" else None,
        "year": _year(root),
        "synopsis": _one(root, "plot") or _one(root, "outline"),
        "genres": genres,
        "tags": _all(root, "tag"),
        "ids": _ids(root),
    }


def _all(root: ET.Element, name: str) -> list[str]:
    texts = (" ".join("".join(element.itertext()).split()) for element in root.findall(name))
    return [text for text in texts if text]


def _one(root: ET.Element, name: str) -> str | None:
    return next(iter(_all(root, name)), None)


def _number(root: ET.Element, name: str) -> str | None:
    """Kodi writes -1 for unknown; anything else goes to the check of types as it is."""
    text = _one(root, name)
    return None if text is None or text.startswith("-") else text


def _year(root: ET.Element) -> str | None:
    year = _one(root, "year")
    if year and year != "0":
        return year
    for name in ("premiered", "aired", "releasedate"):
        if match := _YEAR.match(_one(root, name) or ""):
            return match[1]
    return None


def _ids(root: ET.Element) -> dict[str, str]:
    ids: dict[str, str] = {}
    for element in root.findall("uniqueid"):
        value = (element.text or "").strip()
        if value:
            ids.setdefault((element.get("type") or "unknown").strip().lower(), value)
    for name, scheme in (("imdbid", "imdb"), ("imdb_id", "imdb"), ("tmdbid", "tmdb")):
        if value := _one(root, name) or "":
            ids.setdefault(scheme, value)
    if (old := _one(root, "id")) and re.fullmatch(r"tt\d+", old):
        ids.setdefault("imdb", old)
    return ids
