"""Taking places in titles elsewhere: editors, players, tables."""

from mediafm.export.marks import Mark, marks_of_scenes, marks_of_shots, marks_of_suggestions
from mediafm.export.write import SUFFIXES, write_marks

__all__ = [
    "SUFFIXES",
    "Mark",
    "marks_of_scenes",
    "marks_of_shots",
    "marks_of_suggestions",
    "write_marks",
]
