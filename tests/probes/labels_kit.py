"""Label files, and titles to label: t0 .. t5, each sixty shots of a second."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from mediafm.catalog.records import TitleRecord
from mediafm.probes.labels import LabelSet, load_labels
from mediafm.probes.task import SplitSpec, Task
from mediafm.timeline import US, Shot, Span

HEAD = "title_id,start,end,tone\n"
GOOD = HEAD + "t0,0,1,calm\nt1,0,1,tense\nt2,1,2,calm|tense\nt3,1,2,\n"
TWO = SplitSpec(folds=2)


class FakeCatalog:
    """What labels need of a catalog, in memory; counts how often shots are read."""

    def __init__(self, titles=None, spans=None):
        self.records = titles or [TitleRecord(f"t{i}", "x") for i in range(6)]
        self.spans = spans or {}
        self.reads: list[str] = []

    def titles(self):
        return self.records

    def shots(self, title_id):
        self.reads.append(title_id)
        spans = self.spans.get(title_id, [(i, i + 1) for i in range(60)])
        return [Shot(i, Span(int(a * US), int(b * US))) for i, (a, b) in enumerate(spans)]


def titles(**fields):
    """Records by id, each with its fields."""
    return [TitleRecord(title_id, "x", **values) for title_id, values in fields.items()]


def task(path: Path, kind="multi-label", column="tone", split=TWO, **fields) -> Task:
    return Task("mood", kind, path, column=column, split=split, **fields)


def read(tmp_path, content, kind="multi-label", column="tone", catalog=None, **fields) -> LabelSet:
    """Loads labels of text (CSV), bytes, or columns (Parquet)."""
    if isinstance(content, dict):
        path = tmp_path / "labels.parquet"
        pq.write_table(pa.table(content), path)
    else:
        path = tmp_path / "labels.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return load_labels(task(path, kind, column, **fields), catalog or FakeCatalog())


def problems(labels: LabelSet) -> dict[int, str]:
    """Row to what is wrong with it; fails where a row has two problems."""
    found = {problem.row: problem.what for problem in labels.problems}
    assert len(found) == len(labels.problems)
    return found


def starts(labels: LabelSet) -> list[tuple[str, float, float]]:
    return [(c.title_id, c.span.start / US, c.span.end / US) for c in labels.clips]
