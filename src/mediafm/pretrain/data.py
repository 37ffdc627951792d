"""Which titles train, which windows make a batch, and what is masked in them.

Everything random comes from (seed, epoch, place), never from a running state: a run that goes on
after a stop, with another number of readers or of processes, sees the same windows and masks.

Shapes: N shots of one window, M modalities.
"""

from __future__ import annotations

import enum
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from mediafm.errors import ModelError

MIN_WINDOW = 2
"""Shots below which there is nothing to predict a masked shot from."""

MOST_HELD_OUT = 512
"""Validation titles beyond which a verdict becomes slower but hardly narrower."""


class Chance(enum.IntEnum):
    """What chance decides: second word of each generator's seed, so that no two are alike."""

    SPLIT = 1
    WINDOWS = 2
    MASKS = 3
    RESAMPLING = 4
    STATISTICS = 5
    WATCHING = 11
    JUDGING = 12


class Member(Protocol):
    """What a split looks at; ``StoredTitle`` and ``TitleFeatures`` are such."""

    @property
    def title_id(self) -> str:
        """The title."""

    @property
    def group(self) -> str:
        """What stays on one side."""


@dataclass(frozen=True, slots=True)
class Split:
    """Which titles train and which validate.

    Args:
        train: Indices of training titles.
        val: Indices of validation titles; empty where nothing could be held out.
        note: What the user should know about the split, empty where all is as expected.
    """

    train: list[int]
    val: list[int]
    note: str = ""


def split_titles(
    titles: Sequence[Member], fraction: float, seed: int, by: str, groups: Sequence[str] = ()
) -> Split:
    """Holds out whole groups, at least one wherever there are two.

    Titles of a single series cannot be split by series; then a run of neighbouring titles (by id)
    is held out, so that halves or sequels lie on one side as far as possible.

    Args:
        titles: In the order of their ids.
        fraction: Share of the groups to hold out, of at most :data:`MOST_HELD_OUT` titles; 0 holds
            out nothing.
        seed: Decides which.
        by: ``group`` or ``title``.
        groups: The groups to hold out, by name; then fraction and seed decide nothing.

    Raises:
        ModelError: There is no such group, or nothing would be left to train on.
    """
    everything, rng = list(range(len(titles))), np.random.default_rng([seed, Chance.SPLIT])
    key = [t.group if by == "group" else t.title_id for t in titles]
    if groups:
        return _named(key, groups)
    if fraction == 0 or len(titles) < 2:
        why = "validation is switched off" if len(titles) > 1 else "there is only one title"
        return Split(everything, [], f"no validation: {why}")
    names, counts = np.unique(key, return_counts=True)
    if len(names) == 1:
        count = min(max(1, round(fraction * len(titles))), len(titles) - 1, MOST_HELD_OUT)
        first = int(rng.integers(len(titles) - count + 1))
        held = set(range(first, first + count))
        note = "all titles are of one series: validation titles are other titles of the same series"
    else:
        count = min(max(1, round(fraction * len(names))), len(names) - 1)
        order = rng.permutation(len(names))[:count]
        within = counts[order].cumsum() <= MOST_HELD_OUT
        within[0] = True
        chosen = set(names[order[within]])
        held, note = {i for i in everything if key[i] in chosen}, ""
    return Split([i for i in everything if i not in held], sorted(held), note)


def _named(key: Sequence[str], groups: Sequence[str]) -> Split:
    if unknown := sorted(set(groups) - set(key)):
        raise ModelError(f"there is no group '{unknown[0]}' to hold out")
    train = [i for i, group in enumerate(key) if group not in set(groups)]
    if not train:
        raise ModelError("every title is held out", do="leave some groups to train on")
    return Split(train, [i for i, group in enumerate(key) if group in set(groups)])


