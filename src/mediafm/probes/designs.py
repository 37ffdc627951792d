"""Features as heads are fitted on them: standardised, and in their eigenbasis.

Shapes: N clips, D components.
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from mediafm.errors import MediaFMError
from mediafm.probes.head import Array, Floats, slices, standardised
from mediafm.probes.solver import Rows

_DOUBLE = 1 << 22
"""Elements up to which numbers are solved in float64: small problems cost nothing."""


def moments(x_ND: Array) -> tuple[Floats, Floats]:
    """Means and standard deviations; 0 where a component is constant but for rounding."""
    mean_D, square_D, largest_D = np.zeros((3, x_ND.shape[1]))
    with np.errstate(invalid="ignore"):
        for some in slices(len(x_ND)):
            mean_D += x_ND[some].sum(axis=0, dtype=np.float64) / len(x_ND)
    if not np.isfinite(mean_D).all():
        wrong = len(x_ND) - int(np.isfinite(x_ND).all(axis=1).sum())
        raise MediaFMError(
            f"the features of {wrong} of {len(x_ND)} clips are not finite",
            do="encode or import these titles again",
        )
    for some in slices(len(x_ND)):
        x = x_ND[some].astype(np.float64)
        square_D += np.square(x - mean_D).sum(axis=0) / len(x_ND)
        largest_D = np.maximum(largest_D, np.abs(x).max(axis=0))
    std_D = np.sqrt(square_D)
    std_D[std_D <= 1e-6 * largest_D] = 0
    return mean_D.astype(np.float32), std_D.astype(np.float32)


def standardised_all(x_ND: Array, mean_D: Floats, std_D: Floats) -> Tensor:
    """The same for many rows, in the type that the solver works in."""
    z_ND = np.empty(x_ND.shape, np.float64 if x_ND.size <= _DOUBLE else np.float32)
    for some in slices(len(z_ND)):
        z_ND[some] = standardised(x_ND[some], mean_D, std_D)
    return torch.from_numpy(z_ND)


class Design(NamedTuple):
    """Standardised features in their eigenbasis, and how they were standardised."""

    mean_D: Floats
    std_D: Floats
    rows: Rows


class Designs:
    """The last design that was made: its eigenbasis is most of the work where features are wide.

    Tasks over the same clips, such as why a segment begins and whether one does, share it.
    """

    def __init__(self) -> None:
        self._key = b""
        self._held: Design | None = None

    def of(self, x_ND: Array) -> Design:
        """The design of features: the one that is held, or another that is made.

        Raises:
            MediaFMError: Features are not finite.
        """
        about = f"{x_ND.shape} {x_ND.dtype}".encode()
        key = hashlib.blake2b(np.ascontiguousarray(x_ND).data, key=about[:64]).digest()
        if self._held is None or key != self._key:
            self._held = None  # two of them may not fit into memory
            mean_D, std_D = moments(x_ND)
            rows = Rows(standardised_all(x_ND, mean_D, std_D))
            self._key, self._held = key, Design(mean_D, std_D, rows)
        return self._held
