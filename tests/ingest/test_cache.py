"""Vectors that were computed before: found again, never invented, never worth a failure."""

from __future__ import annotations

import logging
import sqlite3

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mediafm.ingest.cache import NoCache, VectorCache, content_key

DIM = 4


def row(text):
    return np.frombuffer(content_key(text)[:DIM], np.uint8).astype(np.float32)


class Computed:
    """Computes rows of texts, in parts, and counts."""

    def __init__(self, texts, part=2):
        self.texts, self.part, self.calls = texts, part, []

    def __call__(self, places):
        for start in range(0, len(places), self.part):
            some = places[start : start + self.part]
            self.calls += [self.texts[place] for place in some]
            yield some, np.stack([row(self.texts[place]) for place in some])


def through(cache, texts, encoder="e"):
    compute = Computed(texts)
    x_ND = cache.through(encoder, [content_key(text) for text in texts], DIM, compute)
    np.testing.assert_array_equal(x_ND, [row(text) for text in texts])
    return compute.calls


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(st.text(max_size=3), min_size=1, max_size=8), max_size=5))
def test_each_input_is_computed_once(tmp_path_factory, runs):
    cache, seen = VectorCache(tmp_path_factory.mktemp("v")), set()
    for texts in runs:
        calls = through(cache, texts)
        assert sorted(calls) == sorted(set(texts) - seen)
        seen |= set(texts)


def test_another_process_finds_them(tmp_path):
    assert through(VectorCache(tmp_path), ["a", "b"]) == ["a", "b"]
    assert through(VectorCache(tmp_path), ["b", "a", "c"]) == ["c"]
    assert through(VectorCache(tmp_path), ["a"], encoder="other") == ["a"]


def test_what_was_done_before_an_interrupt_is_kept(tmp_path):
    texts = list("abcdef")

    def interrupted(places):
        for number, part in enumerate(Computed(texts)(places)):
            if number == 2:
                raise KeyboardInterrupt
            yield part

    with pytest.raises(KeyboardInterrupt):
        VectorCache(tmp_path).through("e", [content_key(t) for t in texts], DIM, interrupted)
    assert through(VectorCache(tmp_path), texts) == ["e", "f"]


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e6])
def test_what_half_precision_cannot_hold_is_not_kept(tmp_path, bad):
    cache, key = VectorCache(tmp_path), content_key("a")
    x_ND = cache.through("e", [key], DIM, lambda places: [(places, np.full((1, DIM), bad))])
    assert not np.isfinite(x_ND).all()  # the catalog refuses it
    assert cache.get("e", [key], DIM) == {}


def test_keys_tell_inputs_apart():
    picture = np.arange(24, dtype=np.uint8)
    keys = [
        content_key(picture.reshape(2, 4, 3)),
        content_key(picture.reshape(4, 2, 3)),
        content_key(picture.reshape(2, 4, 3), picture.reshape(2, 4, 3)),
        content_key(picture.astype(np.float32)),
        content_key("ab", "c"),
        content_key("a", "bc"),
        content_key("abc"),
        content_key(),
    ]
    assert len(set(keys)) == len(keys)
    assert content_key(np.asfortranarray(picture.reshape(2, 4, 3))) == keys[0]


def test_a_damaged_file_is_made_anew(tmp_path):
    first = VectorCache(tmp_path)
    through(first, ["a"])
    first.close()
    [file] = tmp_path.glob("*.sqlite")
    file.write_bytes(b"no database at all" * 1000)
    cache = VectorCache(tmp_path)
    assert through(cache, ["a"]) == ["a"]
    assert through(VectorCache(tmp_path), ["a"]) == []


def test_a_cache_that_cannot_be_written_is_said_once_and_not_used(tmp_path, caplog):
    (tmp_path / "file").touch()
    with caplog.at_level(logging.WARNING):
        cache = VectorCache(tmp_path / "file")
        assert through(cache, ["a"]) == through(cache, ["a"]) == ["a"]
    assert len(caplog.records) == 1
    assert "is not used" in caplog.text


def test_a_table_that_fails_in_the_middle_costs_nothing(tmp_path, caplog):
    cache = VectorCache(tmp_path)
    through(cache, ["a"])
    with sqlite3.connect(tmp_path / "vectors-1.sqlite") as other:
        other.execute("DROP TABLE vectors")
    assert through(cache, ["a", "b"]) == ["a", "b"]
    assert "is not used" in caplog.text


def test_the_oldest_go_when_it_is_full(tmp_path):
    cache = VectorCache(tmp_path, limit=200_000)
    for i in range(60):
        texts = [f"{i} {j}" for j in range(100)]
        through(cache, texts)
    assert cache._bytes() <= 200_000
    held = cache.get("e", [content_key(f"59 {j}") for j in range(100)], DIM)
    assert len(held) > 50 or cache._bytes() < 200_000


def test_no_cache_computes_all_but_equal_ones(tmp_path):
    assert through(NoCache(), ["a", "b", "a"]) == ["a", "b"]
    assert through(NoCache(), ["a"]) == ["a"]
