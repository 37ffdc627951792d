"""Filling and switching: races, processes, object stores, a random sequence against a dict."""

from __future__ import annotations

import json
import random
import signal
import threading
import time
from datetime import timedelta

import numpy as np
import pytest
from catalog_kit import (
    OTHER_TEXT,
    TEXT,
    VIDEO,
    check_made,
    check_title,
    fill,
    made,
    make_shots,
    marks,
    rows_in,
    start,
    stored_ingests,
    vectors,
    write_title,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from mediafm.catalog import Catalog, EncoderRecord, TitleRecord, refill, snapshot, store, upkeep
from mediafm.errors import CatalogError, FingerprintError

_REENCODE = """
import sys
from catalog_kit import *
catalog = Catalog.open(sys.argv[1])
catalog.declare_filling({"text": OTHER_TEXT})
print("go", flush=True)
fill(catalog, OTHER_TEXT)
catalog.switch_encoders({"text": OTHER_TEXT})
print("done", flush=True)
"""


def films(path, count):
    catalog = Catalog.create(path)
    for i in range(count):
        write_title(catalog, f"t{i}", seed=i, shots=1 + i % 3)
    return catalog


def reencode(catalog, encoder):
    catalog.declare_filling({"text": encoder})
    fill(catalog, encoder)
    catalog.switch_encoders({"text": encoder})


def test_opening_sees_no_half_of_a_switch(tmp_path, monkeypatch):
    """Between two tables of one opening, another process fills the catalog and switches it."""
    writer = films(tmp_path / "c", 3)
    listed = snapshot.list_tables

    def interfere(*args):
        monkeypatch.setattr(snapshot, "list_tables", listed)
        names = listed(*args)
        reencode(writer, OTHER_TEXT)
        return names  # the new table was not there to be opened

    monkeypatch.setattr(snapshot, "list_tables", interfere)
    reader = Catalog.open(tmp_path / "c")
    check_made(reader, OTHER_TEXT)


def test_catalogs_without_marks_stay_without(tmp_path):
    catalog = films(tmp_path / "c", 2)
    catalog.collect_orphans()
    catalog.compact()
    assert not (tmp_path / "c" / "encoders.lance").exists()
    assert json.loads((tmp_path / "c" / "catalog.json").read_text())["schema"] == 1
    check_title(Catalog.open(tmp_path / "c"), "t0")


def test_a_clock_that_goes_back_does_not_hide_a_switch(tmp_path, monkeypatch):
    catalog = films(tmp_path / "c", 2)
    reencode(catalog, OTHER_TEXT)
    monkeypatch.setattr(refill, "now_us", lambda: 17)
    reencode(catalog, TEXT)
    assert marks(catalog) == {("text", "cccc3333"): "current", ("text", "dddd4444"): "retired"}
    check_made(catalog, TEXT)


def test_a_retired_encoder_is_welcome_where_nothing_took_its_place(tmp_path):
    catalog = films(tmp_path / "c", 2)
    reencode(catalog, OTHER_TEXT)
    for title in catalog.titles():
        catalog.remove(title.title_id)
    with catalog.writer("t", {"video": VIDEO}) as w:
        w.add_shots(make_shots(3))
        w.commit(TitleRecord("t", ""))
    assert fill(catalog, TEXT) == 1
    check_made(catalog, TEXT)


def test_two_fillers_store_every_title_once(tmp_path):
    catalog = films(tmp_path / "c", 6)
    catalog.declare_filling({"text": OTHER_TEXT})
    stored, held = [], [Catalog.open(catalog.uri) for _ in range(3)]
    batches = [
        [(t.title_id, t.ingest_id, *made(OTHER_TEXT, t))] for t in catalog.titles() for _ in "ab"
    ]

    def work(me):
        for batch in batches[:: 1 if me % 2 else -1]:
            stored.append(held[me].append_features(OTHER_TEXT, batch))

    threads = [threading.Thread(target=work, args=(me,)) for me in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(stored) == 6
    assert rows_in(catalog, OTHER_TEXT) == sum(title.shots for title in catalog.titles())
    catalog.switch_encoders({"text": OTHER_TEXT})
    check_made(catalog, OTHER_TEXT)


def test_kill_at_any_point_and_two_processes_to_the_end(tmp_path):
    catalog = films(tmp_path / "c", 12)
    rng = random.Random(1)
    for _ in range(3):
        child = start(_REENCODE, tmp_path / "c")
        assert child.stdout.readline() == "go\n"
        time.sleep(rng.uniform(0, 0.15))
        child.send_signal(signal.SIGKILL)
        child.communicate()
        reader = Catalog.open(tmp_path / "c")
        if reader.encoders()["text"] == TEXT:
            for title in reader.titles():
                check_title(reader, title.title_id)
        else:
            check_made(reader, OTHER_TEXT)
        catalog.collect_orphans()
        catalog.compact()
    children = [start(_REENCODE, tmp_path / "c") for _ in range(2)]
    assert [child.communicate(timeout=60)[0] for child in children] == ["go\ndone\n"] * 2
    reader = Catalog.open(tmp_path / "c")
    check_made(reader, OTHER_TEXT)
    assert rows_in(reader, OTHER_TEXT) == sum(title.shots for title in reader.titles())
    reader.collect_orphans()
    assert rows_in(reader, TEXT) == 0
    assert list((tmp_path / "c" / "leases").iterdir()) == []


def test_ingests_go_on_while_the_catalog_is_switched(tmp_path):
    """A writer of the old encoder, at full speed: refused once, never half accepted."""
    catalog = films(tmp_path / "c", 3)
    refused = threading.Event()

    def ingest():
        held = Catalog.open(catalog.uri)
        for i in range(200):
            try:
                write_title(held, f"u{i % 4}", seed=i, shots=2)
            except FingerprintError:
                refused.set()
                return

    thread = threading.Thread(target=ingest)
    thread.start()
    catalog.declare_filling({"text": OTHER_TEXT})
    for _ in range(1000):
        catalog.refresh()
        fill(catalog, OTHER_TEXT)
        try:
            catalog.switch_encoders({"text": OTHER_TEXT, "metadata": OTHER_TEXT})
            break
        except CatalogError as error:
            assert "u" in str(error)
    thread.join()
    assert refused.is_set()
    catalog.refresh()
    check_made(catalog, OTHER_TEXT)
    catalog.collect_orphans()
    assert rows_in(catalog, TEXT) == rows_in(catalog, TEXT, "metadata") == 0


def test_in_an_object_store_through_arrow(tmp_path, monkeypatch):
    monkeypatch.setattr(store.tempfile, "gettempdir", lambda: str(tmp_path / "tmp"))
    monkeypatch.setattr(store, "LocalStore", lambda path: store.RemoteStore(f"file://{path}"))
    (tmp_path / "films").mkdir()
    catalog = Catalog.open_or_create(f"file://{tmp_path}/films")
    for i in range(3):
        write_title(catalog, f"t{i}", seed=i)
    with monkeypatch.context() as patch:
        patch.setattr(upkeep, "drop_retired", lambda *args: set())
        reencode(catalog, OTHER_TEXT)
    assert rows_in(catalog, TEXT) == 15
    assert catalog.collect_orphans() == 3, "committed rows go at once"
    assert rows_in(catalog, TEXT) == 0
    check_made(Catalog.open(catalog.uri), OTHER_TEXT)
    # Another machine does not see our locks and stores a title a second time, side by side.
    t0 = catalog.title("t0")
    catalog.declare_filling({"text": TEXT})
    with monkeypatch.context() as patch:
        patch.setattr(refill, "_ingests", lambda *args: set())
        for _ in range(2):
            catalog.append_features(TEXT, [("t0", t0.ingest_id, *made(TEXT, t0))])
    fill(catalog, TEXT)
    catalog.switch_encoders({"text": TEXT})
    check_made(Catalog.open(catalog.uri), TEXT)


def test_messages_name_the_way_out(tmp_path):
    catalog = films(tmp_path / "c", 1)
    wide = EncoderRecord("video", "hf:org/big model@1", "9999", 1024, {"weights": "v1"})
    imported = EncoderRecord("text", "mine:text", "8888", 4, {"source": "mine"})
    for encoders, parts in (
        (
            {"video": wide},
            (
                "width 8 / 1024",
                "use the encoder clip again",
                "`mediafm reencode --video 'hf:org/big model@1'`",
                "--catalog NEW",
            ),
        ),
        ({"metadata": OTHER_TEXT}, ("width 4 / 6", "`mediafm reencode --text e5`")),
        ({"text": imported}, ("use the encoder use again, or a new catalog",)),
    ):
        with pytest.raises(FingerprintError) as caught:
            catalog.check_encoders(encoders)
        for part in parts:
            assert part in str(caught.value)
    assert "reencode" not in str(caught.value), "nothing makes imported vectors again"


KNOWN = {e.fingerprint: e for e in (TEXT, OTHER_TEXT, EncoderRecord("text", "x", "abcd9999", 2))}
operations = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.sampled_from("abc"), st.integers(0, 3)),
        st.tuples(st.just("fill"), st.sampled_from([*KNOWN]), st.sampled_from(["ab", "abc"])),
        st.tuples(st.just("switch"), st.sampled_from([*KNOWN]), st.booleans()),
        st.tuples(st.just("switch"), st.sampled_from([*KNOWN]), st.just(False)),
        st.tuples(st.just("killed"), st.sampled_from([*KNOWN]), st.just(False)),
        st.tuples(st.just("remove"), st.sampled_from("abc"), st.just(0)),
        st.tuples(st.sampled_from(["collect", "compact", "reopen"]), st.just(""), st.just(0)),
    ),
    max_size=16,
)


