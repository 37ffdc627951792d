"""One process or several: ``torchrun`` starts them, this adds up what each has done.

Every process holds the whole model and takes its share of every batch. Gradients are summed, not
averaged, and divided by the number of masked shots of the whole batch: the result is that of one
process with the same batch, but for dropout, which each draws for itself.
"""

from __future__ import annotations

import atexit
import datetime
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import nn

from mediafm.errors import ModelError
from mediafm.model.device import find_device

_PATIENCE = datetime.timedelta(days=1)
"""How long processes wait for one another: a cache is built, a verdict is measured."""


@dataclass(frozen=True, slots=True)
class Processes:
    """The processes of a run.

    Args:
        rank: Which one this is.
        world: How many there are.
        device: What this one computes on.
    """

    rank: int
    world: int
    device: torch.device

    @property
    def first(self) -> bool:
        """Whether this is the process that writes and validates."""
        return self.rank == 0

    def sum_gradients(self, model: nn.Module, numbers: Sequence[float]) -> list[float]:
        """Sums the gradients in place, and some numbers, over all processes in one message.

        Args:
            model: Its parameters; where a process has no gradient, it counts as zeros.
            numbers: Of this process.

        Returns:
            The sums of the numbers.
        """
        if self.world == 1:
            return list(numbers)
        parameters = [p for p in model.parameters() if p.requires_grad]
        for p in parameters:
            if p.grad is None:
                p.grad = torch.zeros_like(p)
        gradients = [p.grad for p in parameters if p.grad is not None]
        tail = torch.tensor(numbers, dtype=torch.float32, device=self.device)
        flat = torch.cat([*(g.flatten() for g in gradients), tail])
        dist.all_reduce(flat)
        at = 0
        for gradient in gradients:
            gradient.copy_(flat[at : at + gradient.numel()].view_as(gradient))
            at += gradient.numel()
        return [float(v) for v in flat[at:]]

    def share(self, model: nn.Module, step: int) -> None:
        """Gives every process the first one's weights, and checks that all are at one step.

        The directions that projections begin with come from an eigenvalue routine, which another
        machine or number of threads may round or turn differently.

        Raises:
            ModelError: The processes have read different checkpoints.
        """
        if self.world == 1:
            return
        for tensor in model.state_dict().values():
            dist.broadcast(tensor, src=0)
        steps = torch.tensor([step, -step], device=self.device)
        dist.all_reduce(steps, op=dist.ReduceOp.MAX)
        if int(steps[0]) != -int(steps[1]):
            raise ModelError(
                f"the processes have read checkpoints of steps {-int(steps[1])} to {int(steps[0])}",
                do="give all of them the same folder, on a file system that they share",
            )

    def from_first(self, values: Sequence[float]) -> list[float]:
        """What the first process says, in double precision."""
        if self.world == 1:
            return list(values)
        told = torch.tensor(values, dtype=torch.float64, device=self.device)
        dist.broadcast(told, src=0)
        return [float(v) for v in told]

    def wait(self) -> None:
        """Until every process is here."""
        if self.world > 1:
            self.from_first([0.0])


@contextmanager
def processes(device: str) -> Iterator[Processes]:
    """Joins the processes that ``torchrun`` started, or stands alone.

    Args:
        device: ``auto`` (a GPU if there is one), or torch's name of a device.

    Raises:
        ModelError: There is no such device.
    """
    world, rank = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0"))
    if world == 1:
        yield Processes(0, 1, find_device(device))
        return
    if device in ("auto", "cuda") and torch.cuda.is_available():
        # Before anything touches the first GPU: every process would take memory there.
        where = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(where)
    else:
        where = find_device(device)
    if not dist.is_initialized():
        backend = "nccl" if where.type == "cuda" else "gloo"
        dist.init_process_group(backend, timeout=_PATIENCE)
        # Not before: a group that is destroyed and begun again under the same torchrun may read
        # addresses of the former one from its store, and hang.
        atexit.register(dist.destroy_process_group)
    yield Processes(rank, world, where)
