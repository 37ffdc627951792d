"""Batches read, masked and laid out ahead of the device.

Shapes: S shots of a batch, W windows, D width of a modality, M modalities, F fused width,
P masked shots, Q hidden blocks to predict.
"""

from __future__ import annotations

import copy
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mediafm.model import MediaFM, Packing
from mediafm.model.attention import TOKENS
from mediafm.model.mediafm import seconds_of
from mediafm.pretrain.config import TrainConfig
from mediafm.pretrain.data import Chance, Piece, Plan, draw_hidden, draw_mask, portions, share
from mediafm.pretrain.store import ShotStore


@dataclass(frozen=True, slots=True)
class Batch:
    """Packed windows as they were stored, with what is masked in them.

    On a CPU, rows are rounded up (:data:`mediafm.model.attention.TOKENS`) by shots at the end that
    belong to no window.

    Args:
        blocks: Modality to ``x_SD`` (float16) and ``present_S``.
        pack: Where the windows lie.
        m_WG: Metadata of each window, zeros where there is none.
        seconds_S: Time of each shot, float64.
        masked_S: Where the model sees [MASK].
        masked_P: The same as indices; beyond ``masked``, the first of them again.
        masked: How many shots are masked.
        hidden_SM: Blocks that the model sees as absent, or ``None``.
        asked_Q2: Shot and modality of the hidden blocks to predict, ``(Q, 2)``.
    """

    blocks: dict[str, tuple[Tensor, Tensor]]
    pack: Packing
    m_WG: Tensor
    seconds_S: Tensor
    masked_S: Tensor
    masked_P: Tensor
    masked: int
    hidden_SM: Tensor | None
    asked_Q2: Tensor

    def __len__(self) -> int:
        return len(self.pack.shot_S)

    def to(self, device: torch.device) -> Self:
        """The same on a device; from pinned memory without waiting."""
        if device.type == "cpu":
            return self

        def move(x: Tensor) -> Tensor:
            return x.to(device, non_blocking=True)

        return replace(
            self,
            blocks={name: (move(x), move(p)) for name, (x, p) in self.blocks.items()},
            pack=self.pack.to(device, non_blocking=True),
            m_WG=move(self.m_WG),
            seconds_S=move(self.seconds_S),
            masked_S=move(self.masked_S),
            masked_P=move(self.masked_P),
            hidden_SM=None if self.hidden_SM is None else move(self.hidden_SM),
            asked_Q2=move(self.asked_Q2),
        )


