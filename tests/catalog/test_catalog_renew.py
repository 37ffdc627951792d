"""What a catalog does where something changed under a title or an encoder that it has."""

from __future__ import annotations

import dataclasses
import shutil
from datetime import timedelta

import lance
import numpy as np
import pyarrow as pa
import pytest
from catalog_kit import (
    OTHER_TEXT,
    SMELL,
    TEXT,
    VIDEO,
    check_title,
    fill,
    fill_metadata,
    made,
    marks,
    rows_in,
    vectors,
    write_title,
)

from mediafm.catalog import Catalog, VersionRecord, snapshot, tables
from mediafm.errors import FingerprintError

V1, V2 = VersionRecord("v1", "f1", 5), VersionRecord("v2", "f2", 3)
MOVED = dataclasses.replace(TEXT, name="use-moved")


@pytest.fixture
def catalog(tmp_path):
    catalog = Catalog.create(tmp_path / "c")
    for i in range(4):
        write_title(catalog, f"t{i}", seed=i, shots=3 + i)
    return catalog


def embed(catalog, version, names=None):
    rows = [
        (t.title_id, t.ingest_id, vectors(t.year, t.shots, version.dim))
        for t in catalog.titles()
        if names is None or t.title_id in names
    ]
    return catalog.append_embeddings(version.name, rows)


def commits(catalog, name):
    return lance.dataset(catalog._store.table(name)).version


def test_embeddings_are_forgotten_in_every_version(catalog):
    catalog.create_version(V1)
    catalog.create_version(V2)
    t0, t1, t2, t3 = (title.ingest_id for title in catalog.titles())
    embed(catalog, V1)
    embed(catalog, V2, ["t1", "t2"])
    before = Catalog.open(catalog.uri)
    kept = before.embeddings("v1", "t1")
    assert catalog.forget_embeddings([t0, t1, "never-heard-of"], ["text"]) == 2
    for reader in (catalog, Catalog.open(catalog.uri)):
        assert reader.embedded_ingests("v1") == {t2, t3}
        assert reader.embedded_ingests("v2") == {t2}
    np.testing.assert_array_equal(before.embeddings("v1", "t1"), kept)
    assert [title.title_id for title, _ in before.iter_embeddings("v2")] == ["t1", "t2"]
    assert (embed(catalog, V1), embed(catalog, V2, ["t1"])) == (2, 1)
    np.testing.assert_array_equal(catalog.embeddings("v1", "t1"), kept)
    for title in catalog.titles():
        check_title(catalog, title.title_id)


def test_a_version_that_does_not_read_what_changed_keeps_its_embeddings(catalog):
    catalog.create_version(V1)
    catalog.create_version(dataclasses.replace(V2, encoders={"video": "aaaa1111"}))
    embed(catalog, V1)
    embed(catalog, V2)
    held = catalog.title("t1").ingest_id
    assert catalog.forget_embeddings([held], ["text"]) == 1
    assert held not in catalog.embedded_ingests("v1")  # it may read anything
    assert held in catalog.embedded_ingests("v2")
    assert catalog.forget_embeddings([held], ["text", "video"]) == 1
    assert held not in catalog.embedded_ingests("v2")


def test_forgetting_nothing_commits_nothing(catalog):
    held = catalog.titles()[0].ingest_id
    assert catalog.forget_embeddings([held], ["text"]) == 0  # no version
    catalog.create_version(V1)
    assert catalog.forget_embeddings([held], ["text"]) == 0  # no table of embeddings
    embed(catalog, V1, ["t1"])
    at = commits(catalog, "embeddings/v1")
    assert (
        catalog.forget_embeddings([held], ["text"])
        == catalog.forget_embeddings(set(), ["text"])
        == 0
    )
    assert commits(catalog, "embeddings/v1") == at


