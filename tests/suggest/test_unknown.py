"""Titles and shots of which a probe knows nothing, and probes that cannot be used."""

import math
import shutil

import numpy as np
import pytest
from probe_kit import make_catalog, make_version, mood_rows, write_csv, write_task

from mediafm.catalog import Catalog, TitleRecord
from mediafm.cli.main import main
from mediafm.errors import CatalogError, MediaFMError
from mediafm.search import similar_titles
from mediafm.suggest import (
    FittedProbes,
    cold_start,
    find_arc,
    find_scenes,
    suggest_breaks,
    suggest_tags,
)
from mediafm.suggest.cold_start import feature_rows
from mediafm.timeline import US, Clip, Shot, Span


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    """Eight titles, a ninth without pictures, and probes that read pictures."""
    folder = tmp_path_factory.mktemp("mixed")
    catalog = make_catalog(folder)
    with catalog.writer("deaf", {"audio": catalog.encoders()["audio"]}) as w:
        w.add_shots([Shot(i, Span(i * 4 * US, (i + 1) * 4 * US)) for i in range(12)])
        w.add_features("audio", 0, np.random.default_rng(0).normal(size=(12, 4)))
        w.commit(TitleRecord("deaf", "", series_id="s0", episode=3, duration=48 * US))
    catalog = Catalog.open(catalog.uri)
    make_version(catalog, folder / "model")
    write_csv(folder / "labels.csv", mood_rows())
    split = {"by": "title", "folds": 3}
    write_task(folder, "clip-tone", kind="multi-label", split=split)
    write_task(folder, "segment-boundary", kind="binary", column="change", split=split)
    for name in ("clip-tone", "segment-boundary"):
        probes = ["-c", str(folder / "catalog"), "--probes", str(folder / "probes")]
        assert main(["probe", "fit", str(folder / f"{name}.toml"), "-f", "video", *probes]) == 0
    return catalog, FittedProbes(catalog, folder / "probes")


def test_nothing_is_made_up_for_a_title_without_the_features(mixed):
    catalog, probes = mixed
    assert np.isnan(probes.of_shots("clip-tone", "deaf")).all()
    assert not np.isnan(probes.of_shots("clip-tone", "t0")).any()
    cut = find_scenes(catalog, "deaf", probes)
    assert cut.by == "novelty"
    assert "nothing that probe 'segment-boundary' reads is known of the title" in cut.notes[0]
    tags = suggest_tags(catalog, "deaf", only=["clip-tone"], probes=probes)
    assert tags.found == []
    assert "clip-tone: nothing that it reads is known of" in tags.notes[-1]
    found = cold_start(catalog, "deaf", probes=probes)
    assert not [one for one in found.tags if one.probe == "clip-tone"]
    [row] = feature_rows(catalog, ["deaf"], probes=probes)
    assert row["clip-tone.glad"] is None
    assert not math.isnan(row["nearest_cosine"][0])
    with pytest.raises(MediaFMError, match="nothing that probe 'clip-tone' reads is known of it"):
        find_arc(catalog, "deaf", probes=probes)
    series = find_arc(catalog, "s0", probes=probes)
    assert [part.title_id for part in series.parts] == ["t0", "t1"]
    assert [part.offset for part in series.parts] == [0, series.parts[0].span.duration]
    assert any(note.startswith("deaf: nothing that probe") for note in series.notes)


def test_titles_without_a_modality_are_not_alike(mixed):
    catalog, _ = mixed
    assert "deaf" not in {
        hit.title_id for hit in similar_titles(catalog, "t0", 20, features="video")
    }
    with pytest.raises(CatalogError, match="nothing is known of it by video"):
        similar_titles(catalog, "deaf", features="video")
    assert len(similar_titles(catalog, "deaf", 20, features="audio")) == 8


def test_a_probe_that_cannot_be_used_is_not_called_missing(mixed, tmp_path):
    catalog, probes = mixed
    shutil.copytree(probes.folder, tmp_path / "probes")
    shutil.copytree(probes.folder / "clip-tone", tmp_path / "probes" / "ad-relevancy")
    for file in (tmp_path / "probes").glob("*/*.safetensors"):
        file.write_bytes(b"cut")
    damaged = FittedProbes(catalog, tmp_path / "probes")
    found = suggest_breaks(catalog, "t0", probes=damaged, spacing=8 * US)
    said = " ".join(found.notes)
    assert "probe 'ad-relevancy' is not used" in said
    assert "is damaged" in said
    assert "no probe 'ad-relevancy' is fitted" not in said
    with pytest.raises(MediaFMError, match="probe 'ad-relevancy' is not used"):
        suggest_breaks(catalog, "t0", probes=damaged, exclude=["glad"])
    tags = suggest_tags(catalog, "t0", probes=damaged)
    assert any("probe 'clip-tone' is not used" in note for note in tags.notes)
    [why] = [note for note in find_arc(catalog, "t0", probes=damaged).notes if "clip-tone" in note]
    assert why.startswith("probe 'clip-tone' is not used: is damaged") and "by pace" in why
    with pytest.raises(MediaFMError, match="probe 'clip-tone' is not used"):
        suggest_tags(catalog, "t0", only=["clip-tone"], probes=damaged)


def test_a_probe_goes_by_the_name_of_its_folder(mixed, tmp_path):
    catalog, probes = mixed
    shutil.copytree(probes.folder / "clip-tone", tmp_path / "tone-2")
    renamed = FittedProbes(catalog, tmp_path)
    clips = [Clip("t0", Span(0, 8 * US))]
    np.testing.assert_array_equal(
        renamed.scores("tone-2", clips), probes.scores("clip-tone", clips)
    )
    found = suggest_tags(catalog, "t0", only=["tone-2"], probes=renamed)
    assert {one.probe for one in found.found} == {"tone-2"}


def test_a_title_that_goes_meanwhile_costs_its_own_row_only(mixed, tmp_path):
    catalog, _ = mixed
    shutil.copytree(catalog.uri, tmp_path / "catalog")
    reader = Catalog.open(tmp_path / "catalog")
    left_out: list[str] = []
    rows = feature_rows(reader, left_out=left_out)
    names = [next(rows)["title_id"]]
    Catalog.open(tmp_path / "catalog").erase("t3")
    names += [row["title_id"] for row in rows]
    assert set(names) == {"deaf", *(f"t{n}" for n in range(8))} - {"t3"}
    assert len(left_out) == 1
    assert "t3" in left_out[0]
