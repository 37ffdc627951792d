"""Titles in memory, their split, and reproducible windows and masks over them.

Shapes: N shots of one title, S shots of a batch, F fused width.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mediafm.catalog.records import TitleFeatures
from mediafm.model import Fusion

MIN_WINDOW = 2
"""Shots below which there is nothing to predict a masked shot from."""


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


def split_titles(titles: Sequence[TitleFeatures], fraction: float, seed: int, by: str) -> Split:
    """Holds out whole groups, at least one wherever there are two.

    Titles of a single series cannot be split by series; then a run of neighbouring titles (by id)
    is held out, so that halves or sequels lie on one side as far as possible.

    Args:
        titles: In the order of their ids.
        fraction: Share of the groups to hold out; 0 holds out nothing.
        seed: Decides which.
        by: ``group`` or ``title``.
    """
    everything, rng = list(range(len(titles))), np.random.default_rng([seed, 1])
    if fraction == 0 or len(titles) < 2:
        why = "validation is switched off" if len(titles) > 1 else "there is only one title"
        return Split(everything, [], f"no validation: {why}")
    groups = sorted({t.group if by == "group" else t.title_id for t in titles})
    if len(groups) == 1:
        count = min(max(1, round(fraction * len(titles))), len(titles) - 1)
        first = int(rng.integers(len(titles) - count + 1))
        held = set(range(first, first + count))
        note = "all titles are of one series: validation titles are other titles of the same series"
    else:
        count = min(max(1, round(fraction * len(groups))), len(groups) - 1)
        chosen = {groups[i] for i in rng.permutation(len(groups))[:count]}
        key = [t.group if by == "group" else t.title_id for t in titles]
        held, note = {i for i in everything if key[i] in chosen}, ""
    return Split([i for i in everything if i not in held], sorted(held), note)


def draw_mask(
    usable_N: npt.NDArray[np.bool_], ratio: float, rng: np.random.Generator
) -> npt.NDArray[np.bool_]:
    """Chooses the shots of a window to mask.

    Args:
        usable_N: Shots that have any modality; others have nothing to predict.
        ratio: Share of the usable shots.
        rng: Where chance comes from.

    Returns:
        ``masked_N``: at least one, and never the last visible one, if there are two usable.
    """
    masked_N = np.zeros(len(usable_N), np.bool_)
    places = np.flatnonzero(usable_N)
    if len(places) >= MIN_WINDOW:
        count = min(max(1, round(ratio * len(places))), len(places) - 1)
        masked_N[rng.choice(places, count, replace=False)] = True
    return masked_N


@dataclass(frozen=True, slots=True)
class Piece:
    """A window of training: shots ``[start, end)`` of a title."""

    title: int
    start: int
    end: int

    def __len__(self) -> int:
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Batch:
    """Packed windows with their masks.

    Args:
        x_SF: Fused shots.
        lengths: Shots of each window.
        metadata: ``m_G`` or ``None`` of each window.
        masked_S: Where the model sees [MASK].
    """

    x_SF: Tensor
    lengths: list[int]
    metadata: list[Tensor | None]
    masked_S: Tensor


class ShotDataset:
    """Training titles held in memory as fp16 features, and fused when a batch is made.

    Everything random comes from (seed, epoch, batch), never from a running state, so that a
    resumed run sees the same batches.

    Args:
        titles: Training titles.
        fusion: With statistics fitted on them.
        max_shots: Longest window.
        batch_shots: Shots in a batch, about.
        seed: See above.
    """

    def __init__(
        self,
        titles: Sequence[TitleFeatures],
        fusion: Fusion,
        *,
        max_shots: int,
        batch_shots: int,
        seed: int,
    ):
        self.titles, self.fusion = titles, fusion
        self.max_shots, self.batch_shots, self.seed = max_shots, batch_shots, seed
        self._metadata = [fusion.metadata(t) for t in titles]

    def epoch(self, epoch: int) -> list[list[Piece]]:
        """Cuts and shuffles the titles into batches.

        Titles longer than a window are cut at a random phase, so that every shot is seen once
        (but a last piece too short to be a window).

        Args:
            epoch: From 0.

        Returns:
            Batches of windows, each window at least two shots long.
        """
        rng, pieces = np.random.default_rng([self.seed, 2, epoch]), []
        for i, title in enumerate(self.titles):
            n, size = len(title), self.max_shots
            phase = int(rng.integers(1, size + 1)) if n > size else 0
            cuts = [0, *range(phase, n, size), n] if phase else [0, n]
            for start, end in itertools.pairwise(cuts):
                if end - start >= MIN_WINDOW:
                    pieces.append(Piece(i, start, end))
        batches: list[list[Piece]] = []
        room = 0
        for index in rng.permutation(len(pieces)):
            piece = pieces[index]
            if not batches or len(piece) > room:
                batches.append([])
                room = self.batch_shots
            batches[-1].append(piece)
            room -= len(piece)
        return batches

    def batch(
        self, pieces: Sequence[Piece], epoch: int, index: int, mask_ratio: float, drop: float
    ) -> Batch:
        """Fuses and masks one batch.

        Args:
            pieces: Its windows.
            epoch: The epoch.
            index: The batch in the epoch.
            mask_ratio: Share of masked shots.
            drop: How often a window goes without metadata.
        """
        rng = np.random.default_rng([self.seed, 3, epoch, index])
        x_SF = torch.cat([self.fusion(self.titles[p.title], p.start, p.end) for p in pieces])
        usable_S = (x_SF != 0).any(dim=1).cpu().numpy()
        masked, at = [], 0
        for piece in pieces:
            masked.append(draw_mask(usable_S[at : at + len(piece)], mask_ratio, rng))
            at += len(piece)
        metadata = [None if rng.random() < drop else self._metadata[p.title] for p in pieces]
        return Batch(
            x_SF,
            [len(p) for p in pieces],
            metadata,
            torch.from_numpy(np.concatenate(masked)).to(x_SF.device),
        )

    def sample(self, shots: int) -> Tensor:
        """Fused shots ``x_NF`` of titles drawn by the seed, about ``shots`` of them or all."""
        rng, parts, room = np.random.default_rng([self.seed, 5]), [], shots
        for i in rng.permutation(len(self.titles)):
            if room <= 0:
                break
            parts.append(self.fusion(self.titles[i])[:room])
            room -= len(parts[-1])
        return torch.cat(parts)

    def batches(self, epoch: int, first: int = 0) -> Iterator[tuple[int, int, list[Piece]]]:
        """Batches without end as ``(epoch, index, windows)``, from a place on."""
        while True:
            for index, pieces in enumerate(self.epoch(epoch)):
                if index >= first:
                    yield epoch, index, pieces
            epoch, first = epoch + 1, 0
