"""The map: what is alike lies together, it is kept, and follows the catalog."""

import base64
import sys
import threading
import time

import numpy as np
import pytest
from fastapi.testclient import TestClient
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy
from serve_kit import ORIGIN

import synthetic
from mediafm.catalog import Catalog, VersionRecord
from mediafm.serve import Settings, create_app
from mediafm.serve import projection as module
from mediafm.serve.library import Library
from mediafm.serve.neighbours import layout
from mediafm.serve.projection import Projections, _scaled

pytest.importorskip("openTSNE")


def wait(projections, view, version=None):
    """The map when nothing more is made."""
    for _ in range(1200):
        found = projections.of(view, version)
        if not found.working:
            return found
        time.sleep(0.05)
    raise AssertionError(f"no map: {found.state} {found.done}")


def together(points, group_N, k=5):
    """Share of the nearest points that belong to the same group."""
    y_N2 = points.astype(float)
    gap_NN = ((y_N2[:, None] - y_N2[None]) ** 2).sum(-1)
    np.fill_diagonal(gap_NN, np.inf)
    near_NK = np.argsort(gap_NN, axis=1)[:, :k]
    return float((group_N[near_NK] == group_N[:, None]).mean())


@pytest.fixture
def own(tmp_path):
    """Settings of a catalog that the test may change: three titles, in scenes."""
    catalog = synthetic.make_catalog(tmp_path / "catalog", [60, 40, 40], versions=("v",))
    assert isinstance(catalog, Catalog)
    return Settings(str(tmp_path / "catalog"), probes=tmp_path / "probes", cache=tmp_path / "cache")


@pytest.fixture
def projections(own):
    made = Projections(own.cache)
    yield made
    made.close()


def test_scenes_lie_together_and_the_map_is_kept(own, projections, monkeypatch):
    view = Library(own).view()
    found = wait(projections, view)
    assert (found.state, found.drawn.method, found.done, found.error) == (
        "ready", "neighbours", 1.0, None,
    )  # fmt: skip
    assert [first for _, first in found.drawn.titles] == [0, 60, 100]
    plans = [synthetic.plan(f"title-{n:03d}", s, n) for n, s in enumerate([60, 40, 40])]
    scene_N = np.concatenate([100 * n + plan.scene_N for n, plan in enumerate(plans)])
    shuffled = np.random.default_rng(0).permutation(scene_N)
    assert together(found.drawn.points, scene_N) > 4 * together(found.drawn.points, shuffled)

    # Another server has it at once, and computes nothing.
    [file] = own.cache.glob("maps/*")
    monkeypatch.setattr(module.Map, "_arrange", lambda *_: pytest.fail("made anew"))
    other = Projections(own.cache)
    again = wait(other, Library(own).view())
    assert np.array_equal(again.drawn.points, found.drawn.points)
    assert again.drawn.etag == found.drawn.etag
    other.close()
    # What is broken on the disk is made anew.
    file.write_bytes(file.read_bytes()[:-30])
    third = Projections(own.cache)
    monkeypatch.setattr(module.Map, "_arrange", lambda _, x_ND: x_ND[:, :2] * 2)
    assert wait(third, Library(own).view()).state == "ready"
    assert len(list(own.cache.glob("maps/*"))) == 1
    third.close()


@pytest.mark.slow
def test_a_title_that_comes_later_changes_the_map(own, projections):
    first = wait(projections, Library(own).view())
    catalog = Catalog.open(own.catalog)
    made = synthetic.plan("late", 20, 9)
    record = synthetic.add_title(catalog, made, synthetic.about(9, made), 9)
    view = Library(own).view()
    # Not embedded yet: left out, and nothing else changes.
    assert wait(projections, view).drawn.key == first.drawn.key
    catalog = Catalog.open(own.catalog)
    catalog.append_embeddings("v", [("late", record.ingest_id, synthetic.embeddings(made))])
    second = wait(projections, Library(own).view())
    assert second.drawn.key != first.drawn.key
    assert len(second.drawn.points) == 160
    assert len(list(own.cache.glob("maps/*"))) == 1  # nothing stays of what was


@pytest.mark.slow
def test_vectors_made_anew_under_the_same_ingest_are_seen(own, projections):
    view = Library(own).view()
    first = wait(projections, view)
    catalog = Catalog.open(own.catalog)
    record = catalog.title("title-001")
    assert catalog.forget_embeddings([record.ingest_id], ["video"])
    x_NH = np.roll(synthetic.embeddings(synthetic.plan("title-001", 40, 5), 7), 3, axis=1)
    Catalog.open(own.catalog).append_embeddings("v", [("title-001", record.ingest_id, x_NH)])
    later = Library(own).view()
    later.number = view.number + 1
    second = wait(projections, later)
    assert second.drawn.key == first.drawn.key
    assert second.drawn.etag != first.drawn.etag


@pytest.mark.slow
def test_the_map_of_a_version_that_is_gone_is_removed(own, projections):
    catalog = Catalog.open(own.catalog)
    catalog.create_version(VersionRecord("brief", "fb", 8))
    for title in catalog.titles():
        x_NH = np.random.default_rng(0).normal(size=(title.shots, 8))
        x_NH /= np.linalg.norm(x_NH, axis=1, keepdims=True)
        catalog.append_embeddings("brief", [(title.title_id, title.ingest_id, x_NH)])
    wait(projections, Library(own).view(), "brief")
    assert len(list(own.cache.glob("maps/*"))) == 1
    Catalog.open(own.catalog).delete_version("brief")
    wait(projections, Library(own).view(), "v")
    [file] = own.cache.glob("maps/*")
    assert file == projections.of(Library(own).view(), "v").file