def sample(
    lengths: Sequence[int], shots: int, rng: np.random.Generator, run: int = 64
) -> list[tuple[int, int, int]]:
    """Draws short runs of shots from many titles: shots of one title are much alike.

    Args:
        lengths: Shots of every title.
        shots: How many are wanted, about; all that there are, if there are fewer.
        rng: Where chance comes from.
        run: Shots in a run.

    Returns:
        ``(title, start, end)`` of runs that do not overlap, in the order of the titles.
    """
    counts = -(-np.asarray(lengths, dtype=np.int64) // run)
    ends = counts.cumsum()
    total = int(ends[-1]) if len(ends) else 0
    drawn = np.sort(rng.choice(total, min(total, -(-shots // run)), replace=False))
    titles = np.searchsorted(ends, drawn, side="right")
    starts = (drawn - (ends - counts)[titles]) * run
    return [
        (int(title), int(start), min(int(start) + run, lengths[title]))
        for title, start in zip(titles, starts, strict=True)
    ]


@dataclass(frozen=True, slots=True)
class Piece:
    """A window of training: shots ``[start, end)`` of a title."""

    title: int
    start: int
    end: int

    def __len__(self) -> int:
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Plan:
    """The windows of every batch.

    Args:
        titles: Numbers of the training titles.
        lengths: Shots of each.
        window: Longest window.
        batch_shots: Shots in a batch, about.
        seed: Decides cuts and order.
    """

    titles: Sequence[int]
    lengths: Sequence[int]
    window: int
    batch_shots: int
    seed: int

    def epoch(self, epoch: int) -> list[list[Piece]]:
        """Cuts the titles into windows and deals them into batches.

        Titles longer than a window are cut at a random phase, so that every shot is seen once
        (but a first or last piece too short to be a window).

        Args:
            epoch: From 0.

        Returns:
            Batches of windows, each window at least two shots long. Within a batch the windows
            are ordered by length: neighbours of one length share their attention product.
        """
        rng, pieces = np.random.default_rng([self.seed, Chance.WINDOWS, epoch]), []
        for title, n in zip(self.titles, self.lengths, strict=True):
            size = self.window
            phase = int(rng.integers(1, size + 1)) if n > size else 0
            cuts = [0, *range(phase, n, size), n] if phase else [0, n]
            for start, end in itertools.pairwise(cuts):
                if end - start >= MIN_WINDOW:
                    pieces.append(Piece(title, start, end))
        batches: list[list[Piece]] = []
        room = 0
        for index in rng.permutation(len(pieces)):
            piece = pieces[index]
            if not batches or len(piece) > room:
                batches.append([])
                room = self.batch_shots
            batches[-1].append(piece)
            room -= len(piece)
        for batch in batches:
            batch.sort(key=len, reverse=True)
        return batches

    def batches(self, epoch: int = 0, first: int = 0) -> Iterator[tuple[int, int, list[Piece]]]:
        """Batches without end as ``(epoch, index, windows)``, from a place on."""
        while True:
            for index, pieces in enumerate(self.epoch(epoch)):
                if index >= first:
                    yield epoch, index, pieces
            epoch, first = epoch + 1, 0


def share(pieces: Sequence[Piece], rank: int, world: int) -> list[Piece]:
    """One process's part of a batch: about as many shots as every other's.

    Args:
        pieces: The batch, longest first.
        rank: The process.
        world: How many there are.
    """
    parts: list[list[Piece]] = [[] for _ in range(world)]
    loads = [0] * world
    for piece in pieces:
        least = loads.index(min(loads))
        parts[least].append(piece)
        loads[least] += len(piece)
    return parts[rank]


def portions(pieces: Sequence[Piece], most: int) -> list[list[Piece]]:
    """Cuts a batch into parts of at most ``most`` shots, or of one window."""
    parts: list[list[Piece]] = []
    room = 0
    for piece in pieces:
        if not parts or len(piece) > room:
            parts.append([])
            room = most
        parts[-1].append(piece)
        room -= len(piece)
    return parts


def draw_mask(
    usable_N: npt.NDArray[np.bool_], ratio: float, rng: np.random.Generator, span: float = 1.0
) -> npt.NDArray[np.bool_]:
    """Chooses the shots of a window to mask.

    Args:
        usable_N: Shots that have any modality; others have nothing to predict.
        ratio: Share of the usable shots.
        rng: Where chance comes from.
        span: Mean length of a run of masked shots, geometrically distributed as in SpanBERT
            (arXiv 1907.10529); 1 masks shots independently of one another.

    Returns:
        ``masked_N``: at least one, and never the last visible one, if there are two usable.
    """
    masked_N = np.zeros(len(usable_N), np.bool_)
    places = np.flatnonzero(usable_N)
    if len(places) < MIN_WINDOW:
        return masked_N
    count = min(max(1, round(ratio * len(places))), len(places) - 1)
    if span == 1:
        masked_N[rng.choice(places, count, replace=False)] = True
        return masked_N
    chosen = np.zeros(len(places), np.bool_)
    while (missing := count - int(chosen.sum())) > 0:
        length = min(int(rng.geometric(1 / span)), missing)
        first = int(rng.integers(len(places) - length + 1))
        chosen[first : first + length] = True
    masked_N[places[chosen]] = True
    return masked_N


def draw_hidden(
    present_NM: npt.NDArray[np.bool_],
    masked_N: npt.NDArray[np.bool_],
    ratio: float,
    dropout: float,
    rng: np.random.Generator,
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Chooses the modalities of visible shots that the model does not see.

    Args:
        present_NM: What is there.
        masked_N: Shots that are masked as a whole.
        ratio: Share of the shots of which one modality is hidden, to be predicted.
        dropout: How often a modality is withheld from the whole window, not to be predicted.
        rng: Where chance comes from.

    Returns:
        ``hidden_NM`` and, among it, ``asked_NM``: what is to be predicted. A visible shot keeps
        at least one modality.
    """
    n, m = present_NM.shape
    hidden_NM = np.zeros((n, m), np.bool_)
    for j in np.flatnonzero(rng.random(m) < dropout):
        hidden_NM[:, j] = present_NM[:, j] & ((present_NM & ~hidden_NM).sum(axis=1) > 1)
    hidden_NM[masked_N] = False
    asked_NM = np.zeros((n, m), np.bool_)
    seen_NM = present_NM & ~hidden_NM
    can = np.flatnonzero(~masked_N & (seen_NM.sum(axis=1) > 1))
    rows = rng.permutation(can)[: round(ratio * n)]
    # The greatest of random numbers among what is seen is an even draw.
    drawn = np.where(seen_NM[rows], rng.random((len(rows), m)), -1).argmax(axis=1)
    asked_NM[rows, drawn] = True
    return hidden_NM | asked_NM, asked_NM
