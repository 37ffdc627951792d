"""Other encoders and further modalities for titles that are in the catalog already."""

from __future__ import annotations

import io
import shutil
from dataclasses import replace

import ingest_kit
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ingest_kit import FAST, content
from media_kit import Sound, Video, beeps, scene, write

from mediafm.catalog import Catalog, VersionRecord
from mediafm.encoders import EMBEDDED, EncoderChoice, EncoderInfo, Estimate
from mediafm.errors import CatalogError, EncoderError, FingerprintError
from mediafm.ingest import ingest, reencode
from mediafm.ingest import title as title_module
from mediafm.ingest.importer import import_features
from mediafm.progress import Lines
from mediafm.timeline import Span

SRT = "1\n00:00:00,100 --> 00:00:00,700\n{}\n"


class OtherVideo(ingest_kit.FakeVideo):
    info = EncoderInfo("video", "other-video", 5, {"weights": "w"})


class OtherClips:
    info = EncoderInfo("audio", "clips", 2, {"weights": "c"})
    sample_rate, least = 8000, 400

    def encode_clips(self, clips):
        return np.array([[np.abs(clip).max(), len(clip) / 1000] for clip in clips])


class Paid(ingest_kit.FakeText):
    info = EncoderInfo("text", "paid", 3, {"weights": "p"})
    seen: list = []  # noqa: RUF012
    fail_at = None

    def estimate(self, texts):
        return Estimate(len(texts), sum(map(len, texts)), False, 0.5 * len(texts))

    def encode_batches(self, texts):
        for place, text in enumerate(texts):
            if len(self.seen) == self.fail_at:
                raise EncoderError("the service is gone")
            self.seen.append(text)
            yield [place], self.encode([text])


class Lengths:
    """A further modality: how long a shot is."""

    info = EncoderInfo("length", "length", 2, {"weights": "l"})

    def encode_shots(self, title):
        x_ND = np.array([[s.span.duration / 1e6, len(title.cues)] for s in title.shots])
        assert len(title.keyframes()) == len(title.shots)
        return x_ND, np.array([s.index != 1 for s in title.shots])

    def sources(self, title_id):
        return ""


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    for modality, name, cls in (
        ("video", "other-video", "OtherVideo"),
        ("audio", "clips", "OtherClips"),
        ("text", "paid", "Paid"),
    ):
        monkeypatch.setitem(EMBEDDED[modality], name, f"{__name__}:{cls}")
    for modality, fake in (("video", "FakeVideo"), ("audio", "FakeAudio"), ("text", "FakeText")):
        monkeypatch.setitem(EMBEDDED[modality], "fake", f"ingest_kit:{fake}")
    monkeypatch.setitem(EMBEDDED["text"], "other", "ingest_kit:OtherText")
    monkeypatch.setitem(EMBEDDED, "length", {"length": f"{__name__}:Lengths"})
    Paid.seen, Paid.fail_at = [], None


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    folder = tmp_path_factory.mktemp("films")
    for name, first in (("a", 0), ("b", 5)):
        frames = [f for i, n in enumerate((20, 30, 25)) for f in scene(first + i, n)]
        write(folder / f"{name}.mp4", Video(frames), Sound(beeps([0.3, 2.1], 2.5)))
        (folder / f"{name}.en.srt").write_text(SRT.format(f"This is {name}."))
    (folder / "b.json").write_text('{"synopsis": "A bee."}')
    return folder


@pytest.fixture
def films(tmp_path, originals):
    shutil.copytree(originals, tmp_path / "films", copy_function=shutil.copy2)
    ingest(tmp_path / "films", tmp_path / "c", FAST)
    return tmp_path / "films"


@pytest.fixture
def opened(monkeypatch):
    """Which media was opened, and for what."""
    found, real = [], title_module.Reader

    def reader(path, options):
        found.append((path.name, options.pictures, options.sound))
        return real(path, options)

    monkeypatch.setattr(title_module, "Reader", reader)
    return found


def of(**encoders):
    return replace(FAST, encoders=EncoderChoice(**encoders))


