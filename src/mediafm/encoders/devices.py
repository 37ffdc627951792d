"""Where encoders run: one device, or the same weights on several."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Generic, TypeVar

from mediafm.errors import EncoderError

M = TypeVar("M")
B = TypeVar("B")
R = TypeVar("R")

DTYPES = ("float32", "bfloat16", "float16")
"""Precisions of a network; a setting of the encoder, since the last digits change with it."""


def resolve_devices(text: str = "auto") -> tuple[str, ...]:
    """Reads what a user says about devices.

    Args:
        text: ``auto`` (all GPUs, else the CPU), ``cpu``, ``cuda`` (all GPUs) or a list
            (``cuda:0,cuda:2``); a device that is named twice holds two copies of the weights.

    Raises:
        EncoderError: There is no such device.
    """
    import torch

    count = torch.cuda.device_count()
    every = tuple(f"cuda:{i}" for i in range(count))
    if text == "auto":
        return every or ("cpu",)
    if text == "cuda" and every:
        return every
    devices = tuple(part.strip() for part in text.split(","))
    for device in devices:
        if device not in every and device not in ("cpu", "mps"):
            raise EncoderError(
                f"there is no device '{device}'", do=f"choose from {', '.join(('cpu', *every))}"
            )
    return devices


def torch_dtype(name: str) -> Any:
    """A precision by its name.

    Raises:
        EncoderError: There is no such precision.
    """
    import torch

    if name not in DTYPES:
        raise EncoderError(f"there is no precision '{name}'", do=f"choose from {', '.join(DTYPES)}")
    return getattr(torch, name)


class Replicas(Generic[M]):
    """One network, or copies of it on several devices that take batches in turn.

    Args:
        make: Puts the network on a device.
        devices: torch's names.
    """

    def __init__(self, make: Callable[[str], M], devices: Sequence[str]):
        self.models = [make(device) for device in devices]

    def map(self, function: Callable[[M, B], R], batches: Iterable[B]) -> list[R]:
        """Applies ``function(model, batch)`` to every batch; results in the order of the batches.

        Whichever device is free takes the next batch.
        """
        if len(self.models) == 1:
            return [function(self.models[0], batch) for batch in batches]
        free: queue.SimpleQueue[M] = queue.SimpleQueue()
        for model in self.models:
            free.put(model)

        def one(batch: B) -> R:
            model = free.get()
            try:
                return function(model, batch)
            finally:
                free.put(model)

        with ThreadPoolExecutor(len(self.models)) as pool:
            return list(pool.map(one, batches))
