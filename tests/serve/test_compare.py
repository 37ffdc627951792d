"""Two versions: the share of neighbours that they have in common."""

import numpy as np
import pytest

import synthetic
from mediafm.catalog import Catalog, VersionRecord
from mediafm.errors import MediaFMError
from mediafm.search import similar
from mediafm.serve.compare import CHANGED, compare


def add_version(catalog, name, change, dim=synthetic.EMBEDDING):
    """A version whose vectors are those of `older`, changed."""
    catalog.create_version(VersionRecord(name, f"f-{name}", dim))
    for title, x_NH in Catalog.open(catalog.uri).iter_embeddings("older"):
        y_NH = change(title.title_id, x_NH)
        y_NH = y_NH / np.linalg.norm(y_NH, axis=1, keepdims=True)
        catalog.append_embeddings(name, [(title.title_id, title.ingest_id, y_NH)])


@pytest.fixture(scope="module")
def versions(tmp_path_factory):
    """`turned` is the same in other directions, `broken` knows nothing of one title."""
    folder = tmp_path_factory.mktemp("versions")
    catalog = synthetic.make_catalog(folder / "catalog", [60, 40, 40], versions=("older",))
    rng = np.random.default_rng(3)
    turn, _ = np.linalg.qr(rng.normal(size=(synthetic.EMBEDDING, synthetic.EMBEDDING)))
    add_version(catalog, "turned", lambda _, x_NH: x_NH @ turn)
    add_version(
        catalog, "broken",
        lambda name, x_NH: rng.normal(size=x_NH.shape) if name == "title-001" else x_NH,
    )  # fmt: skip
    add_version(catalog, "narrow", lambda _, x_NH: x_NH[:, :9], 9)
    return Catalog.open(catalog.uri)


def test_versions_that_say_the_same_have_all_in_common(versions):
    found = compare(versions, "older", "turned")
    assert (found.shots, found.of, found.k, found.left_out) == (140, 140, 10, 0)
    assert found.overlap > 0.97
    assert 0 <= found.error < 0.05


def test_the_title_that_changed_comes_first_with_its_shots(versions):
    found = compare(versions, "older", "broken")
    assert found.by_title[0][0] == "title-001"
    assert found.by_title[0][1] < 0.4 < found.by_title[1][1]
    assert found.overlap == pytest.approx(
        sum(share * shots for _, share, shots in found.by_title) / found.shots
    )
    assert len(found.changed) == CHANGED
    shares = [one.overlap for one in found.changed]
    assert shares == sorted(shares)
    for one in found.changed:
        a, b = ({(hit.title_id, hit.shot) for hit in hits} for hits in (one.a, one.b))
        assert len(a & b) / 10 == pytest.approx(one.overlap)
        assert (one.query.title_id, one.query.shot) not in a | b
        assert [hit.score for hit in one.a] == sorted((h.score for h in one.a), reverse=True)
        assert one.query.because


def test_neighbours_are_those_that_similar_finds(versions):
    one = compare(versions, "older", "broken").changed[0]
    for name, hits in (("older", one.a), ("broken", one.b)):
        _, same = similar(versions, one.query.title_id, one.query.span.start, 10, version=name)
        assert [(h.title_id, h.shot) for h in same] == [(h.title_id, h.shot) for h in hits]
        assert [h.because for h in same] == [h.because for h in hits]
        assert [h.score for h in same] == pytest.approx([h.score for h in hits], abs=1e-5)


def test_one_title_widths_other_titles_and_samples(versions):
    own = compare(versions, "older", "narrow", title_id="title-002", count=3)
    assert (own.shots, own.of, own.k, own.error) == (40, 40, 3, 0.0)
    assert {one.query.title_id for one in own.changed} <= {"title-002"}
    far = compare(versions, "older", "broken", elsewhere=True)
    for one in far.changed:
        assert one.query.title_id not in {hit.title_id for hit in [*one.a, *one.b]}
    some = compare(versions, "older", "broken", sample=30)
    assert (some.shots, some.of) == (30, 140)
    assert compare(versions, "older", "broken", sample=30) == some
    assert compare(versions, "older", "broken", count=500).k == 139


def test_titles_that_one_lacks_are_left_out(versions):
    catalog = Catalog.open(versions.uri)
    catalog.create_version(VersionRecord("part", "f-part", synthetic.EMBEDDING))
    with pytest.raises(MediaFMError, match="no shots in common"):
        compare(catalog, "older", "part")
    record, x_NH = next(iter(catalog.iter_embeddings("older", ["title-000"])))
    catalog.append_embeddings("part", [("title-000", record.ingest_id, x_NH)])
    found = compare(Catalog.open(versions.uri), "older", "part")
    assert (found.left_out, found.shots) == (2, 60)
    assert found.overlap == 1
    assert not found.changed


def test_the_api_says_it(client):
    both = {"a": "older", "b": "newer"}
    answer = client.get("/api/compare", params=both).json()
    assert 0 <= answer["overlap"] <= 1
    assert answer["shots"] == answer["of"]
    assert {row["title_id"] for row in answer["by_title"]} >= {"title-000", "shelf/box 5 & 6?"}
    assert answer["validations"].keys() == {"older", "newer"}
    for one in answer["changed"]:
        assert one["query"]["ingest_id"]
    own = client.get("/api/compare", params={**both, "title_id": "title-001"}).json()
    assert [row["title_id"] for row in own["by_title"]] == ["title-001"]
    assert client.get("/api/compare", params={"a": "older", "b": "none"}).status_code == 404
    assert client.get("/api/compare", params={"a": "older", "b": "older"}).status_code == 409
    wrong = client.get("/api/compare", params={**both, "title_id": "none"})
    assert wrong.status_code == 404