def undisturbed(tmp_path, films, config):
    ingest(films, tmp_path / "undisturbed", config)
    return content(tmp_path / "undisturbed")


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


# A further modality


def test_a_further_modality_for_titles_that_are_there(tmp_path, films, opened):
    config = replace(FAST, encoders=replace(FAST.encoders, others={"length": "length"}))
    assert ingest(films, tmp_path / "c", config).summary() == "2 updated"
    assert opened == []
    x_ND, present_N = Catalog.open(tmp_path / "c").features("a", "length")
    assert present_N.tolist() == [True, False, True]
    assert x_ND[0].tolist() == [np.float16(0.8), 1]
    assert content(tmp_path / "c") == undisturbed(tmp_path, films, config)
    # Remembered: the next run does not have to name it.
    assert ingest(films, tmp_path / "c", replace(FAST, encoders=EncoderChoice())).summary() == (
        "2 unchanged"
    )


def test_a_modality_that_was_left_out_is_filled_in(tmp_path, originals, opened):
    ingest(originals, tmp_path / "c", of(video="none", audio="fake", text="none"))
    opened.clear()
    report = ingest(originals, tmp_path / "c", of(video="fake", audio="fake", text="fake"))
    assert report.summary() == "2 updated"
    assert opened == [("a.mp4", True, False), ("b.mp4", True, False)]
    full = replace(FAST, encoders=EncoderChoice("fake", "fake", "fake"))
    assert content(tmp_path / "c") == undisturbed(tmp_path, originals, full)


# Sidecars


def test_new_subtitles_do_not_decode_the_film(tmp_path, films, opened):
    (films / "a.en.srt").write_text(SRT.format("Something else."))
    (films / "b.json").write_text('{"synopsis": "No bee.", "title": "Bee"}')
    assert ingest(films, tmp_path / "c", FAST).summary() == "2 updated"
    assert opened == []
    found = content(tmp_path / "c")
    assert found["a"][2][0].text == "Something else."
    assert found["b"][0]["synopsis"] == "No bee."
    assert found == undisturbed(tmp_path, films, FAST)


def test_subtitles_that_are_gone_are_looked_for_in_the_film(tmp_path, films, opened):
    (films / "a.en.srt").unlink()
    assert ingest(films, tmp_path / "c", FAST).summary() == "1 ingested, 1 unchanged"
    assert [name for name, *_ in opened] == ["a.mp4"]
    assert content(tmp_path / "c")["a"][2] == []


# Speech


class FakeTranscriber:
    fingerprint, calls = "f00d", 0

    def load(self, devices):
        return self

    def transcribe(self, chunks, *, language=""):
        from mediafm.timeline import Cue

        FakeTranscriber.calls += 1
        length = sum(map(len, chunks))
        yield Cue(Span(0, 500_000), f"heard {length / 16_000:.1f} s", source="asr:fake")


@pytest.fixture
def speech(monkeypatch):
    transcribe = pytest.importorskip("mediafm.encoders.transcribe")
    FakeTranscriber.calls = 0
    monkeypatch.setattr(transcribe, "open_transcriber", lambda text: FakeTranscriber())
    return replace(FAST, transcribe="fake")


def test_speech_of_titles_without_text(tmp_path, films, speech, opened):
    """Only for titles that have none, without finding the shots again, and once."""
    (films / "a.en.srt").unlink()
    ingest(films, tmp_path / "c", FAST)
    opened.clear()
    assert ingest(films, tmp_path / "c", speech).summary() == "1 updated, 1 unchanged"
    assert opened == [("a.mp4", False, True)]
    [cue] = Catalog.open(tmp_path / "c").cues("a")
    assert (cue.text, cue.machine_made) == ("heard 2.5 s", True)
    _, present_N = Catalog.open(tmp_path / "c").features("a", "text")
    assert present_N.tolist() == [True, False, False]
    assert content(tmp_path / "c") == undisturbed(tmp_path, films, speech)
    calls = FakeTranscriber.calls
    # With or without asking again.
    assert ingest(films, tmp_path / "c", speech).summary() == "2 unchanged"
    assert ingest(films, tmp_path / "c", FAST).summary() == "2 unchanged"
    assert FakeTranscriber.calls == calls


