"""Tasks: what is asked of an embedding, as a small file that a user can copy.

A task file is TOML::

    kind = "multi-label"
    labels = "tones.csv"      # beside this file
    column = "tone"
    metric = "micro AP"

    [split]
    by = "series"             # groups that are never divided: series, title, or a column
    folds = 10
"""

from __future__ import annotations

import dataclasses
import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from mediafm.errors import MediaFMError, describe_os_error
from mediafm.probes.cells import WrongCellError, did_you_mean, plain

Kind = Literal["multi-label", "multi-class", "binary", "ranking"]
"""What a label says of a clip.

``multi-label``: any number of classes. ``multi-class``: exactly one. ``binary``: yes or no.
``ranking``: a rate that orders the clips of a title.
"""

METRICS: dict[Kind, tuple[str, ...]] = {
    "multi-label": ("micro AP", "macro AP"),
    "multi-class": ("macro AP", "micro AP"),
    "binary": ("AP",),
    "ranking": ("kendall", "top-1"),
}
"""The metrics of each kind, the default first."""

OF_TITLE = ("genres", "tags", "kind", "series_id")
"""What the catalog says of a title and labels may repeat, as ``column = "title.genres"``."""

FIELDS = (*OF_TITLE, "title", "synopsis", "season", "episode", "year")
"""Usual names of metadata, to find misspelt ones."""

DEFAULT_COLUMN = "label"
BUILT_IN = Path(__file__).parent / "tasks"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True, slots=True)
class SplitSpec:
    """What is fitted on and what is measured.

    Args:
        by: What is never divided: ``series`` (the title, where it has none), ``title``, ``season``
            (of its series), ``year``, ``kind``, or a column of the labels.
        folds: Groups are dealt into so many folds; each is measured by a head that was fitted on
            the others.
        column: Instead of folds: rows whose value in this column of the labels is one of ``test``
            are measured, the others fitted on. Where the labels have no such column, the catalog
            is asked (``series``, ``title``, ``season``, ``year``, ``kind``).
        test: The values, as text.
    """

    by: str = "series"
    folds: int = 10
    column: str = ""
    test: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "test", _texts("split.test", self.test))
        if not self.by:
            raise MediaFMError("split.by is empty", do="write series, title, or a column's name")
        if self.folds < 2:
            raise MediaFMError(f"split.folds is {self.folds}, must be 2 or more")
        if bool(self.column) != bool(self.test):
            raise MediaFMError(
                "split.column and split.test need each other",
                do="write column = and the values to measure on, e.g. test = ['5'], or neither",
            )


@dataclass(frozen=True, slots=True)
class Task:
    """One task.

    Args:
        name: What reports call it; the file's name by default.
        kind: See :data:`Kind`.
        labels: CSV or Parquet file with ``title_id``, ``start``, ``end`` and the label's column.
        column: The label's column; ``title.genres`` takes what the catalog says of the title.
        metric: See :data:`METRICS`.
        split: What is fitted on and what is measured.
        classes: The only classes that count; all by default.
        derived_from: Fields of the title's metadata from which the labels were made. A model whose
            [GLOBAL] sees one of them knows the answer, and is refused.
        taxonomy: IAB Content Taxonomy file (TSV): classes are ids, or names that stand for them,
            and are shown by name (:mod:`mediafm.probes.iab`).
        negatives: Clips of the same title and length that are drawn as negatives per positive,
            where the labels hold positives only; 0 for none.
        balance: Whether both answers weigh the same in fitting, however rare one of them is.
        about: One line for people.
    """

    name: str
    kind: Kind
    labels: Path
    column: str = DEFAULT_COLUMN
    metric: str = ""
    split: SplitSpec = field(default_factory=SplitSpec)
    classes: tuple[str, ...] = ()
    derived_from: tuple[str, ...] = ()
    taxonomy: Path | None = None
    negatives: int = 0
    balance: bool = False
    about: str = ""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise MediaFMError(
                f"'{self.name}' is no name for a task",
                do="use letters, digits, dots and dashes: rename the file, or write name = ...",
            )
        kinds = get_args(Kind)
        if self.kind not in kinds:
            raise MediaFMError(
                f"there is no kind '{self.kind}'",
                do=did_you_mean(self.kind, kinds) or f"choose {' or '.join(kinds)}",
            )
        if not self.metric:
            object.__setattr__(self, "metric", METRICS[self.kind][0])
        if self.metric not in METRICS[self.kind]:
            raise MediaFMError(
                f"a {self.kind} task has no metric '{self.metric}'",
                do=f"choose {' or '.join(METRICS[self.kind])}",
            )
        for name in ("classes", "derived_from"):
            object.__setattr__(self, name, _texts(name, getattr(self, name)))
        for name in ("labels", "taxonomy"):
            if (path := getattr(self, name)) is not None:
                object.__setattr__(self, name, _path(name, path))
        self._check_fields()

    def _check_fields(self) -> None:
        """Refuses what would be ignored, or what a misspelt word would switch off."""
        if not self.column:
            raise MediaFMError("column is empty", do="name the label's column")
        if self.column.startswith("title."):
            source = self.column.removeprefix("title.")
            if source not in OF_TITLE:
                raise MediaFMError(
                    f"titles have no classes in '{source}'",
                    do=did_you_mean(source, OF_TITLE) or f"choose {' or '.join(OF_TITLE)}",
                )
            if source not in self.derived_from:
                object.__setattr__(self, "derived_from", (*self.derived_from, source))
        with_classes = self.kind in ("multi-label", "multi-class")
        for name in ("classes", "taxonomy"):
            if getattr(self, name) and not with_classes:
                raise MediaFMError(f"a {self.kind} task has no {name}", do=f"remove {name}")
        if self.column.startswith("title.") and not with_classes:
            raise MediaFMError(
                f"{self.column} names classes, and a {self.kind} task has none",
                do='write kind = "multi-label"',
            )
        if self.balance and self.kind == "ranking":
            raise MediaFMError("a ranking has nothing to balance", do="remove balance")
        if not 0 <= self.negatives <= 100 or (self.negatives and self.kind != "binary"):
            raise MediaFMError(
                f"negatives is {self.negatives}", do="use 0 to 100, in a binary task"
            )
        for name in self.derived_from:
            if name not in FIELDS:
                hint = did_you_mean(name, FIELDS) or f"choose {' or '.join(FIELDS)}"
                raise MediaFMError(f"derived_from names '{name}', which no title has", do=hint)

    def replace(self, **changes: Any) -> Task:
        """The same task with other fields."""
        return dataclasses.replace(self, **changes)


