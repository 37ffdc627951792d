"""Shots by their vectors and cues by their words: with an index, without, and while titles go."""

import numpy as np
import pytest
from catalog_kit import ENCODERS, make_shots, vectors, write_title

from mediafm.catalog import Catalog, TitleRecord, VersionRecord, indexes
from mediafm.catalog.tables import open_latest
from mediafm.errors import CatalogError
from mediafm.timeline import US, Cue, Span

TITLES, SHOTS, DIM = 12, 300, 16


def embed(catalog, name="v", seed=0, dim=DIM):
    """Fills a version with vectors that lie in clusters, as those of films do."""
    encoders = {m: e.fingerprint for m, e in ENCODERS.items()}
    catalog.create_version(VersionRecord(name, f"print {name}", dim, encoders=encoders))
    centres = np.random.default_rng(seed).standard_normal((40, dim)) * 2
    for title in catalog.lacking(name):
        rng = np.random.default_rng([seed, int(title.title_id[1:])])
        x_NH = centres[rng.integers(40, size=title.shots)] + rng.standard_normal((title.shots, dim))
        catalog.append_embeddings(name, [(title.title_id, title.ingest_id, x_NH)])


@pytest.fixture(scope="module")
def big(tmp_path_factory):
    catalog = Catalog.create(tmp_path_factory.mktemp("near") / "c")
    for i in range(TITLES):
        write_title(catalog, f"t{i}", seed=i, shots=SHOTS)
    embed(catalog)
    catalog.promote("v")
    return catalog


@pytest.fixture
def indexed(big, monkeypatch):
    monkeypatch.setattr(indexes, "EXACT", 500)
    done = big.index(exact=500)
    yield big
    assert set(done) <= {
        "embeddings/v",
        "features/video-aaaa1111",
        "features/text-cccc3333",
        "cues",
    }


def brute(catalog, query_H, titles=None):
    found = []
    for title, x_NH in catalog.iter_embeddings("v", titles):
        cosine_N = x_NH @ query_H / np.linalg.norm(x_NH, axis=1) / np.linalg.norm(query_H)
        found += [(title.title_id, i, float(c)) for i, c in enumerate(cosine_N)]
    return sorted(found, key=lambda row: -row[2])


def test_without_an_index_every_vector_is_compared(big):
    query_H = np.random.default_rng(1).standard_normal(DIM)
    near = big.nearest(query_H, 25, exact=True)
    expected = brute(big, query_H)[:25]
    assert [n[:2] for n in near] == [row[:2] for row in expected]
    assert [n.cosine for n in near] == pytest.approx([row[2] for row in expected], abs=1e-4)
    few = big.nearest(query_H, 5, titles=["t3", "t8"])
    assert [n[:2] for n in few] == [row[:2] for row in brute(big, query_H, ["t3", "t8"])[:5]]
    assert len(big.nearest(query_H, 10_000)) == TITLES * SHOTS


def test_an_index_finds_nearly_the_same(indexed):
    rng = np.random.default_rng(2)
    same = 0
    for _ in range(20):
        query_H = rng.standard_normal(DIM)
        near, exact = indexed.nearest(query_H, 10), indexed.nearest(query_H, 10, exact=True)
        same += len({n[:2] for n in near} & {n[:2] for n in exact})
        assert [n.cosine for n in near] == sorted((n.cosine for n in near), reverse=True)
        cosines = {n[:2]: n.cosine for n in exact}
        for n in near:  # of the vectors themselves, not of what the index keeps of them
            assert n.cosine == pytest.approx(cosines.get(n[:2], n.cosine), abs=1e-3)
    assert same >= 190
    assert indexes.has_vectors(indexed._snapshot().tables["features/video-aaaa1111"])


def test_shots_without_a_modality_are_never_found(indexed):
    query_D = np.random.default_rng(3).standard_normal(4)
    for exact in (False, True):
        near = indexed.nearest_features("text", query_D, 30, exact=exact)
        assert len(near) == 30
        assert all(n.shot % 3 for n in near)  # every third shot has no text


def test_features_of_single_shots(big):
    shots = [("t3", 7), ("t0", 2), ("t3", 6), ("t8", 299), ("t0", 2)]
    features, present = big.shot_features(shots, ["text", "video"])
    for modality, x_KD in features.items():
        for (name, shot), x_D, there in zip(shots, x_KD, present[modality], strict=True):
            all_ND, all_N = big.features(name, modality)
            np.testing.assert_array_equal(x_D, all_ND[shot])
            assert there == all_N[shot]
    assert present["text"].tolist() == [True, True, False, True, True]
    assert len(big.shot_features([])[0]["video"]) == 0
    with pytest.raises(CatalogError, match="no title 't99'"):
        big.shot_features([("t99", 0)])


