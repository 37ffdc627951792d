"""What people say of suggestions, as label rows that ``mediafm probe fit`` reads.

``mediafm suggest accept | reject | correct``. Every kind of suggestion has a task whose probe ranks
it, and every answer is a row of that task's label file. Answers are kept in a folder, a CSV file
per task.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mediafm.catalog import Catalog
from mediafm.catalog.locks import locked
from mediafm.errors import MediaFMError, describe_os_error
from mediafm.files import write_whole
from mediafm.probes.clip_finder import TIMES
from mediafm.probes.task import Task, built_in, load_task
from mediafm.search import parse_clip, shot_at
from mediafm.timeline import US, Clip, Shot, Span, format_time, parse_time

Answer = Literal["accepted", "rejected", "corrected"]
LABELS = Path("mediafm-labels")

TASKS = {
    "clips": "clip-retrieval",
    "artwork": "artwork",
    "ad-breaks": "ad-break",
    "scenes": "segment-boundary",
    "tags": "clip-tone",
}
"""The task of each kind of suggestion; that of tags can be any other."""

_NEAR = US // 2  # by how much the written time of a scene or a break may miss the only shot near
_EXACT = 1000  # times are shown to the millisecond, rounded down
_LATEST = 10**15  # microseconds, some 31 years: more is no time but a slip
_ANSWER = "answer"
_Key = tuple[str, int, int]


@dataclass(frozen=True, slots=True)
class Row:
    """A label row.

    Args:
        clip: What it is of.
        value: What the label says.
        answer: How it came about.
    """

    clip: Clip
    value: str
    answer: Answer


@dataclass(frozen=True, slots=True)
class Written:
    """Where answers went.

    Args:
        file: The label file.
        column: Its label's column.
        rows: What was written.
        replaced: How many rows of the same clips were there, and say this now.
        total: How many rows the file has now.
        titles: Of which titles.
    """

    file: Path
    column: str
    rows: list[Row]
    replaced: int
    total: int
    titles: tuple[str, ...] = ()


def task_of(kind: str, labels: Path | None = None, name: str | Path | None = None) -> Task:
    """The task of a kind of suggestion, with the file that its answers go into.

    Args:
        kind: See :data:`TASKS`.
        labels: The folder of the label files; by default :data:`LABELS`, and of a task file the
            one that it names.
        name: Another task, by name or file.

    Raises:
        MediaFMError: There is no such kind or task, or the task's labels are no answers.
    """
    if kind not in TASKS:
        raise MediaFMError(f"there are no suggestions '{kind}'", do=f"choose {' or '.join(TASKS)}")
    wanted = name or TASKS[kind]
    task = load_task(wanted)
    if labels is not None or str(wanted) in built_in():
        task = task.replace(labels=(labels or LABELS) / task.labels.name)
    fits = task.kind == "binary" or (kind == "tags" and task.kind != "ranking")
    if not fits or task.column.startswith("title."):
        raise MediaFMError(
            f"the labels of a {task.kind} task are no answers to {kind}",
            where=wanted,
            do="name a task of classes" if kind == "tags" else "name a binary task",
        )
    return task


def place(catalog: Catalog, kind: str, text: str) -> Clip:
    """The clip that an answer labels.

    Args:
        catalog: The catalog.
        kind: See :data:`TASKS`.
        text: ``TITLE@START-END`` for clips and tags, ``TITLE@TIME`` for what is told by a shot,
            ``TITLE`` for tags of a whole title. Times as they are shown mean the boundary of a shot
            that is within a millisecond; of scenes and ad breaks, half a second, if only one is.

    Raises:
        CatalogError: There is no such title, or no shot of it lies there.
        MediaFMError: A time is missing or wrong, or no shot begins there.
    """
    if "@" not in text or catalog.find(text) is not None:
        if kind != "tags":
            times = "3:10-3:24" if kind == "clips" else "3:10"
            raise MediaFMError(f"'{text}' names no time", do=f"write {text}@{times}")
        return catalog.clip(text).clip
    title_id, first, last = parse_clip(text)
    shots = catalog.shots(title_id)
    if last is not None and kind in ("artwork", "ad-breaks", "scenes"):
        raise MediaFMError(
            f"{kind} are told by one time, '{text}' has two", do="leave the second out"
        )
    if kind == "artwork":
        return Clip(title_id, shot_at(catalog, title_id, _snap(shots, first)).span)
    if kind in ("ad-breaks", "scenes"):
        near = sorted(shots, key=lambda shot: abs(shot.span.start - first))
        begins = [shot for shot in near if abs(shot.span.start - first) <= _EXACT]
        begins = begins or [shot for shot in near if abs(shot.span.start - first) <= _NEAR]
        if len(begins) != 1:
            which = " and ".join(format_time(shot.span.start) for shot in (begins or near)[:2])
            count = "several shots begin" if begins else "no shot begins"
            raise MediaFMError(
                f"{count} near {format_time(first)}",
                where=title_id,
                do=f"the nearest begin at {which}; name one to the millisecond",
            )
        return Clip(title_id, begins[0].span)
    if last is None:
        raise MediaFMError(f"'{text}' has no end", do=f"write {text}-TIME")
    if last <= first:
        what = "ends where it starts" if last == first else "ends before it starts"
        raise MediaFMError(f"'{text}' {what}", do="name two times, the earlier first")
    span = catalog.clip(title_id, first, last).clip.span
    if last > span.end + _NEAR:
        raise MediaFMError(
            f"{format_time(last)} is after the end", where=title_id,
            do=f"the title runs to {format_time(span.end)}",
        )  # fmt: skip
    start, end = _snap(shots, span.start), _snap(shots, span.end)
    if end <= start:
        raise MediaFMError(f"'{text}' is shorter than what is told apart", do="name a longer clip")
    return Clip(title_id, Span(start, end))


def judge(clip: Clip, answer: Answer, other: Clip | None = None) -> list[Row]:
    """The rows of an answer to a place.

    Args:
        clip: The place that was suggested.
        answer: What is said of it.
        other: Of a correction, the place that should have been suggested.

    Raises:
        MediaFMError: A correction without another place.
    """
    if answer != "corrected":
        return [Row(clip, "1" if answer == "accepted" else "0", answer)]
    if other is None or other == clip:
        raise MediaFMError("a correction names another place", do="name it with --to")
    right = Row(other, "1", answer)
    # A clip that was cut a little differently was well chosen; only its cuts were wrong.
    shared = clip.title_id == other.title_id and clip.span.overlap(other.span)
    return [right] if shared else [Row(clip, "0", answer), right]


def judge_tags(
    clip: Clip, answer: Answer, task: Task, suggested: Sequence[str], named: Sequence[str]
) -> Row:
    """The row of an answer to tags: all that apply to a clip.

    Args:
        clip: What was tagged.
        answer: What is said of its tags.
        task: The tags' task.
        suggested: The tags that were suggested.
        named: Of a rejection, those that are wrong, all by default; of a correction, those that
            are right.

    Raises:
        MediaFMError: A correction names no tags, a rejection one that was not suggested, or what
            is left is no answer to the task.
    """
    if task.kind == "binary":
        if answer == "corrected" or named:
            raise MediaFMError(f"'{task.name}' says yes or no", do="accept it, or reject it")
        return Row(clip, "1" if bool(suggested) == (answer == "accepted") else "0", answer)
    if wrong := [n for n in named if "|" in n or not n.strip() or not n.isprintable()]:
        raise MediaFMError(f"{wrong[0]!a} is no name of a tag", do="name each with a --tag")
    tags = list(dict.fromkeys(suggested))
    if answer == "corrected":
        if not named:
            raise MediaFMError(
                "a correction names the tags that are right", do="name each with --tag"
            )
        tags = list(dict.fromkeys(named))
    elif answer == "rejected":
        for name in named:
            if name not in suggested:
                raise MediaFMError(
                    f"'{name}' is not suggested there",
                    do=f"suggested are {', '.join(suggested) or 'none'}",
                )
        tags = [name for name in tags if named and name not in named]
    if task.kind == "multi-class" and len(tags) != 1:
        raise MediaFMError(
            f"a clip has exactly one class in '{task.name}', not {len(tags)}",
            do="name the right one: mediafm suggest correct tags ... --tag CLASS",
        )
    return Row(clip, "|".join(tags), answer)


def _snap(shots: Sequence[Shot], time: int) -> int:
    """The boundary of shots that a time is written for, to the millisecond; else the time."""
    edges = {edge for shot in shots for edge in (shot.span.start, shot.span.end)}
    nearest = min(edges, key=lambda edge: (abs(edge - time), edge), default=time)
    return nearest if abs(nearest - time) <= _EXACT else time


def record(task: Task, rows: Sequence[Row]) -> Written:
    """Writes answers into the label file of a task.

    Rows of the same clips get the answer as their label, and keep everything else. New rows are
    added only to a file that has no other columns: left empty, another task would take them for
    answers of its own.

    Args:
        task: From :func:`task_of`.
        rows: The answers.

    Raises:
        MediaFMError: The file holds something else, or cannot be written. It stays as it was.
    """
    file = task.labels
    if file.parent.is_file():
        raise MediaFMError("is a file", where=file.parent, do="name the folder of label files")
    lock = file.with_name(f".{file.name}.lock")
    replaced = 0
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with locked(lock, wait=True):
            header, held = _read(file, task.column)
            places: dict[_Key, list[dict[str, str]]] = {}
            for cells in held:
                if (key := _key_of(cells)) is not None:
                    places.setdefault(key, []).append(cells)
            for row in rows:
                own = places.get(_key(row.clip), [])
                replaced += len(own)
                if not own:
                    own = [_new(file, header, row.clip, task.column)]
                    held.append(own[0])
                    places[_key(row.clip)] = own
                for cells in own:
                    cells[task.column] = row.value
                    if _ANSWER in header:
                        cells[_ANSWER] = row.answer
            text = io.StringIO()
            writer = csv.DictWriter(text, header, lineterminator="\n")
            writer.writeheader()
            writer.writerows(held)
            write_whole(file, text.getvalue().encode())
    except OSError as error:
        raise MediaFMError(f"cannot be written ({describe_os_error(error)})", where=file) from None
    titles = tuple(dict.fromkeys(cells["title_id"] for cells in held))
    return Written(file, task.column, list(rows), replaced, len(held), titles)


def answers(task: Task, title_id: str) -> list[Row]:
    """What a task's label file says of places in a title; empty where there is no file.

    Args:
        task: From :func:`task_of`.
        title_id: The title.

    Raises:
        MediaFMError: The file holds something else, or cannot be read.
    """
    try:
        _, held = _read(task.labels, task.column)
    except OSError as error:
        raise MediaFMError(
            f"cannot be read ({describe_os_error(error)})", where=task.labels
        ) from None
    found = []
    for cells in held:
        span = _span_of(cells) if cells["title_id"] == title_id else None
        if span is None:
            continue
        answer = cells.get(_ANSWER, "")
        said: Answer = answer if answer in ("rejected", "corrected") else "accepted"  # type: ignore[assignment]
        found.append(Row(Clip(title_id, span), cells[task.column], said))
    return found


def _new(file: Path, header: Sequence[str], clip: Clip, column: str) -> dict[str, str]:
    if others := sorted({*header} - {"title_id", *TIMES, column, _ANSWER}):
        raise MediaFMError(
            f"has a column '{others[0]}', of which an answer says nothing; another task would take "
            "the empty cell for a label",
            where=file,
            do="name another folder with --labels; label files may be joined later",
        )
    cells = {"title_id": clip.title_id}
    for name, time in (("start", clip.span.start), ("end", clip.span.end)):
        cells |= {name: _seconds(time), f"{name}_us": str(time)}
    return {name: cells.get(name, "") for name in header}


def _read(file: Path, column: str) -> tuple[list[str], list[dict[str, str]]]:
    """Header and rows of a label file of ours, or of one that rows of ours can go into."""
    try:
        if file.exists() and not file.is_file():
            raise MediaFMError("is no file that rows can go into", where=file, do="move it away")
        if not file.exists() or not file.stat().st_size:
            return ["title_id", "start", "end", column, _ANSWER], []
        with file.open(encoding="utf-8-sig", newline="") as text:
            reader = csv.DictReader(text, strict=True)
            header, rows = list(reader.fieldnames or []), []
            for cells in reader:
                if None in cells or None in cells.values():
                    raise MediaFMError(
                        f"line {reader.line_num} has more or fewer cells than the header",
                        where=file,
                        do="mend it first",
                    )
                rows.append(cells)
    except UnicodeError:
        raise MediaFMError("is not UTF-8 text", where=file, do="save it as CSV UTF-8") from None
    except csv.Error as error:
        raise MediaFMError(f"is no CSV file ({error})", where=file, do="mend it first") from None
    if twice := [name for name in header if header.count(name) > 1]:
        raise MediaFMError(f"has two columns '{twice[0]}'", where=file, do="rename one of them")
    times = {"start", "end"} <= {*header} or {"start_us", "end_us"} <= {*header}
    if not {"title_id", column} <= {*header} or not times:
        raise MediaFMError(
            f"has no columns title_id, start, end and {column}, separated by commas",
            where=file,
            do="name another folder with --labels",
        )
    return header, rows


def _key(clip: Clip) -> _Key:
    return clip.title_id, clip.span.start // 1000, clip.span.end // 1000


def _key_of(cells: dict[str, str]) -> _Key | None:
    """What a row of a file is of, to the millisecond; ``None`` where its times are none."""
    span = _span_of(cells)
    return None if span is None else _key(Clip(cells["title_id"], span))


def _span_of(cells: dict[str, str]) -> Span | None:
    """When the clip of a row is; ``None`` where its times are none: people write into these files.

    Microseconds count where both are there, since seconds may have been rounded.
    """
    try:
        if {"start_us", "end_us"} <= cells.keys():
            times = int(cells["start_us"]), int(cells["end_us"])
        else:
            times = parse_time(cells["start"]), parse_time(cells["end"])
        return Span(*times) if times[0] >= 0 and times[1] <= _LATEST else None
    except (MediaFMError, ValueError):
        return None


def _seconds(time: int) -> str:
    """Microseconds as seconds, without loss."""
    return f"{time // US}.{time % US:06d}"
