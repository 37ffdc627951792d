"""The whole way with the real parts: films, shots, encoders, catalog, model, pictures."""

import itertools
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mediafm import Catalog, MediaFM, ingest
from mediafm.cli.main import main
from mediafm.ingest import IngestConfig
from mediafm.sample import generate, load_truth
from mediafm.shots import ShotConfig


def test_films_to_picture(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["sample", "films", "--titles", "4", "--seconds", "16"]) == 0
    assert main(["ingest", "films", "-c", "cat"]) == 0
    catalog = Catalog.open("cat")
    assert len(catalog.titles()) == 4
    assert {n: e.dim for n, e in catalog.encoders().items()} == {
        "video": 1280,
        "audio": 512,
        "text": 512,
    }
    title = catalog.titles()[0]
    assert title.synopsis and title.tags and title.genres
    assert all(catalog.keyframes(title.title_id))
    again = json_of(main, capsys, ["ingest", "films", "-c", "cat", "--json"])
    assert {o["status"] for o in again["outcomes"]} == {"unchanged"}

    run = ["pretrain", "-c", "cat", "-o", "model", "--steps", "10", "--json"]
    assert json_of(main, capsys, run)["verdict"]["text"]
    embedded = json_of(main, capsys, ["embed", "-c", "cat", "-m", "model", "--json"])
    assert embedded["shots"] == sum(t.shots for t in catalog.titles())

    found = json_of(main, capsys, ["similar", f"{title.title_id}@0:02", "-c", "cat", "--json"])
    assert found["hits"][0]["score"] <= 1.001
    assert main(["plot", title.title_id, "-c", "cat", "-o", "picture"]) == 0
    assert Image.open("picture.png").width > 1000
    assert "http" not in (tmp_path / "picture.html").read_text().replace("http-equiv", "")

    stored = Catalog.open("cat").embeddings(None, title.title_id)
    features = next(Catalog.open("cat").title_features([title.title_id]))
    direct = MediaFM.from_pretrained("model").contextual(features)
    assert np.abs(stored - np.asarray(direct)).max() < 2e-3


def json_of(run, capsys, arguments):
    capsys.readouterr()
    assert run(arguments) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.slow
def test_shots_of_the_sample_catalog(tmp_path):
    """Cuts F1 at 2 frames; dissolves with exactly one boundary inside."""
    films = generate(tmp_path / "films")
    config = IngestConfig(shots=ShotConfig())
    ingest(films, tmp_path / "cat", config)
    catalog = Catalog.open(tmp_path / "cat")
    hits = found = cuts = single = dissolves = 0
    for film in films:
        truth = load_truth(film.parent / "truth" / f"{film.stem}.truth.json")
        frame = 1_000_000 * truth.fps[1] / truth.fps[0]
        ours = np.array([s.span.start for s in catalog.shots(film.stem)[1:]]) / frame
        gradual = [b for b in truth.boundaries if b.kind != "cut"]
        in_gradual = np.zeros(len(ours), dtype=bool)
        for boundary in gradual:
            low, high = boundary.first_frame - 2, boundary.last_frame + 2
            inside = (ours >= low - 0.01) & (ours <= high + 0.01)
            in_gradual |= inside
            if boundary.kind == "dissolve":
                dissolves += 1
                single += int(inside.sum() == 1)
        sharp = ours[~in_gradual]
        wanted = np.array([b.first_frame for b in truth.boundaries if b.kind == "cut"])
        cuts += len(wanted)
        found += len(sharp)
        hits += sum(np.abs(sharp - cut).min(initial=np.inf) <= 2.01 for cut in wanted)
    recall, precision = hits / cuts, hits / found
    assert 2 * recall * precision / (recall + precision) >= 0.95
    assert dissolves >= 20
    assert single / dissolves >= 0.8


@pytest.mark.slow
def test_real_films(tmp_path, shared):
    report = ingest(shared / "media", tmp_path / "cat")
    assert not report.failed
    catalog = Catalog.open(tmp_path / "cat")
    titles = {title.title_id: title for title in catalog.titles()}
    for number in range(1, 5):
        name = f"popeye/popeye-{number}"
        assert not catalog.features(name, "audio")[1].any()
        assert catalog.features(name, "text")[1].any()
        assert any("bitmap subtitles are not read" in note for note in titles[name].notes)
    assert "optical" in catalog.cues("nasa-embedded-subtitles")[0].text
    bunny = "big-buck-bunny"
    assert not catalog.cues(bunny)
    assert not catalog.features(bunny, "text")[1].any()
    # Looked at one by one (docs/shots.md): 134 boundaries are real or gradual, 1 cut is missed.
    assert 130 <= sum(not shot.forced for shot in catalog.shots(bunny)) <= 140
    for title in titles.values():
        shots = catalog.shots(title.title_id)
        assert all(a.span.end == b.span.start for a, b in itertools.pairwise(shots))
        assert catalog.features(title.title_id, "video")[1].all()


@pytest.mark.slow
def test_the_example_runs(tmp_path):
    example = Path(__file__).parents[1] / "examples" / "first_steps.py"
    command = [sys.executable, str(example), str(tmp_path / "steps")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=True)
    assert done.stdout.count("is most like") == 4