def test_a_failure_leaves_pca_and_says_why(own, projections, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    found = wait(projections, Library(own).view())
    assert (found.state, found.drawn.method, len(found.drawn.points)) == ("ready", "pca", 140)
    assert "the map by neighbours failed" in found.error
    assert not list(own.cache.glob("maps/*"))


def test_closing_ends_what_is_made(own, monkeypatch):
    started = threading.Event()

    def forever(self, x_ND):
        started.set()
        assert self._stopped.wait(30)
        return x_ND[:, :2]

    monkeypatch.setattr(module.Map, "_arrange", forever)
    projections = Projections(own.cache)
    found = projections.of(Library(own).view(), None)
    assert started.wait(10)
    assert (found.state, found.drawn.method) == ("working", "pca")
    projections.close()
    assert not found.working
    assert not list(own.cache.glob("maps/*"))


def test_a_process_is_ended_with_the_server(own, projections, monkeypatch):
    monkeypatch.setattr(module, "LEAST", 1)
    view = Library(own).view()
    found = projections.of(view, None)
    for _ in range(200):
        if found._process is not None:
            break
        time.sleep(0.02)
    projections.close()
    assert found._process.poll() is not None


def test_layout_is_the_same_each_time_and_takes_all_kinds():
    rng = np.random.default_rng(0)
    x_ND = rng.normal(size=(60, 5)).astype(np.float32)
    done = []
    first = layout(x_ND, done.append)
    assert np.array_equal(first, layout(x_ND))
    assert done == sorted(done)
    assert done[-1] <= 1
    assert np.isfinite(layout(np.ones((40, 3), np.float32))).all()  # all the same
    assert np.isfinite(layout(x_ND[:3])).all()
    assert np.isfinite(layout(x_ND[:, :1])).all()


def test_of_many_a_sample_is_arranged(monkeypatch):
    monkeypatch.setattr("mediafm.serve.neighbours.MOST", 150)
    rng = np.random.default_rng(0)
    group_N = np.repeat(np.arange(4), 60)
    x_ND = (np.eye(6)[group_N] * 8 + rng.normal(size=(240, 6))).astype(np.float32)
    y_N2 = layout(x_ND)
    assert np.isfinite(y_N2).all()
    assert together(y_N2, group_N) > 0.8


@example(np.array([[0, 0], [0, 1e-45]], np.float32))
@given(
    st_numpy.arrays(
        np.float32,
        st.tuples(st.integers(0, 30), st.just(2)),
        elements=st.floats(-1e6, 1e6, width=32),
    )
)
def test_points_fill_the_square_and_keep_their_shape(y_N2):
    points = _scaled(y_N2)
    assert points.dtype == np.int16
    assert points.shape == y_N2.shape
    if len(y_N2) and (spread := np.ptp(y_N2.astype(float), axis=0)).max() > 0:
        assert np.ptp(points.astype(int), axis=0).max() >= 2 * 32767 - 2
        if spread.min() > spread.max() / 100:
            ratio = np.ptp(points.astype(float), axis=0)
            assert ratio[0] / ratio[1] == pytest.approx(spread[0] / spread[1], rel=0.01)


def ready(client, **params):
    for _ in range(1200):
        about = client.get("/api/map", params=params).json()
        if about["state"] != "working":
            return about
        time.sleep(0.05)
    raise AssertionError(about)


def test_points_times_and_classes_belong_together(client, catalog):
    about = ready(client)
    assert about["state"] == "ready"
    assert about["points"] == sum(t["shots"] for t in about["titles"])
    assert about["left_out"] == 0
    answer = client.get("/api/map/points", params={"key": about["key"]})
    points = np.frombuffer(answer.content, "<i2").reshape(-1, 2)
    assert len(points) == about["points"]
    assert points.any()
    etag = answer.headers["etag"]
    assert client.get("/api/map/points", headers={"if-none-match": etag}).status_code == 304
    times = np.frombuffer(client.get("/api/map/times").content, "<f8").reshape(-1, 2)
    part = about["titles"][1]
    shot = catalog.shots(part["title_id"])[3]
    assert times[part["first"] + 3].tolist() == [shot.span.start, shot.span.end]
    classes = client.get("/api/map/classes", params={"probe": "clip-tone"}).json()
    values = np.frombuffer(base64.b64decode(classes["values"]), np.uint8)
    assert len(values) == about["points"]
    assert values.max() <= len(classes["names"])
    assert values.any()


def test_what_cannot_be_answered(client):
    ready(client)
    assert client.get("/api/map", params={"version": "none"}).status_code == 404
    assert client.get("/api/map/points", params={"key": "old"}).status_code == 409
    assert client.get("/api/map/classes", params={"probe": "none"}).status_code == 404


def test_without_a_version_there_is_no_map(tmp_path):
    catalog = synthetic.make_catalog(tmp_path / "catalog", [10], versions=())
    assert not catalog.versions()
    settings = Settings(str(tmp_path / "catalog"), probes=tmp_path, cache=tmp_path / "cache")
    with TestClient(create_app(settings), base_url=ORIGIN) as client:
        about = client.get("/api/map").json()
        assert (about["state"], about["version"], about["points"]) == ("none", None, 0)
        assert about["left_out"] == 1
        assert client.get("/api/map/points").status_code == 409
