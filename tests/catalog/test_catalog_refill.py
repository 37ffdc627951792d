"""Filling in an encoder for titles that are there, and switching a whole catalog to it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from catalog_kit import (
    ENCODERS,
    OTHER_TEXT,
    OTHER_VIDEO,
    SMELL,
    TEXT,
    VIDEO,
    check_made,
    check_title,
    fill,
    fill_metadata,
    made,
    make_shots,
    marks,
    rows_in,
    stored_ingests,
    vectors,
    write_title,
)

from mediafm.catalog import Catalog, EncoderRecord, TitleRecord, snapshot, upkeep
from mediafm.errors import CatalogError, FingerprintError

BOTH = {"text": OTHER_TEXT, "metadata": OTHER_TEXT}


@pytest.fixture
def catalog(tmp_path):
    catalog = Catalog.create(tmp_path / "c")
    for i in range(4):
        write_title(catalog, f"t{i}", seed=i, shots=3 + i)
    return catalog


def check_old(catalog):
    assert catalog.encoders() == {"text": TEXT, "video": VIDEO}
    assert catalog.metadata_encoder() == TEXT
    for title in catalog.titles():
        check_title(catalog, title.title_id)


def killed(*args):
    raise ZeroDivisionError


def test_text_is_replaced_in_the_whole_catalog(catalog):
    before = Catalog.open(catalog.uri)
    check_old(before)
    catalog.declare_filling(BOTH)
    assert fill(catalog, OTHER_TEXT, ["t0", "t2"]) == 2
    for reader in (catalog, Catalog.open(catalog.uri)):
        check_old(reader)
        assert reader.coverage() == before.coverage()
    assert fill(catalog, OTHER_TEXT) == 2
    assert fill_metadata(catalog, OTHER_TEXT) == 4
    check_old(Catalog.open(catalog.uri))
    assert catalog.switch_encoders(BOTH) == []
    for reader in (catalog, Catalog.open(catalog.uri)):
        check_made(reader, OTHER_TEXT)
        assert reader.encoders() == {"text": OTHER_TEXT, "video": VIDEO}
        assert reader.metadata_encoder() == OTHER_TEXT
        assert reader.coverage()["text"] == (10, 18)
        assert reader.present_counts()["t1"] == {"text": 2, "video": 4}
        for features in reader.title_features():
            assert features.features["text"].shape == (len(features), 6)
            assert features.metadata["tags"].tolist() == [0, 1, 2, 3, 4, 5]
            assert features.metadata["synopsis"].tolist() == [7] * 6
    check_old(before)
    assert rows_in(catalog, TEXT) == rows_in(catalog, TEXT, "metadata") == 0
    assert catalog.collect_orphans() == 0
    before.refresh()
    check_made(before, OTHER_TEXT)
    with pytest.raises(FingerprintError, match="text vectors of 'e5'"):
        write_title(catalog, "u")


def test_a_reader_keeps_its_encoder_to_the_end_of_its_iteration(catalog, monkeypatch):
    monkeypatch.setattr("mediafm.catalog.reader._BATCH_SHOTS", 1)
    reader = Catalog.open(catalog.uri)
    stream = reader.title_features()
    found = [next(stream)]
    catalog.declare_filling({"text": OTHER_TEXT})
    fill(catalog, OTHER_TEXT)
    found.append(next(stream))
    catalog.switch_encoders({"text": OTHER_TEXT})
    catalog.collect_orphans()
    catalog.compact()
    found += list(stream)
    for i, features in enumerate(found):
        x_ND = vectors(i + 1, 3 + i, 4).astype(np.float16)
        present_N = np.arange(3 + i) % 3 != 0
        np.testing.assert_array_equal(features.features["text"], x_ND * present_N[:, None])
        np.testing.assert_array_equal(features.present["text"], present_N)
    check_old(reader)


def test_declaring_again_or_what_is_current_changes_nothing(catalog):
    catalog.declare_filling({"video": VIDEO, "text": OTHER_TEXT})
    assert marks(catalog) == {("text", "dddd4444"): "filling"}
    catalog.declare_filling({"text": OTHER_TEXT})
    assert len(snapshot.mark_rows(catalog._store)) == 1
    check_old(catalog)
    fill(catalog, OTHER_TEXT)
    catalog.switch_encoders({"text": OTHER_TEXT})
    catalog.declare_filling({"text": OTHER_TEXT})
    assert catalog.switch_encoders({"text": OTHER_TEXT}) == []
    assert len(snapshot.mark_rows(catalog._store)) == 3
    check_made(catalog, OTHER_TEXT)


def test_switch_names_what_is_missing(catalog):
    catalog.declare_filling({"text": OTHER_TEXT})
    fill(catalog, OTHER_TEXT, ["t2"])
    with catalog.writer("mute") as w:
        w.commit(TitleRecord("mute", ""))  # without shots: nothing to encode
    with pytest.raises(CatalogError) as caught:
        catalog.switch_encoders({"text": OTHER_TEXT})
    text = str(caught.value)
    for part in ("3 of 5 titles have no text vectors of 'e5'", "t0, t1, t3;", "mediafm reencode"):
        assert part in text
    check_old_but_mute(catalog)
    assert catalog.switch_encoders({"text": OTHER_TEXT}, allow_missing=True) == ["t0", "t1", "t3"]
    counts = catalog.present_counts()
    assert {name: count.get("text") for name, count in counts.items()} == {
        "mute": None, "t0": None, "t1": None, "t2": 3, "t3": None
    }  # fmt: skip
    assert fill(catalog, OTHER_TEXT) == 3  # into what is current by now
    catalog.remove("mute")
    check_made(catalog, OTHER_TEXT)


def check_old_but_mute(catalog):
    assert catalog.encoders()["text"] == TEXT
    for i in range(4):
        check_title(catalog, f"t{i}")


def test_killed_after_each_step_and_run_again(catalog, monkeypatch):
    def step(crash=None):
        """One run of a command; `crash` is where it dies."""
        held = Catalog.open(catalog.uri)
        held.declare_filling(BOTH)
        if crash == "declared":
            return None
        fill(held, OTHER_TEXT, ["t3", "t1"] if crash == "half" else None)
        if crash == "half":
            return None
        fill_metadata(held, OTHER_TEXT)
        if crash == "filled":
            return None
        return held.switch_encoders(BOTH)

    for crash in ("declared", "half", "filled"):
        step(crash)
        check_old(Catalog.open(catalog.uri))
        # Tidying drops neither what is current nor what is being filled in.
        filled = rows_in(catalog, OTHER_TEXT), rows_in(catalog, OTHER_TEXT, "metadata")
        assert catalog.collect_orphans() == 0
        catalog.compact()
        assert filled == (rows_in(catalog, OTHER_TEXT), rows_in(catalog, OTHER_TEXT, "metadata"))
    with monkeypatch.context() as patch:
        patch.setattr(upkeep, "drop_retired", killed)
        with pytest.raises(ZeroDivisionError):
            step()
    check_made(Catalog.open(catalog.uri), OTHER_TEXT)
    assert rows_in(catalog, TEXT) == 18
    assert catalog.collect_orphans() == 4
    assert rows_in(catalog, TEXT) == rows_in(catalog, TEXT, "metadata") == 0
    assert catalog.collect_orphans() == 0
    assert step() == []
    check_made(Catalog.open(catalog.uri), OTHER_TEXT)


@pytest.mark.parametrize("kill", [False, True])
def test_there_and_back_again(catalog, monkeypatch, kill):
    for title in catalog.titles():  # so that both encoders' vectors are told by one rule
        with catalog.writer(title.title_id, ENCODERS) as w:
            w.copy_from(catalog, title, ["video"])
            w.add_features("text", 0, *made(TEXT, title))
            w.commit(title)
    catalog.collect_orphans()
    if kill:  # the old vectors stay where they are
        monkeypatch.setattr(upkeep, "drop_retired", lambda *args: set())
    catalog.declare_filling({"text": OTHER_TEXT})
    fill(catalog, OTHER_TEXT)
    catalog.switch_encoders({"text": OTHER_TEXT})
    old = catalog.title("t1")
    with catalog.writer("t1", {"video": VIDEO, "text": OTHER_TEXT}) as w:
        w.copy_from(catalog, old, ["video", "text"])
        w.commit(dataclasses.replace(old, year=77))
    with pytest.raises(FingerprintError):
        fill(catalog, TEXT)
    with pytest.raises(CatalogError, match="titles have no text vectors of 'use'"):
        catalog.switch_encoders({"text": TEXT})
    monkeypatch.undo()
    catalog.declare_filling({"text": TEXT})
    catalog.collect_orphans()
    leftovers = catalog.encoded_ingests("text", "cccc3333")
    assert len(leftovers) == (3 if kill else 0)
    assert old.ingest_id not in leftovers
    assert fill(catalog, TEXT) == (1 if kill else 4)
    assert catalog.switch_encoders({"text": TEXT}) == []
    check_made(catalog, TEXT)
    assert rows_in(catalog, OTHER_TEXT) == 0


def test_leftovers_that_a_collector_is_about_to_delete_may_be_claimed(catalog, monkeypatch):
    """The encoder is declared again between the collector's look and its deletion."""
    catalog.declare_filling({"text": OTHER_TEXT})
    fill(catalog, OTHER_TEXT)
    with monkeypatch.context() as patch:
        patch.setattr(upkeep, "drop_retired", lambda *args: set())
        catalog.switch_encoders({"text": OTHER_TEXT})
    locked = upkeep.commit_lock

    def late(store):
        monkeypatch.undo()
        Catalog.open(catalog.uri).declare_filling({"text": TEXT})
        return locked(store)

    monkeypatch.setattr(upkeep, "commit_lock", late)
    assert catalog.collect_orphans() == 0
    assert catalog.switch_encoders({"text": TEXT}) == []
    check_old(catalog)


