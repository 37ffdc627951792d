"""The IAB Tech Lab Content Taxonomy: names for the ids that advertising systems exchange.

The file is the TSV that IAB Tech Lab publishes: two header lines, then one category a row with its
id, its parent's id, its name, and the names of its tiers. Ids are numbers, or letters and digits
(``JLBCU7``).
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mediafm.errors import MediaFMError, describe_os_error
from mediafm.probes.cells import nearest, plain
from mediafm.probes.task import Task

CATTAX = 9
"""Content Taxonomy 3.1 in AdCOM 1.0's list of category taxonomies (``cattax`` in OpenRTB)."""

_HEADER = ("Unique ID", "Parent", "Name")
_WHERE = (
    "download a Content Taxonomy as TSV from github.com/InteractiveAdvertisingBureau/Taxonomies"
)


_ID = re.compile(r"[0-9]{1,3}|(?=.+[A-Z0-9])[A-Za-z0-9]{6}")
"""Numbers, or six letters and digits; words have neither digits nor capitals inside."""


def is_id(name: str) -> bool:
    """Whether a class is written as ids of the Content Taxonomy 3.1 are: ``483``, ``JLBCU7``."""
    return _ID.fullmatch(name) is not None


@dataclass(frozen=True, slots=True)
class Category:
    """One category.

    Args:
        name: Its name.
        parent: Id of the category above; empty for the first tier.
        tiers: Names from the first tier down to its own.
    """

    name: str
    parent: str
    tiers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Taxonomy:
    """A content taxonomy.

    Args:
        file: Where it was read.
        categories: By id, in the order of the file.
    """

    file: Path
    categories: dict[str, Category]
    _ids: dict[str, str] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        found: dict[str, list[str]] = {}
        for own, category in self.categories.items():
            for word in {category.name, " > ".join(category.tiers)}:
                found.setdefault(word.casefold(), []).append(own)
        self._ids.update({word: own[0] for word, own in found.items() if len(own) == 1})

    @property
    def ids(self) -> tuple[str, ...]:
        """All ids, in the order of the file."""
        return tuple(self.categories)

    def name(self, own: str) -> str:
        """The name of a category (``Sedan``).

        Raises:
            MediaFMError: There is no such id.
        """
        return self._category(own).name

    def path(self, own: str) -> str:
        """The names of its tiers (``Automotive > Auto Body Styles > Sedan``).

        Raises:
            MediaFMError: There is no such id.
        """
        return " > ".join(self._category(own).tiers)

    def parent(self, own: str) -> str | None:
        """The id of the category above; ``None`` for the first tier.

        Raises:
            MediaFMError: There is no such id.
        """
        return self._category(own).parent or None

    def find(self, text: str) -> str | None:
        """The id that a text means: an id, or a name or path that only one category has."""
        return text if text in self.categories else self._ids.get(text.casefold())

    def hint(self, text: str) -> str:
        """``did you mean 1 (Automotive)?``, or nothing where no id, name or path is close."""
        # Ids of a few digits are all alike: a wrong one is close to nothing in particular.
        words = {own: own for own in self.categories if not own.isdigit()}
        words |= {category.name: own for own, category in self.categories.items()}
        digits = text.lstrip("0")
        near = digits if digits in self.categories else words.get(nearest(text, words) or "")
        return f"did you mean {near} ({self.categories[near].name})?" if near else ""

    def _category(self, own: str) -> Category:
        if own not in self.categories:
            raise MediaFMError(
                f"has no category '{own}'",
                where=self.file,
                do=self.hint(own) or f"it has {len(self.categories)} ids",
            )
        return self.categories[own]


def load_taxonomy(path: str | Path) -> Taxonomy:
    """Reads a Content Taxonomy of IAB Tech Lab, 2.0 or later.

    Args:
        path: Its TSV file.

    Raises:
        MediaFMError: The file cannot be read, is of another kind, or is damaged.
    """
    path = Path(path)
    try:
        with path.open(encoding="utf-8-sig", newline="") as text:
            rows = list(csv.reader(text, delimiter="\t"))
    except OSError as error:
        raise MediaFMError(
            f"cannot be read ({describe_os_error(error)})", where=path, do=_WHERE
        ) from None
    except (UnicodeDecodeError, csv.Error):
        raise MediaFMError("is no taxonomy of IAB Tech Lab", where=path, do=_WHERE) from None
    cells = [[plain(cell) for cell in row] for row in rows]
    heads = [i for i, row in enumerate(cells[:10]) if tuple(row[:3]) == _HEADER]
    if not heads:
        raise MediaFMError(
            f"is no taxonomy of IAB Tech Lab: no line begins with {', '.join(_HEADER)}",
            where=path,
            do=_WHERE,
        )
    places = [i for i, name in enumerate(cells[heads[0]]) if name.startswith("Tier ")]
    found: dict[str, Category] = {}
    lines: dict[str, int] = {}
    for line, row in enumerate(cells[heads[0] + 1 :], start=heads[0] + 2):
        if not any(row):
            continue
        if len(row) < len(_HEADER) or not row[0] or not row[2]:
            raise MediaFMError(f"line {line} has no id or no name", where=path, do=_WHERE)
        if row[0] in found:
            what = f"lines {lines[row[0]]} and {line} have the same id {row[0]}"
            raise MediaFMError(what, where=path, do=_WHERE)
        tiers = tuple(row[i] for i in places if i < len(row) and row[i])
        found[row[0]], lines[row[0]] = Category(row[2], row[1], tiers or (row[2],)), line
    for own, category in found.items():
        if category.parent and category.parent not in found:
            what = f"line {lines[own]} names the parent {category.parent}, which is missing"
            raise MediaFMError(what, where=path, do=_WHERE)
    if not found:
        raise MediaFMError("holds no category", where=path, do=_WHERE)
    return Taxonomy(path, found)


def display_names(task: Task, classes: Sequence[str]) -> tuple[str, ...]:
    """What people read for classes: names where the task has a taxonomy, else the classes.

    Args:
        task: The task.
        classes: As labels hold them; ids where the task has a taxonomy.

    Returns:
        One name per class; the whole path where several categories have the same name. An id that
        the taxonomy does not have stands for itself.

    Raises:
        MediaFMError: The taxonomy cannot be read.
    """
    if task.taxonomy is None:
        return tuple(classes)
    taxonomy = load_taxonomy(task.taxonomy)
    shown = []
    for own in classes:
        category = taxonomy.categories.get(own)
        if category is None:
            shown.append(own)
        else:
            alone = taxonomy.find(category.name) == own
            shown.append(category.name if alone else taxonomy.path(own))
    return tuple(shown)
