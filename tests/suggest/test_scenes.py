"""Story segments: by novelty against planted ones, by a probe, and what is said without one."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mediafm.catalog import Catalog, TitleRecord
from mediafm.cli.main import main
from mediafm.errors import CatalogError, MediaFMError
from mediafm.suggest import FittedProbes, find_scenes
from mediafm.suggest.scenes import novelty

sys.path.insert(0, str(Path(__file__).parents[1] / "probes"))
from probe_kit import make_catalog, make_version, mood_rows, write_csv, write_task


def rows():
    """Labels: a segment begins where the mood turns grim, which a linear head can tell."""
    found = mood_rows()
    for before, row in zip([{}, *found], found, strict=False):
        row["begins"] = int(bool(row["change"]) and row["mood"] == "grim" != before["mood"])
    return found


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Titles whose moods change, and a probe of where they do."""
    folder = tmp_path_factory.mktemp("scenes")
    catalog = make_catalog(folder)
    make_version(catalog, folder / "model")
    write_csv(folder / "labels.csv", rows())
    split = {"by": "title", "folds": 3}
    write_task(folder, "segment-boundary", kind="binary", column="begins", split=split)
    return folder


@pytest.fixture(autouse=True)
def here(place, monkeypatch):
    monkeypatch.chdir(place)
    monkeypatch.setenv("MEDIAFM_CATALOG", "catalog")


def begins_of(title_id):
    own = [row for row in rows() if row["title_id"] == title_id]
    return {shot for shot, row in enumerate(own) if row["begins"]}


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(5, 12), min_size=2, max_size=8), st.integers(0, 10_000))
def test_novelty_is_highest_where_planted_segments_begin(lengths, seed):
    rng = np.random.default_rng(seed)
    centres = np.eye(16)[rng.permutation(16)[: len(lengths)]]
    x_NH = np.repeat(centres, lengths, axis=0) + 0.05 * rng.normal(size=(sum(lengths), 16))
    score_N = novelty(x_NH)
    begins = np.cumsum(lengths)[:-1]
    assert score_N[0] == -np.inf
    assert set(np.argsort(-score_N)[: len(begins)].tolist()) == set(begins.tolist())


@pytest.mark.parametrize("shots", [0, 1, 2, 3])
def test_novelty_of_next_to_nothing(shots):
    score_N = novelty(np.ones((shots, 4)))
    assert len(score_N) == shots
    assert not np.isnan(score_N).any()


def test_scenes_cover_the_title_without_gaps(place):
    catalog = Catalog.open("catalog")
    for title in catalog.titles():
        found = find_scenes(catalog, title.title_id)
        shots = catalog.shots(title.title_id)
        assert [s.index for s in found.scenes] == list(range(len(found.scenes)))
        assert found.scenes[0].first == 0
        assert found.scenes[-1].end == len(shots)
        for a, b in zip(found.scenes, found.scenes[1:], strict=False):
            assert (a.end, a.span.end) == (b.first, b.span.start)
            assert a.first < a.end
        assert found.by == "novelty"
        assert "no probe 'segment-boundary' is fitted" in found.notes[-1]


def test_a_fitted_probe_decides(place, capsys):
    assert main(["probe", "fit", "segment-boundary.toml", "-f", "concatenated:sides1:step1"]) == 0
    capsys.readouterr()
    catalog = Catalog.open("catalog")
    probes = FittedProbes(catalog, Path("mediafm-probes"))
    hits = found = true = 0
    for title in catalog.titles():
        told = find_scenes(catalog, title.title_id, probes)
        assert (told.by, told.notes) == ("probe", ())
        begins = {scene.first for scene in told.scenes} - {0}
        hits += len(begins & begins_of(title.title_id))
        found, true = found + len(begins), true + len(begins_of(title.title_id))
    assert 2 * hits / (found + true) > 0.7
    told = find_scenes(catalog, "t3", probes)
    assert main(["scenes", "t3", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert [scene["first"] for scene in shown["scenes"]] == [scene.first for scene in told.scenes]
    assert main(["scenes", "t3"]) == 0
    assert "probe" in capsys.readouterr().out


def test_a_probe_that_does_not_fit_is_said_and_done_without(place, tmp_path, capsys):
    probes = tmp_path / "probes"
    main(["probe", "fit", "segment-boundary.toml", "-f", "video", "--probes", str(probes)])
    about = probes / "segment-boundary" / "probe.json"
    about.write_text(about.read_text().replace('"kind": "binary"', '"kind": "ranking"'))
    capsys.readouterr()
    assert main(["scenes", "t3", "--probes", str(probes)]) == 0
    shown = capsys.readouterr().out
    assert "probe 'segment-boundary' is not used" in shown
    assert "by where the embeddings change" in shown


def test_a_file_is_no_folder_of_probes(place, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main(["scenes", "t3", "--probes", str(tmp_path / "file")]) == 1
    assert "is a file, not a folder of probes" in capsys.readouterr().err


def test_what_has_no_scenes(place, tmp_path):
    catalog = Catalog.open("catalog")
    with pytest.raises(CatalogError, match="did you mean 't3'"):
        find_scenes(catalog, "t33")
    empty = Catalog.create(tmp_path / "empty")
    with empty.writer("t") as writer:
        writer.commit(TitleRecord("t", ""))
    with pytest.raises(MediaFMError, match="has no shots"):
        find_scenes(empty, "t")
