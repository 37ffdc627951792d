"""Similar shots against a plain computation."""

import numpy as np
import pytest

from mediafm.catalog import Catalog, EncoderRecord, TitleRecord, VersionRecord
from mediafm.errors import CatalogError, MediaFMError
from mediafm.search import parse_place, similar
from mediafm.timeline import Shot, Span

SECOND = 1_000_000


@pytest.fixture
def catalog(tmp_path):
    catalog = Catalog.create(tmp_path / "cat")
    rng = np.random.default_rng(0)
    batch = []
    for name, count in (("one", 6), ("two", 5)):
        with catalog.writer(name) as writer:
            spans = [Span(i * SECOND, (i + 1) * SECOND) for i in range(count)]
            writer.add_shots([Shot(i, span) for i, span in enumerate(spans)])
            record = writer.commit(TitleRecord(name, ""))
        x = rng.normal(size=(count, 8))
        batch.append((name, record.ingest_id, x / np.linalg.norm(x, axis=1, keepdims=True)))
    catalog.create_version(VersionRecord("v", "f", 8))
    catalog.append_embeddings("v", batch)
    return catalog


def test_equals_sorting_all_cosines(catalog):
    shot, hits = similar(catalog, "one", 2 * SECOND + 5, 4)
    assert shot.index == 2
    vectors = {name: catalog.embeddings("v", name) for name in ("one", "two")}
    query = vectors["one"][2]
    scores = [
        (float(v @ query), name, i)
        for name, x in vectors.items()
        for i, v in enumerate(x)
        if (name, i) != ("one", 2)
    ]
    expected = sorted(scores, reverse=True)[:4]
    assert [(h.title_id, h.shot) for h in hits] == [(name, i) for _, name, i in expected]
    assert [h.score for h in hits] == pytest.approx([s for s, _, _ in expected], abs=1e-3)


def test_elsewhere_leaves_the_own_title_out(catalog):
    _, hits = similar(catalog, "one", 0, 20, elsewhere=True)
    assert {hit.title_id for hit in hits} == {"two"}
    assert len(hits) == 5


def test_asking_for_more_than_there_are(catalog):
    _, hits = similar(catalog, "one", 0, 100)
    assert len(hits) == 10


def test_places():
    assert parse_place("a/b@00:01:30.5") == ("a/b", 90_500_000)
    assert parse_place("me@home@90") == ("me@home", 90_000_000)
    assert parse_place("film") == ("film", 0)
    with pytest.raises(MediaFMError, match="not a time"):
        parse_place("film@soon")


def test_beyond_the_end_and_unknown_titles(catalog):
    with pytest.raises(MediaFMError, match=r"runs from 00:00:00\.000 to 00:00:06\.000"):
        similar(catalog, "one", 6 * SECOND)
    with pytest.raises(CatalogError, match="no title 'three'"):
        similar(catalog, "three", 0)


def test_fused_features_need_no_version(tmp_path):
    catalog = Catalog.create(tmp_path / "cat")
    encoder = {"video": EncoderRecord("video", "fake", "f", 4)}
    x = np.random.default_rng(1).normal(size=(20, 4))
    x[13] = x[2] + 0.01
    with catalog.writer("film", encoder) as writer:
        writer.add_shots([Shot(i, Span(i * SECOND, (i + 1) * SECOND)) for i in range(20)])
        writer.add_features("video", 0, x)
        writer.commit(TitleRecord("film", ""))
    shot, hits = similar(catalog, "film", 2 * SECOND, 3, features="fused")
    assert (shot.index, hits[0].shot) == (2, 13)
    with pytest.raises(CatalogError, match="mediafm embed"):
        similar(catalog, "film", 2 * SECOND)
