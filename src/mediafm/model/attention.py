"""How windows share one packed pass: where their tokens lie, and attention within each window.

Shapes: W windows, T tokens of all windows, S shots of all windows, A heads, K width of a head.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

HEAD = 2
"""Tokens before the shots of a window: [CLS], [GLOBAL]."""

WORTH = 8192
"""Padded pairs of tokens that cost less than one more call on a CPU."""

LIKE = 16
TOKENS = 128
"""Multiples to which lengths of windows, and rows of a batch, are rounded up on a CPU. Its matrix
kernels are compiled for each shape and kept: shapes that come back cost nothing, and shapes that
never do cost time and memory without end."""

MOST = 2**19
"""Pairs of tokens in a call beyond which the weights of a head no longer fit a CPU's cache."""


@dataclass(frozen=True, slots=True)
class Packing:
    """Where the windows of a packed batch lie, one after the other, without padding.

    Only the attention product knows windows; every other layer runs on all tokens at once.

    Args:
        lengths: Tokens of each window: its shots and :data:`HEAD`.
        place_T: The place of each token in its window.
        shot_S: The token of each shot.
        head_W: The first token of each window.
        cu_seqlens: Offsets of the windows, ``(W + 1,)`` int32, for kernels of variable length.
        longest: Most tokens in a window, rounded up: a bound that seldom changes, since compiled
            code is made for each.
        groups: Numbers of neighbouring windows that share a call where there is no such kernel.
    """

    lengths: tuple[int, ...]
    place_T: Tensor
    shot_S: Tensor
    head_W: Tensor
    cu_seqlens: Tensor
    longest: int
    groups: tuple[int, ...]

    @classmethod
    def of(
        cls,
        shots: Sequence[int],
        device: torch.device | None = None,
        *,
        multiple: int = 1,
        pinned: bool = False,
    ) -> Self:
        """Lays windows of some numbers of shots one after the other.

        Args:
            shots: Shots of each window. Windows of one length are best neighbours.
            device: Where the indices are wanted.
            multiple: The tokens are rounded up to it, by some at the end that nobody looks at.
            pinned: Whether the indices lie in memory that a GPU can copy from without waiting.
        """
        lengths = np.asarray(shots, dtype=np.int64) + HEAD
        starts = np.concatenate([[0], lengths.cumsum()])
        place_T = np.arange(starts[-1]) - np.repeat(starts[:-1], lengths)
        shot_S = np.flatnonzero(place_T >= HEAD)
        place_T = np.pad(place_T, (0, int(-starts[-1] % multiple)))
        arrays = (place_T, shot_S, starts[:-1].copy(), starts.astype(np.int32))
        place, shot, head, cu = (
            index.pin_memory() if pinned else index for index in map(torch.from_numpy, arrays)
        )
        packing = cls(
            tuple(lengths.tolist()),
            place,
            shot,
            head,
            cu,
            int(-(-lengths.max(initial=1) // TOKENS) * TOKENS),
            _groups(lengths.tolist()),
        )
        return packing if device is None else packing.to(device)

    def to(self, device: torch.device, non_blocking: bool = False) -> Self:
        """The same with its indices on a device."""
        names = ("place_T", "shot_S", "head_W", "cu_seqlens")
        moved = {name: getattr(self, name).to(device, non_blocking=non_blocking) for name in names}
        return dataclasses.replace(self, **moved)


def _groups(lengths: Sequence[int]) -> tuple[int, ...]:
    """Joins neighbouring windows while padding costs less than calls, and the cache holds them."""
    sizes: list[int] = []
    first = longest = 0
    for i, n in enumerate(lengths):
        longer, count = max(longest, n), i + 1 - first
        waste = count * longer**2 - sum(m**2 for m in lengths[first : i + 1])
        if sizes and waste <= WORTH * (count - 1) and count * longer**2 <= MOST:
            sizes[-1] += 1
            longest = longer
        else:
            sizes.append(1)
            first, longest = i, n
    # Powers of two, so that shapes come back.
    return tuple(1 << bit for n in sizes for bit in reversed(range(n.bit_length())) if n >> bit & 1)


def attend(q_TAK: Tensor, k_TAK: Tensor, v_TAK: Tensor, pack: Packing) -> Tensor:
    """Attention of every token to the tokens of its own window.

    On a GPU in half precision a kernel of variable length does it in one call. Elsewhere windows
    go one by one, those of about one length together; the few that are shorter than the longest
    of their group are padded, and the padding is masked.

    Returns:
        ``(T, A, K)``.
    """
    width = q_TAK.shape[-1]
    half = q_TAK.dtype in (torch.bfloat16, torch.float16)
    if q_TAK.is_cuda and half and width % 8 == 0 and width <= 256:  # what flash attention takes
        from torch.nn.attention.varlen import varlen_attn

        cu, longest = pack.cu_seqlens, pack.longest
        o_TAK = varlen_attn(q_TAK, k_TAK, v_TAK, cu, cu, longest, longest)
        assert isinstance(o_TAK, Tensor)
        return o_TAK
    o_TAK = _by_groups(q_TAK, k_TAK, v_TAK, pack)
    assert isinstance(o_TAK, Tensor)
    return o_TAK


@torch.compiler.disable  # type: ignore[untyped-decorator]  # other windows in every batch
def _by_groups(q_TAK: Tensor, k_TAK: Tensor, v_TAK: Tensor, pack: Packing) -> Tensor:
    ends = list(itertools.accumulate(pack.groups))
    groups = [pack.lengths[end - n : end] for n, end in zip(pack.groups, ends, strict=True)]
    sizes = [sum(group) for group in groups]
    # Heads first, once: products of heads that lie apart would copy them for every window.
    three = [x.transpose(0, 1).contiguous() for x in (q_TAK, k_TAK, v_TAK)]
    rest = three[0].shape[1] - sum(sizes)
    split = zip(*(torch.split(x_ATK, [*sizes, rest], dim=1) for x_ATK in three), strict=True)
    parts = [_group(q, k, v, n) for (q, k, v), n in zip(split, groups, strict=False)]
    if rest:
        parts.append(three[0].new_zeros(len(three[0]), rest, q_TAK.shape[2]))
    return torch.cat(parts, dim=1).transpose(0, 1)


def _group(q_ATK: Tensor, k_ATK: Tensor, v_ATK: Tensor, lengths: Sequence[int]) -> Tensor:
    w, longest, three = len(lengths), max(lengths), (q_ATK, k_ATK, v_ATK)
    heads, tokens, width = q_ATK.shape
    if q_ATK.device.type == "cpu":
        longest += -longest % LIKE
    if w == 1:
        q, k, v = (F.pad(x, (0, 0, 0, longest - tokens)) for x in three)
        real_L = torch.arange(longest) < tokens if tokens < longest else None
        return _product(q, k, v, real_L)[:, :tokens]
    shape = (heads, w, longest, width)
    real_WL = torch.arange(longest) < torch.tensor(lengths)[:, None]
    at_T = real_WL.flatten().nonzero()[:, 0].to(q_ATK.device)
    room = q_ATK.new_zeros(heads, w * longest, width)
    q, k, v = (room.index_copy(1, at_T, x).view(shape) for x in three)
    o_AWLK = _product(q, k, v, real_WL[:, None] if min(lengths) < longest else None)
    return o_AWLK.flatten(1, 2).index_select(1, at_T)


def _product(q: Tensor, k: Tensor, v: Tensor, real: Tensor | None) -> Tensor:
    """Attention of windows of one length, ``(A, ..., L, K)``, to the tokens that are ``real``."""
    if q.device.type != "cpu":
        mask = None if real is None else real.to(q.device)
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    # Three plain products: at these lengths the CPU's fused kernel takes longer, above all its
    # backward pass in bfloat16, and the weights fit in memory.
    with torch.autocast("cpu", enabled=False):  # it would copy the weights to float32 and back
        weights = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)
        if real is not None:
            with torch.no_grad():  # the softmax passes no gradient there anyway
                weights.masked_fill_(~real, -torch.inf)
        return torch.matmul(weights.softmax(-1), v)


def dropout(x: Tensor, p: float) -> Tensor:
    """Drops components with probability ``p``, as ``F.dropout``, to the nearest 1/256 on a CPU.

    There torch draws a number per component; a byte of a random word is enough.

    Args:
        x: What to drop from, scaled up by what is kept on average.
        p: Probability.
    """
    if x.device.type != "cpu":
        return F.dropout(x, p)
    limit = round(256 * p)
    words = torch.empty(-(-x.numel() // 8), dtype=torch.int64).random_(-(2**63), None)
    kept = words.view(torch.uint8)[: x.numel()].view(x.shape) >= limit
    return x * kept.to(x.dtype).mul_(256 / (256 - limit))


def rotate(x_TAK: Tensor, turn: tuple[Tensor, Tensor]) -> Tensor:
    """Turns pairs of components by the token's place (RoPE: Su et al. 2021, arXiv 2104.09864).

    The product of a turned query and a turned key depends on the distance of their places.

    Args:
        x_TAK: Queries or keys; component ``i`` pairs with ``i + K / 2``.
        turn: Cosine and sine of each pair's angle, both ``(T, 1, K / 2)``.
    """
    cos, sin = turn
    a, b = x_TAK.chunk(2, dim=-1)
    return torch.cat([a * cos - b * sin, a * sin + b * cos], dim=-1)
