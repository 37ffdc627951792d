"""Audience signals as a fourth modality: from a CSV through pretraining to embeddings."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from ingest_kit import FAST, content
from media_kit import Video, scene, write

from mediafm.catalog import Catalog
from mediafm.embed import embed
from mediafm.encoders import EMBEDDED, EncoderChoice
from mediafm.errors import EncoderError, FingerprintError
from mediafm.ingest import ingest, reencode, title
from mediafm.model import MediaFM
from mediafm.pretrain import TrainConfig, pretrain

LENGTHS = [20, 30, 25, 15, 22, 28, 16, 24]  # frames


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    for modality, fake in (("video", "FakeVideo"), ("audio", "FakeAudio"), ("text", "FakeText")):
        monkeypatch.setitem(EMBEDDED[modality], "fake", f"ingest_kit:{fake}")


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    folder = tmp_path_factory.mktemp("films")
    for number, name in enumerate("abcd"):
        frames = [f for i, n in enumerate(LENGTHS) for f in scene(7 * number + i, n)]
        write(folder / f"{name}.mp4", Video(frames))
    return folder


def signals(path, plays, titles="abcd"):
    """A row per half second: how often it was played, and how many skipped it."""
    lines = ["title_id,start,end,plays,skips"]
    for title_id in titles:
        for i in range(15):
            lines.append(f"{title_id},{i / 2},{(i + 1) / 2},{plays(title_id, i)},{i % 3}")
    path.write_text("\n".join(lines) + "\n")
    return path


def of(csv):
    return replace(FAST, encoders=EncoderChoice("fake", "fake", "fake", {"audience": f"csv:{csv}"}))


@pytest.fixture
def opened(monkeypatch):
    found, real = [], title.Reader
    monkeypatch.setattr(title, "Reader", lambda path, o: found.append(path.name) or real(path, o))
    return found


def test_from_a_table_to_embeddings(tmp_path, originals, opened):
    csv = signals(tmp_path / "s.csv", lambda t, i: 100 * i)
    ingest(originals, tmp_path / "c", of(csv))
    catalog = Catalog.open(tmp_path / "c")
    assert sorted(catalog.encoders()) == ["audience", "audio", "text", "video"]
    x_ND, present_N = catalog.features("a", "audience")
    assert present_N.all()
    assert (np.diff(x_ND[:, 0].astype(float)) > 0).all()  # plays rise

    result = pretrain(catalog, tmp_path / "m", TrainConfig(steps=3))
    model = MediaFM.from_pretrained(tmp_path / "m")
    assert model.config.modalities["audience"].dim == 4
    version = embed(catalog, tmp_path / "m").version.name
    before = Catalog.open(tmp_path / "c").embeddings(version, "a")
    assert before.shape == (len(LENGTHS), model.config.hidden)
    assert result.verdict.text

    # Next month's numbers: only the titles they are about are done anew, without their films.
    opened.clear()
    signals(csv, lambda t, i: 100 * i if t != "a" else 1000 - 90 * i)
    assert ingest(originals, tmp_path / "c", of(csv)).summary() == "1 updated, 3 unchanged"
    assert opened == []
    catalog = Catalog.open(tmp_path / "c")
    assert embed(catalog, tmp_path / "m", version).titles == 1
    after = Catalog.open(tmp_path / "c").embeddings(version, "a")
    assert np.abs(after - before).max() > 1e-3  # the model listens to it


def test_titles_that_are_there_get_it_without_their_films(tmp_path, originals, opened):
    ingest(originals, tmp_path / "c", FAST)
    opened.clear()
    csv = signals(tmp_path / "s.csv", lambda t, i: i, titles="ab")
    assert ingest(originals, tmp_path / "c", of(csv)).count("updated") == 4
    assert opened == []
    catalog = Catalog.open(tmp_path / "c")
    assert [catalog.features(t, "audience")[1].any() for t in "abc"] == [True, True, False]
    # The table is remembered.
    again = replace(FAST, encoders=EncoderChoice())
    assert ingest(originals, tmp_path / "c", again).summary() == "4 unchanged"


def test_next_months_file_is_remembered(tmp_path, originals, opened):
    january = signals(tmp_path / "january.csv", lambda t, i: 10 * i)
    ingest(originals, tmp_path / "c", of(january))
    before = Catalog.open(tmp_path / "c").titles()
    february = signals(tmp_path / "february.csv", lambda t, i: 10 * i + (t == "b"))
    opened.clear()
    assert ingest(originals, tmp_path / "c", of(february)).summary() == "1 updated, 3 unchanged"
    assert opened == []
    # The titles are not written again, only their signals.
    assert [t.ingest_id for t in Catalog.open(tmp_path / "c").titles()] == [
        t.ingest_id for t in before
    ]
    now = content(tmp_path / "c")
    again = replace(FAST, encoders=EncoderChoice())
    assert ingest(originals, tmp_path / "c", again).summary() == "4 unchanged"
    assert content(tmp_path / "c") == now
    assert Catalog.open(tmp_path / "c").encoders()["audience"].name == f"csv:{february}"


def test_other_columns_are_another_encoder(tmp_path, originals):
    ingest(originals, tmp_path / "c", of(signals(tmp_path / "s.csv", lambda t, i: i)))
    before = content(tmp_path / "c")
    other = tmp_path / "other.csv"
    other.write_text("title_id,start,end,likes\na,0,9,5\n")
    with pytest.raises(FingerprintError, match="reencode --with audience="):
        ingest(originals, tmp_path / "c", of(other))
    assert content(tmp_path / "c") == before
    report = reencode(tmp_path / "c", of(other))
    assert report.encoders == {"audience": f"csv:{other}"}
    assert Catalog.open(tmp_path / "c").encoders()["audience"].dim == 2


def test_a_table_that_is_gone_is_said(tmp_path, originals):
    csv = signals(tmp_path / "s.csv", lambda t, i: i)
    ingest(originals, tmp_path / "c", of(csv))
    csv.unlink()
    with pytest.raises(EncoderError, match=r"s\.csv: cannot be read"):
        ingest(originals, tmp_path / "c")
    before = content(tmp_path / "c")
    without = replace(of(csv).encoders, others={"audience": "none"})
    report = ingest(originals, tmp_path / "c", replace(FAST, encoders=without))
    assert report.summary() == "4 unchanged"
    after = content(tmp_path / "c")
    assert [after[t][4] for t in after] == [before[t][4] for t in before]  # nothing is lost


def test_names_of_titles_that_nobody_has_are_said(tmp_path, originals, caplog):
    ingest(originals, tmp_path / "c", of(signals(tmp_path / "s.csv", lambda t, i: i, titles="aX")))
    assert "1 of 2 titles are not in the catalog (X)" in caplog.text
