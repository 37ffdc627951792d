"""Makes `media_kit` and `ingest_kit` importable here."""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "media")]