def built_in() -> dict[str, Path]:
    """Name to file of the tasks that come with mediafm: those of the original, and a boundary."""
    return {path.stem: path for path in sorted(BUILT_IN.glob("*.toml"))}


def load_task(name: str | Path, labels: str | Path | None = None) -> Task:
    """Reads a task.

    Args:
        name: A task file, or the name of a built-in task.
        labels: A label file instead of the one that the task names.

    Returns:
        The task; paths in it are relative to its file, those of a built-in one to the folder that
        the program runs in.

    Raises:
        MediaFMError: No such file or task, unknown fields, or values that do not fit.
    """
    path = _of_user(name)
    if path.suffix.lower() != ".toml":
        known = built_in()
        if str(name) not in known:
            hint = did_you_mean(str(name), known)
            if path.is_file():
                hint = "the name of a task file ends in .toml"
            raise MediaFMError(
                f"there is no task '{name}'",
                do=f"{hint + ' ' if hint else ''}name a task file (.toml) or one of "
                + ", ".join(known),
            )
        path = known[str(name)]
    try:
        values = tomllib.loads(path.read_text("utf-8-sig"))
    except OSError as error:
        raise MediaFMError(
            f"cannot be read ({describe_os_error(error)})",
            where=path,
            do=f"name a task file or one of {', '.join(built_in())}",
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MediaFMError(
            f"is no TOML file: {error}", where=path, do="see the built-in tasks for examples"
        ) from None
    try:
        task = _task(path, values)
    except MediaFMError as error:
        raise type(error)(error.what, where=path, do=error.do) from None
    if labels is None and path.parent == BUILT_IN:
        labels = task.labels.name
    return task if labels is None else task.replace(labels=labels)


def _task(path: Path, values: dict[str, Any]) -> Task:
    split = values.pop("split", {})
    if not isinstance(split, dict):
        raise MediaFMError("split must be a table", do="write [split] above its fields")
    _check(values, Task)
    _check(split, SplitSpec, prefix="split.")
    if "kind" not in values:
        raise MediaFMError("has no kind", do=f"write kind = one of {', '.join(get_args(Kind))}")
    for name in ("labels", "taxonomy"):
        if name in values:
            values[name] = path.parent / _path(name, values[name])
    values.setdefault("labels", path.with_suffix(".csv"))
    values.setdefault("name", path.stem)
    return Task(**values, split=SplitSpec(**split))


def _path(name: str, value: str | Path) -> Path:
    if not str(value).strip() or "\0" in str(value):
        raise MediaFMError(f"{name} names no file", do="write its path, beside the task file")
    return _of_user(value)


def _of_user(text: str | Path) -> Path:
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise MediaFMError(f"'{text}' begins with a user that is not there") from None


def _texts(name: str, values: Any) -> tuple[str, ...]:
    """Names as labels hold them, whatever they were written as."""
    if isinstance(values, str | bytes):
        raise MediaFMError(f"{name} is {values!r}, must be a list", do=f"write {name} = [...]")
    found = []
    for value in values:
        try:
            text = plain(value)
        except WrongCellError:
            text = ""
        if not text:
            raise MediaFMError(f"{name} holds {value!r}", do="write a list of names")
        found.append(text)
    if len(set(found)) < len(found):
        twice = next(text for text in found if found.count(text) > 1)
        raise MediaFMError(f"{name} names '{twice}' twice", do="remove one of them")
    return tuple(found)


_TYPES = {"int": int, "bool": bool, "str": str, "Kind": str, "Path": str, "Path | None": str}


def _check(values: dict[str, Any], kind: type, prefix: str = "") -> None:
    known = {f.name: str(f.type) for f in dataclasses.fields(kind) if f.name != "split"}
    words = {int: "a whole number", bool: "true or false", str: "text", list: "a list"}
    for name, value in values.items():
        if name not in known:
            near = did_you_mean(name, known)
            if not near and not prefix and name in {f.name for f in dataclasses.fields(SplitSpec)}:
                near = "it belongs below [split]"
            raise MediaFMError(
                f"unknown field '{prefix}{name}'", do=near or f"there are {', '.join(known)}"
            )
        wanted = _TYPES.get(known[name], list)
        if not isinstance(value, wanted) or (wanted is int and isinstance(value, bool)):
            raise MediaFMError(f"{prefix}{name} is {value!r}", do=f"it must be {words[wanted]}")
