"""Stores in memory and in files: the same rows, whatever spans are asked for."""

from __future__ import annotations

import os
import threading
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shot_kit import DIMS, make_titles
from store_kit import ENCODERS, Source, check_same, odd_titles

from mediafm.errors import CatalogError
from mediafm.pretrain.build import build_store, known_encoders
from mediafm.pretrain.store import ShotStore
from mediafm.progress import Silent


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    titles = odd_titles()
    file = build_store(Source(titles), tmp_path_factory.mktemp("stores") / "cache", Silent())
    memory = ShotStore.of_titles(reversed(titles), known_encoders(Source(titles)))
    yield titles, memory, file
    file.close()


def test_memory_and_files_hold_the_titles(stores):
    titles, memory, file = stores
    check_same(memory, titles)
    check_same(file, titles)
    assert memory.fingerprint == file.fingerprint
    assert memory.counts == file.counts
    assert memory.widths == file.widths == DIMS
    assert memory.fields == file.fields == {"synopsis": DIMS["text"], "tags": 5}
    assert file.encoders["metadata"].fingerprint == "text0000"


@given(st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_spans_equal_a_plain_copy(stores, data):
    titles, *both = stores
    total = len(both[0])
    bound = st.integers(0, total)
    some = st.tuples(bound, bound).map(lambda pair: tuple(sorted(pair)))
    spans = data.draw(st.lists(some, max_size=8))
    if spans and data.draw(st.booleans()):  # touching, repeated and whole ones are rare by chance
        spans += [(spans[-1][1], total), spans[0], (0, total)]
    rows = np.concatenate([np.arange(0), *(np.arange(*span) for span in spans)]).astype(int)
    for store in both:
        times = np.concatenate([t.times_N2 for t in titles])
        np.testing.assert_array_equal(store.times(spans), times[rows])
        for name, width in DIMS.items():
            blank = {m: np.zeros((0, d), np.float16) for m, d in DIMS.items()}
            whole_ND = np.concatenate(
                [
                    t.features.get(name, np.zeros((len(t), width), np.float16))
                    for t in [*titles, replace(titles[0], features=blank)]
                ]
            )
            here_N = np.concatenate([t.present.get(name, np.zeros(len(t), bool)) for t in titles])
            x_SD = np.full((len(rows), width), 7, np.float16)
            present_S = np.ones(len(rows), np.bool_)
            store.read(name, spans, x_SD, present_S)
            np.testing.assert_array_equal(x_SD, whole_ND[rows])
            np.testing.assert_array_equal(present_S, here_N[rows])


def test_buffers_and_rows_that_do_not_fit(stores):
    for store in stores[1:]:
        x_SD, here = np.zeros((4, DIMS["video"]), np.float16), np.zeros(4, np.bool_)
        for bad, spans in (
            (x_SD[:3], [(0, 4)]),
            (x_SD.astype(np.float32), [(0, 4)]),
            (np.zeros((4, 2 * DIMS["video"]), np.float16)[:, ::2], [(0, 4)]),
            (x_SD, [(len(store) - 3, len(store) + 1)]),
            (x_SD, [(-4, 0)]),
        ):
            with pytest.raises(ValueError, match=r"shape|buffer|rows"):
                store.read("video", spans, bad, here)
        with pytest.raises(CatalogError, match=r"no smell features; choose among \w"):
            store.read("smell", [(0, 4)], x_SD, here)


def test_many_threads_read_at_once(stores):
    titles, _, file = stores
    errors = []

    def work(seed):
        rng = np.random.default_rng(seed)
        try:
            for _ in range(50):
                index = int(rng.integers(len(titles)))
                got = file.title(index, ["video"]).features["video"]
                np.testing.assert_array_equal(got, titles[index].features["video"])
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_short_reads_are_continued(stores, monkeypatch):
    """The kernel may give less than was asked for, and gives 2 GB at most."""
    titles, _, file = stores
    whole = os.preadv
    monkeypatch.setattr(os, "preadv", lambda fd, views, at: whole(fd, [views[0][:13]], at))
    check_same(file, titles)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 0])
def test_vectors_that_say_nothing_are_absent(tmp_path, value):
    for number, make in enumerate(
        (
            ShotStore.of_titles,
            lambda titles: build_store(Source(titles), tmp_path / "c", Silent()),
        )
    ):
        titles = make_titles(3, seed=number)
        titles[2].features["audio"][4, 5 if value else slice(None)] = value
        titles[1].metadata["synopsis"][3 if value else slice(None)] = value
        store = make(titles)
        assert store.useless == {"synopsis": 1, "audio": 1}
        held = store.title(2)
        assert np.flatnonzero(~held.present["audio"]).tolist() == [4]
        assert not held.features["audio"][4].any()
        assert store.metadata("synopsis", 1) is None
        assert store.metadata("synopsis", 2) is not None


def test_titles_that_do_not_fit_together(tmp_path):
    for make in (
        ShotStore.of_titles,
        lambda titles: build_store(Source(titles), tmp_path / "c", Silent()),
    ):
        titles = make_titles(3)
        narrow = replace(titles[1], features={**titles[1].features}, present=titles[1].present)
        narrow.features["audio"] = narrow.features["audio"][:, :-1]
        wide = "title01: audio features are 11 wide, others 12; ingest all titles with the same"
        with pytest.raises(CatalogError, match=wide):
            make([titles[0], narrow])
    with pytest.raises(CatalogError, match="title01: there are two titles"):
        ShotStore.of_titles([titles[0], titles[1], titles[1]])


def test_what_absent_rows_hold_does_not_count():
    titles = make_titles(2)
    clean = ShotStore.of_titles(titles)
    for title in titles:
        title.features["text"][~title.present["text"]] = np.nan
    dirty = ShotStore.of_titles(titles)
    assert dirty.fingerprint == clean.fingerprint
    np.testing.assert_array_equal(dirty.title(0).features["text"], clean.title(0).features["text"])


def test_a_modality_of_no_shot_counts_none():
    titles = make_titles(2)
    for title in titles:
        title.present["audio"][:] = False
    store = ShotStore.of_titles(titles)
    assert (store.counts["audio"], store.widths["audio"]) == (0, DIMS["audio"])
    assert not store.title(0).features["audio"].any()


def test_fingerprint_tells_content_apart():
    titles = make_titles(3)
    first = ShotStore.of_titles(titles).fingerprint
    assert ShotStore.of_titles(make_titles(3)).fingerprint == first
    assert ShotStore.of_titles(titles, ENCODERS).fingerprint != first
    changes = [
        lambda t: replace(t, ingest_id="other"),
        lambda t: replace(t, group="series"),
        lambda t: replace(t, times_N2=t.times_N2 + 1),
        lambda t: replace(t, metadata={}),
        lambda t: replace(t, features={m: x_ND + 1 for m, x_ND in t.features.items()}),
        lambda t: replace(t, present={m: ~here_N for m, here_N in t.present.items()}),
    ]
    found = {ShotStore.of_titles([*titles[:2], c(titles[2])]).fingerprint for c in changes}
    assert len(found | {first}) == 1 + len(changes)
