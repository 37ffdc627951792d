"""Answers that were dear, kept while there is room; made by the first who asks for them."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar, cast

T = TypeVar("T")


class Shelf:
    """A bounded number of answers, the longest unused going first.

    Args:
        most: What they may weigh together.
        weigh: What one weighs; by default one, so that they are counted.
    """

    def __init__(self, most: int, weigh: Callable[[Any], int] = lambda _: 1):
        self.most, self._weigh = most, weigh
        self.weight = 0
        self._held: OrderedDict[Hashable, Any] = OrderedDict()
        self._making: dict[Hashable, _Making] = {}
        self._lock = threading.Lock()

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """An answer, made by the first who asks while the others wait for it.

        Args:
            key: What it is the answer to.
            make: Makes it; what it raises is not kept, and the next who waits tries again.
        """
        with self._lock:
            if key in self._held:
                self._held.move_to_end(key)
                return cast(T, self._held[key])
            making = self._making.setdefault(key, _Making())
            making.askers += 1
        try:
            with making.lock:
                with self._lock:
                    if key in self._held:
                        return cast(T, self._held[key])
                made = make()
                self._keep(key, made)
                return made
        finally:
            with self._lock:
                making.askers -= 1
                if not making.askers:
                    self._making.pop(key, None)

    def _keep(self, key: Hashable, made: object) -> None:
        with self._lock:
            self._held[key] = made
            self.weight += self._weigh(made)
            while self.weight > self.most and self._held:
                self.weight -= self._weigh(self._held.popitem(last=False)[1])


class _Making:
    """An answer on its way, and how many wait for it."""

    def __init__(self) -> None:
        self.lock, self.askers = threading.Lock(), 0
