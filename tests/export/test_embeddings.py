"""Exported embeddings are read back by others: the same numbers, a row per shot."""

import itertools
import json
import re
import resource
from contextlib import contextmanager

import duckdb
import numpy as np
import polars
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mediafm.catalog import Catalog, EncoderRecord, TitleRecord, VersionRecord
from mediafm.cli.main import main
from mediafm.errors import CatalogError, MediaFMError
from mediafm.export import parquet, write_embeddings
from mediafm.timeline import US, Shot, Span

DIM = 8
TITLES = {"a": 7, "b": 1, "z": 5, "ünï code": 40}
EYE = EncoderRecord("video", "hf:/home/somebody/eye?device=cpu", "e1", 4)
VERSION = VersionRecord(
    "v-1",
    "f00d",
    DIM,
    model="/home/somebody/models/small",
    encoders={"video": "e1", "audio": "gone", "text": ""},
    settings={"layer": "final norm", "window": "512"},
)


def add_title(catalog, title_id, shots, embedded=True):
    with catalog.writer(title_id, {"video": EYE}) as writer:
        ends = np.cumsum(np.arange(1, shots + 1)) * US // 3
        spans = [Span(a, b) for a, b in itertools.pairwise([0, *ends.tolist()])]
        writer.add_shots([Shot(i, span) for i, span in enumerate(spans)])
        writer.add_features("video", 0, np.ones((shots, 4)))
        record = writer.commit(TitleRecord(title_id, ""))
    if embedded:
        x_NH = np.random.default_rng(shots).normal(size=(shots, DIM))
        x_NH /= np.linalg.norm(x_NH, axis=1, keepdims=True)
        catalog.append_embeddings("v-1", [(title_id, record.ingest_id, x_NH)])


@pytest.fixture
def catalog(tmp_path):
    catalog = Catalog.create(tmp_path / "c")
    catalog.create_version(VERSION)
    for title_id, shots in TITLES.items():
        add_title(catalog, title_id, shots)
    return Catalog.open(tmp_path / "c")


def rows_of(catalog, titles=tuple(TITLES)):
    """What must be in the file, by the catalog's other way to read."""
    found = {"title_id": [], "shot": [], "start_us": [], "end_us": []}
    for title_id in titles:
        for shot in catalog.shots(title_id):
            row = (title_id, shot.index, shot.span.start, shot.span.end)
            for column, value in zip(found.values(), row, strict=True):
                column.append(value)
    return found, np.concatenate([catalog.embeddings(None, title_id) for title_id in titles])


def check_npz(catalog, file, titles=tuple(TITLES)):
    columns, x_NH = rows_of(catalog, titles)
    with np.load(file) as held:
        assert set(held.files) == {*columns, "embeddings"}
        assert held["embeddings"].dtype == np.float32
        assert held["shot"].dtype == np.int32
        np.testing.assert_array_equal(held["embeddings"], x_NH)
        for name, values in columns.items():
            assert held[name].tolist() == values


def check_dataset(catalog, folder, cache, monkeypatch, titles=tuple(TITLES)):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets")
    held = datasets.load_dataset(str(folder), split="train", cache_dir=str(cache))
    columns, x_NH = rows_of(catalog, titles)
    kinds = {"title_id": "string", "shot": "int32", "start_us": "int64", "end_us": "int64"}
    expected = {name: datasets.Value(kind) for name, kind in kinds.items()}
    expected["embedding"] = datasets.List(datasets.Value("float32"), length=DIM)
    assert held.features == datasets.Features(expected)
    for name, values in columns.items():
        assert list(held[name]) == values
    np.testing.assert_array_equal(held.with_format("numpy")["embedding"][:], x_NH)


