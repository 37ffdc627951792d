"""Round trips of titles, what a writer refuses, what a reader says."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from catalog_kit import (
    ENCODERS,
    OTHER_VIDEO,
    TEXT,
    VIDEO,
    check_title,
    make_shots,
    stored_ingests,
    vectors,
    write_title,
)

from mediafm.catalog import Catalog, EncoderRecord, Failure, TitleRecord
from mediafm.errors import CatalogError, FingerprintError
from mediafm.timeline import Cue, Span


@pytest.fixture
def catalog(tmp_path):
    return Catalog.create(tmp_path / "films.catalog")


def test_title_comes_back_as_written(catalog):
    record = TitleRecord(
        'it\'s a "film"/1',
        "",
        title="Ein Film",
        kind="episode",
        series_id="s",
        season=1,
        episode=2,
        year=1999,
        synopsis="déjà vu",
        tags=("a", "b"),
        genres=("drama",),
        ids={"imdb": "tt1"},
        path="/films/a b.mkv",
        size=2**40,
        mtime_ns=2**60,
        content="c0",
        settings="s0",
        duration=9,
        start_offset=-5,
        timecode="10:00:00:00",
        frame_rate="24000/1001",
        width=1920,
        height=1080,
        notes=("no audio",),
    )
    cues = [Cue(Span(5, 5), "one\ntwo", "sound", "de", "stream 3"), Cue(Span(0, 9), "")]
    with catalog.writer(record.title_id, ENCODERS) as w:
        w.add_shots(make_shots(2))
        w.add_shots(make_shots(4)[2:])
        w.add_cues(cues)
        w.add_keyframes([(3, b"\xff\xd8three"), (1, b"\xff\xd8one")])
        written = w.commit(record)
    assert written == dataclasses.replace(
        record, ingest_id=w.ingest_id, shots=4, cues=2, committed_at=written.committed_at
    )
    for reader in (catalog, Catalog.open(catalog.uri)):
        assert reader.title(record.title_id) == written
        assert reader.shots(record.title_id) == make_shots(4)
        assert reader.cues(record.title_id) == cues
        assert reader.keyframe(record.title_id, 1) == b"\xff\xd8one"
        assert reader.keyframe(record.title_id, 0) is None
        assert reader.keyframes(record.title_id) == [None, b"\xff\xd8one", None, b"\xff\xd8three"]
        assert reader.find(written.title_id) == written
        assert reader.find("no such title") is None
    with pytest.raises(CatalogError, match=r"no shot 4; its shots are 0 \.\. 3"):
        catalog.keyframe(record.title_id, 4)


def test_features_come_back_as_float16_and_absent_rows_as_zeros(catalog):
    x_ND = vectors(1, 7, 8) * 100
    x_ND[2] = np.nan  # an absent row may hold anything
    present_N = np.array([True, True, False, True, True, True, True])
    with catalog.writer("t", ENCODERS) as w:
        w.add_shots(make_shots(7))
        w.add_features("video", 0, x_ND[:3], present_N[:3])
        w.add_features("video", 3, x_ND[3:].astype(np.float64), present_N[3:])
        w.add_features("text", 0, np.zeros((7, 4)), np.zeros(7, bool))
        w.commit(TitleRecord("t", ""))
    expected = np.where(present_N[:, None], x_ND, 0).astype(np.float16)
    found_ND, found_N = catalog.features("t", "video")
    assert found_ND.dtype == np.float16
    np.testing.assert_array_equal(found_ND, expected)
    np.testing.assert_array_equal(found_N, present_N)
    zeros_ND, absent_N = catalog.features("t", "text")
    assert not zeros_ND.any()
    assert not absent_N.any()
    assert catalog.coverage() == {"text": (0, 7), "video": (6, 7)}
    assert catalog.encoders() == {"text": TEXT, "video": VIDEO}
    with pytest.raises(CatalogError, match="no audio features; it has text, video"):
        catalog.features("t", "audio")


def test_title_features_stream_in_the_order_asked(catalog, monkeypatch):
    monkeypatch.setattr("mediafm.catalog.reader._BATCH_SHOTS", 12)
    names = [f"t{i}" for i in range(9)]
    for i, name in enumerate(names):
        write_title(catalog, name, shots=1 + i, seed=i, series_id=f"s{i % 2}")
    assert [f.title_id for f in catalog.title_features()] == names
    order = ["t5", "t0", "t8", "t1", "t5"]
    found = list(catalog.title_features(order, ["video"]))
    assert [f.title_id for f in found] == order
    for features in found:
        i = int(features.title_id[1:])
        np.testing.assert_array_equal(
            features.features["video"], vectors(i, 1 + i, 8).astype(np.float16)
        )
        assert features.features.keys() == features.present.keys() == {"video"}
        assert features.times_N2.dtype == np.int64
        assert features.times_N2.tolist() == [[k * 10**6, (k + 1) * 10**6] for k in range(1 + i)]
        assert features.group == f"s{i % 2}"
    with pytest.raises(CatalogError, match="no title 'nix'"):
        catalog.title_features(["t0", "nix"])
    with pytest.raises(CatalogError, match="no audio features"):
        catalog.title_features(["t0"], ["audio"])


def test_titles_without_shots_or_features(catalog):
    with catalog.writer("empty") as w:
        w.commit(TitleRecord("empty", ""))
    [features] = catalog.title_features()
    assert len(features) == 0
    assert catalog.shots("empty") == catalog.cues("empty") == catalog.keyframes("empty") == []
    assert catalog.coverage() == catalog.encoders() == {}
    write_title(catalog, "full", shots=3)
    with catalog.writer("mute", ENCODERS) as w:
        w.add_shots(make_shots(2))
        w.commit(TitleRecord("mute", ""))
    empty, full, mute = catalog.title_features()
    assert empty.features["video"].shape == (0, 8)
    assert full.present["video"].all()
    assert mute.features["video"].shape == (2, 8)
    assert not mute.present["video"].any()
    assert mute.metadata == {}
    assert catalog.coverage()["video"] == (3, 5)


def test_leaving_without_commit_discards(catalog):
    with catalog.writer("t", ENCODERS) as w:
        w.add_shots(make_shots(3))
    assert catalog.titles() == []
    assert stored_ingests(catalog) == set()
    with pytest.raises(CatalogError, match="closed"):
        w.add_shots(make_shots(3))
    with pytest.raises(CatalogError, match="closed"):
        w.commit(TitleRecord("t", ""))
    with pytest.raises(RuntimeError, match="mine"), catalog.writer("t") as w:
        raise RuntimeError("mine")
    assert list((catalog._store.root / "leases").iterdir()) == []


def test_writer_refuses_what_does_not_fit(catalog):
    with catalog.writer("t", ENCODERS) as w:
        w.add_shots(make_shots(3))
        with pytest.raises(CatalogError, match="shot 5 was added where shot 3 is due"):
            w.add_shots(make_shots(6)[5:])
        with pytest.raises(CatalogError, match="not a number or is infinite"):
            w.add_features("video", 0, np.full((1, 8), np.nan))
        with pytest.raises(CatalogError, match="not a number or is infinite"):
            w.add_features("video", 0, np.full((1, 8), -np.inf))
        with pytest.raises(CatalogError, match="16-bit"):
            w.add_features("video", 0, np.full((1, 8), 1e5))
        with pytest.raises(CatalogError, match="scale the vectors up"):
            w.add_features("video", 0, np.full((1, 8), 1e-8))
        with pytest.raises(CatalogError, match=r"shape \(1, 7\), expected \(1, 8\)"):
            w.add_features("video", 0, np.zeros((1, 7)))
        with pytest.raises(CatalogError, match="no encoder was named for smell"):
            w.add_features("smell", 0, np.zeros((1, 7)))
        w.add_features("video", 0, np.zeros((2, 8)))
        with pytest.raises(CatalogError, match="of shot 1 were added where those of shot 2"):
            w.add_features("video", 1, np.zeros((2, 8)))
        with pytest.raises(CatalogError, match="covers 2 of 3 shots"):
            w.commit(TitleRecord("t", ""))
        w.add_features("video", 2, np.zeros((1, 8)))
        with pytest.raises(CatalogError, match="record of 'u'"):
            w.commit(TitleRecord("u", ""))
        w.add_keyframes([(2, b"x")])
        with pytest.raises(CatalogError, match="shot 2 was given two keyframes"):
            w.add_keyframes([(2, b"y")])
        w.set_metadata("tags", np.zeros(4))
        with pytest.raises(CatalogError, match="set twice"):
            w.set_metadata("tags", np.zeros(4))
        w.commit(TitleRecord("t", ""))
        with pytest.raises(CatalogError, match="closed"):
            w.commit(TitleRecord("t", ""))
    with catalog.writer("u") as w:
        w.add_shots(make_shots(3))
        w.add_keyframes([(3, b"x")])
        with pytest.raises(CatalogError, match="outside the 3 shots"):
            w.commit(TitleRecord("u", ""))
    with pytest.raises(CatalogError, match="no name for a table"):
        catalog.writer("t", {"a/b": dataclasses.replace(VIDEO, modality="a/b")})
    with pytest.raises(CatalogError, match="encoder of video was named for audio"):
        catalog.writer("t", {"audio": VIDEO})


def test_other_encoder_is_refused(catalog):
    catalog.check_encoders({"video": OTHER_VIDEO})
    late = catalog.writer("late", {"video": OTHER_VIDEO})
    write_title(catalog, "t")
    with pytest.raises(FingerprintError) as caught:
        catalog.writer("u", {"video": OTHER_VIDEO})
    text = str(caught.value)
    for part in ("clip", "siglip", "aaaa1111", "bbbb2222", "weights v1 / w9", "--catalog NEW"):
        assert part in text
    assert "frames" not in text
    assert "\n" not in text
    with late as w:  # was fine when it began
        w.add_shots(make_shots(1))
        w.add_features("video", 0, np.zeros((1, 6)))
        with pytest.raises(FingerprintError):
            w.commit(TitleRecord("late", ""))
    assert [title.title_id for title in Catalog.open(catalog.uri).titles()] == ["t"]
    # Uncommitted rows of the other encoder do not count, nor does one that was removed.
    assert catalog.encoders()["video"] == VIDEO
    catalog.remove("t")
    with catalog.writer("u", {"video": OTHER_VIDEO}) as w:
        w.add_shots(make_shots(1))
        w.add_features("video", 0, np.zeros((1, 6)))
        w.commit(TitleRecord("u", ""))
    assert catalog.encoders() == {"video": OTHER_VIDEO}


def test_metadata_may_have_its_own_encoder(catalog):
    own = EncoderRecord("text", "bert", "dddd", 3)
    with catalog.writer("t", {"metadata": own}) as w:
        w.set_metadata("synopsis", [1, 2, 3])
        w.set_metadata("tags", [4, 5, 6])
        w.commit(TitleRecord("t", ""))
    [features] = catalog.title_features()
    assert {k: v.tolist() for k, v in features.metadata.items()} == {
        "synopsis": [1, 2, 3],
        "tags": [4, 5, 6],
    }
    assert catalog.metadata_encoder() == own
    assert catalog.encoders() == {}
    with pytest.raises(FingerprintError, match="metadata vectors of 'bert'"):
        catalog.writer("u", {"metadata": TEXT})
    with pytest.raises(FingerprintError, match="metadata vectors of 'bert'"):
        write_title(catalog, "u")


def test_reingest_replaces_and_touch_keeps_children(catalog):
    first = write_title(catalog, "t", seed=1, shots=4)
    second = write_title(catalog, "t", seed=2, shots=6)
    assert second.committed_at > first.committed_at
    check_title(catalog, "t")
    moved = catalog.touch(dataclasses.replace(second, path="/new/place", mtime_ns=5))
    assert catalog.title("t") == moved
    assert moved.path == "/new/place"
    check_title(catalog, "t")
    with pytest.raises(CatalogError, match="anew or removed"):
        catalog.touch(first)
    assert catalog.collect_orphans() == 1
    assert stored_ingests(catalog) == {second.ingest_id}
    catalog.refresh()
    assert catalog.titles() == [moved]
    assert catalog._snapshot() is not None
    check_title(catalog, "t")
    catalog.remove("t")
    assert catalog.titles() == []
    assert catalog.collect_orphans() == 1
    assert stored_ingests(catalog) == set()
    with pytest.raises(CatalogError, match="no title 't'"):
        catalog.remove("t")


def test_a_clock_that_goes_back_does_not_hide_a_new_ingest(catalog, monkeypatch):
    write_title(catalog, "t", seed=1)
    monkeypatch.setattr("mediafm.catalog.catalog.now_us", lambda: 17)
    write_title(catalog, "t", seed=2)
    assert catalog.title("t").year == 2


def test_unknown_title_names_near_ones(catalog):
    for name in ("nosferatu-1922", "metropolis"):
        with catalog.writer(name) as w:
            w.commit(TitleRecord(name, ""))
    with pytest.raises(CatalogError, match="did you mean 'nosferatu-1922'"):
        catalog.title("nosferatu")
    with pytest.raises(CatalogError, match="has 2 titles"):
        catalog.shots("xxxxxx")


def test_failures_until_a_later_success(catalog):
    assert catalog.failures() == []
    catalog.clear_failure("/never")
    catalog.record_failure("/a'b", "first")
    catalog.record_failure("/a'b", "second")
    catalog.record_failure("/c", "third")
    found = catalog.failures()
    assert [(f.path, f.reason) for f in found] == [("/a'b", "second"), ("/c", "third")]
    assert isinstance(found[0], Failure)
    write_title(catalog, "t", path="/a'b")
    assert [f.path for f in catalog.failures()] == ["/c"]
    catalog.record_failure("/a'b", "fails again")
    assert len(catalog.failures()) == 2
    catalog.collect_orphans()
    catalog.clear_failure("/a'b")
    assert [f.path for f in Catalog.open(catalog.uri).failures()] == ["/c"]


def test_failure_that_a_killed_run_left_is_hidden(catalog, monkeypatch):
    catalog.record_failure("/a", "bad")
    monkeypatch.setattr(Catalog, "clear_failure", lambda self, path: None)
    write_title(catalog, "t", path="/a")
    assert catalog.failures() == []


def test_many_small_batches_spill_to_disk(catalog, monkeypatch):
    monkeypatch.setattr("mediafm.catalog.writer._IN_MEMORY", 1000)
    x_ND = vectors(3, 300, 8)
    with catalog.writer("t", ENCODERS) as w:
        for shot in make_shots(300):
            w.add_shots([shot])
            w.add_features("video", shot.index, x_ND[shot.index : shot.index + 1])
            w.add_keyframes([(shot.index, bytes([shot.index % 256]) * 5000)])
        w.commit(TitleRecord("t", ""))
    np.testing.assert_array_equal(catalog.features("t", "video")[0], x_ND.astype(np.float16))
    assert catalog.keyframe("t", 77) == bytes([77]) * 5000
    assert catalog.size_bytes() > 300 * 5000


def test_a_title_that_took_long_commits_under_a_young_id(catalog, monkeypatch):
    with catalog.writer("t", ENCODERS) as w:
        w.add_shots(make_shots(2))
        w.add_features("video", 0, vectors(1, 2, 8))
        old = w.ingest_id
        monkeypatch.setattr("mediafm.catalog.writer._RENEW", -1.0)
        record = w.commit(TitleRecord("t", ""))
        assert [p.name for p in (catalog._store.root / "leases").iterdir()] == [w.ingest_id]
    assert record.ingest_id == w.ingest_id != old
    assert catalog.shots("t") == make_shots(2)
    assert stored_ingests(catalog) == {w.ingest_id}
    assert list((catalog._store.root / "leases").iterdir()) == []
