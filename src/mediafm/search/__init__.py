"""Finding shots."""

from mediafm.search.similar import Hit, parse_place, similar

__all__ = ["Hit", "parse_place", "similar"]
