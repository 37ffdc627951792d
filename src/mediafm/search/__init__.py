"""Finding shots, clips and titles: by a sentence, or by one that is like them."""

from mediafm.search.filters import Filter
from mediafm.search.similar import (
    Hit,
    TitleVectors,
    parse_clip,
    shot_at,
    similar,
    similar_clips,
    similar_titles,
)
from mediafm.search.text import Answer, Found, check_query, query_encoders, query_sources, search

__all__ = [
    "Answer",
    "Filter",
    "Found",
    "Hit",
    "TitleVectors",
    "check_query",
    "parse_clip",
    "query_encoders",
    "query_sources",
    "search",
    "shot_at",
    "similar",
    "similar_clips",
    "similar_titles",
]
