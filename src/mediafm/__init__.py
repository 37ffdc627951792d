"""mediafm: contextual embeddings for every shot of a catalog.

>>> from mediafm import Catalog, MediaFM, ingest  # doctest: +SKIP
>>> ingest("films/", "catalog/")  # doctest: +SKIP
"""

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mediafm.catalog import Catalog
    from mediafm.encoders import EncoderChoice
    from mediafm.ingest import IngestConfig, ingest, reencode
    from mediafm.model import MediaFM

__all__ = ["Catalog", "EncoderChoice", "IngestConfig", "MediaFM", "ingest", "reencode"]

_FROM = {
    "Catalog": "catalog",
    "EncoderChoice": "encoders",
    "IngestConfig": "ingest",
    "MediaFM": "model",
    "ingest": "ingest",
    "reencode": "ingest",
}


def __getattr__(name: str) -> Any:
    # PyTorch takes seconds to import, which reading a catalog does not need; and training, on a
    # machine that has only a training cache, needs neither Lance nor PyAV.
    if name not in _FROM:
        raise AttributeError(f"module 'mediafm' has no attribute '{name}'")
    from importlib import import_module

    return getattr(import_module(f"mediafm.{_FROM[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


class _Module(ModuleType):
    """Keeps ``mediafm.ingest`` the function, whenever the package of that name is imported."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "ingest" and isinstance(value, ModuleType):
            value = value.ingest
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Module
