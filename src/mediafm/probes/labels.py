"""Labelled clips: a label file, checked against the catalog, as a matrix.

Nothing is dropped in silence: every row that is wrong is a :class:`Problem` with its number, and
every class that cannot be measured is a note.

Shapes: N clips, C classes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from mediafm.catalog.records import TitleRecord
from mediafm.errors import MediaFMError, one_line
from mediafm.probes.cells import WrongCellError, absent, plain
from mediafm.probes.clip_finder import TIMES, ClipFinder, Titles, draw_negatives, time_columns
from mediafm.probes.label_file import LabelFile, Problem, read_file, summary
from mediafm.probes.label_values import LOG, ClassReader, Log, Value, rate, value_reader
from mediafm.probes.splits import check_groups, check_sides, some, split_notes, usable
from mediafm.probes.task import Task
from mediafm.timeline import Clip

Matrix = npt.NDArray[np.float64]
_OF_CATALOG = ("group", "title_id", "season", "episode", "year", "kind")


@dataclass(frozen=True, slots=True)
class LabelSet:
    """Labelled clips of one task.

    Args:
        task: The task.
        clips: The clips, sorted by title and time.
        y_NC: 1, 0, or NaN where nobody judged; for a ranking one column of rates.
        classes: Names of the columns.
        groups: The group of each clip.
        tested_N: Clips to measure on; ``None`` where folds decide.
        rows: Row of the label file that each clip was first seen in; 0 for drawn negatives.
        problems: Rows that are wrong, all of them.
        notes: What else a user should know, classes that are left out above all.
    """

    task: Task
    clips: tuple[Clip, ...]
    y_NC: Matrix
    classes: tuple[str, ...]
    groups: tuple[str, ...]
    tested_N: npt.NDArray[np.bool_] | None
    rows: tuple[int, ...]
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.clips)

    def summary(self, most: int = 10) -> list[str]:
        """The problems for people, in a few lines.

        Args:
            most: How many are shown in full.

        Returns:
            The problems, where there are no more than ``most``; else counts by kind, the most
            frequent first, each followed by its first rows.
        """
        return summary(self.problems, most)


@dataclass(slots=True)
class _Entry:
    """What the rows of one clip say together."""

    row: int
    group: str
    side: str
    value: Value
    # All rows, and what each says, where there are several.
    said: list[tuple[int, str]] | None = None
    wrong: bool = False


@dataclass
class _Reading:
    """A label file while it is read."""

    task: Task
    file: LabelFile
    finder: ClipFinder
    classes: ClassReader
    entries: dict[Clip, _Entry] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def left_out(self, row: int, error: WrongCellError) -> None:
        self.problems.append(Problem(row, f"{error}; left out", error.kind))


def load_labels(task: Task, catalog: Titles) -> LabelSet:
    """Reads the labels of a task.

    Args:
        task: The task.
        catalog: Where the titles are.

    Returns:
        All clips that can be used, and what is wrong with the rest.

    Raises:
        MediaFMError: The file cannot be read, lacks a column, holds no usable row, or no class
            that can be measured; its times are in another unit; or the same group stands on both
            sides of the split.
    """
    classes = ClassReader(task)
    wanted = {"title_id", *TIMES, task.column, task.split.by, task.split.column}
    file = read_file(task.labels, wanted | set(LOG if task.kind == "ranking" else ()))
    reading = _Reading(task, file, ClipFinder(catalog, task.labels, file.comma), classes)
    reading.problems += file.problems
    _read_rows(reading)
    reading.finder.check_unit()
    kept = _agreed(reading)
    if not kept:
        if not reading.problems:
            raise MediaFMError("holds no row below its header", where=task.labels)
        first = summary(sorted(reading.problems, key=_row)[:1])[0]
        count = f" ({len(reading.problems):,} rows are wrong)" if len(reading.problems) > 1 else ""
        raise MediaFMError(f"holds no usable label{count}", where=task.labels, do=first)
    if task.negatives:
        kept = _with_negatives(reading, kept)
    names, y_NC = _matrix(task, classes.classes, kept)
    reading.notes += _without_any(reading, kept)
    entries = list(kept.values())
    groups = tuple(e.group for e in entries)
    titles = [clip.title_id for clip in kept]
    tested_N = None
    if task.split.column:
        test = {value.casefold() for value in task.split.test}
        tested_N = np.array([e.side.casefold() in test for e in entries])
        check_sides(task, tested_N, [e.side for e in entries])
    check_groups(task, titles, groups, tested_N)
    good_C, notes = usable(task, names, y_NC, groups, tested_N, [e.row for e in entries], titles)
    if not good_C.any():
        do = "label more clips, of more titles"
        if reading.problems:
            first = summary(sorted(reading.problems, key=_row)[:1])[0]
            do = f"look at the {len(reading.problems):,} rows that are wrong first ({first})"
        elif task.kind == "binary" and (y_NC == 1).all():
            do = "add rows that say 0, or let the task draw them: negatives = 3"
        raise MediaFMError(
            f"holds nothing that can be measured: {some(notes, separator='; ')}",
            where=task.labels,
            do=do,
        )
    notes = [*reading.notes, *split_notes(task, groups, [e.side for e in entries]), *notes]
    return LabelSet(
        task,
        tuple(kept),
        y_NC[:, good_C],
        tuple(name for name, good in zip(names, good_C, strict=True) if good),
        groups,
        tested_N,
        tuple(e.row for e in entries),
        tuple(sorted(reading.problems, key=_row)),
        tuple(map(one_line, notes)),
    )


def _row(problem: Problem) -> int:
    return problem.row


def _clip(item: tuple[Clip, _Entry]) -> Clip:
    return item[0]


def _read_rows(reading: _Reading) -> None:
    file, finder, split = reading.file, reading.finder, reading.task.split
    ids = file.column("title_id", "the title of the clip")
    times = time_columns(file)
    if times is None:
        reading.notes.append("there are no columns start and end: labels hold for whole titles")
    values = value_reader(reading.task, file, reading.classes, reading.problems)
    group = _field(reading, split.by, "split.by")
    side = _field(reading, split.column, "split.column") if split.column else None
    for i, row in enumerate(file.rows):
        try:
            title = finder.title(ids[i])
            clip = finder.row(title.title_id, times, i)
            about = group(i, title), "" if side is None else side(i, title)
            _add(reading, clip, _Entry(row, *about, values(i, title)))
        except WrongCellError as error:
            reading.left_out(row, error)


def _field(reading: _Reading, name: str, purpose: str) -> Callable[[int, TitleRecord], str]:
    """How the group or the side of a row is found: a column of the labels, or of the titles."""
    attribute = {"series": "group", "title": "title_id"}.get(name, name)
    if name in reading.file.columns and name not in ("series", "title"):
        cells = reading.file.columns[name]

        def of_row(i: int, _: TitleRecord) -> str:
            if absent(cells[i]):
                raise WrongCellError(f"no {name}", f"has no {name}")
            return plain(cells[i])

        return of_row
    known = reading.finder.titles.values()
    if name == "series" and name in reading.file.header and not any(t.series_id for t in known):
        reading.notes.append(
            f"{purpose} = series asks the catalog, which knows no series: every title is a group "
            "of its own. The labels have a column of that name: rename it, and name that, to use it"
        )
    if attribute not in _OF_CATALOG:
        reading.file.column(name, f"which {purpose} names")

    def of_title(_: int, title: TitleRecord) -> str:
        found = getattr(title, attribute)
        if purpose == "split.by" and name in ("season", "episode"):
            # Season 1 of one series has nothing to do with season 1 of another.
            return title.group if found is None else f"{title.group}, {name} {found}"
        if found is None:
            what = f"the catalog knows no {name} of '{title.title_id}'"
            raise WrongCellError(f"no {name}", what)
        return str(found)

    return of_title


def _add(reading: _Reading, clip: Clip, new: _Entry) -> None:
    held = reading.entries.get(clip)
    if held is None:
        reading.entries[clip] = new
        return
    apart = (held.group, held.side) != (new.group, new.side)
    if held.said is None:
        held.said = [(held.row, _text(held, apart))]
    held.said.append((new.row, _text(new, apart)))
    if apart:
        held.wrong = True
    elif isinstance(held.value, frozenset) and isinstance(new.value, frozenset):
        # One row per class is usual; more than one row for a single class is a contradiction.
        held.wrong |= reading.task.kind == "multi-class" and held.value != new.value
        if not held.wrong and (new.value <= held.value or not held.value):
            what = f"adds nothing to row {held.row}; counted once"
            if not held.value and new.value:
                what = f"names classes, row {held.row} says that none applies; this row counts"
            reading.problems.append(Problem(new.row, what, "repeated"))
        held.value |= new.value
    elif isinstance(held.value, Log) and isinstance(new.value, Log):
        held.value.add(new.value)
    else:
        held.wrong |= held.value != new.value


def _text(entry: _Entry, apart: bool) -> str:
    """What an entry says, to set it beside what another says."""
    value = entry.value
    if apart:
        return " ".join(word for word in (entry.group, entry.side) if word)
    if isinstance(value, frozenset):
        return "|".join(sorted(value)) or "none"
    return "a log" if isinstance(value, Log) else f"{value:g}"


def _agreed(reading: _Reading) -> dict[Clip, _Entry]:
    """The clips of which all rows say the same, sorted, with the rate where it is a log's."""
    kept = {}
    for clip, entry in sorted(reading.entries.items(), key=_clip):
        if entry.wrong and entry.said:
            rows = [row for row, _ in entry.said]
            said = some([text for _, text in entry.said])
            for row in rows:
                what = f"rows {some([str(r) for r in rows])} disagree on one clip: {said}"
                reading.left_out(row, WrongCellError("contradiction", what))
            continue
        if entry.said and isinstance(entry.value, float):
            for row, _ in entry.said[1:]:
                what = f"repeats row {entry.row}; counted once"
                reading.problems.append(Problem(row, what, "repeated"))
        try:
            if reading.task.kind == "ranking":
                entry.value = rate(entry.value)
            kept[clip] = entry
        except WrongCellError as error:
            for row, _ in entry.said or [(entry.row, "")]:
                reading.left_out(row, error)
    return kept


