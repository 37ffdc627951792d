"""The places by name; a painted side of a place is kept for the rest of the title."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mediafm.sample import indoors, outdoors, wilds
from mediafm.sample.brush import Plate

PLACES: dict[str, Callable[[np.random.Generator, bool, bool], Plate]] = {
    "harbour": outdoors.harbour,
    "forest": wilds.forest,
    "street": outdoors.street,
    "desert": wilds.desert,
    "planet": wilds.planet,
    "kitchen": indoors.kitchen,
    "classroom": indoors.classroom,
    "bridge": indoors.bridge,
    "stage": indoors.stage,
    "diner": indoors.diner,
    "lighthouse": indoors.lighthouse,
}
"""Painters: (random source, night, reverse) to backdrop."""


class Scenery:
    """The sides of places that a title has used so far.

    Args:
        seed: Numbers that make the places of a series its own.
    """

    def __init__(self, *seed: int):
        self._seed, self._plates = seed, dict[tuple[str, bool, bool], Plate]()

    def plate(self, place: str, night: bool, reverse: bool) -> Plate:
        """One side of a place by day or night."""
        key = (place, night, reverse)
        if key not in self._plates:
            number = list(PLACES).index(place)
            rng = np.random.default_rng([*self._seed, number, int(reverse)])
            self._plates[key] = PLACES[place](rng, night, reverse)
        return self._plates[key]