def test_a_query_that_does_not_fit(indexed):
    with pytest.raises(CatalogError, match=r"has shape \(3,\), not \(16,\)"):
        indexed.nearest(np.ones(3))
    with pytest.raises(CatalogError, match="has no direction"):
        indexed.nearest(np.zeros(DIM))
    with pytest.raises(CatalogError, match="is not finite"):
        indexed.nearest(np.full(DIM, np.nan))
    with pytest.raises(CatalogError, match="no title 't99'"):
        indexed.nearest(np.ones(DIM), titles=["t99"])
    with pytest.raises(CatalogError, match="no smell features"):
        indexed.nearest_features("smell", np.ones(3))
    with pytest.raises(CatalogError, match="no version 'w'"):
        indexed.nearest(np.ones(DIM), version="w")


def test_an_index_follows_what_comes_and_goes(tmp_path, monkeypatch):
    monkeypatch.setattr(indexes, "EXACT", 500)
    catalog = Catalog.create(tmp_path / "c")
    for i in range(8):
        write_title(catalog, f"t{i}", seed=i, shots=SHOTS)
    embed(catalog)
    assert "embeddings/v" in catalog.index(exact=500)
    assert catalog.index(exact=500) == []  # nothing to do
    reader = Catalog.open(catalog.uri)
    assert reader.nearest(np.ones(DIM), 3, version="v")  # its table and index are pinned
    query_H = np.random.default_rng(4).standard_normal(DIM)
    write_title(catalog, "t3", seed=30, shots=40)  # replaced: its old rows are still stored
    write_title(catalog, "t20", seed=20, shots=SHOTS)
    embed(catalog)
    near = catalog.nearest(query_H, 60, version="v")
    expected = [row[:2] for row in brute(catalog, query_H)[:60]]
    assert len({n[:2] for n in near} & set(expected)) >= 55
    assert all(n.shot < 40 for n in near if n.title_id == "t3")
    assert "embeddings/v" in catalog.index(exact=500)  # takes the new ones in
    catalog.erase("t5")
    for own in (catalog, reader):  # the reader still has the old table pinned
        near = own.nearest(query_H, 60, version="v")
        assert len(near) == 60
        assert "t5" not in {n.title_id for n in near}
    assert reader.find("t5")  # and does not know yet


def test_words_are_found_whatever_their_case_and_accents(tmp_path):
    catalog = Catalog.create(tmp_path / "c")
    said = {
        "a": ["The bridge blows up!", "Wir gehen in die Höhle."],
        "b": ["A bridge too far", "nothing of note", "東京タワーが見える"],
    }
    for name, lines in said.items():
        with catalog.writer(name) as w:
            w.add_shots(make_shots(4))
            w.add_cues([Cue(Span(i * US, (i + 1) * US), line) for i, line in enumerate(lines)])
            w.commit(TitleRecord(name, ""))
    for _ in range(2):  # by an index in memory, then by the catalog's own
        assert {s.cue.text for s in catalog.said("BRIDGE")} == {said["a"][0], said["b"][0]}
        assert catalog.said("blows bridge")[0].cue.text == said["a"][0]
        [hit] = catalog.said("hohle")
        assert (hit.title_id, hit.cue) == ("a", Cue(Span(US, 2 * US), said["a"][1]))
        assert [s.cue.text for s in catalog.said("東京")] == [said["b"][2]]
        assert [s.title_id for s in catalog.said("bridge", titles=["b"])] == ["b"]
        assert catalog.said("tunnel") == catalog.said("  ") == catalog.said('?!"(') == []
        catalog.index()
    catalog.remove("a")
    assert {s.title_id for s in catalog.said("bridge")} == {"b"}
    assert Catalog.create(tmp_path / "empty").said("bridge") == []


def test_no_word_of_an_erased_title_is_left_in_the_index(tmp_path):
    """Its list of words is an automaton, in which none can be looked for: they are counted."""
    catalog = Catalog.create(tmp_path / "c")
    for name, line in (("gone", "xylophone zymurgy"), ("stays", "an ordinary bridge")):
        with catalog.writer(name) as w:
            w.add_shots(make_shots(2))
            w.add_cues([Cue(Span(0, US), line)])
            w.commit(TitleRecord(name, ""))
    catalog.index()

    def known():
        table = open_latest(catalog._store.table("cues"))
        [index] = table.describe_indices()
        return [part["num_tokens"] for part in table.stats.index_stats(index.name)["indices"]]

    assert sum(known()) == 5
    catalog.erase("gone")
    assert known() == [3]
    assert len(list((tmp_path / "c" / "cues.lance" / "_indices").iterdir())) == 1
    assert [s.title_id for s in catalog.said("bridge")] == ["stays"]


def test_vectors_of_zeros_have_no_direction(tmp_path):
    catalog = Catalog.create(tmp_path / "c")
    with catalog.writer("t", ENCODERS) as w:
        w.add_shots(make_shots(3))
        x_ND = vectors(0, 3, 8)
        x_ND[1] = 0
        w.add_features("video", 0, x_ND)
        w.commit(TitleRecord("t", ""))
    assert sorted(n.shot for n in catalog.nearest_features("video", x_ND[0])) == [0, 2]
