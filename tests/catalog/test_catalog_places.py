"""Where a catalog lies and what goes wrong there: one line that a user can act on."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading

import numpy as np
import pytest
from catalog_kit import ENCODERS, check_title, make_shots, write_title

from mediafm.catalog import Catalog, TitleRecord, catalog, store
from mediafm.catalog.guard import guard
from mediafm.errors import CatalogError


@pytest.fixture
def small_disk(make_disk):
    """A file system of 2 MB, and a function that makes it read-only."""
    disk = make_disk("2m")
    return disk, lambda: subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)


def test_create_open_and_open_or_create(tmp_path):
    path = tmp_path / "deep" / "films.catalog"
    with pytest.raises(CatalogError, match="no catalog there; make one with `mediafm ingest`"):
        Catalog.open(path)
    Catalog.create(path)
    with pytest.raises(CatalogError, match="a catalog already"):
        Catalog.create(path)
    write_title(Catalog.open_or_create(path), "t")
    check_title(Catalog.open(f"file://{path}"), "t")
    Catalog.open_or_create(tmp_path / "new")
    Catalog.open(str(tmp_path / "new"))


def test_two_that_create_in_the_same_instant(tmp_path, monkeypatch):
    """The other process makes the catalog between our look and our making."""
    looked = store.LocalStore.exists

    def exists(self, name):
        found = looked(self, name)
        if not found:
            Catalog.create(tmp_path / "c")
        return found

    monkeypatch.setattr(store.LocalStore, "exists", exists)
    write_title(Catalog.open_or_create(tmp_path / "c"), "t")


def test_what_is_no_catalog(tmp_path):
    file = tmp_path / "film.mkv"
    file.write_text("x")
    for make in (Catalog.open, Catalog.create, Catalog.open_or_create):
        with pytest.raises(CatalogError, match="it is a file"):
            make(file)
        with pytest.raises(CatalogError):
            make(file / "below")
    with pytest.raises(CatalogError, match=r"not empty \(film.mkv\) and is no catalog"):
        Catalog.open_or_create(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["film.mkv"]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"schema": "x"}', '{"schema": true}', "\0"])
def test_damaged_stamp(tmp_path, content):
    Catalog.create(tmp_path / "c")
    (tmp_path / "c" / "catalog.json").write_text(content)
    for make in (Catalog.open, Catalog.open_or_create):
        with pytest.raises(CatalogError, match=r"catalog\.json is damaged"):
            make(tmp_path / "c")


def test_create_that_was_killed_can_be_repeated(tmp_path):
    folder = tmp_path / "c"
    folder.mkdir()
    (folder / ".catalog.json-0011").write_text('{"sch')
    (folder / "locks").mkdir()
    with pytest.raises(CatalogError, match="no catalog there"):
        Catalog.open(folder)
    write_title(Catalog.open_or_create(folder), "t")
    check_title(Catalog.open(folder), "t")


def test_schema_versions(tmp_path, monkeypatch):
    stamp = tmp_path / "c" / "catalog.json"
    write_title(Catalog.create(tmp_path / "c"), "t")
    stamp.write_text(json.dumps({"schema": 99}))
    for make in (Catalog.open, Catalog.open_or_create):
        with pytest.raises(CatalogError, match=r"newer mediafm \(schema 99.*upgrade mediafm"):
            make(tmp_path / "c")
    stamp.write_text(json.dumps({"schema": 1}))
    monkeypatch.setattr(catalog, "SCHEMA_VERSION", 3)
    with pytest.raises(CatalogError, match=r"older mediafm \(schema 1, now 3\)"):
        Catalog.open(tmp_path / "c")
    with pytest.raises(CatalogError, match="no way leads from schema 1 to 3"):
        Catalog.open_or_create(tmp_path / "c")
    seen = []
    monkeypatch.setitem(catalog.MIGRATIONS, 1, lambda store: seen.append((1, store.where)))
    monkeypatch.setitem(catalog.MIGRATIONS, 2, lambda store: seen.append((2, store.where)))
    check_title(Catalog.open_or_create(tmp_path / "c"), "t")
    assert seen == [(1, str(tmp_path / "c")), (2, str(tmp_path / "c"))]
    assert json.loads(stamp.read_text())["schema"] == 3
    Catalog.open(tmp_path / "c")


def test_read_only_disk_can_be_read(small_disk):
    disk, make_read_only = small_disk
    write_title(Catalog.create(disk / "c"), "t")
    make_read_only()
    held = Catalog.open(disk / "c")
    check_title(held, "t")
    assert held.failures() == held.versions() == []
    check_title(Catalog.open_or_create(disk / "c"), "t")
    for write in (
        lambda: write_title(held, "u"),
        lambda: held.record_failure("/x", "bad"),
        held.collect_orphans,
        held.compact,
        lambda: Catalog.create(disk / "d"),
        lambda: held.remove("t"),
        lambda: held.claim("t").__enter__(),
    ):
        with pytest.raises(CatalogError, match="read-only"):
            write()


def test_full_disk_is_told_and_leaves_a_good_catalog(small_disk):
    disk, _ = small_disk
    held = Catalog.create(disk / "c")
    write_title(held, "t")
    with (
        pytest.raises(CatalogError, match="no space left") as caught,
        held.writer("big", ENCODERS) as w,
    ):
        rng = np.random.default_rng(0)
        w.add_shots(make_shots(100))
        for i in range(100):
            w.add_keyframes([(i, rng.bytes(40_000))])
        w.commit(TitleRecord("big", ""))
    assert "\n" not in str(caught.value)
    with pytest.raises(CatalogError, match="closed"):
        w.commit(TitleRecord("big", ""))
    again = Catalog.open(disk / "c")
    check_title(again, "t")
    again.collect_orphans()
    write_title(again, "u")
    check_title(again, "u")


def test_full_disk_in_the_middle_of_a_commit(small_disk):
    disk, _ = small_disk
    held = Catalog.create(disk / "c")
    write_title(held, "t0")
    (disk / "filler").write_bytes(b"x" * 1_500_000)
    with pytest.raises(CatalogError, match="no space left"):
        for i in range(1, 1000):
            write_title(held, f"t{i}", seed=i, shots=50)
    (disk / "filler").unlink()
    again = Catalog.open(disk / "c")
    for title in again.titles():
        check_title(again, title.title_id)
    again.collect_orphans()
    write_title(again, "last", seed=7)
    check_title(again, "last")
    assert again.titles()


def test_object_store_goes_through_arrow(tmp_path, monkeypatch):
    """The code for object stores, on the one that is always there: Arrow's local file system."""
    root = tmp_path / "bucket"
    root.mkdir()
    monkeypatch.setattr(store.tempfile, "gettempdir", lambda: str(tmp_path / "tmp"))
    monkeypatch.setattr(store, "LocalStore", lambda path: store.RemoteStore(f"file://{path}"))
    uri = f"file://{root}/films"
    with pytest.raises(CatalogError, match="no catalog there"):
        Catalog.open(uri)
    (root / "films").mkdir()  # object stores have no folders to make
    held = Catalog.open_or_create(uri)
    assert held.uri == uri
    assert held.size_bytes() is None
    write_title(held, "t", seed=1)
    old = held.title("t")
    write_title(held, "t", seed=2)
    with held.writer("dead", ENCODERS) as w:
        w.add_shots(make_shots(2))
        w._publish = lambda record, encoders: record
        w.commit(TitleRecord("dead", ""))
    assert sorted(p.name for p in (root / "films").iterdir() if "lease" in p.name) == []
    with held.claim("t") as ours:
        assert ours
    assert held.collect_orphans() == 1, "replaced rows go at once"
    monkeypatch.setattr("mediafm.catalog.upkeep.REMOTE_AGE", -1.0)
    assert held.collect_orphans() == 1, "rows of a dead run go when they are old"
    again = Catalog.open(uri)
    check_title(again, "t")
    assert again.title("t").ingest_id != old.ingest_id


