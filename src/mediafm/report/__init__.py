"""Pictures of what the catalog holds: ``mediafm plot`` and ``arc``, and the sheets of the demo."""

from mediafm.report.plot import plot, plot_arc
from mediafm.report.sheet import Example, similar_sheet

__all__ = ["Example", "plot", "plot_arc", "similar_sheet"]