class Reader:
    """Makes batches from windows.

    Args:
        store: Where the shots lie.
        model: Its fusion prepares the metadata; nothing else of it is used.
        config: What is masked, and how much is taken at once.
        device: Where batches go; decides whether memory is pinned.
    """

    def __init__(self, store: ShotStore, model: MediaFM, config: TrainConfig, device: torch.device):
        self.store, self.config = store, config
        self.names = list(model.config.modalities)
        self.widths = {name: block.dim for name, block in model.config.modalities.items()}
        self.fusion = copy.deepcopy(model.fusion).cpu()
        self.pinned = device.type == "cuda"
        cpu = device.type == "cpu"
        self.multiple = TOKENS if cpu else 1
        self.most = config.micro_shots or (4096 if cpu else 65536)

    def batch(self, pieces: Sequence[Piece], epoch: int) -> Batch:
        """Reads and masks some windows.

        Args:
            pieces: The windows.
            epoch: Decides the masks, with the seed and each window's place.
        """
        titles = self.store.titles
        spans = [(titles[p.title].first + p.start, titles[p.title].first + p.end) for p in pieces]
        total = sum(map(len, pieces))
        rows = self._rounded(total)
        blocks, present_MS = {}, np.zeros((len(self.names), rows), np.bool_)
        for name, present_S in zip(self.names, present_MS, strict=True):
            x_SD = self._empty(rows, self.widths[name])
            x_SD[total:] = 0
            self.store.read(name, spans, x_SD[:total].numpy(), present_S[:total])
            blocks[name] = (x_SD, self._place(torch.from_numpy(present_S)))
        chances = [self._chance(piece, epoch) for piece in pieces]
        m_WG = self._metadata(pieces, chances)
        masked_S, hidden_SM, asked_SM = self._masks(pieces, chances, present_MS.T)
        masked_P = np.flatnonzero(masked_S)
        masked, more = len(masked_P), self._rounded(len(masked_P)) - len(masked_P)
        return Batch(
            blocks,
            Packing.of([len(p) for p in pieces], multiple=self.multiple, pinned=self.pinned),
            m_WG,
            self._place(seconds_of(self.store.times(spans))),
            self._place(torch.from_numpy(masked_S)),
            self._place(torch.from_numpy(np.append(masked_P, masked_P[:1].repeat(more)))),
            masked,
            self._place(torch.from_numpy(hidden_SM)) if hidden_SM.any() else None,
            self._place(torch.from_numpy(np.argwhere(asked_SM))),
        )

    def _rounded(self, rows: int) -> int:
        return rows + -rows % self.multiple

    def _masks(
        self,
        pieces: Sequence[Piece],
        chances: Sequence[np.random.Generator],
        present_SM: npt.NDArray[np.bool_],
    ) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
        config, at = self.config, 0
        masked_S = np.zeros(len(present_SM), np.bool_)
        hidden_SM, asked_SM = np.zeros_like(present_SM), np.zeros_like(present_SM)
        for piece, rng in zip(pieces, chances, strict=True):
            part = slice(at, at + len(piece))
            usable_N = np.asarray(present_SM[part].any(axis=1))
            masked_S[part] = draw_mask(usable_N, config.mask_ratio, rng, config.mask_span)
            if config.hide_ratio or config.modality_dropout:
                hidden_SM[part], asked_SM[part] = draw_hidden(
                    present_SM[part],
                    masked_S[part],
                    config.hide_ratio,
                    config.modality_dropout,
                    rng,
                )
            at += len(piece)
        return masked_S, hidden_SM, asked_SM

    def _metadata(self, pieces: Sequence[Piece], chances: Sequence[np.random.Generator]) -> Tensor:
        told_W = torch.tensor([rng.random() >= self.config.metadata_dropout for rng in chances])
        blocks = {}
        for field, block in self.fusion.fields.items():
            if field in self.store.fields:
                m_WD, here_W = self.store.metadata_of(field, [piece.title for piece in pieces])
                blocks[field] = (torch.from_numpy(m_WD), torch.from_numpy(here_W) & told_W)
            else:
                blocks[field] = (torch.zeros(len(pieces), block.dim), torch.zeros_like(told_W))
        return self._place(self.fusion.fuse_metadata(blocks, len(pieces)))

    def _chance(self, piece: Piece, epoch: int) -> np.random.Generator:
        """Where all chance of a window comes from: its place decides, not who reads it when."""
        place = [epoch, piece.title, piece.start]
        return np.random.default_rng([self.config.seed, Chance.MASKS, *place])

    def _empty(self, rows: int, width: int, dtype: torch.dtype = torch.float16) -> Tensor:
        return torch.empty(rows, width, dtype=dtype, pin_memory=self.pinned)

    def _place(self, x: Tensor) -> Tensor:
        return x.pin_memory() if self.pinned else x


class Loader:
    """Reads batches ahead in threads, in the order of the plan.

    What comes out does not depend on the number of threads. Memory is bounded by the batches in
    flight: two more than there are threads.

    Args:
        reader: Makes the batches.
        plan: Decides them.
        rank: Which of ``world`` processes this is; each gets its share of every batch.
        world: Processes.
        epoch: Where to begin.
        index: The batch in that epoch.
    """

    def __init__(
        self,
        reader: Reader,
        plan: Plan,
        *,
        rank: int = 0,
        world: int = 1,
        epoch: int = 0,
        index: int = 0,
    ):
        self.waited = 0.0
        """Seconds in which the next batch was asked for and not ready."""
        self._reader, self._rank, self._world = reader, rank, world
        self._windows = plan.batches(epoch, index)
        workers = reader.config.workers
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="mediafm-loader")
        self._ahead: deque[tuple[int, int, Future[list[Batch]]]] = deque()
        for _ in range(workers + 1):
            self._order()

    def __iter__(self) -> Iterator[tuple[int, int, list[Batch]]]:
        """Yields ``(epoch, index, parts)`` without end; a batch comes in parts that fit a device.

        A process whose share of a small batch is empty gets no parts.
        """
        while True:
            epoch, index, future = self._ahead.popleft()
            self._order()
            since = time.perf_counter()
            parts = future.result()
            self.waited += time.perf_counter() - since
            yield epoch, index, parts

    def _order(self) -> None:
        epoch, index, pieces = next(self._windows)
        own = portions(share(pieces, self._rank, self._world), self._reader.most)
        self._ahead.append((epoch, index, self._pool.submit(self._read, own, epoch)))

    def _read(self, portions: Sequence[Sequence[Piece]], epoch: int) -> list[Batch]:
        return [self._reader.batch(part, epoch) for part in portions]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *args: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)
