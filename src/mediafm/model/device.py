"""What a model computes on, and in which type."""

from __future__ import annotations

import torch

from mediafm.errors import ModelError


def find_device(name: str) -> torch.device:
    """The device of a name.

    Args:
        name: ``auto`` (a GPU if there is one), or torch's name of a device.

    Raises:
        ModelError: There is no such device.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ModelError(f"there is no device '{name}' ({reason})", do="use 'cpu'") from None
    if device.type == "mps":  # statistics and times are in double precision
        raise ModelError("mps has no double precision, which is needed", do="use 'cpu'")
    if device.type not in ("cpu", "cuda"):
        raise ModelError(f"nothing was tried on device '{name}'", do="use 'cpu' or 'cuda'")
    return device


def find_precision(name: str, device: torch.device) -> torch.dtype:
    """The type in which matrices are multiplied.

    Args:
        name: ``fp32``, ``bf16``, or ``auto``: bf16 where the device has matrix units for it.
        device: The device.
    """
    if name == "auto":
        fast = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
        if device.type == "cpu":
            fast = torch.cpu._is_amx_tile_supported()
        return torch.bfloat16 if fast else torch.float32
    return torch.bfloat16 if name == "bf16" else torch.float32
