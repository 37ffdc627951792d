"""Other encoders for titles that are in the catalog already."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ingest_kit import (
    FAST,
    FakeAudio,
    FakeVideo,
    OtherText,
    OtherVideo,
    Paid,
    content,
    of,
    undisturbed,
)
from media_kit import Sound, Video, beeps, scene, write

from mediafm.catalog import Catalog
from mediafm.encoders import EncoderChoice, EncoderInfo
from mediafm.errors import CatalogError, EncoderError, FingerprintError
from mediafm.ingest import ingest, reencode
from mediafm.ingest.importer import import_features

pytestmark = pytest.mark.usefixtures("registered")


def test_text_is_replaced_without_opening_media(tmp_path, films, opened):
    report = reencode(tmp_path / "c", of(text="other"))
    assert report.encoders == {"text": "other"}
    assert (len(report.done), report.failed, report.missing, opened) == (2, {}, [], [])
    assert content(tmp_path / "c") == undisturbed(
        tmp_path, films, replace(FAST, encoders=EncoderChoice("fake", "fake", "other"))
    )
    assert Catalog.open(tmp_path / "c").metadata_encoder().name == "other"


@pytest.mark.parametrize(
    ("modality", "name", "reads"),
    [("video", "other-video", (True, False)), ("audio", "clips", (False, True))],
)
def test_only_the_stream_that_is_needed_is_decoded(tmp_path, films, opened, modality, name, reads):
    reencode(tmp_path / "c", of(**{modality: name}))
    assert opened == [("a.mp4", *reads), ("b.mp4", *reads)]
    choice = replace(EncoderChoice("fake", "fake", "fake"), **{modality: name})
    assert content(tmp_path / "c") == undisturbed(tmp_path, films, replace(FAST, encoders=choice))


def test_all_three_at_once(tmp_path, films):
    choice = EncoderChoice("other-video", "clips", "other")
    report = reencode(tmp_path / "c", replace(FAST, encoders=choice))
    assert sorted(report.encoders) == ["audio", "text", "video"]
    assert content(tmp_path / "c") == undisturbed(tmp_path, films, replace(FAST, encoders=choice))
    assert ingest(films, tmp_path / "c", replace(FAST, encoders=choice)).summary() == "2 unchanged"


def test_doing_it_again_does_nothing(tmp_path, films, opened):
    reencode(tmp_path / "c", of(text="other"))
    assert reencode(tmp_path / "c", of(text="other")).encoders == {}
    # The catalog remembers its encoders: nothing has to be said again.
    assert ingest(films, tmp_path / "c", replace(FAST, encoders=EncoderChoice())).summary() == (
        "2 unchanged"
    )
    assert opened == []


def test_readers_see_the_old_vectors_until_all_are_there(tmp_path, films):
    before = content(tmp_path / "c")
    (films / "b.mp4").unlink()
    with pytest.raises(CatalogError, match=r"\bb\b.*--allow-missing"):
        reencode(tmp_path / "c", of(video="other-video"))
    assert content(tmp_path / "c") == before
    report = reencode(tmp_path / "c", of(video="other-video"), allow_missing=True)
    assert report.missing == ["b"]
    assert report.failed.keys() == {"b"}
    _, present = Catalog.open(tmp_path / "c").features("b", "video")
    assert not present.any()


def test_media_that_changed_meanwhile_is_not_mixed(tmp_path, films):
    (films / "b.mp4").write_bytes((films / "a.mp4").read_bytes())
    with pytest.raises(CatalogError):
        reencode(tmp_path / "c", of(video="other-video"))


def test_an_outage_pauses_and_pays_once(tmp_path, films):
    before = content(tmp_path / "c")
    config = replace(of(text="paid"), cache=True)
    Paid.fail_at = 2
    with pytest.raises(EncoderError, match="gone"):
        reencode(tmp_path / "c", config)
    assert content(tmp_path / "c") == before
    Paid.fail_at = None
    report = reencode(tmp_path / "c", config)
    assert report.encoders == {"text": "paid"}
    assert sorted(Paid.seen) == ["A bee.", "This is a.", "This is b."]
    assert report.estimate.texts == 1  # what was left


def test_it_does_not_cost_more_than_allowed(tmp_path, films):
    with pytest.raises(EncoderError, match=r"would cost about \$1.50, more than \$1.00"):
        reencode(tmp_path / "c", of(text="paid"), max_price=1.0)
    assert Paid.seen == []
    assert Catalog.open(tmp_path / "c").encoders()["text"].name == "fake"


def test_other_encoders_are_not_mixed_in_by_ingest(tmp_path, films):
    with pytest.raises(FingerprintError, match="reencode --text other"):
        ingest(films, tmp_path / "c", of(text="other"))


# What was found wrong once


def test_only_what_was_named_is_touched(tmp_path, films, monkeypatch):
    """Another version of an encoder that nobody named is neither loaded nor an error."""
    monkeypatch.setattr(
        FakeVideo, "info", EncoderInfo("video", "fake-video", 5, {"weights": "new"})
    )
    monkeypatch.setattr(FakeAudio, "__init__", lambda self: pytest.fail("loaded"))
    assert reencode(tmp_path / "c", of(text="other")).encoders == {"text": "other"}


@pytest.mark.parametrize("modality", ["video", "text"])
def test_imported_vectors_stay(tmp_path, modality):
    rows = {"title_id": ["t"], "start": [0.0], "end": [1.0], modality: [[1.0, 2.0]]}
    pq.write_table(pa.table(rows), tmp_path / "v.parquet")
    import_features(tmp_path / "v.parquet", tmp_path / "imported")
    name = {"video": "other-video", "text": "other"}[modality]
    with pytest.raises(CatalogError, match="could not be encoded anew"):
        reencode(tmp_path / "imported", of(**{modality: name}))
    x_ND, present_N = Catalog.open(tmp_path / "imported").features("t", modality)
    assert (x_ND.tolist(), present_N.tolist()) == ([[1, 2]], [True])


def test_titles_are_read_as_they_were_ingested(tmp_path, films):
    """Shots of three frames have pictures only where stills are taken often enough."""
    frames = [f for i in range(12) for f in scene(i, 3)]
    write(films / "a.mp4", Video(frames), Sound(beeps([0.3], 1.0)))
    brief = replace(FAST, shots=replace(FAST.shots, min_length=50_000))
    ingest(films, tmp_path / "brief", brief)
    reencode(tmp_path / "brief", of(video="other-video"))
    choice = replace(FAST.encoders, video="other-video")
    assert content(tmp_path / "brief") == undisturbed(
        tmp_path, films, replace(brief, encoders=choice)
    )


def test_an_interrupted_reencode_of_a_new_modality_is_finished_by_ingest(tmp_path, films):
    ingest(films, tmp_path / "n", of(video="fake", audio="fake", text="none"))
    Paid.fail_at = 1
    with pytest.raises(EncoderError):
        reencode(tmp_path / "n", of(text="paid"))
    Paid.fail_at = None
    ingest(films, tmp_path / "n", of(video="fake", audio="fake", text="paid"))
    assert sorted(Catalog.open(tmp_path / "n").encoders()) == ["audio", "text", "video"]


def test_after_going_without_a_title_it_is_filled_in(tmp_path, films):
    kept = (films / "b.mp4").rename(tmp_path / "elsewhere.mp4")
    reencode(tmp_path / "c", of(video="other-video"), allow_missing=True)
    kept.rename(films / "b.mp4")
    report = reencode(tmp_path / "c", of(video="other-video"))
    assert (report.done, report.failed) == ({"b"}, {})
    assert Catalog.open(tmp_path / "c").features("b", "video")[1].all()


def test_one_title_at_fault_does_not_stop_the_others(tmp_path, films, monkeypatch):
    real = OtherVideo.encode

    def encode(self, shots):
        if len(seen) == 0:
            seen.append(1)
            raise IndexError("odd picture")
        return real(self, shots)

    seen: list = []
    monkeypatch.setattr(OtherVideo, "encode", encode)
    report = reencode(tmp_path / "c", of(video="other-video"), allow_missing=True)
    assert list(report.failed) == ["a"]
    assert "unexpected IndexError (odd picture)" in report.failed["a"]
    assert report.done == {"b"}


def test_one_text_at_fault_does_not_stop_the_others(tmp_path, films, monkeypatch):
    real = OtherText.encode

    def broken(self, texts):
        x_ND = real(self, texts)
        x_ND[["This is a." in text for text in texts]] = np.nan
        return x_ND

    monkeypatch.setattr(OtherText, "encode", broken)
    report = reencode(tmp_path / "c", of(text="other"), allow_missing=True)
    assert list(report.failed) == ["a"]
    assert report.done == {"b"}


def test_a_title_that_goes_meanwhile_is_let_go(tmp_path, films, monkeypatch):
    real = OtherVideo.encode

    def encode(self, shots):
        other = Catalog.open(tmp_path / "c")
        if other.find("b") is not None:
            other.remove("b")
        return real(self, shots)

    monkeypatch.setattr(OtherVideo, "encode", encode)
    report = reencode(tmp_path / "c", of(video="other-video"))
    assert (report.done, report.failed) == ({"a"}, {})


def test_nothing_named(tmp_path, films):
    with pytest.raises(EncoderError, match="no encoder was named"):
        reencode(tmp_path / "c", of())
    with pytest.raises(EncoderError, match="text cannot be taken out of a catalog"):
        reencode(tmp_path / "c", of(text="none"))


def test_an_encoder_that_fails_on_every_title_replaces_nothing(tmp_path, films, monkeypatch):
    def encode(self, shots):
        raise ValueError("broken")

    monkeypatch.setattr(OtherVideo, "encode", encode)
    before = content(tmp_path / "c")
    with pytest.raises(CatalogError, match="2 titles could not be encoded anew"):
        reencode(tmp_path / "c", of(video="other-video"), allow_missing=True)
    assert content(tmp_path / "c") == before


@pytest.mark.parametrize("price", [-1.0, float("nan")])
def test_what_is_no_price(tmp_path, films, price):
    with pytest.raises(EncoderError, match="is no price"):
        reencode(tmp_path / "c", of(text="paid"), max_price=price)
