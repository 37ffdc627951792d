"""Checkpoints: safetensors and JSON only, whole or not there, checked when read."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Self

import torch
from safetensors.torch import load_file, save
from torch import Tensor

from mediafm.errors import MediaFMError, ModelError, describe_os_error
from mediafm.files import write_whole
from mediafm.fingerprint import file_fingerprint, fingerprint
from mediafm.model import MediaFM
from mediafm.model.hub import read_json, to_json

_TENSORS, _STATE = "state.safetensors", "state.json"


@dataclass
class Position:
    """Where a run is.

    Args:
        step: Steps done.
        epoch: Epoch of the next batch.
        index: Place of the next batch in its epoch.
        best_step: Step of the best validation score, 0 before the first.
        best_score: That score.
        stale: Validations since then.
    """

    step: int = 0
    epoch: int = 0
    index: int = 0
    best_step: int = 0
    best_score: float = -2.0
    stale: int = 0


class Saver:
    """Writes checkpoints in the background: training goes on while the disk works.

    Args:
        folder: Where checkpoints of the run lie.
        keep: How many are kept; the best weights are in each.
    """

    def __init__(self, folder: Path, keep: int):
        self.folder, self.keep = folder, keep
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="mediafm-checkpoint")
        self._writing: Future[None] | None = None

    def save(
        self,
        position: Position,
        model: MediaFM,
        best: dict[str, Tensor],
        optimizers: Sequence[torch.optim.Optimizer],
    ) -> None:
        """Copies the state now and writes it later; waits for the one before.

        Args:
            position: Where the run is.
            model: Its weights and statistics.
            best: The weights of the best validation, by name.
            optimizers: Their states.

        Raises:
            ModelError: The checkpoint before could not be written.
        """
        self.wait()
        tensors = {f"model.{k}": v for k, v in model.state_dict().items()}
        tensors |= {f"best.{k}": v for k, v in best.items()}
        for i, optimizer in enumerate(optimizers):
            for p, state in optimizer.state_dict()["state"].items():
                tensors |= {f"optim.{i}.{p}.{k}": v for k, v in state.items()}
        # A copy on the host: the next step writes into the same memory.
        whole = {k: v.detach().to("cpu", copy=True).contiguous() for k, v in tensors.items()}
        self._writing = self._pool.submit(_write, self.folder, self.keep, replace(position), whole)

    def wait(self) -> None:
        """Until the last checkpoint is on the disk.

        Raises:
            ModelError: It cannot be written.
        """
        if self._writing is not None:
            writing, self._writing = self._writing, None
            writing.result()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *args: object) -> None:
        try:
            if kind is None:
                self.wait()
        finally:
            self._pool.shutdown(wait=True)


def _write(folder: Path, keep: int, position: Position, whole: dict[str, Tensor]) -> None:
    place = folder / f"step-{position.step:08d}"
    temporary = folder / f".{place.name}.{os.getpid()}"
    try:
        temporary.mkdir(parents=True, exist_ok=True)
        write_whole(temporary / _TENSORS, save(whole))
        state = {**asdict(position), "tensors": file_fingerprint(temporary / _TENSORS)}
        write_whole(temporary / _STATE, to_json({**state, "digest": fingerprint(state)}))
        _remove(place)
        temporary.rename(place)
        places = sorted(folder.glob("step-*"))
        # What lies ahead was passed over as damaged, and its steps are done again.
        for old in [p for p in places if p > place] + [p for p in places if p <= place][:-keep]:
            _remove(old)
    except OSError as error:
        _remove(temporary)
        do = "make room" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "mend it"
        raise ModelError(
            f"the checkpoint cannot be written ({describe_os_error(error)})",
            where=folder,
            do=f"{do} and run the same command again to continue",
        ) from None


def _remove(place: Path) -> None:
    """Removes what lies there, a folder or what somebody put in its place."""
    if place.is_dir():
        shutil.rmtree(place, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            place.unlink()


def load_checkpoint(
    folder: Path, model: MediaFM, optimizers: Sequence[torch.optim.Optimizer]
) -> tuple[Position, dict[str, Tensor], list[str]]:
    """Restores the newest checkpoint that is whole.

    Args:
        folder: Where checkpoints of the run lie.
        model: Gets weights and statistics.
        optimizers: Get their states.

    Returns:
        The position, the best weights, and a line for each damaged checkpoint passed over; the
        beginning, if there is none that is whole.

    Raises:
        ModelError: A checkpoint is of another model.
    """
    passed: list[str] = []
    for leftover in folder.glob(".step-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    for place in sorted(folder.glob("step-*"), reverse=True):
        try:
            state = read_json(place / _STATE)
            if state.pop("digest", None) != fingerprint(state):
                raise ModelError("is damaged", where=place / _STATE)
            if file_fingerprint(place / _TENSORS) != state.pop("tensors"):
                raise ModelError("is damaged", where=place / _TENSORS)
            position = Position(**state)
            tensors = load_file(place / _TENSORS)
        except (MediaFMError, TypeError, ValueError, OSError) as error:
            passed.append(f"passed over a damaged checkpoint: {error}")
            continue
        _check(place, model, tensors)
        model.load_state_dict(_under("model.", tensors), strict=True)
        for i, optimizer in enumerate(optimizers):
            states: dict[int, dict[str, Tensor]] = {}
            for name, tensor in _under(f"optim.{i}.", tensors).items():
                p, key = name.split(".", 1)
                states.setdefault(int(p), {})[key] = tensor
            groups = optimizer.state_dict()["param_groups"]
            optimizer.load_state_dict({"state": states, "param_groups": groups})
        return position, _under("best.", tensors), passed
    return Position(), {}, passed


def _check(place: Path, model: MediaFM, tensors: dict[str, Tensor]) -> None:
    """Refuses what somebody put there from another run."""
    own = {name: tensor.shape for name, tensor in model.state_dict().items()}
    if own != {name: tensor.shape for name, tensor in _under("model.", tensors).items()}:
        raise ModelError("is a checkpoint of another model", where=place, do="remove it")


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {k[len(prefix) :]: v for k, v in tensors.items() if k.startswith(prefix)}