def test_titles_ingested_with_the_old_encoder_meanwhile(catalog):
    catalog.declare_filling({"text": OTHER_TEXT})
    fill(catalog, OTHER_TEXT)
    write_title(catalog, "t1", seed=50, shots=2)  # replaced
    write_title(catalog, "u", seed=51)  # new
    catalog.remove("t3")
    check_old(catalog)
    with pytest.raises(CatalogError, match=r"2 of 4 titles .*: t1, u"):
        catalog.switch_encoders({"text": OTHER_TEXT})
    assert catalog.collect_orphans() == 2
    assert len(catalog.encoded_ingests("text", "dddd4444")) == 2
    assert fill(catalog, OTHER_TEXT) == 2
    catalog.switch_encoders({"text": OTHER_TEXT})
    check_made(catalog, OTHER_TEXT)
    assert stored_ingests(catalog) == {t.ingest_id for t in catalog.titles()}


def test_a_writer_that_began_before_the_switch_is_refused(catalog):
    with catalog.writer("late", ENCODERS) as late, catalog.writer("silent", ENCODERS) as silent:
        for w in (late, silent):
            w.add_shots(make_shots(2))
            w.add_features("video", 0, vectors(1, 2, 8))
        late.add_features("text", 0, vectors(2, 2, 4))
        catalog.declare_filling({"text": OTHER_TEXT})
        fill(catalog, OTHER_TEXT)
        catalog.switch_encoders({"text": OTHER_TEXT})
        with pytest.raises(FingerprintError, match=r"'e5'.*'use'.*width 6 / 4"):
            late.commit(TitleRecord("late", ""))
        silent.commit(TitleRecord("silent", ""))  # wrote nothing of the modality
    assert catalog.find("late") is None
    assert not catalog.features("silent", "text")[1].any()
    assert catalog.collect_orphans() == 1
    assert rows_in(catalog, TEXT) == 0
    assert fill(catalog, OTHER_TEXT) == 1
    check_made(catalog, OTHER_TEXT)


