"""Folders of small films into real catalogs: what is done, what is left alone, what is said."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import ingest_kit
import pytest
from ingest_kit import FAST, content
from media_kit import Video, film, picture, write

from mediafm.catalog import Catalog
from mediafm.encoders import AUDIO, TEXT, VIDEO, EncoderChoice
from mediafm.errors import EncoderError, FingerprintError, MediaError
from mediafm.fingerprint import file_fingerprint
from mediafm.ingest import ingest, title
from mediafm.ingest.run import Run
from mediafm.shots import ShotConfig

SRT = "1\n00:00:00,200 --> 00:00:01,000\n{}\n"


@pytest.fixture(autouse=True)
def _fakes(monkeypatch):
    for registry in (VIDEO, AUDIO, TEXT):
        for name in ("fake", "other"):
            monkeypatch.setitem(registry, name, "")
    ingest_kit.register()


@pytest.fixture(scope="session")
def originals(tmp_path_factory):
    folder = tmp_path_factory.mktemp("originals")
    return [film(folder / f"{i}.mp4", seed=i) for i in range(3)]


@pytest.fixture
def films(tmp_path, originals):
    """Three films, one with a subtitle, one with metadata."""
    folder = tmp_path / "films"
    (folder / "season 1").mkdir(parents=True)
    for source, name in zip(originals, ("a.mp4", "b.mp4", "season 1/c.mp4"), strict=True):
        (folder / name).write_bytes(source.read_bytes())
    (folder / "a.en.srt").write_text(SRT.format("Hello."))
    (folder / "b.json").write_text(json.dumps({"title": "Bee", "synopsis": "Buzz.", "tags": ["x"]}))
    return folder


@pytest.fixture
def closed(monkeypatch):
    """From its call on, opening a media file fails the test."""

    def close():
        def refuse(*args):
            raise AssertionError("a media file was opened")

        monkeypatch.setattr(title, "Reader", refuse)

    return close


def statuses(report):
    return {outcome.title_id: outcome.status for outcome in report.outcomes}


def test_a_folder_becomes_a_catalog(tmp_path, films):
    report = ingest(films, tmp_path / "c", FAST)
    assert report.summary() == "3 ingested"
    found = content(tmp_path / "c")
    assert sorted(found) == ["a", "b", "season 1/c"]
    record, shots, cues, keyframes, vectors = found["a"]
    assert (record["duration"], record["shots"], record["cues"]) == (3_000_000, 3, 1)
    assert (record["width"], record["height"], record["frame_rate"]) == (96, 64, "25")
    assert record["path"] == str(films / "a.mp4")
    assert [shot.span.end for shot in shots] == [800_000, 2_000_000, 3_000_000]
    assert [cue.text for cue in cues] == ["Hello."]
    assert all(jpeg[:2] == b"\xff\xd8" for jpeg in keyframes)
    assert vectors["text"][1] == [True, True, False]
    assert vectors["video"][1] == vectors["audio"][1] == [True] * 3
    assert found["b"][0]["title"] == "Bee"
    assert sorted(found["b"][4]["metadata"]) == ["synopsis", "tags"]
    assert (report.outcomes[0].shots, report.outcomes[0].duration) == (3, 3_000_000)


def test_an_unchanged_folder_is_not_opened(tmp_path, films, closed, monkeypatch):
    ingest(films, tmp_path / "c", FAST)
    before = content(tmp_path / "c")
    closed()
    monkeypatch.setattr(Run, "encoder", lambda self, name: pytest.fail("encoders were loaded"))
    assert ingest(films, tmp_path / "c", FAST).summary() == "3 unchanged"
    assert content(tmp_path / "c") == before


def test_a_touched_file_is_not_decoded(tmp_path, films, closed):
    ingest(films, tmp_path / "c", FAST)
    closed()
    os.utime(films / "a.mp4", ns=(1, 1))
    assert ingest(films, tmp_path / "c", FAST).summary() == "3 unchanged"
    assert Catalog.open(tmp_path / "c").title("a").mtime_ns == 1


def test_a_moved_folder_is_not_decoded(tmp_path, films, closed):
    ingest(films, tmp_path / "c", FAST)
    before = content(tmp_path / "c")
    closed()
    films.rename(tmp_path / "moved")
    assert ingest(tmp_path / "moved", tmp_path / "c", FAST).summary() == "3 moved"
    assert ingest(tmp_path / "moved", tmp_path / "c", FAST).summary() == "3 unchanged"
    after = content(tmp_path / "c")
    assert after["a"][0].pop("path") == str(tmp_path / "moved" / "a.mp4")
    before["a"][0].pop("path")
    assert after["a"] == before["a"]


def test_changes_are_seen(tmp_path, films, originals):
    ingest(films, tmp_path / "c", FAST)
    (films / "a.en.srt").write_text(SRT.format("Good-bye."))
    (films / "b.json").write_text(json.dumps({"title": "Wasp"}))
    (films / "season 1" / "c.mp4").write_bytes(originals[0].read_bytes())
    assert ingest(films, tmp_path / "c", FAST).summary() == "1 ingested, 2 updated"
    found = content(tmp_path / "c")
    assert found["a"][2][0].text == "Good-bye."
    assert (found["b"][0]["title"], found["b"][4]["metadata"]) == ("Wasp", {})
    assert found["season 1/c"][4]["video"] == found["a"][4]["video"]
    (films / "a.en.srt").unlink()
    assert statuses(ingest(films, tmp_path / "c", FAST))["a"] == "ingested"
    assert content(tmp_path / "c")["a"][2] == []


def test_a_change_leaves_nothing_behind(tmp_path, films):
    """After changes and back, the catalog holds what it held."""
    ingest(films, tmp_path / "c", FAST)
    before = content(tmp_path / "c")
    original = (films / "a.en.srt").read_bytes()
    for text in ("One.", "Two."):
        (films / "a.en.srt").write_text(SRT.format(text))
        ingest(films, tmp_path / "c", FAST)
    (films / "a.en.srt").write_bytes(original)
    ingest(films, tmp_path / "c", FAST)
    assert content(tmp_path / "c") == before


def test_other_settings_are_another_catalog_of_shots(tmp_path, films):
    ingest(films, tmp_path / "c", FAST)
    config = replace(FAST, shots=ShotConfig(detector="content", max_length=600_000))
    assert ingest(films, tmp_path / "c", config).summary() == "3 ingested"
    assert Catalog.open(tmp_path / "c").title("a").shots > 3


def test_bad_files_stop_nobody(tmp_path, films):
    whole = (films / "a.mp4").read_bytes()
    (films / "empty.mp4").write_bytes(b"")
    (films / "half.mp4").write_bytes(whole[: len(whole) // 2])
    (films / "text.mp4").write_text("no film")
    (films / "srt.mp4").write_bytes(whole)
    (films / "srt.srt").write_bytes(os.urandom(300))
    (films / "json.mp4").write_bytes(whole)
    (films / "json.json").write_text('{"title": ')
    report = ingest(films, tmp_path / "c", FAST)
    assert report.summary() == "3 ingested, 5 failed"
    catalog = Catalog.open(tmp_path / "c")
    assert sorted(t.title_id for t in catalog.titles()) == ["a", "b", "season 1/c"]
    reasons = {Path(f.path).name: f.reason for f in catalog.failures()}
    assert sorted(reasons) == ["empty.mp4", "half.mp4", "json.mp4", "srt.mp4", "text.mp4"]
    assert reasons == {Path(o.path).name: o.reason for o in report.failed}
    assert all("\n" not in reason and str(films) in reason for reason in reasons.values())
    # Repaired files are taken in, and their failures are forgotten.
    for name in ("empty", "half", "text"):
        (films / f"{name}.mp4").write_bytes(whole)
    (films / "srt.srt").write_text(SRT.format("Hi."))
    (films / "json.json").unlink()
    report = ingest(films, tmp_path / "c", FAST)
    assert report.summary() == "5 ingested, 3 unchanged"
    assert Catalog.open(tmp_path / "c").failures() == []


def test_a_title_that_breaks_keeps_what_it_had(tmp_path, films):
    ingest(films, tmp_path / "c", FAST)
    before = content(tmp_path / "c")
    (films / "a.mp4").write_bytes(b"")
    assert ingest(films, tmp_path / "c", FAST).summary() == "2 unchanged, 1 failed"
    assert content(tmp_path / "c") == before


def test_any_error_of_one_title_is_its_own(tmp_path, films, monkeypatch):
    """A bug or an odd library error in one title must not cost the others."""
    real = ingest_kit.FakeVideo.encode

    def encode(self, shots):
        if shots[0][0].mean() == pytest.approx(odd, abs=3):
            raise ValueError("odd")
        return real(self, shots)

    write(films / "odd.mp4", Video([picture(77)] * 30))
    odd = picture(77).mean()
    monkeypatch.setattr(ingest_kit.FakeVideo, "encode", encode)
    report = ingest(films, tmp_path / "c", FAST)
    assert statuses(report)["odd"] == "failed"
    assert report.summary() == "3 ingested, 1 failed"


def test_two_files_of_one_id(tmp_path, films):
    (films / "a.json").write_text('{"id": "same"}')
    (films / "b.json").write_text('{"id": "same"}')
    report = ingest(films, tmp_path / "c", FAST)
    assert [outcome.status for outcome in report.outcomes] == ["ingested", "failed", "ingested"]
    assert "same id 'same'" in report.failed[0].reason
    # Nor do they take turns in later runs, whichever is named.
    for paths in (films, films / "b.mp4"):
        assert len(ingest(paths, tmp_path / "c", FAST).failed) == 1
    assert Catalog.open(tmp_path / "c").title("same").path == str(films / "a.mp4")


def test_a_copy_elsewhere_is_the_same_title(tmp_path, films, closed):
    ingest(films, tmp_path / "c", FAST)
    closed()
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "a.mp4").write_bytes((films / "a.mp4").read_bytes())
    (tmp_path / "copy" / "a.en.srt").write_bytes((films / "a.en.srt").read_bytes())
    assert ingest(tmp_path / "copy", tmp_path / "c", FAST).summary() == "1 unchanged"


def test_other_encoders_are_refused_before_any_work(tmp_path, films, closed):
    ingest(films, tmp_path / "c", FAST)
    before = content(tmp_path / "c")
    closed()
    other = replace(FAST, encoders=EncoderChoice("fake", "fake", "other"))
    with pytest.raises(FingerprintError, match=r"'fake'.*'other'.*reencode --text other"):
        ingest(films, tmp_path / "c", other)
    assert content(tmp_path / "c") == before


def test_missing_weights_end_the_run(tmp_path, films, monkeypatch):
    """They are no title's fault: no title is recorded as failed for them."""

    def absent(self):
        raise EncoderError("no weights")

    monkeypatch.setattr(ingest_kit.FakeText, "__init__", absent)
    with pytest.raises(EncoderError, match="no weights"):
        ingest(films, tmp_path / "c", FAST)
    assert Catalog.open(tmp_path / "c").failures() == []