def test_features_of_some_titles_are_made_anew(catalog):
    fill(catalog, SMELL)
    old, new = catalog.title("t1"), dataclasses.replace(catalog.title("t1"), year=77)
    before = Catalog.open(catalog.uri)
    before_ND, _ = before.features("t1", "smell")
    catalog.drop_features("smell", SMELL.fingerprint, [old.ingest_id, "never-heard-of"])
    held = {title.ingest_id for title in catalog.titles()} - {old.ingest_id}
    assert catalog.encoded_ingests("smell", SMELL.fingerprint) == held
    assert not catalog.features("t1", "smell")[1].any()
    x_ND, present_N = made(SMELL, new)
    row = ("t1", old.ingest_id, x_ND, present_N)
    assert catalog.append_features(SMELL, [row]) == 1
    for reader in (catalog, Catalog.open(catalog.uri)):
        found_ND, found_N = reader.features("t1", "smell")
        np.testing.assert_array_equal(found_N, present_N)
        np.testing.assert_array_equal(found_ND[found_N], x_ND[present_N].astype("f2"))
        check_title(reader, "t1")
        t0 = reader.title("t0")
        np.testing.assert_array_equal(reader.features("t0", "smell")[1], made(SMELL, t0)[1])
    np.testing.assert_array_equal(before.features("t1", "smell")[0], before_ND)
    catalog.compact()
    np.testing.assert_array_equal(before.features("t1", "smell")[0], before_ND)


def test_dropping_all_or_nothing(catalog):
    everything = [title.ingest_id for title in catalog.titles()]
    catalog.drop_features("smell", SMELL.fingerprint, everything)  # no such table
    assert "smell" not in catalog.encoders()
    at = commits(catalog, "features/video-aaaa1111")
    catalog.drop_features("video", VIDEO.fingerprint, ["never-heard-of"])
    catalog.drop_features("video", VIDEO.fingerprint, [])
    assert commits(catalog, "features/video-aaaa1111") == at
    catalog.drop_features("video", VIDEO.fingerprint, everything)
    assert list(catalog.encoders()) == ["text"]
    assert fill(catalog, VIDEO) == 4
    assert catalog.encoders()["video"] == VIDEO
    catalog.drop_features("metadata", TEXT.fingerprint, everything)
    assert catalog.metadata_encoder() is None
    assert fill_metadata(catalog, TEXT) == 4


def test_an_encoder_is_found_under_another_name(catalog):
    before = Catalog.open(catalog.uri)
    assert before.encoders()["text"] == TEXT
    catalog.rename_encoder(MOVED)
    for reader in (catalog, Catalog.open(catalog.uri)):
        assert reader.encoders() == {"text": MOVED, "video": VIDEO}
        assert reader.metadata_encoder() == MOVED
        with pytest.raises(FingerprintError, match=r"vectors of 'use-moved' .*encoder use-moved"):
            reader.check_encoders({"text": OTHER_TEXT})
        with pytest.raises(FingerprintError, match="name use-moved / e5"):
            reader.check_encoders({"metadata": OTHER_TEXT})
        check_title(reader, "t2")
    assert before.encoders()["text"] == TEXT
    catalog.rename_encoder(dataclasses.replace(TEXT, name="third"))
    catalog.rename_encoder(TEXT)
    assert catalog.encoders()["text"] == catalog.metadata_encoder() == TEXT
    catalog.rename_encoder(MOVED)
    with catalog.writer("t9", {"text": MOVED, "video": VIDEO}):
        pass
    write_title(catalog, "t8")  # by a run that knows the old name
    assert catalog.encoders()["text"] == MOVED


def test_renaming_nothing_commits_nothing(catalog):
    fill(catalog, SMELL)
    catalog.declare_filling({"text": OTHER_TEXT})
    fill(catalog, OTHER_TEXT)
    catalog.rename_encoder(dataclasses.replace(SMELL, name="beak"))
    at = commits(catalog, "encoders")
    for record in (
        TEXT,
        dataclasses.replace(TEXT, name=""),
        dataclasses.replace(SMELL, name="beak"),
        dataclasses.replace(SMELL, name="beak", modality="taste"),
        dataclasses.replace(SMELL, name="snout", fingerprint="abcd"),
        dataclasses.replace(OTHER_TEXT, name="e5-moved"),  # nobody sees its vectors yet
    ):
        catalog.rename_encoder(record)
    assert commits(catalog, "encoders") == at
    assert {m: e.name for m, e in catalog.encoders().items()} == {
        "smell": "beak",
        "text": "use",
        "video": "clip",
    }


