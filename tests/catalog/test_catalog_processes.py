"""Several processes at one catalog: nothing is lost, nothing of a living writer is collected.

Children are new interpreters: Lance has threads, which a fork would leave half-alive.
"""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time

import pytest
from catalog_kit import (
    ENCODERS,
    check_title,
    make_shots,
    start,
    stored_ingests,
    vectors,
    write_title,
)

from mediafm.catalog import Catalog, TitleRecord

_WRITE = """
import sys
from catalog_kit import Catalog, write_title
path, me, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
catalog = Catalog.open_or_create(path)
for i in range(count):
    write_title(catalog, f"{me}-{i % 5}", seed=i, shots=1 + i % 7)
    print(i, flush=True)
    if i % 6 == 5:
        catalog.collect_orphans()
        catalog.compact()
"""

_HOLD = """
import sys
from catalog_kit import *
catalog = Catalog.open(sys.argv[1])
with catalog.claim("t") as ours, catalog.writer("t", ENCODERS) as w:
    w.add_shots(make_shots(3))
    w.add_features("video", 0, vectors(1, 3, 8))
    def publish(record, encoders):  # the children are there, the title is not
        print("ready", ours, flush=True)
        sys.stdin.readline()
        return catalog._publish(record, encoders)
    w._publish = publish
    w.commit(TitleRecord("t", "", year=1))
"""


def test_processes_that_start_at_once_lose_nothing(tmp_path):
    children = [start(_WRITE, tmp_path / "c", f"p{me}", 12) for me in range(3)]
    for child in children:
        child.communicate(timeout=120)
    assert [child.returncode for child in children] == [0, 0, 0]
    catalog = Catalog.open(tmp_path / "c")
    assert len(catalog.titles()) == 15
    for title in catalog.titles():
        check_title(catalog, title.title_id)
    assert {t.title_id: t.year for t in catalog.titles()} == {
        f"p{me}-{i % 5}": i for me in range(3) for i in range(7, 12)
    }
    catalog.collect_orphans()
    assert stored_ingests(catalog) == {title.ingest_id for title in catalog.titles()}


def test_catalog_survives_kills_at_any_point(tmp_path):
    rng = random.Random(0)
    promised = -1
    for _ in range(6):
        child = start(_WRITE, tmp_path / "c", "p", 1000)
        first = child.stdout.readline()
        time.sleep(rng.uniform(0, 0.4))
        child.send_signal(signal.SIGKILL)
        said = [first, *child.communicate()[0].split()]
        promised = max(int(line) for line in said if line.strip())
        catalog = Catalog.open(tmp_path / "c")
        for title in catalog.titles():
            check_title(catalog, title.title_id)
        # What the child said is committed is there; at most one more title is.
        found = {t.title_id: t.year for t in catalog.titles()}
        assert found[f"p-{promised % 5}"] in (promised, promised + 5) or promised < 5
    catalog.collect_orphans()
    assert stored_ingests(catalog) == {title.ingest_id for title in catalog.titles()}
    assert list((tmp_path / "c" / "leases").iterdir()) == []
    assert catalog.collect_orphans() == 0
    catalog.compact()
    catalog.refresh()
    write_title(catalog, "last", seed=3)
    for title in catalog.titles():
        check_title(catalog, title.title_id)


def test_kill_before_anything_is_committed(tmp_path):
    for pause in (0.25, 0.3, 0.35, 0.4, 0.45):
        child = start(_WRITE, tmp_path / "c", "p", 1000)
        time.sleep(pause)
        child.kill()
        child.communicate()
    catalog = Catalog.open_or_create(tmp_path / "c")
    catalog.collect_orphans()
    write_title(catalog, "last", seed=3)
    for title in catalog.titles():
        check_title(catalog, title.title_id)


@pytest.mark.parametrize("end", ["commit", "kill"])
def test_rows_of_a_living_writer_stay(tmp_path, end):
    catalog = Catalog.create(tmp_path / "c")
    write_title(catalog, "other", seed=5)
    child = start(_HOLD, tmp_path / "c")
    assert child.stdout.readline() == "ready True\n"
    with catalog.claim("t") as ours:
        assert not ours
    with catalog.claim("u") as ours:
        assert ours
    assert len(stored_ingests(catalog)) == 2
    assert catalog.collect_orphans() == 0
    assert len(stored_ingests(catalog)) == 2
    catalog.refresh()
    assert [title.title_id for title in catalog.titles()] == ["other"]
    if end == "commit":
        child.communicate("go\n")
        assert catalog.collect_orphans() == 0
        catalog.refresh()
        assert catalog.features("t", "video")[0].tolist() == (
            vectors(1, 3, 8).astype("float16").tolist()
        )
    else:
        child.kill()
        child.communicate()
        assert catalog.collect_orphans() == 1
        assert stored_ingests(catalog) == {catalog.title("other").ingest_id}
    with catalog.claim("t") as ours:
        assert ours


def test_kill_during_collection_and_compaction(tmp_path):
    """A child that only tidies, over orphans that were left for it, is killed and repeated."""
    catalog = Catalog.create(tmp_path / "c")
    for i in range(12):
        write_title(catalog, f"t{i % 6}", seed=i)
    for i in range(6):
        with catalog.writer(f"dead{i}", ENCODERS) as w:
            w.add_shots(make_shots(3))
            w._publish = lambda record, encoders: record
            w.commit(TitleRecord(f"dead{i}", ""))
    script = (
        "import sys; from catalog_kit import Catalog; from datetime import timedelta\n"
        "c = Catalog.open(sys.argv[1]); print('go', flush=True)\n"
        "c.collect_orphans(); c.compact(timedelta(0)); print('done')"
    )
    for pause in (0.0, 0.02, 0.05, 0.1, 0.2):
        child = start(script, tmp_path / "c")
        assert child.stdout.readline() == "go\n"
        time.sleep(pause)
        child.kill()
        child.communicate()
        reader = Catalog.open(tmp_path / "c")
        assert [title.year for title in reader.titles()] == list(range(6, 12))
        for title in reader.titles():
            check_title(reader, title.title_id)
    catalog.collect_orphans()
    assert len(stored_ingests(catalog)) == 6
    catalog.compact()
    catalog.refresh()
    for title in catalog.titles():
        check_title(catalog, title.title_id)


def test_import_is_light():
    code = "import sys, mediafm.catalog; assert 'lance' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