def test_a_renamed_film_replaces_its_old_title(tmp_path, films):
    ingest(films, tmp_path / "c", FAST)
    (films / "b.mp4").rename(films / "renamed.mp4")
    ingest(films, tmp_path / "c", FAST)
    ids = {title.title_id for title in Catalog.open(tmp_path / "c").titles()}
    assert ids == {"a", "renamed", "season 1/c"}


def test_a_copy_under_another_name_is_noted(tmp_path, films):
    ingest(films, tmp_path / "c", FAST)
    (films / "copy.mp4").write_bytes((films / "b.mp4").read_bytes())
    ingest(films, tmp_path / "c", FAST)
    notes = Catalog.open(tmp_path / "c").title("copy").notes
    assert any("the same film as 'b'" in note for note in notes)


def test_the_failure_of_a_file_that_is_gone_is_forgotten(tmp_path, films):
    (films / "broken.mp4").touch()
    ingest(films, tmp_path / "c", FAST)
    assert len(Catalog.open(tmp_path / "c").failures()) == 1
    (films / "broken.mp4").unlink()
    ingest(films, tmp_path / "c", FAST)
    assert Catalog.open(tmp_path / "c").failures() == []


def test_a_name_that_is_not_utf8_stops_nobody(tmp_path, films):
    odd = films / os.fsdecode(b"caf\xe9.mp4")
    shutil.copy(films / "b.mp4", odd)
    report = ingest(films, tmp_path / "c", FAST)
    assert report.summary() == "3 ingested"