def _without_any(reading: _Reading, kept: Mapping[Clip, _Entry]) -> list[str]:
    """A note on clips that no class holds for: unfinished work looks the same."""
    wrong = {problem.row for problem in reading.problems}
    empty = [e.row for e in kept.values() if e.value == frozenset() and e.row not in wrong]
    if reading.task.kind != "multi-label" or not empty:
        return []
    clips = "1 clip has" if len(empty) == 1 else f"{len(empty):,} clips have"
    rows = some([str(row) for row in sorted(empty)])
    return [f"{clips} an empty label: none of the classes holds (row {rows})"]


def _with_negatives(reading: _Reading, kept: dict[Clip, _Entry]) -> dict[Clip, _Entry]:
    """Adds clips of the same titles and lengths that overlap nothing that may be positive."""
    task = reading.task
    for entry in kept.values():
        if entry.value == 0:
            raise MediaFMError(
                f"holds negatives (row {entry.row}), and the task draws negatives of its own",
                where=task.labels,
                do="set negatives = 0 in the task",
            )
    avoid: dict[str, list[Clip]] = {}
    for clip in reading.entries:
        avoid.setdefault(clip.title_id, []).append(clip)
    by_title: dict[str, list[Clip]] = {}
    for clip in kept:
        by_title.setdefault(clip.title_id, []).append(clip)
    found = dict(kept)
    for title_id, positives in by_title.items():
        drawn = draw_negatives(
            title_id,
            reading.finder.times(title_id),
            [clip.span for clip in positives],
            [clip.span for clip in avoid[title_id]],
            task.negatives,
        )
        for clip, spans in zip(positives, drawn, strict=True):
            entry = kept[clip]
            for span in spans:
                found[Clip(title_id, span)] = _Entry(0, entry.group, entry.side, 0.0)
            if len(spans) < task.negatives:
                what = f"its title has room for {len(spans)} of {task.negatives} negatives"
                reading.problems.append(Problem(entry.row, what, "too few negatives"))
    return dict(sorted(found.items(), key=_clip))


def _matrix(
    task: Task, classes: Sequence[str], kept: Mapping[Clip, _Entry]
) -> tuple[tuple[str, ...], Matrix]:
    values = [entry.value for entry in kept.values()]
    if task.kind in ("binary", "ranking"):
        return (task.column if task.kind == "binary" else "rate",), np.array(values, float)[:, None]
    sets = [value for value in values if isinstance(value, frozenset)]
    classes = tuple(classes) or tuple(sorted(frozenset().union(*sets)))
    if not classes:
        raise MediaFMError(
            "names no class in any row", where=task.labels, do=f"look at the column {task.column}"
        )
    place = {name: i for i, name in enumerate(classes)}
    y_NC = np.zeros((len(values), len(classes)))
    for i, found in enumerate(sets):
        y_NC[i, [place[name] for name in found]] = 1
    return classes, y_NC
