"""Tags of scenes, and what is said of a title that nobody has watched."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from probe_kit import mood_rows

from mediafm.catalog import Catalog, EncoderRecord, TitleRecord, VersionRecord
from mediafm.cli.main import main
from mediafm.errors import CatalogError, MediaFMError
from mediafm.suggest import FittedProbes, cold_start, suggest_tags
from mediafm.suggest.cold_start import feature_rows, write_features
from mediafm.timeline import US, Shot, Span


def moods(title_id, span):
    """How long each mood lasts within a span."""
    lasts: dict[str, int] = {}
    for row in mood_rows():
        own = Span(row["start"] * US, row["end"] * US)
        if row["title_id"] == title_id and span.overlap(own):
            lasts[row["mood"]] = lasts.get(row["mood"], 0) + span.overlap(own)
    return lasts


def test_scenes_are_tagged_by_every_probe_that_gives_classes(probed):
    catalog, probes = probed
    right = every = 0
    for number in range(8):
        found = suggest_tags(catalog, f"t{number}", probes=probes)
        assert found.by == ("novelty", "ad-relevancy", "clip-tone")
        assert {one.probe for one in found.found} == {"ad-relevancy", "clip-tone"}
        assert [one.span for one in found.found] == sorted(one.span for one in found.found)
        for one in found.found:
            lasts = moods(f"t{number}", one.span)
            if max(lasts.values()) >= 0.8 * one.span.duration:  # else it has no mood of its own
                right += max(lasts, key=lasts.get) in one.tags
                every += 1
            assert one.score == max(one.evidence.values())
            assert set(one.tags) <= {"calm", "glad", "grim"}
    assert every > 20
    assert right > 0.8 * every


def test_only_the_probes_that_are_named(probed):
    catalog, probes = probed
    found = suggest_tags(catalog, "t0", only=["clip-retrieval"], probes=probes)
    assert found.by == ("novelty", "clip-retrieval")  # yes-or-no ones too, when named
    with pytest.raises(MediaFMError, match="'clip-popularity' orders clips, it gives no tags"):
        suggest_tags(catalog, "t0", only=["clip-popularity"], probes=probes)
    with pytest.raises(MediaFMError, match=r"no probe 'clip-ton' is fitted.*clip-tone"):
        suggest_tags(catalog, "t0", only=["clip-ton"], probes=probes)
    with pytest.raises(MediaFMError, match="there is no probe 'clip-tone'"):
        suggest_tags(catalog, "t0", only=["clip-tone"])


@pytest.fixture
def shelf(tmp_path):
    """Two kinds of titles, of which all but one of each have genres."""
    catalog = Catalog.create(tmp_path / "catalog")
    rng = np.random.default_rng(0)
    catalog.create_version(VersionRecord("v", "f", 8))
    for number in range(8):
        name = f"f{number}"
        with catalog.writer(name, {"video": EncoderRecord("video", "eye", "e1", 6)}) as w:
            w.add_shots([Shot(i, Span(i * 4 * US, (i + 1) * 4 * US)) for i in range(6)])
            w.add_features("video", 0, rng.normal(size=(6, 6)))
            genres = () if number < 2 else ("western", "drama") if number % 2 else ("comedy",)
            record = w.commit(TitleRecord(name, "", title=name, genres=genres, year=1990 + number))
        centre = np.eye(8)[number % 2] * 4
        x_NH = centre + rng.normal(size=(6, 8))
        x_NH /= np.linalg.norm(x_NH, axis=1, keepdims=True)
        if number < 7:
            catalog.append_embeddings("v", [(name, record.ingest_id, x_NH)])
        if number == 6:
            catalog.promote("v")
    return catalog


def test_without_a_probe_titles_like_it_vote(shelf):
    for name, genres in (("f0", ("comedy",)), ("f1", ("western", "drama"))):
        found = suggest_tags(shelf, name)
        assert found.by == ("genres", "tags")
        [one] = found.found
        assert set(one.tags) == set(genres)
        assert one.span == Span(0, 24 * US)
        assert "no probe that gives classes is fitted" in found.notes[-1]
        assert name not in found.notes[-1]


def test_a_new_title_is_told_by_its_neighbours(shelf):
    found = cold_start(shelf, "f1", 3)
    assert {hit.title_id for hit in found.nearest} == {"f3", "f5"} | {found.nearest[-1].title_id}
    assert [hit.score for hit in found.nearest] == sorted(
        (hit.score for hit in found.nearest), reverse=True
    )
    assert found.by == ("nearest titles",)
    with pytest.raises(CatalogError, match="no title 'f9'"):
        cold_start(shelf, "f9")
    with pytest.raises(CatalogError, match="f7"):
        cold_start(shelf, "f7")  # not embedded


def test_features_of_all_titles_as_a_table(probed, tmp_path):
    catalog, probes = probed
    file = tmp_path / "deep" / "features.parquet"
    assert write_features(file, feature_rows(catalog, count=3, probes=probes)) == 8
    table = pq.read_table(file)
    assert table["title_id"].to_pylist() == [f"t{number}" for number in range(8)]
    for i, name in enumerate(table["title_id"].to_pylist()):
        e_H = np.asarray(table["embedding"][i].as_py(), np.float32)
        np.testing.assert_array_equal(e_H, catalog.title_embedding(name))
        assert len(table["nearest"][i]) == 3
        assert name not in table["nearest"][i].as_py()
        lasts = moods(name, Span(0, 96 * US))
        said = {mood: table[f"clip-tone.{mood}"][i].as_py() for mood in lasts}
        for mood, time in lasts.items():
            assert said[mood] == pytest.approx(time / (96 * US), abs=0.3)
    assert not any(
        name.startswith(("clip-popularity", "clip-retrieval")) for name in table.schema.names
    )
    [row] = feature_rows(catalog, ["t3"], count=3, probes=probes)
    assert row["nearest"] == table["nearest"][3].as_py()


def test_titles_that_are_not_embedded_are_left_out_and_said(shelf, tmp_path):
    left_out: list[str] = []
    rows = list(feature_rows(shelf, left_out=left_out))
    assert [row["title_id"] for row in rows] == [f"f{number}" for number in range(7)]
    assert left_out == ["f7: the title is not embedded"]
    with pytest.raises(CatalogError, match="f7: the title is not embedded; run mediafm embed"):
        list(feature_rows(shelf, ["f7"]))
    with pytest.raises(MediaFMError, match=r"cannot be written as \.csv"):
        write_features(tmp_path / "x.csv", iter(rows))


def test_the_commands(probed, tmp_path, capsys):
    catalog, probes = probed
    where = ["-c", catalog.uri, "--probes", str(probes.folder)]
    assert main(["suggest", "tags", "t1", "-p", "clip-tone", *where]) == 0
    said = capsys.readouterr().out
    assert "t1: tags, by novelty, clip-tone" in said
    assert "right or wrong: mediafm suggest accept tags t1@FROM-TO --task clip-tone" in said
    assert main(["suggest", "cold-start", "t1", "-n", "2", *where, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert len(found["nearest"]) == 2
    assert {tag["probe"] for tag in found["tags"]} == {"ad-relevancy", "clip-tone"}
    file = tmp_path / "features.jsonl"
    assert main(["suggest", "cold-start", "-o", str(file), *where]) == 0
    assert f"8 titles in {file}" in capsys.readouterr().out
    assert len(file.read_text().splitlines()) == 8
    assert main(["suggest", "cold-start", *where]) == 1
    assert "name a title, or a file" in capsys.readouterr().err


def test_a_folder_of_probes_that_is_a_file_is_refused(film, tmp_path):
    (tmp_path / "probes").write_text("x")
    with pytest.raises(MediaFMError, match="is a file, not a folder of probes"):
        FittedProbes(film, tmp_path / "probes")
