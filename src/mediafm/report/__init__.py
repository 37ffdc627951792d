"""Pictures of what the catalog holds: ``mediafm plot`` and ``arc``, and the sheets of the demo."""

from mediafm.report.plot import plot, plot_arc
from mediafm.report.sheet import Cell, Row, sheet, span_row

__all__ = ["Cell", "Row", "plot", "plot_arc", "sheet", "span_row"]
