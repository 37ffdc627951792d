"""What a row of a label file says of its clip, by the kind of task.

A value is a set of class names (multi-label, multi-class), a number (binary, ranking), or the
weighted impressions and clicks of a log, which :func:`rate` makes a number of.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from mediafm.catalog.records import TitleRecord
from mediafm.errors import MediaFMError
from mediafm.probes.cells import WrongCellError, absent, did_you_mean, names, number, yes_or_no
from mediafm.probes.iab import Taxonomy, load_taxonomy
from mediafm.probes.label_file import LabelFile, Problem
from mediafm.probes.task import DEFAULT_COLUMN, Task


@dataclass(slots=True)
class Log:
    """What the rows of a log say of one clip, each weighted by inverse propensity.

    Args:
        views: Impressions.
        clicks: Clicks.
    """

    views: list[float] = field(default_factory=list)
    clicks: list[float] = field(default_factory=list)

    def add(self, other: Log) -> None:
        """Takes in what further rows say."""
        self.views += other.views
        self.clicks += other.clicks


Value: TypeAlias = frozenset[str] | float | Log
OfRow: TypeAlias = Callable[[int, TitleRecord], Value]
LOG = ("impressions", "clicks", "propensity")
"""Columns of a log of what was shown."""


def is_log(task: Task, header: tuple[str, ...]) -> bool:
    """Whether a ranking comes as a log; a column that the task names goes first."""
    named = task.column in header and task.column != DEFAULT_COLUMN
    return task.kind == "ranking" and "impressions" in header and not named


class ClassReader:
    """Reads sets of classes.

    Args:
        task: The task.

    Raises:
        MediaFMError: The taxonomy cannot be read, or has no such class as the task names.
    """

    def __init__(self, task: Task):
        self.task = task
        self.taxonomy = None if task.taxonomy is None else load_taxonomy(task.taxonomy)
        self.classes = tuple(self._named(name) for name in task.classes)
        if len(set(self.classes)) < len(self.classes):
            twice = next(name for name in self.classes if self.classes.count(name) > 1)
            raise MediaFMError(
                f"classes names '{twice}' twice, by id and by name", where=task.labels
            )
        self._listed = frozenset(self.classes)
        self._known: dict[Any, frozenset[str] | WrongCellError] = {}
        self._other: dict[frozenset[str], str] = {}

    def _named(self, name: str) -> str:
        found = self.taxonomy.find(name) if self.taxonomy else name
        if found is None:
            assert self.taxonomy is not None
            raise MediaFMError(
                f"classes names '{name}', which is no category",
                where=self.taxonomy.file,
                do=self.taxonomy.hint(name) or "name ids of this file, or their names",
            )
        return found

    def read(self, cell: Any) -> tuple[frozenset[str], str]:
        """The classes of a cell.

        Returns:
            The classes that count, and what to say of the others, if there are any.

        Raises:
            WrongCellError: The cell does not fit the task.
        """
        key = tuple(map(repr, cell)) if isinstance(cell, list | tuple) else (type(cell), cell)
        if isinstance(cell, dict):
            raise WrongCellError("wrong label", f"'{cell}' names no class")
        found = self._known.get(key)
        if found is None:
            try:
                found = self._parse(cell)
            except WrongCellError as error:
                found = error
            self._known[key] = found
        if isinstance(found, WrongCellError):
            raise WrongCellError(found.kind, str(found))
        if not self._listed or found <= self._listed:
            return found, ""
        return found & self._listed, self._outside(found - self._listed)

    def _parse(self, cell: Any) -> frozenset[str]:
        found = names(cell)
        if self.taxonomy is not None:
            found = frozenset(_category(self.taxonomy, name) for name in found)
        if self.task.kind == "multi-class" and len(found) != 1:
            shown = ", ".join(sorted(found)) or "none"
            raise WrongCellError(
                "wrong label", f"a multi-class task wants one class, here are {len(found)}: {shown}"
            )
        if self.task.kind == "multi-class" and not found <= self._listed and self._listed:
            raise WrongCellError("class outside the list", self._outside(found))
        return found

    def _outside(self, other: frozenset[str]) -> str:
        if other not in self._other:
            hints = (did_you_mean(name, self.classes) for name in sorted(other)[:5])
            hint = next(filter(None, hints), "")
            shown = ", ".join(f"'{name}'" for name in sorted(other))
            what = f"{shown} is not in the task's list of classes"
            self._other[other] = f"{what}, {hint}" if hint else what
        return self._other[other]


def _category(taxonomy: Taxonomy, name: str) -> str:
    found = taxonomy.find(name)
    if found is None:
        hint = taxonomy.hint(name)
        what = f"'{name}' is no category of {taxonomy.file.name}"
        raise WrongCellError("unknown class", f"{what}, {hint}" if hint else what)
    return found


def value_reader(
    task: Task, file: LabelFile, classes: ClassReader, problems: list[Problem]
) -> OfRow:
    """How the value of a row is read.

    Args:
        task: The task.
        file: The label file.
        classes: Reads sets of classes.
        problems: Where to say what does not count though the row does.

    Returns:
        Place of the row in the file and its title to what the row says; raises WrongCellError.

    Raises:
        MediaFMError: A column is missing.
    """
    if task.column.startswith("title."):
        return _of_title(task, file, classes, problems)
    if is_log(task, file.header):
        return _of_log(file)
    purpose = f"the label of task '{task.name}'"
    if task.kind == "ranking":
        purpose += ", nor impressions and clicks"
    cells = file.column(task.column, purpose)

    def of_row(i: int, _: TitleRecord) -> Value:
        cell = cells[i]
        # No text is an empty list of labels, a null is none at all; CSV has no null.
        empty = isinstance(cell, str) and not cell.strip()
        if absent(cell) and not (empty and task.kind == "multi-label"):
            raise WrongCellError("no label", f"has no {task.column}: not judged")
        if task.kind == "binary":
            return yes_or_no(cell)
        if task.kind == "ranking":
            return number(cell, file.comma)
        found, other = classes.read(cell)
        if other:
            what = f"{other}: not counted"
            problems.append(Problem(file.rows[i], what, "class outside the list"))
        return found

    return of_row


def _of_title(task: Task, file: LabelFile, classes: ClassReader, problems: list[Problem]) -> OfRow:
    name = task.column.removeprefix("title.")

    def of_row(i: int, title: TitleRecord) -> Value:
        given = getattr(title, name)
        if not given:
            what = f"the catalog knows no {name} of '{title.title_id}'"
            raise WrongCellError("no label", what)
        found, other = classes.read(given)
        if other:
            what = f"{other}: not counted"
            problems.append(Problem(file.rows[i], what, "class outside the list"))
        return found

    return of_row


def _of_log(file: LabelFile) -> OfRow:
    """Impressions and clicks of a row, each over the propensity, where there is one."""
    shown = file.column("impressions", "how often the clip was shown")
    clicked = file.column("clicks", "how often it was clicked on")
    chance = file.columns.get("propensity")
    if chance is None and (near := did_you_mean("propensity", file.header)):
        raise MediaFMError("has no column 'propensity'", where=file.path, do=near)
    kind = "wrong counts"

    def of_row(i: int, _: TitleRecord) -> Value:
        views, clicks = number(shown[i], file.comma), number(clicked[i], file.comma)
        p = 1.0 if chance is None else number(chance[i], file.comma)
        if not 0 <= clicks <= views:
            raise WrongCellError(kind, f"{clicks:g} clicks of {views:g} impressions")
        if not 0 < p <= 1:
            raise WrongCellError(kind, f"propensity is {p:g}, must be above 0 and at most 1")
        if not np.isfinite(views / p):
            raise WrongCellError(kind, f"{views:g} impressions at a propensity of {p:g}")
        return Log([views / p], [clicks / p])

    return of_row


def rate(value: Value) -> float:
    """Clicks over impressions, both weighted by inverse propensity.

    The self-normalised estimator (Swaminathan and Joachims 2015), which stays between 0 and 1.

    Raises:
        WrongCellError: The clip was never shown.
    """
    if not isinstance(value, Log):
        assert isinstance(value, float)
        return value
    # Exact sums, and no more digits than they deserve: else rates that are equal differ by the
    # order of the rows, and a head learns it.
    views, clicks = math.fsum(value.views), math.fsum(value.clicks)
    if views <= 0:
        raise WrongCellError("never shown", "was never shown")
    return float(f"{clicks / views:.12g}")
