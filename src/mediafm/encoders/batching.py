"""Which inputs go through a network together: little padding, bounded memory."""

from __future__ import annotations

from collections.abc import Sequence

Batch = list[int]


def by_length(lengths: Sequence[int], budget: int, most: int = 1 << 30) -> list[Batch]:
    """Batches of inputs of similar length, which are padded to the longest of them.

    Args:
        lengths: Length of every input.
        budget: Largest padded size of a batch: its longest length times its inputs.
        most: Inputs in a batch at most.

    Returns:
        Places of the inputs, each exactly once, longest first, so that memory runs out at once if
        it does. An input longer than the budget goes alone.
    """
    batches: list[Batch] = []
    longest = 0
    for i in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        batch = batches[-1] if batches else []
        if not batch or len(batch) == most or (len(batch) + 1) * longest > budget:
            batches.append([])
            longest = max(lengths[i], 1)
        batches[-1].append(i)
    return batches


def equal_lengths(lengths: Sequence[int], budget: int) -> list[Batch]:
    """Batches of inputs of one length, for networks in which padding changes the result.

    Args:
        lengths: Length of every input.
        budget: Largest size of a batch: its length times its inputs.

    Returns:
        Places of the inputs, each exactly once, longest first.
    """
    groups: dict[int, Batch] = {}
    for i, length in enumerate(lengths):
        groups.setdefault(length, []).append(i)
    batches = []
    for length in sorted(groups, reverse=True):
        size = max(budget // max(length, 1), 1)
        group = groups[length]
        batches += [group[start : start + size] for start in range(0, len(group), size)]
    return batches
