"""mediafm: contextual embeddings for every shot of a catalog.

>>> from mediafm import Catalog, MediaFM, ingest  # doctest: +SKIP
>>> ingest("films/", "catalog/")  # doctest: +SKIP
"""

from typing import TYPE_CHECKING, Any

from mediafm.catalog import Catalog
from mediafm.encoders import EncoderChoice
from mediafm.ingest import IngestConfig, ingest, reencode

if TYPE_CHECKING:
    from mediafm.model import MediaFM

__all__ = ["Catalog", "EncoderChoice", "IngestConfig", "MediaFM", "ingest", "reencode"]


def __getattr__(name: str) -> Any:
    # PyTorch takes seconds to import; reading a catalog does not need it.
    if name == "MediaFM":
        from mediafm.model import MediaFM

        return MediaFM
    raise AttributeError(f"module 'mediafm' has no attribute '{name}'")