def test_threads_may_share_a_catalog(tmp_path):
    shared = Catalog.create(tmp_path / "c")
    errors = []

    def work(me):
        try:
            for i in range(4):
                write_title(shared, f"t{me}-{i}", seed=me * 10 + i)
                check_title(shared, f"t{me}-{i}")
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(me,)) for me in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(shared.titles()) == 16


@pytest.mark.parametrize(
    ("raised", "told"),
    [
        (PermissionError(13, "Permission denied", "/c/x"), "permission denied"),
        (OSError(30, "Read-only file system"), "the file system is read-only"),
        (
            OSError(
                'LanceError(IO): Permission denied (os error 13) at path "/c/.tmpX", '
                "/home/runner/work/lance/rust/lance-io/src/object_store.rs:1019:34"
            ),
            "permission denied",
        ),
        (
            RuntimeError("LanceError(IO): odd\nthing, /home/r/lance-io/src/local.rs:1:2, more"),
            "the storage failed (LanceError(IO): odd thing)",
        ),
    ],
)
def test_storage_errors_are_one_line(raised, told):
    with pytest.raises(CatalogError) as caught, guard("films.catalog"):
        raise raised
    assert told in str(caught.value)
    assert ".rs" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_errors_of_the_program_are_not_hidden():
    with pytest.raises(ValueError, match="mine"), guard("films.catalog"):
        raise ValueError("mine")


def test_folder_without_permission(tmp_path):
    """As another user, because root may do everything."""
    if os.geteuid() != 0 or not shutil.which("setpriv"):
        pytest.skip("needs root and setpriv to become a user without rights")
    write_title(Catalog.create(tmp_path / "c"), "t")
    (tmp_path / "c").chmod(0o700)

    def run_as_nobody(code):
        command = ["setpriv", "--reuid=65534", "--clear-groups", sys.executable, "-c", code]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    if run_as_nobody("import mediafm.catalog").returncode:
        pytest.skip("the interpreter itself is out of the other user's reach")
    path = str(tmp_path / "c")
    done = run_as_nobody(f"import mediafm.catalog as m; m.Catalog.open({path!r})")
    assert "StorageError" in done.stderr
    assert "permission denied" in done.stderr