def test_what_a_running_writer_wrote_stays_when_tables_are_dropped(catalog):
    with catalog.writer("late", ENCODERS) as w:
        w.add_shots(make_shots(2))
        w.add_features("text", 0, vectors(2, 2, 4))
        publish = w._publish

        def after_the_switch(record, encoders):
            catalog.declare_filling({"text": OTHER_TEXT})
            fill(catalog, OTHER_TEXT)
            catalog.switch_encoders({"text": OTHER_TEXT})
            for title in catalog.titles():
                catalog.remove(title.title_id)
            assert catalog.collect_orphans() == 4
            return publish(record, encoders)  # nobody holds the modality any more: welcome

        w._publish = after_the_switch
        w.commit(TitleRecord("late", ""))
    assert catalog.encoders() == {"text": TEXT}
    found_ND, _ = catalog.features("late", "text")
    np.testing.assert_array_equal(found_ND, vectors(2, 2, 4).astype(np.float16))
    catalog.collect_orphans()
    catalog.refresh()
    assert catalog.features("late", "text")[1].all()


def test_switch_to_what_no_title_has(catalog):
    for title in catalog.titles():
        catalog.remove(title.title_id)
    catalog.declare_filling(BOTH)
    assert catalog.switch_encoders(BOTH) == []
    catalog.declare_filling(BOTH)
    assert set(marks(catalog).values()) == {"current"}
    write_title(catalog, "t")  # any encoder may begin, as in an empty catalog
    check_old(catalog)
    catalog.declare_filling(BOTH)
    assert set(marks(catalog).values()) == {"filling"}


