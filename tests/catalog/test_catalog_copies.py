"""A title written anew from what is stored of it, without its media file."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from catalog_kit import (
    ENCODERS,
    OTHER_TEXT,
    TEXT,
    VIDEO,
    check_title,
    fill,
    made,
    make_shots,
    stored_ingests,
    vectors,
    write_title,
)

from mediafm.catalog import Catalog, TitleRecord
from mediafm.errors import CatalogError, FingerprintError
from mediafm.timeline import Cue, Span


@pytest.fixture
def catalog(tmp_path):
    catalog = Catalog.create(tmp_path / "c")
    for i in range(3):
        write_title(catalog, f"t{i}", seed=i, shots=4 + i)
    return catalog


def rows_of(catalog, name, title):
    [(_, rows)] = catalog.stored_rows(title, [name])
    return rows


def test_all_of_a_title_is_copied_bit_by_bit(catalog):
    old = catalog.title("t1")
    names = ["shots", "cues", "keyframes", "features/video-aaaa1111", "features/text-cccc3333"]
    names.append("metadata/cccc3333")
    before = [rows_of(catalog, name, old) for name in names]
    assert before[4]["vector"].null_count > 0
    with catalog.writer("t1", ENCODERS) as w:
        w.copy_from(catalog, old, ["video", "text", "metadata"], cues=True)
        new = w.commit(dataclasses.replace(old, synopsis="new"))
    assert new.ingest_id != old.ingest_id
    assert (new.shots, new.cues) == (old.shots, old.cues)
    assert before == [rows_of(catalog, name, new) for name in names]
    check_title(catalog, "t1")
    assert catalog.collect_orphans() == 1
    assert stored_ingests(catalog) == {title.ingest_id for title in catalog.titles()}
    catalog.refresh()
    check_title(catalog, "t1")


def test_new_subtitles_beside_copied_pictures(catalog):
    old = catalog.title("t2")
    cues = [Cue(Span(0, 5), "new"), Cue(Span(5, 9), "words")]
    with catalog.writer("t2", ENCODERS) as w:
        w.copy_from(catalog, old, ["video", "metadata"])
        w.add_cues(cues)
        w.add_features("text", 0, np.ones((6, 4)))
        w.commit(old)
    assert catalog.cues("t2") == cues
    assert catalog.features("t2", "text")[0].tolist() == np.ones((6, 4)).tolist()
    np.testing.assert_array_equal(
        catalog.features("t2", "video")[0], vectors(2, 6, 8).astype(np.float16)
    )
    assert all(catalog.keyframes("t2"))
    with catalog.writer("t2", ENCODERS) as w:
        w.copy_from(catalog, catalog.title("t2"), ["text"], keyframes=False, cues=True)
        w.set_metadata("synopsis", np.ones(4))
        w.commit(old)
    assert catalog.cues("t2") == cues
    assert catalog.keyframes("t2") == [None] * 6
    assert not catalog.features("t2", "video")[1].any()
    [features] = catalog.title_features(["t2"])
    assert features.metadata["synopsis"].tolist() == [1] * 4


def test_a_title_that_has_little(catalog):
    with catalog.writer("bare", ENCODERS) as w:
        w.add_shots(make_shots(2))
        bare = w.commit(TitleRecord("bare", ""))
    with catalog.writer("empty") as w:
        empty = w.commit(TitleRecord("empty", ""))
    for old in (bare, empty):
        with catalog.writer(old.title_id, ENCODERS) as w:
            w.copy_from(catalog, old, ["video", "text", "metadata"], cues=True)
            new = w.commit(old)
        assert dataclasses.replace(new, ingest_id="", committed_at=0) == dataclasses.replace(
            old, ingest_id="", committed_at=0
        )


def test_what_cannot_be_copied(catalog):
    old = catalog.title("t0")
    with catalog.writer("t0", {"video": VIDEO}) as w:
        with pytest.raises(CatalogError, match="rows of 't1' were to be copied"):
            w.copy_from(catalog, catalog.title("t1"), [])
        with pytest.raises(CatalogError, match="no encoder was named for text"):
            w.copy_from(catalog, old, ["text"])
        w.copy_from(catalog, old, ["video"], keyframes=False)
        with pytest.raises(CatalogError, match="shots were added before"):
            w.copy_from(catalog, old, [])
        with pytest.raises(CatalogError, match="shot 0 was added where shot 4 is due"):
            w.add_shots(make_shots(1))
    with catalog.writer("t0", ENCODERS) as w:
        w.copy_from(catalog, old, ["video", "metadata"])
        with pytest.raises(CatalogError, match="synopsis was set twice"):
            w.set_metadata("synopsis", np.ones(4))
        with pytest.raises(CatalogError, match="shot 1 was given two keyframes"):
            w.add_keyframes([(1, b"x")])
    write_title(catalog, "t0", seed=9)
    with (
        catalog.writer("t0", ENCODERS) as w,
        pytest.raises(CatalogError, match=r"anew or removed meanwhile; read it again"),
    ):
        w.copy_from(catalog, old, ["video"])


def test_copies_meet_a_switch(catalog):
    """Copied old vectors are refused after the switch, and copies of before it count as missing."""
    catalog.declare_filling({"text": OTHER_TEXT})
    fill(catalog, OTHER_TEXT)
    title = catalog.title("t0")
    with catalog.writer("t0", ENCODERS) as w:
        w.copy_from(catalog, title, ["video", "text"])
        w.commit(title)
    with pytest.raises(CatalogError, match=r"1 of 3 titles have no text vectors.*: t0;"):
        catalog.switch_encoders({"text": OTHER_TEXT})
    fill(catalog, OTHER_TEXT)
    title = catalog.title("t0")
    reader = Catalog.open(catalog.uri)
    with catalog.writer("t0", ENCODERS) as early, catalog.writer("t0", ENCODERS) as late:
        early.copy_from(reader, title, ["video", "text"])
        catalog.switch_encoders({"text": OTHER_TEXT})
        with pytest.raises(FingerprintError, match="'e5'"):
            early.commit(title)
        with pytest.raises(FingerprintError, match="'e5'"):
            late.copy_from(catalog, title, ["text"])
        late.copy_from(reader, title, ["video", "text"])  # it still sees the old ones
        with pytest.raises(FingerprintError, match="'e5'"):
            late.commit(title)
    with catalog.writer("t0", {"video": VIDEO, "text": OTHER_TEXT, "metadata": TEXT}) as w:
        w.copy_from(catalog, title, ["video", "text", "metadata"])
        title = w.commit(title)
    x_ND, present_N = made(OTHER_TEXT, title)
    expected_ND = (x_ND * present_N[:, None]).astype(np.float16)
    np.testing.assert_array_equal(catalog.features("t0", "text")[0], expected_ND)
