"""Vectors that were computed before: found again, never invented, never worth a failure."""

from __future__ import annotations

import logging
import sqlite3

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mediafm.errors import TitleDataError
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


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (np.nan, "a value that is not a number or is infinite"),
        (np.inf, "a value that is not a number or is infinite"),
        (1e6, "a value over 65504, which 16-bit floats cannot hold"),
    ],
)
@pytest.mark.parametrize("make", [VectorCache, lambda _: NoCache()])
def test_what_half_precision_cannot_hold_is_said_and_not_kept(tmp_path, bad, words, make):
    cache, keys = make(tmp_path), [content_key(text) for text in "abcd"]

    def compute(places):
        for place in places:
            yield [place], np.full((1, DIM), bad if place in (1, 2) else place)

    # Of one title only: the next one may be fine.
    with pytest.raises(TitleDataError, match=f"encoder e gave .* {words}, for input 1 of 4"):
        cache.through("e", keys, DIM, compute)
    kept = [] if isinstance(cache, NoCache) else [keys[0], keys[3]]
    assert sorted(cache.get("e", keys, DIM)) == sorted(kept)


def test_a_damaged_vector_is_computed_anew(tmp_path):
    cache = VectorCache(tmp_path)
    through(cache, ["a"])
    cache._db.execute(
        "UPDATE vectors SET vector = ?", (np.full(DIM, np.nan, np.float16).tobytes(),)
    )
    assert through(cache, ["a"]) == ["a"]


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


def damage_inside(folder):
    """Overwrites the pages that hold vectors; the file still opens."""
    [file] = folder.glob("*.sqlite")
    data = bytearray(file.read_bytes())
    data[3 * 8192 :] = b"\x55" * (len(data) - 3 * 8192)
    file.write_bytes(data)


@pytest.mark.parametrize("first", ["get", "put"])
def test_a_file_that_is_damaged_inside_is_set_aside(tmp_path, caplog, first):
    texts = [str(i) for i in range(2000)]
    cache = VectorCache(tmp_path)
    through(cache, texts)
    cache.close()
    damage_inside(tmp_path)
    cache = VectorCache(tmp_path)
    if first == "put":
        keys = [content_key(text) for text in texts]
        cache.put("e", keys, np.stack([row(text) for text in texts]))
    assert through(cache, texts) == texts
    assert [record.message.split(" (")[0] for record in caplog.records] == [
        f"{tmp_path}/vectors-2.sqlite is damaged"
    ]
    assert (tmp_path / "vectors-2.damaged").exists()
    assert through(VectorCache(tmp_path), texts) == []
    # Once: what damages files again and again is not fed.
    cache._failed(sqlite3.DatabaseError("malformed"))
    assert cache._db is None
    assert through(cache, ["a"]) == ["a"]


def test_a_vector_takes_little_more_than_its_numbers(tmp_path):
    cache, dim, count = VectorCache(tmp_path), 768, 2000
    for start in range(0, count, 100):
        keys = [content_key(str(i)) for i in range(start, start + 100)]
        cache.put("0123456789abcdef", keys, np.ones((100, dim)))
    assert cache._bytes() / count < 1.2 * 2 * dim


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
    with sqlite3.connect(tmp_path / "vectors-2.sqlite") as other:
        other.execute("DROP TABLE vectors")
    assert through(cache, ["a", "b"]) == ["a", "b"]
    assert "is not used" in caplog.text


def test_the_oldest_go_when_it_is_full(tmp_path):
    cache = VectorCache(tmp_path, limit=200_000)
    for i in range(60):
        texts = [f"{i} {j}" for j in range(100)]
        through(cache, texts)
        assert cache._bytes() <= 220_000
    held = cache.get("e", [content_key(f"59 {j}") for j in range(100)], DIM)
    assert len(held) > 50 or cache._bytes() < 200_000


def test_no_cache_computes_all_but_equal_ones(tmp_path):
    assert through(NoCache(), ["a", "b", "a"]) == ["a", "b"]
    assert through(NoCache(), ["a"]) == ["a"]
