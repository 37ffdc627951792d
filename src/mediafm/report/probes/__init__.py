"""The probe report: one HTML page, Markdown and JSON with the same numbers.

``mediafm report`` makes it; :func:`report` is the same as a function.
"""

from mediafm.report.probes.make import report, targets

__all__ = ["report", "targets"]