def test_real_subtitles_replace_what_was_heard(tmp_path, films, speech):
    subtitle = (films / "a.en.srt").read_bytes()
    (films / "a.en.srt").unlink()
    ingest(films, tmp_path / "c", speech)
    (films / "a.en.srt").write_bytes(subtitle)
    assert ingest(films, tmp_path / "c", speech).summary() == "1 updated, 1 unchanged"
    assert [cue.text for cue in Catalog.open(tmp_path / "c").cues("a")] == ["This is a."]


def test_what_was_heard_survives_a_new_synopsis(tmp_path, films, speech):
    (films / "a.en.srt").unlink()
    ingest(films, tmp_path / "c", speech)
    (films / "a.json").write_text('{"synopsis": "An a."}')
    assert ingest(films, tmp_path / "c", speech).summary() == "1 updated, 1 unchanged"
    assert [cue.text for cue in Catalog.open(tmp_path / "c").cues("a")] == ["heard 2.5 s"]


# What was found wrong once


def test_only_what_was_named_is_touched(tmp_path, films, monkeypatch):
    """Another version of an encoder that nobody named is neither loaded nor an error."""
    monkeypatch.setattr(
        ingest_kit.FakeVideo, "info", EncoderInfo("video", "fake-video", 5, {"weights": "new"})
    )
    monkeypatch.setattr(ingest_kit.FakeAudio, "__init__", lambda self: pytest.fail("loaded"))
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


def test_embeddings_of_titles_that_were_filled_in_are_made_anew(tmp_path, films):
    ingest(films, tmp_path / "late", of(video="fake", audio="fake", text="none"))
    catalog = Catalog.open(tmp_path / "late")
    catalog.create_version(VersionRecord("v", "f00d", 2))
    rows = [(t.title_id, t.ingest_id, np.ones((t.shots, 2))) for t in catalog.titles()]
    catalog.append_embeddings("v", rows)
    said = io.StringIO()
    full = of(video="fake", audio="fake", text="fake")
    assert ingest(films, catalog, full, Lines(said)).summary() == "2 updated"
    assert Catalog.open(tmp_path / "late").embedded_ingests("v") == set()
    assert "2 titles have features now that their embeddings know nothing of" in said.getvalue()


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
    real = ingest_kit.OtherText.encode

    def broken(self, texts):
        x_ND = real(self, texts)
        x_ND[["This is a." in text for text in texts]] = np.nan
        return x_ND

    monkeypatch.setattr(ingest_kit.OtherText, "encode", broken)
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


def test_a_new_synopsis_does_not_pay_for_the_cues_again(tmp_path, films):
    reencode(tmp_path / "c", of(text="paid"))
    Paid.seen = []
    (films / "b.json").write_text('{"synopsis": "A bee.", "year": 1999}')
    config = of(video="fake", audio="fake", text="paid")
    assert ingest(films, tmp_path / "c", config).summary() == "1 updated, 1 unchanged"
    assert Paid.seen == []
    assert Catalog.open(tmp_path / "c").title("b").year == 1999


def test_nothing_named(tmp_path, films):
    with pytest.raises(EncoderError, match="no encoder was named"):
        reencode(tmp_path / "c", of())
    with pytest.raises(EncoderError, match="text cannot be taken out of a catalog"):
        reencode(tmp_path / "c", of(text="none"))


def test_a_copy_of_a_film_gets_what_its_title_lacks(tmp_path, films):
    shutil.copytree(films, tmp_path / "copy", copy_function=shutil.copy2)
    config = replace(FAST, encoders=replace(FAST.encoders, others={"length": "length"}))
    assert ingest(tmp_path / "copy", tmp_path / "c", config).summary() == "2 updated"
    assert "length" in Catalog.open(tmp_path / "c").encoders()
    assert Catalog.open(tmp_path / "c").title("a").path == str(films / "a.mp4")


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
