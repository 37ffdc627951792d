"""Makes the kits of the other folders importable here and in the processes that the tests start."""

import sys
from pathlib import Path

for folder in ("catalog", "probes"):
    sys.path.insert(0, str(Path(__file__).parents[1] / folder))
