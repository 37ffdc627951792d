"""Out of context in large catalogs: by the indexes of stored features, against comparing all."""

import numpy as np
import pytest

from mediafm.catalog import Catalog, EncoderRecord, TitleRecord, indexes
from mediafm.catalog.fused import CatalogFusion
from mediafm.search import Filter, similar, similar_clips, spaces
from mediafm.timeline import US, Shot, Span

DIMS = {"video": 48, "audio": 32, "text": 24}
ENCODERS = {m: EncoderRecord(m, m, f"{m}-print", dim) for m, dim in DIMS.items()}
TITLES, SHOTS, CLUSTERS = 12, 300, 60
SPANS = [Span(i * 2 * US, (i + 1) * 2 * US) for i in range(SHOTS)]
ASKED = range(3, SHOTS, 30)


def add(catalog, number):
    """Clusters in a narrow cone, as encoders have them; every third shot has no text."""
    rng, of_all = np.random.default_rng(number), np.random.default_rng(100)
    cluster_N = rng.integers(CLUSTERS, size=SHOTS)
    with catalog.writer(f"t{number}", ENCODERS) as w:
        w.add_shots([Shot(i, span) for i, span in enumerate(SPANS)])
        for modality, dim in DIMS.items():
            mean_D, centre_CD = 3 * of_all.normal(size=dim), of_all.normal(size=(CLUSTERS, dim))
            x_ND = mean_D + centre_CD[cluster_N] + 0.5 * rng.normal(size=(SHOTS, dim))
            x_ND /= np.linalg.norm(x_ND, axis=1, keepdims=True)
            there = np.arange(SHOTS) % 3 > 0 if modality == "text" else None
            w.add_features(modality, 0, x_ND, there)
        w.commit(TitleRecord(f"t{number}", "", genres=("drama",) if number % 3 else ("crime",)))


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    catalog = Catalog.create(tmp_path_factory.mktemp("alone") / "c")
    for number in range(TITLES):
        add(catalog, number)
    assert len(catalog.index(exact=500)) == 3
    return catalog


@pytest.fixture
def indexed(monkeypatch):
    """Calls a search once with all compared, and once by the indexes."""

    def both(find, *query, **how):
        expected = find(*query, **how)
        with monkeypatch.context() as patch:
            patch.setattr(indexes, "EXACT", 500)
            patch.setattr(spaces, "_NARROW", 0)
            patch.setattr(spaces, "_DEPTH", 4)  # of 3,600 shots the usual depth would be a sixth
            return expected, find(*query, **how)

    return both


def places(hits):
    return {(hit.title_id, hit.shot) for hit in hits}


@pytest.mark.parametrize(
    ("features", "elsewhere", "where"),
    [
        ("fused", False, Filter()),
        ("fused", True, Filter()),
        ("fused", False, Filter(genres=["crime"], after=60 * US)),
        ("video", False, Filter()),
        ("text", True, Filter(genres=["drama"])),
    ],
)
def test_nearly_the_same_are_found_as_by_comparing_all(large, indexed, features, elsewhere, where):
    same = total = 0
    for shot in ASKED:
        time = (shot + (features == "text")) * 2 * US  # one that has text
        (_, expected), (_, found) = indexed(
            similar, large, "t1", time, features=features, elsewhere=elsewhere, where=where
        )
        assert len(found) == 10
        assert not elsewhere or "t1" not in {hit.title_id for hit in found}
        scores = {(hit.title_id, hit.shot): hit.score for hit in expected}
        for hit in found:  # of the vectors themselves, whatever proposed them
            exact = scores.get((hit.title_id, hit.shot), hit.score)
            assert hit.score == pytest.approx(exact, abs=1e-4)
            assert where.holds(hit.span)
        same, total = same + len(places(found) & places(expected)), total + 10
    assert same >= 0.95 * total


def test_only_some_shots_are_read(large, indexed, monkeypatch):
    streamed = []
    each = spaces.Alone.each
    monkeypatch.setattr(
        spaces.Alone, "each", lambda self, ids: streamed.append(ids) or each(self, ids)
    )
    indexed(similar, large, "t1", 0, 10, features="fused")
    assert streamed == [["t1"], None, ["t1"]]  # the query, all, the query


def test_features_of_few_directions_are_all_compared(tmp_path, indexed):
    """Four numbers rotated into 96: of the nearest, the indexes alone would miss some."""
    rng = np.random.default_rng(5)
    turn = np.linalg.qr(rng.normal(size=(96, 4)))[0].T
    catalog = Catalog.create(tmp_path / "c")
    for number in range(8):
        with catalog.writer(f"t{number}", {"audio": EncoderRecord("audio", "a", "a", 96)}) as w:
            w.add_shots([Shot(i, span) for i, span in enumerate(SPANS)])
            w.add_features("audio", 0, (3 + rng.normal(size=(SHOTS, 4))) @ turn)
            w.commit(TitleRecord(f"t{number}", ""))
    catalog.index(exact=500)
    for shot in ASKED:
        (_, expected), (_, found) = indexed(similar, catalog, "t1", shot * 2 * US, features="audio")
        assert places(found) == places(expected)
    assert spaces.Alone(catalog, "t1").fusion.directions["audio"] == pytest.approx(4, abs=0.5)


def test_means_are_taken_once_per_search(large, indexed, monkeypatch):
    taken = []
    of = CatalogFusion.of
    monkeypatch.setattr(CatalogFusion, "of", lambda *args: taken.append(args) or of(*args))
    (_, hits), _ = indexed(similar, large, "t1", 2 * US, features="video")
    assert len(taken) == 2  # two searches
    assert set().union(*(hit.because for hit in hits)) == {"video", "audio", "text"}


def test_a_shot_without_a_modality_finds_and_is_found(large, indexed):
    (shot, expected), (_, found) = indexed(similar, large, "t2", 0, 30, features="fused")
    assert shot.index % 3 == 0
    assert all(set(hit.because) == {"video", "audio"} for hit in found)
    assert len(places(found) & places(expected)) >= 28
    assert {hit.shot % 3 > 0 for hit in found} == {True, False}


def test_asking_for_more_than_the_indexes_propose(large, indexed):
    (_, expected), (_, found) = indexed(similar, large, "t1", 2 * US, 5000, features="video")
    assert places(found) == places(expected)
    assert len(found) == TITLES * SHOTS - 1


@pytest.mark.parametrize("features", ["fused", "audio"])
def test_clips_are_looked_for_around_near_shots(large, indexed, features):
    span = Span(20 * US, 26 * US)
    expected, found = indexed(similar_clips, large, "t1", span, 5, features=features)
    assert found == expected


def test_titles_that_go_are_found_no_more(tmp_path, indexed):
    catalog = Catalog.create(tmp_path / "c")
    for number in range(4):
        add(catalog, number)
    catalog.index(exact=500)
    reader = Catalog.open(catalog.uri)
    reader.title("t3")
    catalog.erase("t3")
    for own in (catalog, reader):  # the reader still has the old tables pinned
        (_, expected), (_, found) = indexed(similar, own, "t1", 0, 20, features="fused")
        assert "t3" not in {hit.title_id for hit in found}
        assert len(places(found) & places(expected)) >= 18