def test_nothing_there(tmp_path):
    with pytest.raises(MediaError, match="no such file"):
        ingest(tmp_path / "none", tmp_path / "c", FAST)
    assert not (tmp_path / "c").exists()


@pytest.mark.parametrize("after", [1, 2, 4, 6])
def test_an_interrupted_run_leaves_a_catalog_that_the_next_completes(
    tmp_path, films, monkeypatch, after
):
    undisturbed = tmp_path / "undisturbed"
    ingest(films, undisturbed, FAST)
    calls, real = [], ingest_kit.FakeAudio.encode

    def encode(self, samples_S):
        calls.append(1)
        if len(calls) == after:
            raise KeyboardInterrupt
        return real(self, samples_S)

    monkeypatch.setattr(ingest_kit.FakeAudio, "encode", encode)
    with pytest.raises(KeyboardInterrupt):
        ingest(films, tmp_path / "c", FAST)
    partial = content(tmp_path / "c")
    assert partial.items() <= content(undisturbed).items() or all(
        partial[key] == content(undisturbed)[key] for key in partial
    )
    assert len(partial) < 3
    report = ingest(films, tmp_path / "c", FAST)
    assert report.count("ingested") == 3 - len(partial)
    assert content(tmp_path / "c") == content(undisturbed)


def test_another_process_finished_it_meanwhile(tmp_path, films, closed):
    """A catalog that was opened before does not decode what others have brought since."""
    mine = Catalog.open_or_create(tmp_path / "c")
    mine.titles()
    ingest(films, tmp_path / "c", FAST)
    closed()
    assert ingest(films, mine, FAST).summary() == "3 unchanged"


def test_settings_cover_all_of_them():
    configs = [
        FAST,
        replace(FAST, shots=replace(FAST.shots, min_length=1)),
        replace(FAST, shots=replace(FAST.shots, max_length=10**6)),
        replace(FAST, shots=replace(FAST.shots, flash_difference=1.0)),
        replace(FAST, frames=replace(FAST.frames, most=3)),
        replace(FAST, languages=("de",)),
    ]
    assert len({config.settings for config in configs}) == len(configs)
    assert replace(FAST).settings == FAST.settings


def test_files_are_left_as_they_are(tmp_path, films):
    before = {path: file_fingerprint(path) for path in films.rglob("*") if path.is_file()}
    ingest(films, tmp_path / "c", FAST)
    assert {path: file_fingerprint(path) for path in films.rglob("*") if path.is_file()} == before
