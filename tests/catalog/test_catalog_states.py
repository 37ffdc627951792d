"""Pinned readers, compaction, cleaning, and a random sequence of operations against a dict."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from catalog_kit import ENCODERS, check_title, make_shots, stored_ingests, vectors, write_title
from hypothesis import given, settings
from hypothesis import strategies as st

from mediafm.catalog import Catalog, TitleRecord
from mediafm.catalog.tables import open_latest
from mediafm.errors import CatalogError


def fragments(catalog, name):
    return len(open_latest(catalog._store.table(name)).get_fragments())


def test_pinned_reader_keeps_its_state(tmp_path):
    writer = Catalog.create(tmp_path / "c")
    for i in range(3):
        write_title(writer, f"t{i}", seed=i)
    reader = Catalog.open(tmp_path / "c")
    stream = reader.title_features()
    before = [reader.titles(), reader.coverage()]
    first = next(stream)
    write_title(writer, "t1", seed=50, shots=9)
    writer.remove("t2")
    write_title(writer, "t3", seed=51)
    assert writer.collect_orphans() == 2
    writer.compact()
    assert [reader.titles(), reader.coverage()] == before
    for i in range(3):
        check_title(reader, f"t{i}")
    assert [first.title_id, *(f.title_id for f in stream)] == ["t0", "t1", "t2"]
    reader.refresh()
    assert [t.title_id for t in reader.titles()] == ["t0", "t1", "t3"]
    for title in reader.titles():
        check_title(reader, title.title_id)


def test_reader_survives_the_cleaning_of_its_version(tmp_path):
    """Longer than the safe age: rows that are still current are found in the latest version."""
    writer = Catalog.create(tmp_path / "c")
    for i in range(20):
        write_title(writer, f"t{i:02}", seed=i)
    reader = Catalog.open(tmp_path / "c")
    check_title(reader, "t03")
    write_title(writer, "t04", seed=99)
    writer.collect_orphans()
    assert writer.compact(timedelta(0)) > 0
    write_title(writer, "t05", seed=98)
    writer.collect_orphans()
    writer.compact(timedelta(0))
    check_title(reader, "t03")
    check_title(reader, "t19")
    for gone in ("t04", "t04", "t05"):
        with pytest.raises(CatalogError, match=r"replaced or deleted since.*refresh"):
            reader.features(gone, "video")
    with pytest.raises(CatalogError, match=r"replaced or deleted since.*refresh"):
        reader.coverage()
    reader.refresh()
    check_title(reader, "t04")


def test_compaction_merges_and_keeps_titles_together(tmp_path):
    catalog = Catalog.create(tmp_path / "c")
    for i in range(20):
        write_title(catalog, f"t{i:02}", seed=i, shots=1 + i % 4)
    assert fragments(catalog, "shots") == 20
    assert catalog.compact() >= 6
    for name in ("shots", "cues", "keyframes", "titles", "features/video-aaaa1111"):
        assert fragments(catalog, name) == 1
    assert catalog.compact() == 0
    for i in range(3):
        write_title(catalog, f"t{i:02}", seed=100 + i)
    assert catalog.compact() == 0
    catalog.refresh()
    for title in catalog.titles():
        check_title(catalog, title.title_id)
    order = [f"t{i:02}" for i in np.random.default_rng(0).permutation(20)]
    assert [f.title_id for f in catalog.title_features(order)] == order


def test_cleaning_spares_versions_that_were_current_within_the_safe_age(tmp_path):
    catalog = Catalog.create(tmp_path / "c")
    for i in range(20):
        write_title(catalog, f"t{i:02}", seed=i)
    shots = open_latest(catalog._store.table("shots"))
    catalog.compact(timedelta(hours=1))
    assert open_latest(catalog._store.table("shots")).versions()[0]["version"] == 1
    catalog.compact(timedelta(0))
    assert open_latest(catalog._store.table("shots")).versions()[0]["version"] > shots.version


def test_opening_retries_when_a_title_is_replaced_meanwhile(tmp_path, monkeypatch):
    from mediafm.catalog import snapshot

    writer = Catalog.create(tmp_path / "c")
    write_title(writer, "t", seed=1)
    listed, calls = snapshot.list_tables, []

    def interfere(store):
        calls.append(1)
        if len(calls) == 1:
            monkeypatch.setattr(snapshot, "list_tables", listed)
            write_title(writer, "t", seed=2)
            writer.collect_orphans()
        return listed(store)

    monkeypatch.setattr(snapshot, "list_tables", interfere)
    reader = Catalog.open(tmp_path / "c")
    check_title(reader, "t")
    assert reader.title("t").year == 2


def test_opening_and_reading_writes_nothing(tmp_path):
    write_title(Catalog.create(tmp_path / "c"), "t")

    def state():
        return {p: p.stat().st_mtime_ns for p in (tmp_path / "c").rglob("*")}

    before = state()
    catalog = Catalog.open(tmp_path / "c")
    check_title(catalog, "t")
    catalog.failures(), catalog.versions(), catalog.coverage(), catalog.size_bytes()
    assert state() == before


operations = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.sampled_from("abc"), st.integers(1, 4)),
        st.tuples(st.just("abandon"), st.sampled_from("abc"), st.integers(0, 4)),
        st.tuples(st.just("orphan"), st.sampled_from("abc"), st.integers(1, 4)),
        st.tuples(st.just("remove"), st.sampled_from("abc"), st.just(0)),
        st.tuples(st.sampled_from(["collect", "compact", "reopen"]), st.just(""), st.just(0)),
    ),
    max_size=10,
)


@settings(max_examples=12, deadline=None)
@given(operations)
def test_any_sequence_agrees_with_a_dict(tmp_path_factory, steps):
    catalog = Catalog.create(tmp_path_factory.mktemp("model") / "c")
    model: dict[str, TitleRecord] = {}
    for seed, (what, name, shots) in enumerate(steps):
        if what == "write":
            model[name] = write_title(catalog, name, seed=seed, shots=shots)
        elif what in ("abandon", "orphan"):
            with catalog.writer(name, ENCODERS) as w:
                w.add_shots(make_shots(shots))
                w.add_features("video", 0, vectors(seed, shots, 8))
                if what == "orphan":  # what a kill between the children and the title leaves
                    w._publish = _killed
                    with pytest.raises(ZeroDivisionError):
                        w.commit(TitleRecord(name, ""))
        elif what == "remove" and name in model:
            catalog.remove(name)
            del model[name]
        elif what == "collect":
            catalog.collect_orphans()
            used = {t.ingest_id for t in model.values() if t.shots or t.cues}
            assert stored_ingests(catalog) == used
        elif what == "compact":
            catalog.compact(timedelta(0))
        elif what == "reopen":
            catalog = Catalog.open(catalog.uri)
        assert catalog.titles() == [model[key] for key in sorted(model)]
    for name in model:
        check_title(catalog, name)
    assert [f.title_id for f in catalog.title_features()] == sorted(model)


def _killed(record, encoders):
    raise ZeroDivisionError
