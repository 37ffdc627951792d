"""What is known about a title: JSON and Kodi sidecars, a table in the folder, the file name."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
)

from mediafm.errors import MediaError
from mediafm.media.file_names import guess_from_name
from mediafm.media.nfo import read_nfo
from mediafm.media.subtitle_names import nfc
from mediafm.media.text_files import read_text

TABLE_NAME = "titles.csv"
"""The table of titles that a folder may hold."""

ID_SCHEMES = ("imdb", "tmdb", "tvdb", "eidr", "isan", "wikidata")
"""Columns and keys that are identifiers elsewhere."""

_KINDS = ("movie", "episode", "podcast", "live", "other")
_KIND_WORDS = {"film": "movie", "feature": "movie", "tvepisode": "episode", "tv": "episode"}
_SEPARATOR = re.compile(r"[|;]")


def _split(value: Any) -> Any:
    """A list, or a text such as ``war|love`` or ``war; love``."""
    if isinstance(value, str):
        value = _SEPARATOR.split(value)
    if isinstance(value, (list, tuple)):
        words = [word.strip() if isinstance(word, str) else word for word in value]
        return tuple(w for i, w in enumerate(words) if w != "" and w not in words[:i])
    return () if value is None else value


def _whole(value: Any) -> Any:
    """A number that may be empty or written as text; true and false are none."""
    if isinstance(value, bool):
        raise ValueError("must be a number")
    if isinstance(value, str):
        return value.strip() or None
    return value


def _text(value: Any) -> Any:
    return (value.strip() or None) if isinstance(value, str) else value


Words = Annotated[tuple[str, ...], BeforeValidator(_split)]
Text = Annotated[str | None, BeforeValidator(_text)]
Number = Annotated[Annotated[int, Field(ge=0, le=1_000_000)] | None, BeforeValidator(_whole)]
Year = Annotated[Annotated[int, Field(ge=1850, le=2200)] | None, BeforeValidator(_whole)]


class TitleMetadata(BaseModel):
    """What a person, a library or a file name says about one title; nothing is required.

    Keys as in a JSON sidecar; unknown ones are ignored. ``id`` may be written ``title_id``, and
    ``synopsis`` also ``plot`` or ``description``.
    """

    model_config = ConfigDict(
        extra="ignore", frozen=True, populate_by_name=True, coerce_numbers_to_str=True
    )

    id: Text = Field(default=None, validation_alias=AliasChoices("id", "title_id"))
    title: Text = None
    kind: Literal["movie", "episode", "podcast", "live", "other"] | None = None
    series: Text = None
    series_id: Text = None
    season: Number = None
    episode: Number = None
    year: Year = None
    synopsis: Text = Field(
        default=None, validation_alias=AliasChoices("synopsis", "plot", "description")
    )
    tags: Words = ()
    genres: Words = Field(default=(), validation_alias=AliasChoices("genres", "genre"))
    ids: dict[str, str] = Field(default_factory=dict)

    @field_validator("kind", mode="before")
    @classmethod
    def _known_kind(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        word = value.strip().lower()
        return _KIND_WORDS.get(word, word) or None

    @field_validator("ids", mode="before")
    @classmethod
    def _filled_ids(cls, value: Any) -> Any:
        if isinstance(value, Mapping):
            return {str(k).lower(): v for k, v in value.items() if v is not None and v != ""}
        return {} if value is None else value

    def over(self, other: TitleMetadata) -> TitleMetadata:
        """Fills what is missing here from another source; identifiers are united."""
        filled = other.model_dump(exclude_defaults=True) | self.model_dump(exclude_defaults=True)
        filled["ids"] = {**other.ids, **self.ids}
        return TitleMetadata.model_validate(filled)


@dataclass(frozen=True, slots=True)
class MetadataFound:
    """Metadata of one title and what a user should know about it.

    Args:
        metadata: All sources merged.
        notes: Sidecars that hold nothing for this title, and the like.
    """

    metadata: TitleMetadata
    notes: list[str]


def read_metadata(
    media: Path, sidecars: Sequence[Path] = (), *, title_id: str | None = None
) -> MetadataFound:
    """Merges what all sources say about a title, field by field.

    A JSON sidecar goes before the folder's table, the table before Kodi's files, these before the
    file name. A series without ``series_id`` gets one from its name.

    Args:
        media: The media file.
        sidecars: Its metadata files, as :func:`mediafm.media.sidecars.find_media` lists them;
            of several of one kind the first goes before the others.
        title_id: Its default id, by which a table may name it.

    Raises:
        MediaError: A sidecar cannot be read or holds a value of the wrong type.
    """
    notes: list[str] = []
    found: list[tuple[int, TitleMetadata]] = []
    for path in sidecars:
        suffix = path.suffix.lower()
        if path.name.lower() == TABLE_NAME:
            if (row := _table_row(path, media, title_id, notes)) is not None:
                found.append((1, row))
        elif suffix == ".json":
            found.append((0, _read_json(path)))
        elif suffix == ".nfo":
            found.append((2, _validate(read_nfo(path, notes), path)))
    merged = TitleMetadata()
    for _, metadata in sorted(found, key=lambda entry: entry[0]):
        merged = merged.over(metadata)
    merged = merged.over(_guess(media, merged))
    return MetadataFound(merged, notes)


def _guess(media: Path, known: TitleMetadata) -> TitleMetadata:
    """From the file name: only what does not contradict what is known."""
    guess = guess_from_name(media)
    if known.kind and known.kind != "episode":
        guess = {key: guess[key] for key in ("title", "year") if key in guess}
    series = known.series or guess.get("series")
    if series and not known.series_id:
        guess["series_id"] = slug(str(series))
    is_episode = known.episode is not None or known.series is not None
    if known.kind is None and is_episode:
        guess["kind"] = "episode"
    return TitleMetadata.model_validate(guess)


def slug(name: str) -> str:
    """A name as an identifier: ``Show Name!`` -> ``show-name``; letters of any script stay."""
    words = re.findall(r"\w+", nfc(name).lower().replace("'", "").replace("’", ""))
    return "-".join(words) or name


def _read_json(path: Path) -> TitleMetadata:
    text, _ = read_text(path)
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        reason = f"line {error.lineno}: {error.msg[0].lower()}{error.msg[1:]}"
        raise MediaError(f"is not JSON ({reason})", where=path, do="repair it") from None
    except (ValueError, RecursionError):  # a number of thousands of digits, endless nesting
        raise MediaError("is not sensible JSON", where=path, do="repair it") from None
    if not isinstance(value, dict):
        raise MediaError(
            "holds no JSON object", where=path, do='write {"title": ..., "synopsis": ...}'
        )
    ids = {scheme: value[scheme] for scheme in ID_SCHEMES if scheme in value}
    if isinstance(value.get("ids") or {}, dict) and ids:
        value["ids"] = {**ids, **(value.get("ids") or {})}
    return _validate(value, path)


def _validate(value: Mapping[str, Any], path: Path, *, line: int | None = None) -> TitleMetadata:
    try:
        return TitleMetadata.model_validate(dict(value))
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        given = repr(first["input"])
        given = given if len(given) <= 40 else given[:39] + "…"
        place = f"line {line}: " if line else ""
        reason = str(first["msg"]).removeprefix("Value error, ")
        reason = reason[0].lower() + reason[1:]
        raise MediaError(
            f"{place}'{key}' is {given}: {reason}", where=path, do=f"correct '{key}' or remove it"
        ) from None


def _table_row(
    path: Path, media: Path, title_id: str | None, notes: list[str]
) -> TitleMetadata | None:
    """The row of a table that names this title by ``file`` or by ``title_id``."""
    text, _ = read_text(path)
    reader = csv.reader(io.StringIO(text), delimiter=_delimiter(text), strict=False)
    try:
        rows = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise MediaError(f"is not a table ({error})", where=path, do="save it as CSV") from None
    if not rows:
        notes.append(f"{path.name}: is empty")
        return None
    header = [re.sub(r"[\s-]+", "_", cell.strip().lower()) for cell in rows[0][1]]
    header = ["title_id" if name == "id" else name for name in header]
    if not {"file", "title_id"} & set(header):
        raise MediaError(
            f"has no column 'file' or 'title_id' (it has: {', '.join(header)})",
            where=path,
            do="name each title's media file in a column 'file'",
        )
    found: tuple[int, dict[str, str]] | None = None
    for line, cells in rows[1:]:
        row = {name: cell.strip() for name, cell in zip(header, cells, strict=False) if name}
        if not _names(row, path, media, title_id):
            continue
        if found:
            notes.append(f"{path.name}: line {line} names {media.name} again; line {found[0]} used")
            break
        found = (line, row)
    if not found:
        notes.append(f"{path.name}: has no row for {media.name}")
        return None
    line, row = found
    values: dict[str, Any] = {name: cell for name, cell in row.items() if cell}
    schemes = {name.removesuffix("_id").removeprefix("ids."): name for name in values}
    values["ids"] = {scheme: values[schemes[scheme]] for scheme in ID_SCHEMES if scheme in schemes}
    return _validate(values, path, line=line)


def _delimiter(text: str) -> str:
    """Comma, semicolon (Excel in much of Europe) or tab: whichever the header has most."""
    header = next((line for line in text.split("\n") if line.strip()), "")
    return max(",;\t", key=header.count)


def _names(row: Mapping[str, str], table: Path, media: Path, title_id: str | None) -> bool:
    file = nfc(row.get("file", "").replace("\\", "/"))
    if file:
        try:
            relative = media.absolute().relative_to(table.absolute().parent)
        except ValueError:
            relative = Path(media.name)
        full = nfc(relative.as_posix())
        return file.removeprefix("./") in (
            full,
            nfc(relative.with_suffix("").as_posix()),
            nfc(media.absolute().as_posix()),
        )
    identity = nfc(row.get("title_id", ""))
    return bool(identity) and identity in (nfc(title_id or ""), nfc(media.stem))
