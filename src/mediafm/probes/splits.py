"""Splits by group, and what must not happen in them.

Shapes: N clips, C classes, K folds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from mediafm.errors import MediaFMError
from mediafm.probes.task import Task

_TURNS = 20
"""Deals that are tried where a class would be in one fold only."""
Mask = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.int64]


def deal(
    groups: Sequence[str],
    folds: int,
    seed: int = 0,
    y_NC: npt.NDArray[np.float64] | None = None,
) -> Codes:
    """Deals groups into folds of about the same number of clips.

    Args:
        groups: The group of each clip.
        folds: How many folds; fewer where there are fewer groups.
        seed: Shuffles the groups.
        y_NC: Labels of 1 and 0. A class whose positives share a fold is measured by a head that
            has seen none of them: then groups are dealt again, in another order, a few times, and
            the deal with the fewest such classes counts.

    Returns:
        ``fold_N``: the fold of each clip, ``0 .. folds - 1``. Clips of one group share a fold.
    """
    names, code_N, size_G = np.unique(np.asarray(groups), return_inverse=True, return_counts=True)
    count = min(folds, len(names))
    best_N, fewest = np.zeros(len(code_N), np.int64), math.inf
    for turn in range(1 if y_NC is None else _TURNS):
        order = np.random.default_rng([seed, 5, turn][: 3 if turn else 2]).permutation(len(names))
        if not turn:  # the large ones first, each into the fold that is the smallest by then
            order = order[np.argsort(-size_G[order], kind="stable")]
        held, fold_G = np.zeros(count, np.int64), np.zeros(len(names), np.int64)
        for group in order.tolist():
            fold_G[group] = held.argmin()
            held[fold_G[group]] += size_G[group]
        fold_N = fold_G[code_N]
        wrong = 0 if y_NC is None else len(in_one_fold(y_NC, fold_N))
        if wrong < fewest:
            best_N, fewest = fold_N, wrong
        if not wrong:
            break
    return best_N


def in_one_fold(y_NC: npt.NDArray[np.float64], fold_N: Codes) -> list[int]:
    """Classes that one fold alone has, or alone lacks: no head of theirs knows both answers."""
    found = []
    for c, y_N in enumerate(y_NC.T):
        folds = [np.unique(fold_N[y_N == value]) for value in (0, 1)]
        if any(len(own) == 1 for own in folds):
            found.append(c)
    return found


def check_sides(task: Task, tested_N: Mask, sides: Sequence[str]) -> None:
    """Refuses a split with nothing on one side.

    Args:
        task: The task.
        tested_N: Clips to measure on.
        sides: What the column of the split says of each clip.

    Raises:
        MediaFMError: Says which values there are.
    """
    if tested_N.all() or not tested_N.any():
        values = " or ".join(task.split.test)
        raise MediaFMError(
            f"{'every' if tested_N.any() else 'no'} clip has {task.split.column} {values}",
            where=task.labels,
            do=f"name other values in split.test; there are {some(sorted(set(sides)), 10)}",
        )


def split_notes(task: Task, groups: Sequence[str], sides: Sequence[str]) -> list[str]:
    """What does not stop a split, and a user should know.

    Args:
        task: The task.
        groups: The group of each clip.
        sides: What the column of the split says of each clip; empty texts where folds decide.
    """
    if task.split.column:
        held = {side.casefold() for side in sides}
        missing = [value for value in task.split.test if value.casefold() not in held]
        if missing:
            return [
                f"no clip has {task.split.column} {' or '.join(missing)}, which split.test names"
            ]
    elif (count := len(set(groups))) < task.split.folds:
        return [
            f"there are {count} groups ({task.split.by}): {count} folds, not {task.split.folds}"
        ]
    return []


def check_groups(
    task: Task, titles: Sequence[str], groups: Sequence[str], tested_N: Mask | None
) -> None:
    """Refuses a split through which the answer leaks.

    Args:
        task: The task.
        titles: The title of each clip.
        groups: The group of each clip.
        tested_N: Clips to measure on; ``None`` where folds decide.

    Raises:
        MediaFMError: A title is divided between groups, a group between the sides, or there is
            only one group; names them.
    """
    owners: dict[str, set[str]] = {}
    sides: dict[str, set[bool]] = {}
    for i, (title_id, group) in enumerate(zip(titles, groups, strict=True)):
        owners.setdefault(title_id, set()).add(group)
        if tested_N is not None:
            sides.setdefault(group, set()).add(bool(tested_N[i]))
    if divided := sorted(name for name, found in owners.items() if len(found) > 1):
        raise MediaFMError(
            f"clips of one title stand in several groups: {some(divided)}; shots of one title "
            "know of one another, so the answer would leak",
            where=task.labels,
            do="let split.by name something that holds whole titles",
        )
    if both := sorted(name for name, found in sides.items() if len(found) > 1):
        raise MediaFMError(
            f"groups ({task.split.by}) stand on both sides of the split: {some(both)}",
            where=task.labels,
            do="split by something that holds whole groups, or name smaller groups in split.by",
        )
    if len(set(groups)) < 2:
        raise MediaFMError(
            f"all clips are of one group ({task.split.by}): nothing is left to measure on",
            where=task.labels,
            do="name smaller groups in split.by, e.g. title",
        )


def some(found: Sequence[str], most: int = 5, separator: str = ", ") -> str:
    """The first of many names, and how many more there are."""
    more = f" and {len(found) - most:,} more" if len(found) > most else ""
    return separator.join(found[:most]) + more


def usable(
    task: Task,
    classes: Sequence[str],
    y_NC: npt.NDArray[np.float64],
    groups: Sequence[str],
    tested_N: Mask | None,
    rows: Sequence[int],
    titles: Sequence[str],
) -> tuple[Mask, list[str]]:
    """Which classes can be fitted and measured.

    Args:
        task: The task.
        classes: Their names.
        y_NC: The labels; NaN where nobody judged.
        groups: The group of each clip.
        tested_N: Clips to measure on; ``None`` where folds decide.
        rows: Row of each clip in the label file, 0 where it has none.
        titles: The title of each clip.

    Returns:
        ``good_C``, and a note on each class that cannot or hardly can.
    """
    code_N = np.unique(np.asarray(groups), return_inverse=True)[1]
    if task.kind == "ranking":
        return _rankable(y_NC[:, 0], code_N, tested_N, titles)
    good_C, folds = np.zeros(len(classes), np.bool_), min(task.split.folds, code_N.max() + 1)
    notes = []
    for c, name in enumerate(classes):
        known_N = ~np.isnan(y_NC[:, c])
        wrong, there_N = _one_sided(y_NC[:, c] == 1, y_NC[:, c] == 0, code_N, tested_N)
        few = tested_N is None and there_N.sum() < folds
        good_C[c] = not wrong
        if not wrong and not few:
            continue
        at = ""
        if not there_N[known_N].all():
            at = _at([rows[i] for i in np.flatnonzero(there_N).tolist() if rows[i]], folds)
        if wrong:
            notes.append(f"'{name}' {wrong}; left out{at}")
        else:
            notes.append(f"'{name}' has {there_N.sum()} clips, fewer than {folds} folds{at}")
    if tested_N is None:
        good = np.flatnonzero(good_C)
        fold_N = deal(groups, task.split.folds, y_NC=y_NC[:, good])
        notes += [
            f"all clips that tell '{classes[good[c]]}' fall into one fold, and the head that "
            "measures it was fitted without: take more folds"
            for c in in_one_fold(y_NC[:, good], fold_N)
        ]
        if of_groups := _never_apart(y_NC[:, good], fold_N):
            notes.append(
                f"{len(of_groups)} of {len(good)} classes have one answer only in every fold "
                f"({some([classes[good[c]] for c in of_groups])}): their values compare heads of "
                f"different folds; take fewer folds, or smaller groups than {task.split.by}"
            )
    return good_C, notes + _alike(classes)


def _never_apart(y_NC: npt.NDArray[np.float64], fold_N: Codes) -> list[int]:
    """Classes that no fold has both answers of, such as genres where a fold is a series."""
    apart_C = np.zeros(y_NC.shape[1], np.bool_)
    for fold in np.unique(fold_N):
        own = y_NC[fold_N == fold]
        apart_C |= (own == 1).any(axis=0) & (own == 0).any(axis=0)
    return np.flatnonzero(~apart_C).tolist()


def _one_sided(yes_N: Mask, no_N: Mask, code_N: Codes, tested_N: Mask | None) -> tuple[str, Mask]:
    """Why a class cannot be measured, and the clips that show it."""
    if not yes_N.any():
        return "holds for no clip: nothing to tell apart", yes_N
    if not no_N.any():
        return "holds for every clip: nothing to tell apart", yes_N
    for own_N, without in ((yes_N, "has no clip"), (no_N, "holds for every clip")):
        if tested_N is None:
            which = "is" if own_N is yes_N else "is missing"
            if len(np.unique(code_N[own_N])) < 2:
                return f"{which} in one group only: cannot be measured", own_N
        elif not (own_N & ~tested_N).any():
            return f"{without} to fit on", own_N
        elif not (own_N & tested_N).any():
            return f"{without} to measure on", own_N
    return "", yes_N


def _at(rows: Sequence[int], most: int) -> str:
    word = "row" if len(rows) == 1 else "rows"
    return f" ({word} {some([str(row) for row in sorted(rows)], most)})" if rows else ""


def _alike(classes: Sequence[str]) -> list[str]:
    """Notes on names that differ by their case only."""
    held: dict[str, list[str]] = {}
    for name in classes:
        held.setdefault(name.casefold(), []).append(name)
    pairs = [" and ".join(f"'{n}'" for n in names) for names in held.values() if len(names) > 1]
    return [f"{pair} count as different classes: are they one?" for pair in pairs]


def _rankable(
    rate_N: npt.NDArray[np.float64], code_N: Codes, tested_N: Mask | None, titles: Sequence[str]
) -> tuple[Mask, list[str]]:
    """Whether there is something to rank on both sides, and the titles that have nothing."""
    names, title_N, count_T = np.unique(np.asarray(titles), return_inverse=True, return_counts=True)
    low_T, high_T = np.full(len(names), np.inf), np.full(len(names), -np.inf)
    np.minimum.at(low_T, title_N, rate_N)
    np.maximum.at(high_T, title_N, rate_N)
    good_N = (low_T < high_T)[title_N]
    notes = []
    for flat_T, why in (
        (count_T == 1, "one clip only"),
        ((count_T > 1) & (low_T == high_T), "clips that are all rated the same"),
    ):
        if flat_T.any():
            which = f"{flat_T.sum():,} title" + ("s have " if flat_T.sum() > 1 else " has ")
            notes.append(f"{which}{why}, nothing to rank: {some(names[flat_T].tolist())}")
    if tested_N is None:
        enough = len(np.unique(code_N[good_N])) > 1
        where = "two groups with a title"
    else:
        enough = bool((good_N & tested_N).any() and (good_N & ~tested_N).any())
        where = "a title on each side of the split"
    if not enough:
        notes.append(f"a ranking needs {where} that has clips of different rates")
    return np.array([enough]), notes