def files_in(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def test_numpy_reads_the_same_numbers(catalog, tmp_path):
    out = tmp_path / "new" / "e.NPZ"
    done = write_embeddings(catalog, out)
    assert (done.file, done.titles, done.shots, done.version) == (out, 4, 53, "v-1")
    assert done.notes == ()
    check_npz(catalog, out)
    assert files_in(out.parent) == ["e.NPZ"]
    assert out.stat().st_mode == (tmp_path / "c" / files_in(tmp_path / "c")[0]).stat().st_mode


def test_only_these_titles_in_their_order(catalog, tmp_path):
    out = tmp_path / "e.npz"
    out.write_bytes(b"of yesterday")
    done = write_embeddings(catalog, out, "v-1", ["z", "a", "z"])
    assert (done.titles, done.shots) == (2, 12)
    check_npz(catalog, out, ["z", "a"])


@pytest.mark.parametrize("group", [1, 32 << 20])
def test_tables_open_elsewhere_with_the_same_numbers(catalog, tmp_path, monkeypatch, group):
    monkeypatch.setattr(parquet, "_GROUP_BYTES", group)
    out = tmp_path / "e.parquet"
    write_embeddings(catalog, out)
    columns, x_NH = rows_of(catalog)
    table = pq.read_table(out)
    assert table.schema.field("embedding").type == pa.list_(pa.float32(), DIM)
    assert pq.ParquetFile(out).num_row_groups == (4 if group == 1 else 1)
    frame = polars.read_parquet(out)
    found = duckdb.sql(f"select * from '{out}'").fetchnumpy()
    assert table.schema.names == frame.columns == list(found) == [*columns, "embedding"]
    for name, values in columns.items():
        assert table[name].to_pylist() == frame[name].to_list() == found[name].tolist() == values
    for read in (table["embedding"].to_pylist(), frame["embedding"].to_list()):
        np.testing.assert_array_equal(np.array(read, np.float32), x_NH)
    np.testing.assert_array_equal(np.stack(list(found["embedding"])), x_NH)


def test_a_dataset_loads_and_says_where_it_comes_from(catalog, tmp_path, monkeypatch):
    folder = tmp_path / "shots"
    folder.mkdir()  # empty: no reason to refuse
    done = write_embeddings(catalog, folder)
    assert (done.titles, done.shots) == (4, 53)
    assert files_in(folder) == ["README.md", "data/train-00000-of-00001.parquet"]
    check_dataset(catalog, folder, tmp_path / "cache", monkeypatch)
    card = (folder / "README.md").read_text()
    for told in (
        'size_categories: ["n<1K"]',
        "- titles: 4\n- shots: 53\n",
        "- version: `v-1`\n- fingerprint: `f00d`",
        "- model: `small`",
        "layer final norm, window 512",
        "| video | `hf:eye` | e1 |",
        "| audio | not in the catalog | gone |",
        "| text | not in the catalog | unknown |",
        "8 x float32",
        "check what the rights",
    ):
        assert told in card
    assert "somebody" not in card
    assert "license:" not in card


def test_a_large_dataset_is_several_files(catalog, tmp_path, monkeypatch):
    monkeypatch.setattr(parquet, "_GROUP_BYTES", 1)
    monkeypatch.setattr(parquet, "_SHARD_BYTES", 1)
    folder = tmp_path / "shots"
    write_embeddings(catalog, folder)
    names = [f"data/train-0000{i}-of-00004.parquet" for i in range(4)]
    assert files_in(folder) == ["README.md", *names]
    check_dataset(catalog, folder, tmp_path / "cache", monkeypatch)


def test_a_version_that_says_little(tmp_path):
    catalog = Catalog.create(tmp_path / "c")
    catalog.create_version(VersionRecord("v-1", "f", DIM))
    add_title(catalog, "a", 2)
    write_embeddings(catalog, tmp_path / "d")
    card = (tmp_path / "d" / "README.md").read_text()
    assert "- model: not recorded" in card
    assert "Which encoders the model reads is not recorded." in card


def test_what_is_not_embedded_is_left_out_and_said(catalog, tmp_path):
    for number in range(5):
        add_title(catalog, f"new {number}", 3, embedded=False)
    add_title(catalog, "empty", 0, embedded=False)
    done = write_embeddings(catalog, tmp_path / "e.npz")
    assert done.notes == (
        "left out, not embedded in version 'v-1' (`mediafm version backfill v-1` does it): "
        "new 0, new 1, new 2 and 2 more",
        "left out, without shots: empty",
    )
    check_npz(catalog, tmp_path / "e.npz")


class Meanwhile:
    """Progress in whose first step somebody else does something."""

    def __init__(self, act):
        self.act = act

    @contextmanager
    def task(self, name, total, unit):
        yield self

    def advance(self, amount=1.0):
        act, self.act = self.act, lambda: None
        act()

    def say(self, text): ...
    def note(self, text): ...


@pytest.mark.parametrize("name", ["e.npz", "e.parquet", "folder"])
@pytest.mark.parametrize("when", ["before", "while"])
def test_a_title_that_goes_meanwhile_is_left_out(catalog, tmp_path, monkeypatch, name, when):
    assert not catalog.lacking("v-1")  # the state that the reader goes on with

    def erase():
        Catalog.open(tmp_path / "c").erase("ünï code")

    if when == "before":
        erase()
    progress = Meanwhile(erase) if when == "while" else None
    done = write_embeddings(catalog, tmp_path / name, progress=progress)
    assert (done.titles, done.shots) == (3, 13)
    assert done.notes == ("left out, erased or ingested anew meanwhile: ünï code",)
    now, left = Catalog.open(tmp_path / "c"), ["a", "b", "z"]
    if name == "e.npz":
        check_npz(now, tmp_path / name, left)
    elif name == "folder":
        assert "- titles: 3\n- shots: 13\n" in (tmp_path / name / "README.md").read_text()
        check_dataset(now, tmp_path / name, tmp_path / "cache", monkeypatch, left)
    else:
        assert pq.read_table(tmp_path / name)["shot"].to_pylist() == rows_of(now, left)[0]["shot"]


def test_nothing_is_written_where_all_titles_went(catalog, tmp_path):
    assert len(catalog.titles()) == 4
    for title_id in TITLES:
        Catalog.open(tmp_path / "c").erase(title_id)
    for name in ("e.npz", "e.parquet", "folder"):
        with pytest.raises(MediaFMError, match="'v-1' has no embeddings of these titles"):
            write_embeddings(catalog, tmp_path / name)
    assert [p.name for p in tmp_path.iterdir()] == ["c"]


def test_shots_that_cannot_be_read_are_not_taken_for_erased(catalog, tmp_path, monkeypatch):
    monkeypatch.setattr(Catalog, "shots", lambda *_: [])
    with pytest.raises(CatalogError, match="a: 0 of its 7 shots can be read"):
        write_embeddings(catalog, tmp_path / "e.npz")
    assert [p.name for p in tmp_path.iterdir()] == ["c"]


@pytest.mark.parametrize("name", ["e.npz", "e.parquet", "folder"])
def test_a_disk_that_is_full_leaves_what_was_there(catalog, tmp_path, name):
    (tmp_path / "e.npz").write_bytes(b"of yesterday")
    before = files_in(tmp_path)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(MediaFMError, match=rf"{name}: cannot be written \(the file would grow"):
            write_embeddings(catalog, tmp_path / name)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert files_in(tmp_path) == before
    assert (tmp_path / "e.npz").read_bytes() == b"of yesterday"


def test_commands(catalog, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MEDIAFM_CATALOG", str(tmp_path / "c"))
    add_title(catalog, "new", 2, embedded=False)
    assert main(["export", "embeddings", "-o", "e.npz"]) == 0
    shown = capsys.readouterr()
    assert "53 shots of 4 titles in e.npz, version v-1" in shown.out
    assert "left out, not embedded" in shown.out
    assert "export 53/53 shots" in shown.err
    check_npz(catalog, tmp_path / "e.npz")
    asked = ["export", "embeddings", "-o", "shots", "--title", "b", "--title", "new", "--json"]
    assert main([*asked, "--version", "v-1"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told.pop("notes")[0].startswith("left out, not embedded in version 'v-1'")
    assert told == {"file": "shots", "titles": 1, "shots": 1, "version": "v-1"}


def test_what_cannot_be_exported_is_one_line(catalog, tmp_path, monkeypatch, capsys):
    add_title(catalog, "new", 2, embedded=False)
    Catalog.create(tmp_path / "none")
    place = tmp_path / "here"
    place.mkdir()
    monkeypatch.chdir(place)
    (place / "file").write_text("")
    (place / "full").mkdir()
    (place / "full" / "x").write_text("")
    (place / "folder.npz").mkdir()
    before = files_in(tmp_path)
    cases = {
        ("-o", "e.csv"): r"e\.csv: .* written as \.csv; name a \.npz or \.parquet file, or a fold",
        ("-o", "full"): r"full: the folder is not empty; name another one",
        ("-o", "."): r"the folder is not empty",
        ("-o", "file"): r"file: there is a file of that name; name another folder",
        ("-o", "folder.npz"): r"folder\.npz: cannot be written \(it is a folder\)",
        ("-o", "file/e.npz"): r"file/e\.npz: cannot be written",
        ("-o", "file/e"): r"file/e: cannot be written",
        ("-o", "e.npz", "-t", "aa"): r"no title 'aa'",
        ("-o", "e.npz", "-t", "new"): r"no embeddings of these titles; .* version backfill v-1",
        ("-o", "e.npz", "--version", "w"): r"no version 'w'; it has v-1",
        ("-o", "e.npz", "-c", str(tmp_path / "none")): r"no embeddings yet; .* `mediafm embed`",
        ("-o", "e.npz", "-c", "nowhere"): r"nowhere",
    }
    for arguments, expected in cases.items():
        own = () if "-c" in arguments else ("-c", str(tmp_path / "c"))
        assert main(["export", "embeddings", *arguments, *own]) == 1
        [line] = capsys.readouterr().err.splitlines()
        assert re.search(f"^error: .*{expected}", line), line
    assert files_in(tmp_path) == before
