"""Bring your own embeddings."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest

from mediafm.catalog import Catalog, TitleRecord
from mediafm.errors import FingerprintError, MediaError, MediaFMError
from mediafm.ingest.importer import import_features
from mediafm.timeline import Shot, Span


def rows(titles=("a", "b"), shots=3, dim=4, **changes):
    ids = [t for t in titles for _ in range(shots)]
    count = len(ids)
    x = np.arange(count * dim, dtype=np.float32).reshape(count, dim) / 8
    columns = {
        "title_id": ids,
        "start": [float(i % shots) for i in range(count)],
        "end": [i % shots + 1.0 for i in range(count)],
        "video": pa.array([v.tolist() for v in x], pa.list_(pa.float32())),
        "text": pa.array([None if i % 2 else [1.0, 2.0] for i in range(count)]),
    }
    columns.update(changes)
    return pa.table(columns)


def write(table: pa.Table, path: Path) -> Path:
    pq.write_table(table, path)
    return path


def test_titles_shots_and_vectors_arrive(tmp_path):
    file = write(rows(series_id=["s"] * 6, synopsis=["x"] * 6), tmp_path / "shots.parquet")
    report = import_features(file, tmp_path / "cat")
    assert report.summary() == "2 ingested"
    catalog = Catalog.open(tmp_path / "cat")
    assert [t.title_id for t in catalog.titles()] == ["a", "b"]
    assert catalog.title("b").group == "s"
    assert [s.span.end for s in catalog.shots("a")] == [1_000_000, 2_000_000, 3_000_000]
    x, present = catalog.features("b", "text")
    assert present.tolist() == [False, True, False]
    assert x[1].tolist() == [1.0, 2.0]
    video, _ = catalog.features("b", "video")
    assert video[0].tolist() == [1.5, 1.625, 1.75, 1.875]


def test_feather_and_fixed_size_lists_are_read(tmp_path):
    fixed = pa.FixedSizeListArray.from_arrays(pa.array(np.ones(12, np.float32)), 2)
    feather.write_feather(rows(video=fixed), tmp_path / "shots.feather")
    import_features(tmp_path / "shots.feather", tmp_path / "cat")
    assert Catalog.open(tmp_path / "cat").encoders()["video"].dim == 2


def test_a_second_import_changes_nothing(tmp_path):
    file = write(rows(), tmp_path / "shots.parquet")
    import_features(file, tmp_path / "cat")
    before = [t.ingest_id for t in Catalog.open(tmp_path / "cat").titles()]
    assert import_features(file, tmp_path / "cat").summary() == "2 unchanged"
    assert [t.ingest_id for t in Catalog.open(tmp_path / "cat").titles()] == before


@pytest.mark.parametrize(("unit", "factor"), [("s", 1_000_000), ("ms", 1000), ("us", 1)])
def test_time_units(tmp_path, unit, factor):
    file = write(rows(), tmp_path / "shots.parquet")
    import_features(file, tmp_path / "cat", time_unit=unit)
    assert Catalog.open(tmp_path / "cat").shots("a")[2].span.start == 2 * factor


def test_clock_times_and_microsecond_columns(tmp_path):
    clock = rows(start=["0:00", "0:01", "0:02"] * 2, end=["0:01", "0:02", "0:03"] * 2)
    import_features(write(clock, tmp_path / "clock.parquet"), tmp_path / "one")
    table = rows().rename_columns(["title_id", "start_us", "end_us", "video", "text"])
    import_features(write(table, tmp_path / "us.parquet"), tmp_path / "two")
    assert Catalog.open(tmp_path / "one").shots("a")[1].span.start == 1_000_000
    assert Catalog.open(tmp_path / "two").shots("a")[1].span.start == 1


def test_microseconds_taken_for_seconds_stop_the_import_and_say_so(tmp_path):
    table = rows(start=[0, 5_000_000, 9_000_000] * 2, end=[5_000_000, 9_000_000, 9_500_000] * 2)
    with pytest.raises(MediaFMError, match="--time-unit"):
        import_features(write(table, tmp_path / "s.parquet"), tmp_path / "cat")


def test_one_bad_title_stops_no_other(tmp_path):
    table = rows(titles=("a", "b", "c"), end=[1.0, 2.0, 3.0, 1.0, 0.5, 3.0, 1.0, 2.0, 3.0])
    report = import_features(write(table, tmp_path / "s.parquet"), tmp_path / "cat")
    assert [o.status for o in report.outcomes] == ["ingested", "failed", "ingested"]
    assert "title 'b'" in report.failed[0].reason


def test_overlaps_by_rounding_are_trimmed_and_noted(tmp_path):
    table = rows(end=[1.001, 2.0, 3.0] * 2)
    import_features(write(table, tmp_path / "s.parquet"), tmp_path / "cat")
    catalog = Catalog.open(tmp_path / "cat")
    assert catalog.shots("a")[0].span.end == 1_000_000
    assert "trimmed" in catalog.title("a").notes[0]


def test_shots_are_sorted_by_time_with_their_vectors(tmp_path):
    table = rows(titles=("a",), start=[2.0, 0.0, 1.0], end=[3.0, 1.0, 2.0])
    import_features(write(table, tmp_path / "s.parquet"), tmp_path / "cat")
    video, _ = Catalog.open(tmp_path / "cat").features("a", "video")
    assert video[:, 0].tolist() == [0.5, 1.0, 0.0]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (rows().drop_columns(["title_id"]), "no column title_id"),
        (rows().drop_columns(["start"]), "no column start and end"),
        (rows().drop_columns(["video", "text"]), "no column of vectors"),
    ],
)
def test_missing_columns_are_named(tmp_path, table, message):
    with pytest.raises(MediaError, match=message):
        import_features(write(table, tmp_path / "s.parquet"), tmp_path / "cat")


def test_ragged_and_infinite_vectors_are_refused(tmp_path):
    ragged = rows(titles=("a",), video=[[1.0, 2.0], [1.0], [1.0, 2.0]])
    report = import_features(write(ragged, tmp_path / "r.parquet"), tmp_path / "cat")
    assert "1 numbers, not 2" in report.failed[0].reason
    infinite = rows(titles=("a",), video=[[1.0, 2.0], [float("nan"), 1.0], [1.0, 2.0]])
    report = import_features(write(infinite, tmp_path / "i.parquet"), tmp_path / "cat2")
    assert "NaN" in report.failed[0].reason


def test_rows_of_a_title_must_stand_together(tmp_path):
    table = rows(title_id=["a", "a", "b", "b", "a", "a"])
    report = import_features(write(table, tmp_path / "s.parquet"), tmp_path / "cat")
    assert "sort the file" in report.failed[0].reason


def test_no_table_is_one_clear_error(tmp_path):
    (tmp_path / "x.parquet").write_text("hello")
    with pytest.raises(MediaError, match="no Parquet or Arrow file"):
        import_features(tmp_path / "x.parquet", tmp_path / "cat")
    with pytest.raises(MediaError, match="no such file"):
        import_features(tmp_path / "missing.parquet", tmp_path / "cat")


def test_another_source_does_not_mix_in(tmp_path):
    import_features(write(rows(), tmp_path / "one.parquet"), tmp_path / "cat")
    other = write(rows(titles=("c",)), tmp_path / "two.parquet")
    with pytest.raises(FingerprintError, match="two"):
        import_features(other, tmp_path / "cat")
    assert import_features(other, tmp_path / "cat", source="one").summary() == "1 ingested"


@pytest.mark.slow
def test_the_real_labelled_dataset(tmp_path, shared):
    file = shared / "data" / "sitcom-shots.parquet"
    report = import_features(file, tmp_path / "cat", time_unit="us")
    assert report.summary() == "242 ingested"
    catalog = Catalog.open(tmp_path / "cat")
    assert sum(t.shots for t in catalog.titles()) == 39_733
    assert {n: e.dim for n, e in catalog.encoders().items()} == {
        "audio": 10,
        "text": 384,
        "video": 70,
    }


def test_an_ingested_title_is_not_replaced(tmp_path):
    catalog = Catalog.create(tmp_path / "cat")
    with catalog.writer("a") as writer:
        writer.add_shots([Shot(0, Span(0, 10))])
        writer.commit(TitleRecord("a", "", path="/films/a.mp4"))
    report = import_features(write(rows(), tmp_path / "s.parquet"), catalog)
    assert [o.status for o in report.outcomes] == ["failed", "ingested"]
    assert "was ingested from /films/a.mp4" in report.failed[0].reason
    assert catalog.title("a").path == "/films/a.mp4"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"start": [0.0, float("nan"), 2.0]}, "not a time"),
        ({"start": [0.0, float("inf"), 2.0]}, "not a time"),
        ({"start": ["0:00", "soon", "0:02"]}, "'soon', not a time"),
        ({"start": [0.0, -1.0, 2.0]}, "before the title begins"),
        ({"year": ["n/a"] * 3}, "'n/a', not a number"),
        ({"video": [[1.0, 70_000.0]] * 3}, "16-bit"),
    ],
)
def test_odd_values_are_the_titles_own_failure(tmp_path, changes, message):
    table = rows(titles=("a",), **changes)
    report = import_features(write(table, tmp_path / "s.parquet"), tmp_path / "cat")
    assert [o.status for o in report.outcomes] == ["failed"]
    assert message in report.failed[0].reason


def test_a_row_without_a_title_is_an_error(tmp_path):
    table = rows(title_id=["a", "a", "a", None, "b", "b"])
    with pytest.raises(MediaFMError, match="no title_id"):
        import_features(write(table, tmp_path / "s.parquet"), tmp_path / "cat")