def test_new_modality_is_visible_at_once_unless_declared(catalog):
    assert fill(catalog, SMELL, ["t1"]) == 1
    assert catalog.present_counts()["t1"]["smell"] == 2
    assert "smell" not in catalog.present_counts()["t0"]
    assert not catalog.features("t0", "smell")[1].any()
    assert fill(catalog, SMELL) == 3
    check_made(catalog, SMELL)
    check_title(catalog, "t2")
    assert marks(catalog) == {}
    other = dataclasses.replace(SMELL, fingerprint="ffff6666")
    with pytest.raises(FingerprintError, match="reencode --with smell=nose"):
        fill(catalog, other)
    taste = EncoderRecord("taste", "tongue", "1234", 2)
    catalog.declare_filling({"taste": taste})
    fill(catalog, taste, ["t0"])
    with catalog.writer("u", {"taste": taste}) as w:
        w.add_shots(make_shots(1))
        w.add_features("taste", 0, np.ones((1, 2)))
        w.commit(TitleRecord("u", ""))
    assert "taste" not in catalog.encoders()
    catalog.remove("u")
    fill(catalog, taste)
    catalog.switch_encoders({"taste": taste})
    check_made(catalog, taste)


def test_metadata_alone_is_added_and_replaced(catalog):
    with catalog.writer("bare") as w:
        w.commit(TitleRecord("bare", ""))
    assert fill_metadata(catalog, TEXT) == 1  # the others have theirs
    bare = next(catalog.title_features(["bare"]))
    assert bare.metadata["tags"].tolist() == [0, 1, 2, 3]
    with pytest.raises(FingerprintError, match=r"metadata vectors.*reencode --text e5`"):
        fill_metadata(catalog, OTHER_TEXT)
    catalog.declare_filling({"metadata": OTHER_TEXT})
    t0 = catalog.title("t0")
    assert catalog.append_metadata(OTHER_TEXT, [("t0", t0.ingest_id, {})]) == 0
    with pytest.raises(CatalogError, match="t0: metadata vector of synopsis"):
        catalog.append_metadata(OTHER_TEXT, [("t0", t0.ingest_id, {"synopsis": np.ones(5)})])
    assert catalog.append_metadata(OTHER_TEXT, [("t0", t0.ingest_id, {"tags": np.ones(6)})]) == 1
    assert catalog.encoded_ingests("metadata", "dddd4444") == {t0.ingest_id}
    assert catalog.switch_encoders({"metadata": OTHER_TEXT}) == []  # no title needs to have any
    assert catalog.metadata_encoder() == OTHER_TEXT
    found = [f.metadata.keys() for f in catalog.title_features(["t0", "t1"])]
    assert found == [{"tags"}, set()]
    assert catalog.encoders()["text"] == TEXT


def test_append_refuses_or_skips_what_does_not_fit(catalog):
    catalog.declare_filling({"text": OTHER_TEXT})
    t0, t1 = catalog.titles()[:2]
    good = (t0.title_id, t0.ingest_id, *made(OTHER_TEXT, t0))

    def bad(x_ND, present_N=None):
        return [good, (t1.title_id, t1.ingest_id, x_ND, present_N)]

    for batch, told in (
        (bad(np.ones((4, 5))), r"t1: text features have shape \(4, 5\), expected \(4, 6\)"),
        (bad(np.ones((3, 6))), r"shape \(3, 6\), expected \(4, 6\)"),
        (bad(np.ones((3, 6)), np.ones(3, bool)), "of 3 shots.* the title has 4 shots"),
        (bad(np.full((4, 6), np.nan)), "not a number"),
        (bad(np.full((4, 6), 1e6)), "16-bit"),
    ):
        with pytest.raises(CatalogError, match=told):
            catalog.append_features(OTHER_TEXT, batch)
    assert rows_in(catalog, OTHER_TEXT) == 0
    mask_N = np.array([True, False, True, True])
    x_ND = np.where(mask_N[:, None], np.ones((4, 6)), np.nan)  # absent rows may hold anything
    assert catalog.append_features(OTHER_TEXT, [("x", *good[1:])]) == 0
    assert catalog.append_features(OTHER_TEXT, [good, good, *bad(x_ND, mask_N)]) == 2
    assert catalog.append_features(OTHER_TEXT, [good]) == 0
    assert catalog.append_features(OTHER_TEXT, []) == 0
    write_title(catalog, "t2", seed=9)
    stale = ("t2", "20200101T000000000000-00", np.ones((5, 6)), None)
    assert catalog.append_features(OTHER_TEXT, [stale]) == 0
    assert rows_in(catalog, OTHER_TEXT) == 7
    with pytest.raises(FingerprintError):
        catalog.append_features(OTHER_VIDEO, [])
    with pytest.raises(CatalogError, match="no modality of shots"):
        catalog.append_features(dataclasses.replace(SMELL, modality="metadata"), [])
    with pytest.raises(CatalogError, match="no name for a table"):
        catalog.declare_filling({"a/b": dataclasses.replace(SMELL, modality="a/b")})
    with pytest.raises(CatalogError, match="encoder of text was named for video"):
        catalog.switch_encoders({"video": TEXT})
