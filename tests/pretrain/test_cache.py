"""The training cache of a catalog: found again, outdated, shared, without Lance, from S3."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from run_kit import TINY
from shot_kit import DIMS, make_titles
from store_kit import Source, check_same, fill, odd_titles, run

from mediafm.catalog import Catalog, EncoderRecord
from mediafm.pretrain import build, pretrain
from mediafm.pretrain.build import build_store
from mediafm.pretrain.cache import cached_store
from mediafm.progress import Silent


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("MEDIAFM_TRAINING_CACHE", str(tmp_path / "caches"))
    return tmp_path / "caches"


def test_the_cache_of_a_state_is_found_again(root):
    titles = make_titles(3)
    source = Source(titles)
    cached_store(source, None, Silent()).close()
    assert len(source.given) == 3
    with cached_store(source, None, Silent()) as store:
        check_same(store, titles)
    assert len(source.given) == 3, "nothing was read of the catalog"
    [cache] = root.iterdir()
    other = Source(make_titles(2))
    other.uri = "memory://elsewhere"
    cached_store(other, None, Silent()).close()
    assert cache.exists(), "another catalog's cache is none of ours"
    with cached_store(Source(titles, versions={"video": 2}), None, Silent()) as store:
        check_same(store, titles)
        assert not cache.exists(), "outdated"
        with cached_store(Source(titles, versions={"video": 3}), None, Silent()):
            assert len(list(root.iterdir())) == 3, "one that is open stays"
    cached_store(Source(titles, versions={"video": 4}), None, Silent()).close()
    assert len(list(root.iterdir())) == 2


def test_what_is_left_of_outdated_builds_goes(root, monkeypatch):
    monkeypatch.setattr(build, "_SAFE", 1)
    titles = make_titles(3)
    with pytest.raises(KeyboardInterrupt):
        cached_store(Source(titles, fail_after=1), None, Silent())
    [left] = root.iterdir()
    assert left.name.endswith(".building")
    cached_store(Source(titles, versions={"video": 2}), None, Silent()).close()
    assert not left.exists()
    assert len(list(root.iterdir())) == 1


def test_an_outdated_cache_in_a_folder_is_replaced(tmp_path):
    titles = make_titles(3)
    old = cached_store(Source(titles), tmp_path / "c", Silent())
    with cached_store(Source(titles[:2]), tmp_path / "c", Silent()) as new:
        check_same(new, titles[:2])
        check_same(old, titles)
    old.close()


_BUILDS = """
import sys, time
sys.path.insert(0, sys.argv[2])
from pathlib import Path
from run_kit import *
from store_kit import *
from mediafm.pretrain.cache import cached_store
class Slow(Source):
    def title_features(self, ids=None):
        for title in super().title_features(ids):
            time.sleep(0.2)
            yield title
source = Slow(odd_titles())
with cached_store(source, Path(sys.argv[1]), Said()) as store:
    check_same(store, odd_titles())
print(len(source.given))
"""


def test_two_that_build_at_once(tmp_path):
    children = [run(_BUILDS, tmp_path / "c", Path(__file__).parent) for _ in range(2)]
    told = [child.communicate(timeout=120) for child in children]
    assert sorted(out.strip() for out, _ in told) == ["0", "6"], told


_NO_LANCE = """
import sys
for name in ("lance", "pyarrow", "av"):
    sys.modules[name] = None
from pathlib import Path
from mediafm.pretrain.store import ShotStore
with ShotStore.open(Path(sys.argv[1])) as store:
    print(len(store), store.title(0).title_id)
"""


def test_a_cache_is_read_without_lance(tmp_path):
    titles = make_titles(2)
    build_store(Source(titles), tmp_path / "c", Silent()).close()
    child = run(_NO_LANCE, tmp_path / "c")
    out, err = child.communicate(timeout=120)
    assert out.split() == [str(sum(map(len, titles))), "title00"], err


def check_cache(catalog):
    with cached_store(catalog, None, Silent()) as store:
        check_same(store, list(catalog.title_features()))
        return store.fingerprint


def test_a_catalog_and_what_changes_it(root, tmp_path):
    catalog = Catalog.create(tmp_path / "films")
    assert len(cached_store(catalog, None, Silent())) == 0
    fill(catalog, ["a", "b", "c"])
    seen = [check_cache(catalog)]
    assert check_cache(Catalog.open(tmp_path / "films")) == seen[0]
    fill(catalog, ["b"], seed=5)
    seen.append(check_cache(catalog))
    catalog.remove("c")
    seen.append(check_cache(catalog))
    smell, [a, b] = EncoderRecord("smell", "nose", "eeee5555", 3), catalog.titles()
    for number, title in enumerate((a, b, b)):  # filled in; for one more title; with new numbers
        if number == 2:
            catalog.drop_features("smell", smell.fingerprint, [b.ingest_id])
        x_ND = np.full((title.shots, 3), number + 1.0)
        catalog.append_features(smell, [(title.title_id, title.ingest_id, x_ND, None)])
        seen.append(check_cache(catalog))
    assert len(set(seen)) == len(seen)
    assert len(list(root.iterdir())) == 1
    catalog.compact()
    assert check_cache(catalog) == seen[-1], "as long as the content is the same"


def test_manifest_says_what_the_files_are(tmp_path):
    with build_store(Source(odd_titles()), tmp_path / "c", Silent()):
        manifest = json.loads((tmp_path / "c" / "training-cache.json").read_text())
    sizes = {p.name: p.stat().st_size for p in (tmp_path / "c").iterdir()}
    assert manifest["files"].items() <= sizes.items()
    assert sizes.keys() - manifest["files"].keys() == {"training-cache.json", "titles.jsonl"}
    half = np.fromfile(tmp_path / "c" / "features-video.f16", "<f2").reshape(-1, DIMS["video"])
    np.testing.assert_array_equal(half, np.concatenate([t.features["video"] for t in odd_titles()]))


@pytest.fixture
def object_store(monkeypatch):
    """A bucket of moto's S3 server, over HTTP as a real one."""
    import logging
    import urllib.request

    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ALLOW_HTTP": "true",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    request = urllib.request.Request(f"http://{host}:{port}/films", method="PUT")
    urllib.request.urlopen(request).close()
    yield "s3://films/catalog"
    server.stop()


def test_a_catalog_in_an_object_store(root, object_store):
    catalog = Catalog.open_or_create(object_store)
    fill(catalog, ["a", "b"])
    first = check_cache(Catalog.open(object_store))
    fill(catalog, ["c"], seed=2)
    assert check_cache(Catalog.open(object_store)) != first
    [cache] = root.iterdir()
    assert json.loads((cache / "training-cache.json").read_text())["uri"] == object_store


def test_a_catalog_can_be_named_by_its_folder(tmp_path, root):
    catalog = Catalog.create(tmp_path / "catalog")
    fill(catalog, [f"t{i}" for i in range(6)])
    result = pretrain(str(tmp_path / "catalog"), str(tmp_path / "model"), TINY)
    assert result.steps == TINY.steps
    assert (tmp_path / "model/model.safetensors").exists()
    assert len(list(root.glob("*/training-cache.json"))) == 1
