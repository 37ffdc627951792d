"""Pictures of what the catalog holds: ``mediafm plot`` and the sheets of the demo."""

from mediafm.report.plot import plot
from mediafm.report.sheet import Example, similar_sheet

__all__ = ["Example", "plot", "similar_sheet"]
