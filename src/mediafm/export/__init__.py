"""Taking places in titles, and the embeddings of shots, elsewhere."""

from mediafm.export.adcom import write_breaks
from mediafm.export.editing import ADAPTERS, unsteady
from mediafm.export.marks import (
    Mark,
    marks_of_scenes,
    marks_of_shots,
    marks_of_suggestions,
    one_name,
)
from mediafm.export.vectors import VECTOR_SUFFIXES, Written, write_embeddings
from mediafm.export.write import SUFFIXES, write_marks

__all__ = [
    "ADAPTERS",
    "SUFFIXES",
    "VECTOR_SUFFIXES",
    "Mark",
    "Written",
    "marks_of_scenes",
    "marks_of_shots",
    "marks_of_suggestions",
    "one_name",
    "unsteady",
    "write_breaks",
    "write_embeddings",
    "write_marks",
]
