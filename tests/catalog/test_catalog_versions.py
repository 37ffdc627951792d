"""Versions of embeddings: registering, filling, resuming, reading."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from catalog_kit import vectors, write_title

from mediafm.catalog import Catalog, VersionRecord
from mediafm.errors import CatalogError, FingerprintError

V1 = VersionRecord("v1", "f1", 5, "models/a", {"video": "aaaa1111"}, {"layer": "2"})


def unit(seed, shots):
    x_NH = vectors(seed, shots, 5)
    return x_NH / np.linalg.norm(x_NH, axis=1, keepdims=True)


@pytest.fixture
def catalog(tmp_path):
    catalog = Catalog.create(tmp_path / "c")
    for i in range(4):
        write_title(catalog, f"t{i}", seed=i, shots=3 + i)
    return catalog


def test_version_names(catalog):
    with pytest.raises(CatalogError, match=r"no embeddings yet.*mediafm embed"):
        catalog.version()
    with pytest.raises(CatalogError, match="no embeddings yet"):
        catalog.version("v1")
    first = catalog.create_version(V1)
    assert first == dataclasses.replace(V1, created_at=first.created_at)
    assert first.created_at > 0
    assert catalog.create_version(V1) == first
    second = catalog.create_version(dataclasses.replace(V1, name="v2", fingerprint="f2"))
    assert catalog.versions() == Catalog.open(catalog.uri).versions() == [first, second]
    assert catalog.version() == second
    assert catalog.version("v1") == first
    with pytest.raises(CatalogError, match="no version 'v3'; it has v1, v2"):
        catalog.version("v3")
    with pytest.raises(FingerprintError, match=r"another model.*another name"):
        catalog.create_version(dataclasses.replace(V1, fingerprint="other"))
    with pytest.raises(CatalogError, match="no name for a version"):
        catalog.create_version(dataclasses.replace(V1, name="../v"))


def test_embeddings_round_trip_and_resume(catalog):
    catalog.create_version(V1)
    t0, t1, t2, t3 = catalog.titles()
    assert catalog.embedded_ingests("v1") == set()
    batch = [(t.title_id, t.ingest_id, unit(i, t.shots)) for i, t in enumerate([t0, t1])]
    assert catalog.append_embeddings("v1", batch) == 2
    assert catalog.append_embeddings("v1", batch) == 0
    assert catalog.append_embeddings("v1", [(t3.title_id, t3.ingest_id, unit(3, t3.shots))]) == 1
    assert catalog.embedded_ingests("v1") == {t0.ingest_id, t1.ingest_id, t3.ingest_id}
    for reader in (catalog, Catalog.open(catalog.uri)):
        x_NH = reader.embeddings("v1", "t1")
        assert x_NH.dtype == np.float32
        np.testing.assert_array_equal(x_NH, unit(1, t1.shots).astype(np.float16))
        assert [(t.title_id, len(x)) for t, x in reader.iter_embeddings()] == [
            ("t0", 3),
            ("t1", 4),
            ("t3", 6),
        ]
    with pytest.raises(CatalogError, match=r"'t2' has no embeddings of version 'v1'.*embed"):
        catalog.embeddings(None, "t2")
    with pytest.raises(CatalogError, match="not a number"):
        catalog.append_embeddings("v1", [("t2", t2.ingest_id, np.full((5, 5), np.nan))])
    with pytest.raises(CatalogError, match=r"shape \(4, 5\), expected \(5, 5\)"):
        catalog.append_embeddings("v1", [("t2", t2.ingest_id, unit(2, 4))])


def test_reingest_needs_new_embeddings_and_old_ones_are_collected(catalog):
    catalog.create_version(V1)
    old = catalog.title("t0")
    catalog.append_embeddings("v1", [("t0", old.ingest_id, unit(0, 3))])
    new = write_title(catalog, "t0", seed=9, shots=2)
    with pytest.raises(CatalogError, match="anew since"):
        catalog.embeddings("v1", "t0")
    assert catalog.embedded_ingests("v1") == set()
    assert catalog.append_embeddings("v1", [("t0", old.ingest_id, unit(0, 3))]) == 0
    assert catalog.append_embeddings("v1", [("t0", new.ingest_id, unit(9, 2))]) == 1
    assert catalog.collect_orphans() == 1
    catalog.refresh()
    np.testing.assert_array_equal(catalog.embeddings("v1", "t0"), unit(9, 2).astype(np.float16))


def test_two_runs_that_store_the_same_title_do_no_harm(catalog):
    from mediafm.catalog import tables

    catalog.create_version(V1)
    t0, t1 = catalog.titles()[:2]
    row = ("t0", t0.ingest_id, unit(0, 3))
    catalog.append_embeddings("v1", [row])
    table = catalog._store.table("embeddings/v1")
    data = tables.open_latest(table).to_table()
    tables.append(table, data.schema, lambda: data)  # the other run, side by side
    catalog.append_embeddings("v1", [("t1", t1.ingest_id, unit(1, 4))])
    tables.append(table, data.schema, lambda: data)  # and again, apart
    for _ in range(2):
        catalog.refresh()
        np.testing.assert_array_equal(catalog.embeddings("v1", "t0"), unit(0, 3).astype("f2"))
        np.testing.assert_array_equal(catalog.embeddings("v1", "t1"), unit(1, 4).astype("f2"))
        assert [len(x) for _, x in catalog.iter_embeddings("v1")] == [3, 4]
        catalog.compact()


def test_deleted_version_can_be_made_anew_by_another_model(catalog):
    catalog.create_version(V1)
    t0 = catalog.title("t0")
    catalog.append_embeddings("v1", [("t0", t0.ingest_id, unit(0, 3))])
    other = Catalog.open(catalog.uri)
    assert len(other.embeddings("v1", "t0")) == 3
    catalog.delete_version("v1")
    assert catalog.versions() == []
    with pytest.raises(CatalogError, match="no embeddings yet"):
        catalog.delete_version("v1")
    catalog.create_version(dataclasses.replace(V1, fingerprint="f9", dim=2))
    assert catalog.embedded_ingests("v1") == set()
    catalog.append_embeddings("v1", [("t0", t0.ingest_id, np.eye(3, 2))])
    np.testing.assert_array_equal(catalog.embeddings("v1", "t0"), np.eye(3, 2))
    other.refresh()
    np.testing.assert_array_equal(other.embeddings("v1", "t0"), np.eye(3, 2))


def test_leftover_of_a_killed_deletion_is_not_mixed_in(catalog, monkeypatch):
    catalog.create_version(V1)
    t0 = catalog.title("t0")
    catalog.append_embeddings("v1", [("t0", t0.ingest_id, unit(0, 3))])
    monkeypatch.setattr(catalog._store, "delete", lambda name: None)  # killed before this
    catalog.delete_version("v1")
    monkeypatch.undo()
    catalog.create_version(dataclasses.replace(V1, fingerprint="f9", dim=2))
    assert catalog.embedded_ingests("v1") == set()