class Model:
    """What a catalog should show: titles with shots, and which encoders' vectors each has."""

    def __init__(self):
        self.titles: dict[str, TitleRecord] = {}
        self.has: dict[str, set[str]] = {}  # ingest to fingerprints
        self.status: dict[str, str] = {}

    def current(self):
        seen = {f for t in self.titles.values() if t.shots for f in self.has[t.ingest_id]}
        found = [f for f in seen if self.status.get(f, "current") == "current"]
        assert len(found) <= 1
        return found[0] if found else None

    def declare(self, name):
        held = self.current()
        if name != held and not (held is None and self.status.get(name) == "current"):
            self.status[name] = "filling"

    def switch(self, name, allow):
        lacking = [
            i
            for i, t in sorted(self.titles.items())
            if t.shots and name not in self.has[t.ingest_id]
        ]
        if lacking and not allow:
            return None
        before = {f for f, status in self.status.items() if status == "current"} | {self.current()}
        self.status |= dict.fromkeys(before - {name, None}, "retired") | {name: "current"}
        return lacking

    def drop(self):
        for fingerprints in self.has.values():
            fingerprints -= {f for f, status in self.status.items() if status == "retired"}


def write(catalog, model, name, shots, seed):
    """Ingests with the encoder that the catalog has, else with the first."""
    encoder = KNOWN[model.current() or TEXT.fingerprint]
    record = TitleRecord(name, "", year=seed, shots=shots)
    with catalog.writer(name, {"text": encoder, "video": VIDEO}) as w:
        w.add_shots(make_shots(shots))
        w.add_features("text", 0, *made(encoder, record))
        w.add_features("video", 0, vectors(seed, shots, 8))
        record = w.commit(record)
    model.titles[name] = record
    model.has[record.ingest_id] = {encoder.fingerprint}
    if model.status.get(encoder.fingerprint) == "retired":
        model.status[encoder.fingerprint] = "current"


