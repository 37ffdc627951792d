"""The catalog: titles, shots, features and embeddings in Lance tables."""

from mediafm.catalog.catalog import Catalog
from mediafm.catalog.records import (
    EncoderRecord,
    Failure,
    TitleFeatures,
    TitleRecord,
    VersionRecord,
)
from mediafm.catalog.writer import TitleWriter

__all__ = [
    "Catalog",
    "EncoderRecord",
    "Failure",
    "TitleFeatures",
    "TitleRecord",
    "TitleWriter",
    "VersionRecord",
]
