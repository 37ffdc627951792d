"""Choosing encoders on the command line: lists, sets, another encoder for a catalog, search."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from mediafm.catalog import Catalog, EncoderRecord, TitleRecord
from mediafm.cli.encoding import choose
from mediafm.cli.main import main
from mediafm.encoders import EMBEDDED, EncoderInfo, Estimate, open_encoder
from mediafm.encoders.cards import CARDS
from mediafm.timeline import US, Cue, Shot, Span

WORDS = ["rain", "road", "sea", "night"]


class Bag:
    """Which of four words a text holds."""

    info = EncoderInfo("text", "bag", 4, {"weights": "1"})

    def encode(self, texts):
        return np.array([[word in text for word in WORDS] for text in texts], np.float32) + 0.01

    encode_queries = encode


class PaidBag(Bag):
    info = EncoderInfo("text", "paid-bag", 4, {"weights": "2"})

    def estimate(self, texts):
        return Estimate(len(texts), 10 * len(texts), False, 1.0 * len(texts))


class Colours:
    """Pictures that know the word sea."""

    info = EncoderInfo("video", "colours", 2, {"weights": "1"})
    size, frames = 8, None

    def encode_queries(self, texts):
        return np.array([[1.0, 0.0] if "sea" in text else [0.0, 1.0] for text in texts])


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    for modality, name, cls in (
        ("text", "bag", "Bag"),
        ("text", "paid-bag", "PaidBag"),
        ("video", "colours", "Colours"),
    ):
        monkeypatch.setitem(EMBEDDED[modality], name, f"{__name__}:{cls}")


def record(encoder, name):
    info = encoder.info
    # As the registry names it: the name is what the user types.
    known = EncoderInfo(info.modality, name, info.dim, info.settings, identity=info.name)
    return EncoderRecord(info.modality, name, known.fingerprint, info.dim, dict(info.settings))


@pytest.fixture
def catalog(tmp_path):
    """A title of three shots: rain, the sea without words, the night."""
    made = Catalog.create(tmp_path / "c")
    text, video = record(Bag, "bag"), record(Colours, "colours")
    cues = [Cue(Span(0, US), "rain falls"), Cue(Span(2 * US, 3 * US), "the night [is] young")]
    with made.writer("film", {"text": text, "video": video}) as writer:
        writer.add_shots([Shot(i, Span(i * US, (i + 1) * US)) for i in range(3)])
        writer.add_cues(cues)
        texts = Bag().encode(["rain falls", "-", "the night [is] young"])
        writer.add_features("text", 0, texts, [True, False, True])
        writer.add_features("video", 0, [[0, 1], [1, 0], [0, 1]])
        writer.commit(TitleRecord("film", "", duration=3 * US))
    return str(tmp_path / "c")


def test_search_says_why(catalog, capsys):
    assert main(["search", "rain", "-c", catalog, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["found"]
    assert (found[0]["title_id"], found[0]["shot"], found[0]["text"]) == (
        "film",
        0,
        "rain falls",
    )
    assert found[0]["because"]["text"] > 0.9
    assert main(["search", "the sea", "-c", catalog, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["found"]
    assert found[0]["shot"] == 1  # nothing is said in it, but it shows the sea
    assert found[0]["because"] == {"video": pytest.approx(1, abs=1e-3)}
    assert main(["search", "night", "-c", catalog]) == 0
    shown = capsys.readouterr().out
    assert "looked for in text, video" in shown
    assert "the night [is] young" in shown
    assert main(["search", " ", "-c", catalog]) == 1


def further(tmp_path, catalog, encoder):
    """The same catalog with a modality from a table."""
    made = Catalog.open(catalog)
    info = encoder.info
    known = EncoderRecord(info.modality, info.name, info.fingerprint, info.dim, dict(info.settings))
    records = {**made.encoders(), info.modality: known}
    with made.writer("other", records) as writer:
        writer.add_shots([Shot(0, Span(0, US))])
        writer.add_features(info.modality, 0, [[0.5] * info.dim])
        writer.commit(TitleRecord("other", "", duration=US))


def test_search_in_a_catalog_with_signals(tmp_path, catalog, capsys):
    table = tmp_path / "s.csv"
    table.write_text("title_id,start,end,plays\nother,0,1,7\n")
    further(tmp_path, catalog, open_encoder("audience", f"csv:{table}"))
    assert main(["search", "night", "-c", catalog]) == 0
    assert "looked for in text, video" in capsys.readouterr().out
    table.write_text("title_id,start,end,likes\nother,0,1,7\n")
    assert main(["search", "night", "-c", catalog]) == 0
    table.unlink()
    assert main(["search", "night", "-c", catalog]) == 0
    assert "looked for in text, video" in capsys.readouterr().out


def test_search_after_the_weights_changed(catalog, capsys, monkeypatch):
    monkeypatch.setattr(Bag, "info", EncoderInfo("text", "bag", 4, {"weights": "9"}))
    assert main(["search", "rain", "-c", catalog]) == 1
    assert "another encoder by now" in capsys.readouterr().err


def test_reencode_says_what_it_did(catalog, capsys):
    assert main(["reencode", "--text", "bag", "-c", catalog]) == 0
    assert "nothing to do" in capsys.readouterr().out
    assert main(["reencode", "--text", "paid-bag", "-c", catalog, "--max-price", "1"]) == 1
    error = capsys.readouterr().err
    assert "would cost about $2.00, more than $1.00; allow it with --max-price" in error
    assert main(["reencode", "--text", "paid-bag", "-c", catalog]) == 0
    shown = capsys.readouterr()
    assert "2 texts, about 20 tokens, about $2.0000" in shown.err
    assert "text: now paid-bag" in shown.out
    assert Catalog.open(catalog).encoders()["text"].name == "paid-bag"
    assert main(["reencode", "--text", "bag", "-c", catalog, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["encoders"] == {"text": "bag"}


def test_reencode_of_a_film_that_is_not_there(catalog, capsys):
    before = Catalog.open(catalog).features("film", "video")[0].tolist()
    name = "efficientnet-lite2"
    assert main(["reencode", "--video", name, "-c", catalog]) == 1
    shown = capsys.readouterr().err
    assert "film" in shown and "--allow-missing" in shown
    assert Catalog.open(catalog).features("film", "video")[0].tolist() == before


def test_the_list_of_encoders(capsys, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    assert main(["encoders"]) == 0
    shown = capsys.readouterr().out
    assert all(card.name in shown for card in CARDS)
    assert "no key" in shown
    assert main(["encoders", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["hf:openai/clip-vit-large-patch14"]["sets"] == ["netflix"]
    assert rows["hf:openai/clip-vit-large-patch14"]["dim"] == 768


def test_speed_is_measured_when_asked(capsys, monkeypatch):
    monkeypatch.setattr("mediafm.encoders.cards.SECONDS", 0.01)
    assert main(["encoders", "bag", "--measure", "--json"]) == 0
    [row] = json.loads(capsys.readouterr().out)
    assert row["speed"].endswith(" texts/s")
    assert main(["encoders", "paid-bag", "--measure", "--json"]) == 0
    [row] = json.loads(capsys.readouterr().out)
    assert row["speed"] == "-"  # nobody is charged for a measurement


def test_single_encoders_go_before_the_set():
    choice = choose("netflix", "", "none", "bag", ["audience=csv:a=b.csv"])
    assert choice.names == {
        "video": "hf:openai/clip-vit-large-patch14",
        "audio": "none",
        "text": "bag",
        "audience": "csv:a=b.csv",
    }


def test_the_documentation_names_the_sets():
    from mediafm.encoders import PRESETS

    text = (Path(__file__).parents[2] / "docs" / "encoders.md").read_text()
    for choice in PRESETS.values():
        for modality in ("video", "audio", "text"):
            assert f"`{choice.names[modality]}`" in text
