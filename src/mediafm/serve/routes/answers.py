"""What people say of suggestions: label rows that ``mediafm probe fit`` learns from."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from mediafm.errors import MediaFMError
from mediafm.probes.task import Task
from mediafm.serve.library import View, ViewOf
from mediafm.serve.problems import public
from mediafm.serve.schemas import Notes, Span, Text
from mediafm.suggest.feedback import (
    TASKS,
    answers,
    judge,
    judge_tags,
    place,
    record,
    task_of,
)
from mediafm.suggest.tags import tags_in_answer
from mediafm.timeline import US, Clip

router = APIRouter(tags=["answers"])
Kind = Literal["clips", "artwork", "ad-breaks", "scenes", "tags"]
_NAME = re.compile(r"[\w-]{1,100}")  # of a task: neither a path nor a file
Said = Literal["accepted", "rejected", "corrected"]


class AnswerIn(BaseModel):
    """What is said of a suggestion."""

    kind: Kind
    answer: Said
    title_id: Text
    span: Span
    to: Span | None = Field(None, description="Of a correction, where it should have been.")
    tags: list[Text] = Field(
        [], max_length=500,
        description="Of a rejection, the tags that are wrong, all by default; of a correction, "
        "those that are right.",
    )  # fmt: skip
    shown: list[Text] | None = Field(
        None, max_length=500,
        description="Of tags, those that were shown; by default what the probe says by now.",
    )  # fmt: skip
    task: Text | None = Field(None, description="Of tags, their probe; `clip-tone` by default.")


class AnswerRow(BaseModel):
    """A label row."""

    title_id: str
    span: Span
    value: str
    answer: Said


class Recorded(BaseModel):
    """Where an answer went."""

    file: str
    column: str
    replaced: int
    total: int
    rows: list[AnswerRow]
    notes: Notes


class Given(AnswerRow):
    """An answer that was given before."""

    kind: Kind
    task: str


class AllGiven(BaseModel):
    """The answers to a title's suggestions."""

    items: list[Given]
    notes: Notes


@router.post("/answers")
def answer(body: AnswerIn, view: ViewOf) -> Recorded:
    """Accepts, rejects or corrects a suggestion; the same place again replaces the answer."""
    view.title(body.title_id)
    task = _task(body.kind, view, body.task)
    clip = _place(view, body.kind, body.title_id, body.span)
    notes: Notes = []
    if body.kind == "tags":
        if body.to is not None:
            raise MediaFMError("`to` names a place; name the tags that are right in `tags`")
        named, suggested, notes = tags_in_answer(
            body.answer, task, clip, view.probes(), body.tags, body.shown
        )
        rows = [judge_tags(clip, body.answer, task, suggested, named)]
    else:
        if body.tags or body.shown:
            raise MediaFMError(f"{body.kind} have no tags", do="leave `tags` and `shown` out")
        other = None if body.to is None else _place(view, body.kind, body.title_id, body.to)
        rows = judge(clip, body.answer, other)
    written = record(task, rows)
    return Recorded(
        file=written.file.name,
        column=written.column,
        replaced=written.replaced,
        total=written.total,
        rows=[
            AnswerRow(
                title_id=row.clip.title_id,
                span=Span(start=row.clip.span.start, end=row.clip.span.end),
                value=row.value,
                answer=row.answer,
            )
            for row in rows
        ],
        notes=notes,
    )


def _place(view: View, kind: Kind, title_id: str, span: Span) -> Clip:
    """The place of a suggestion, as people write it: of shots, one time tells which."""
    if span.end < span.start:
        raise MediaFMError("it ends before it starts", do="swap `start` and `end`")
    text = f"{title_id}@{_seconds(span.start)}"
    if kind in ("clips", "tags"):
        text += f"-{_seconds(span.end)}"
    return place(view.catalog, kind, text)


def _seconds(time: int) -> str:
    return f"{time // US}.{time % US:06d}"


def _task(kind: Kind, view: View, name: str | None) -> Task:
    """The task that is named, or of a fitted probe; never a file that a request names."""
    if name is not None and not _NAME.fullmatch(name):
        raise MediaFMError(f"there is no task '{name[:80]}'", do="name a probe of /api/catalog")
    return task_of(kind, view.settings.labels, name)


@router.get("/answers")
def given(view: ViewOf, title_id: Annotated[str, Query(max_length=500)]) -> AllGiven:
    """What was said of a title's suggestions before."""
    view.title(title_id)
    found: list[Given] = []
    notes: list[str] = []
    named: list[tuple[Kind, str | None]] = [(kind, None) for kind in TASKS]  # type: ignore[misc]
    named += [("tags", name) for name, _ in view.fitted() if name not in TASKS.values()]
    for kind, name in named:
        try:
            task = _task(kind, view, name)
            rows = answers(task, title_id)
        except MediaFMError as error:
            if name is None:
                notes.append(public(error))
            continue  # a probe whose task is elsewhere, or that takes no answers
        found += [
            Given(
                kind=kind,
                task=task.name,
                title_id=title_id,
                span=Span(start=row.clip.span.start, end=row.clip.span.end),
                value=row.value,
                answer=row.answer,
            )
            for row in rows
        ]
    return AllGiven(items=found, notes=notes)
