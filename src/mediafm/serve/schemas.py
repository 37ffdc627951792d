"""What the API says, as its description has it. Times are microseconds."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import Path, Query
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from mediafm.catalog import TitleRecord
from mediafm.search import Found, Hit
from mediafm.serve.middleware import decoded
from mediafm.serve.problems import public_notes
from mediafm.timeline import Clip, Cue
from mediafm.timeline import Span as TimeSpan

LATEST = 10**15
"""The latest time that is taken, microseconds: some 31 years."""

Time = Annotated[int, Field(ge=0, le=LATEST)]
Text = Annotated[str, Field(max_length=500)]
Features = Annotated[str, Query(max_length=100, description="`context`, `fused`, or one modality.")]
TitleId = Annotated[
    str,
    BeforeValidator(decoded),
    Path(max_length=500, description="A title's id; its slashes as they are, or as `%2F`."),
]
Notes = Annotated[list[str], AfterValidator(public_notes)]
Version = Annotated[
    str | None, Query(max_length=200, description="Of the embeddings; the current one by default.")
]
Offset = Annotated[int, Query(ge=0, le=10**9)]
Several = Annotated[tuple[Text, ...], Query(max_length=50)]


class Problem(BaseModel):
    """What went wrong."""

    error: str = Field(description="One line: what, where, what to do.")


class Span(BaseModel):
    """A stretch of a title; the end is exclusive."""

    model_config = ConfigDict(from_attributes=True)
    start: Time
    end: Time

    def of(self, title_id: str) -> Clip:
        """The span as a clip of a title.

        Raises:
            ValueError: It ends before it starts.
        """
        return Clip(title_id, TimeSpan(self.start, self.end))


class Title(BaseModel):
    """A movie, an episode, a podcast, a live event."""

    title_id: str
    title: str
    kind: str
    series_id: str | None
    season: int | None
    episode: int | None
    year: int | None
    synopsis: str | None
    tags: list[str]
    genres: list[str]
    duration: int
    shots: int
    cues: int
    frame_rate: str | None
    timecode: str | None
    width: int
    height: int
    notes: Notes
    ingest_id: str = Field(description="Changes when the title is ingested anew.")
    poster: bool = Field(description="Whether it has pictures.")


def name_of(record: TitleRecord) -> str:
    """What people call a title: its name, or else its id."""
    return (record.title or "").strip() or record.title_id


def pictured(record: TitleRecord) -> bool:
    """Whether a title has pictures."""
    return record.width > 0 and record.shots > 0


def title_of(record: TitleRecord) -> dict[str, Any]:
    """A title as the API says it; without where its file lies."""
    about = asdict(record)
    about["title"] = name_of(record)
    about["poster"] = pictured(record)
    return {name: about[name] for name in Title.model_fields}


class CueModel(BaseModel):
    """One timed-text line."""

    span: Span
    text: str
    kind: str
    language: str
    source: str


def cues_of(cues: Iterable[Cue]) -> list[dict[str, Any]]:
    """Cues as the API says them."""
    return [asdict(cue) for cue in cues]


class HitModel(BaseModel):
    """A shot, a clip or a title that was found, and why."""

    title_id: str
    title: str
    ingest_id: str
    frame_rate: str | None = None
    timecode: str | None = None
    poster: bool = Field(description="Whether its title has pictures.")
    shot: int
    span: Span
    score: float
    because: dict[str, float] = Field(description="Modality to cosine; `words` to BM25.")
    cue: str = ""
    text: str = ""


def hit_of(hit: Hit | Found, titles: dict[str, TitleRecord]) -> dict[str, Any]:
    """A hit with what people call its title."""
    record = titles.get(hit.title_id)
    return {
        **asdict(hit),
        "title": name_of(record) if record else hit.title_id,
        "ingest_id": record.ingest_id if record else "",
        "frame_rate": record.frame_rate if record else None,
        "timecode": record.timecode if record else None,
        "poster": record is not None and pictured(record),
    }


class Noted(BaseModel):
    """What decided, and what a user should know."""

    by: list[str] = []
    notes: Notes = []


def finite(value: Any) -> Any:
    """A value as JSON has it: tuples as lists, numbers that are none as ``null``."""
    return json.loads(json.dumps(value), parse_constant=lambda _: None)