def agree(catalog, model):
    """What readers see is the current encoder's vectors of each title, or nothing."""
    current = model.current()
    held = catalog.encoders().get("text")
    assert (held and held.fingerprint) == current
    for title in model.titles.values():
        if current is None:
            break
        found_ND, found_N = catalog.features(title.title_id, "text")
        x_ND, present_N = made(KNOWN[current], title)
        present_N = present_N & (current in model.has[title.ingest_id])
        np.testing.assert_array_equal(found_N, present_N)
        np.testing.assert_array_equal(found_ND, (x_ND * present_N[:, None]).astype(np.float16))
    for title in model.titles.values():
        video_ND = vectors(title.year, title.shots, 8).astype(np.float16)
        if title.shots:
            np.testing.assert_array_equal(catalog.features(title.title_id, "video")[0], video_ND)


@settings(max_examples=25, deadline=None)
@given(operations)
def test_any_sequence_agrees_with_a_dict(tmp_path_factory, steps):
    catalog, model = Catalog.create(tmp_path_factory.mktemp("model") / "c"), Model()
    for seed, (what, name, more) in enumerate(steps):
        if what == "write":
            write(catalog, model, name, more, seed)
        elif what == "fill":
            catalog.declare_filling({"text": KNOWN[name]})
            model.declare(name)
            wanted = [t for i, t in model.titles.items() if i in more and t.shots]
            todo = [t for t in wanted if name not in model.has[t.ingest_id]]
            assert fill(catalog, KNOWN[name], more) == len(todo)
            for title in todo:
                model.has[title.ingest_id].add(name)
        elif what in ("switch", "killed"):
            with pytest.MonkeyPatch.context() as patch:
                if what == "killed":  # before the old vectors are deleted
                    patch.setattr(upkeep, "drop_retired", lambda *args: set())
                expected = model.switch(name, more)
                if expected is None:
                    with pytest.raises(CatalogError, match="titles have no text vectors"):
                        catalog.switch_encoders({"text": KNOWN[name]})
                else:
                    found = catalog.switch_encoders({"text": KNOWN[name]}, allow_missing=more)
                    assert found == expected
                    if what == "switch":
                        model.drop()
        elif what == "remove" and name in model.titles:
            catalog.remove(name)
            del model.titles[name]
        elif what == "collect":
            catalog.collect_orphans()
            model.drop()
            assert stored_ingests(catalog) == {
                t.ingest_id for t in model.titles.values() if t.shots
            }
        elif what == "compact":
            catalog.compact(timedelta(0))
        elif what == "reopen":
            catalog = Catalog.open(catalog.uri)
        agree(catalog, model)