def test_a_new_name_outlives_upkeep_and_switches(catalog):
    catalog.rename_encoder(MOVED)
    catalog.collect_orphans()
    for i in range(20):
        write_title(catalog, "t0", seed=i, shots=3)
    catalog.compact(timedelta(0))
    catalog.refresh()
    assert catalog.encoders()["text"] == MOVED
    both = {"text": OTHER_TEXT, "metadata": OTHER_TEXT}
    catalog.declare_filling(both)
    fill(catalog, OTHER_TEXT)
    fill_metadata(catalog, OTHER_TEXT)
    catalog.switch_encoders(both)
    assert catalog.encoders()["text"] == catalog.metadata_encoder() == OTHER_TEXT
    assert rows_in(catalog, TEXT) == 0
    catalog.declare_filling({"text": TEXT})
    fill(catalog, TEXT)
    catalog.switch_encoders({"text": TEXT})
    assert marks(catalog)["text", TEXT.fingerprint] == "current"
    assert catalog.encoders()["text"] == MOVED
    assert catalog.metadata_encoder() == OTHER_TEXT


@pytest.mark.parametrize("first", ["rename", "status"])
def test_marks_that_were_written_before_names_were_kept(catalog, first):
    at = snapshot.mark_rows(catalog._store)
    assert at == []
    fill(catalog, SMELL)
    rows = {"modality": ["smell"], "fingerprint": [SMELL.fingerprint], "status": ["current"]}
    old = pa.table({**rows, "at": pa.array([5], pa.int64())})
    lance.write_dataset(old, catalog._store.table("encoders"))
    catalog.refresh()
    assert catalog.encoders()["smell"] == SMELL
    assert [mark.name for mark in snapshot.mark_rows(catalog._store)] == [""]
    if first == "status":
        catalog.declare_filling({"text": OTHER_TEXT})
    renamed = dataclasses.replace(SMELL, name="beak")
    catalog.rename_encoder(renamed)
    catalog.declare_filling({"text": OTHER_TEXT})
    for reader in (catalog, Catalog.open(catalog.uri)):
        assert reader.encoders() == {"smell": renamed, "text": TEXT, "video": VIDEO}
    assert marks(catalog) == {
        ("smell", SMELL.fingerprint): "current",
        ("text", OTHER_TEXT.fingerprint): "filling",
    }
    # A release that knows no names reads these rows, and appends its own.
    table = old.set_column(3, "at", pa.array([2**60], pa.int64()))
    lance.write_dataset(table, catalog._store.table("encoders"), mode="append")
    catalog.refresh()
    assert catalog.encoders()["smell"] == renamed


def test_fragments_are_read_once_but_not_taken_for_those_of_another_table(tmp_path):
    uri, cache, read = str(tmp_path / "t.lance"), {}, []

    def look():
        read.clear()
        return tables.by_fragment(lance.dataset(uri), uri, cache, content)

    def content(fragment):
        read.append(fragment.fragment_id)
        return fragment.to_table()["x"].to_pylist()

    def write(*x):
        lance.write_dataset(pa.table({"x": list(x)}), uri, mode="append")

    lance.write_dataset(pa.table({"x": [1, 2]}), uri)
    write(3, 4)
    assert (look(), read) == ([[1, 2], [3, 4]], [0, 1])
    assert (look(), read) == ([[1, 2], [3, 4]], [])
    write(5, 6)
    lance.dataset(uri).delete("x = 3")
    assert (look(), read) == ([[1, 2], [4], [5, 6]], [1, 2])
    old = lance.dataset(uri)
    old.optimize.compact_files(materialize_deletions_threshold=0.1)
    assert look() == [[1, 2, 4, 5, 6]]
    assert tables.by_fragment(old.checkout_version(3), uri, cache, content)[1:] == [[3, 4], [5, 6]]
    shutil.rmtree(uri)
    lance.write_dataset(pa.table({"x": [7, 8]}), uri)
    write(9, 10)
    write(11)
    assert look() == [[7, 8], [9, 10], [11]]
