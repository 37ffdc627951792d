"""What titles of the catalog lack, or what is said anew of them, without finding shots again."""

from __future__ import annotations

import io
import shutil
from dataclasses import replace

import numpy as np
import pytest
from ingest_kit import FAST, SRT, Paid, content, of, undisturbed

from mediafm.catalog import Catalog, VersionRecord
from mediafm.encoders import EncoderChoice
from mediafm.ingest import ingest, reencode
from mediafm.progress import Lines
from mediafm.timeline import Cue, Span

pytestmark = pytest.mark.usefixtures("registered")


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


def test_a_copy_of_a_film_gets_what_its_title_lacks(tmp_path, films):
    shutil.copytree(films, tmp_path / "copy", copy_function=shutil.copy2)
    config = replace(FAST, encoders=replace(FAST.encoders, others={"length": "length"}))
    assert ingest(tmp_path / "copy", tmp_path / "c", config).summary() == "2 updated"
    assert "length" in Catalog.open(tmp_path / "c").encoders()
    assert Catalog.open(tmp_path / "c").title("a").path == str(films / "a.mp4")


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


def test_a_new_synopsis_does_not_pay_for_the_cues_again(tmp_path, films):
    reencode(tmp_path / "c", of(text="paid"))
    Paid.seen = []
    (films / "b.json").write_text('{"synopsis": "A bee.", "year": 1999}')
    config = of(video="fake", audio="fake", text="paid")
    assert ingest(films, tmp_path / "c", config).summary() == "1 updated, 1 unchanged"
    assert Paid.seen == []
    assert Catalog.open(tmp_path / "c").title("b").year == 1999


# Speech


class FakeTranscriber:
    fingerprint, calls = "f00d", 0

    def load(self, devices):
        return self

    def transcribe(self, chunks, *, language=""):
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
