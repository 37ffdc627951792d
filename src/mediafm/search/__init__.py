"""Finding shots."""

from mediafm.search.similar import Features, Hit, parse_place, similar
from mediafm.search.text import Found, query_encoders, search

__all__ = [
    "Features",
    "Found",
    "Hit",
    "parse_place",
    "query_encoders",
    "search",
    "similar",
]
