"""Finding shots."""

from mediafm.search.similar import Features, Hit, parse_place, similar

__all__ = ["Features", "Hit", "parse_place", "similar"]
