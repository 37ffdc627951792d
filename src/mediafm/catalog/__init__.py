"""The catalog: titles, shots, features and embeddings in Lance tables."""

from typing import TYPE_CHECKING, Any

from mediafm.catalog.records import (
    EncoderRecord,
    Failure,
    TitleFeatures,
    TitleRecord,
    VersionRecord,
)

if TYPE_CHECKING:
    from mediafm.catalog.catalog import Catalog
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


def __getattr__(name: str) -> Any:
    # The records are plain Python: who only reads those needs neither Arrow nor Lance.
    if name == "Catalog":
        from mediafm.catalog.catalog import Catalog

        return Catalog
    if name == "TitleWriter":
        from mediafm.catalog.writer import TitleWriter

        return TitleWriter
    raise AttributeError(f"module 'mediafm.catalog' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
