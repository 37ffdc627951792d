"""A reader in a loop sees whole versions only, whatever others do to the catalog.

Children are new interpreters: Lance has threads, which a fork would leave half-alive.
"""

import signal
import time
from pathlib import Path

import numpy as np
import pytest
from catalog_kit import ENCODERS, start, write_title

from mediafm.catalog import Catalog, VersionRecord

_READ = """
import sys
import numpy as np
from mediafm.catalog import Catalog, indexes, nearest
from mediafm.search import similar
indexes.EXACT, nearest._TOO_MANY, nearest._SLACK = 8, 1000.0, 0  # by the index, though few
catalog = Catalog.open(sys.argv[1])
print("ready", flush=True)
seen = set()
for turn in range(100_000):
    catalog.refresh()
    version = catalog.version()
    marks = {float(x_NH.argmax(axis=1).min()) for _, x_NH in catalog.iter_embeddings()}
    marks |= {float(x_NH.argmax(axis=1).max()) for _, x_NH in catalog.iter_embeddings()}
    titles = {t.title_id for t, _ in catalog.iter_embeddings()}
    query_H = np.eye(5)[int(version.name[1:]) % 5]
    near = catalog.nearest(query_H, 12, version=version.name)
    assert len(near) == 12 and all(n.cosine > 0.99 for n in near), near
    assert catalog.said("t1")[0].title_id == "t1"
    assert similar(catalog, "t0", 0, 3)[1]
    assert len(marks) == 1, marks  # of one model only
    assert marks == {int(version.name[1:]) % 5}, (marks, version.name)
    assert {"t0", "t1", "t2"} <= titles, titles  # those that are never touched
    seen.add(version.name)
    print(turn, len(seen), flush=True)
"""

_FILL = """
import sys
sys.path.insert(0, sys.argv[3])
from test_readers import fill
fill(sys.argv[1], sys.argv[2], pause=0.02)
"""


@pytest.fixture
def catalog(tmp_path):
    catalog = Catalog.create(tmp_path / "c")
    for i in range(6):
        write_title(catalog, f"t{i}", seed=i, shots=3 + i)
    return catalog


def fill(uri, name, pause=0.0):
    """Fills a version title by title; its vectors say which version they are of."""
    catalog = Catalog.open(uri)
    number = int(name[1:])
    encoders = {m: e.fingerprint for m, e in ENCODERS.items()}
    catalog.create_version(VersionRecord(name, f"print {name}", 5, encoders=encoders))
    for title in catalog.lacking(name):
        x_NH = np.eye(5)[np.full(title.shots, number % 5)]
        catalog.append_embeddings(name, [(title.title_id, title.ingest_id, x_NH)])
        time.sleep(pause)
    return catalog


@pytest.mark.slow
def test_a_reader_in_a_loop_meets_no_half_version_and_no_error(catalog):
    fill(catalog.uri, "v0").promote("v0")
    reader = start(_READ, catalog.uri)
    assert reader.stdout.readline().strip() == "ready"
    for number in range(1, 8):
        writer = fill(catalog.uri, f"v{number}", pause=0.005)
        write_title(writer, f"new{number}", seed=number, shots=4)
        fill(catalog.uri, f"v{number - 1}")
        fill(catalog.uri, f"v{number}").promote(f"v{number}")
        if number % 2:
            writer.refresh()
            writer.rollback()
            writer.promote(f"v{number}")
        write_title(writer, f"t{3 + number % 3}", seed=10 + number, shots=5)
        if number > 2:
            writer.refresh()
            writer.erase(f"new{number - 2}")
        writer.collect_orphans()
        writer.compact()
        writer.index(exact=8)
        assert reader.poll() is None, "the reader failed"
    reader.send_signal(signal.SIGTERM)
    out, _ = reader.communicate()
    assert reader.returncode == -signal.SIGTERM
    turns, versions = map(int, out.split("\n")[-2].split())
    assert turns > 5 and versions > 2


def test_a_backfill_that_is_killed_goes_on(catalog):
    fill(catalog.uri, "v0").promote("v0")
    child = start(_FILL, catalog.uri, "v1", Path(__file__).parent)
    while not Catalog.open(catalog.uri).versions()[1:]:
        time.sleep(0.01)
    time.sleep(0.1)
    child.send_signal(signal.SIGKILL)
    child.communicate()
    held = Catalog.open(catalog.uri)
    assert held.version().name == "v0"
    fill(catalog.uri, "v1")
    held.promote("v1")
    assert {t.title_id for t, _ in held.iter_embeddings()} == {t.title_id for t in held.titles()}
