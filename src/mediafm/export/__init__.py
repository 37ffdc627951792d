"""Taking places in titles elsewhere: editors, players, tables."""

from mediafm.export.editing import ADAPTERS, unsteady
from mediafm.export.marks import Mark, marks_of_scenes, marks_of_shots, marks_of_suggestions
from mediafm.export.write import SUFFIXES, write_marks

__all__ = [
    "ADAPTERS",
    "SUFFIXES",
    "Mark",
    "marks_of_scenes",
    "marks_of_shots",
    "marks_of_suggestions",
    "unsteady",
    "write_marks",
]
