"""One title after another into the catalog."""

from mediafm.ingest.config import IngestConfig, IngestReport, Outcome
from mediafm.ingest.ingest import ingest
from mediafm.ingest.reencode import ReencodeReport, reencode
from mediafm.ingest.stills import FrameConfig

__all__ = [
    "FrameConfig",
    "IngestConfig",
    "IngestReport",
    "Outcome",
    "ReencodeReport",
    "ingest",
    "reencode",
]
