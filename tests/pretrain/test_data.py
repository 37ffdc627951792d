"""Splits, windows, batches, shares."""

import dataclasses
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shot_kit import make_titles

from mediafm.errors import ModelError
from mediafm.pretrain.data import (
    MIN_WINDOW,
    MOST_HELD_OUT,
    Piece,
    Plan,
    draw_hidden,
    draw_mask,
    portions,
    sample,
    share,
    split_titles,
)

# ---- splits


@dataclasses.dataclass(frozen=True)
class Member:
    title_id: str
    group: str


def members(groups):
    return [Member(f"t{i:05}", str(group)) for i, group in enumerate(groups)]


@given(
    st.lists(st.integers(0, 5), min_size=2, max_size=30), st.floats(0.01, 0.9), st.integers(0, 99)
)
def test_groups_are_never_torn_apart(groups, fraction, seed):
    titles = members(groups)
    split = split_titles(titles, fraction, seed, "group")
    assert sorted(split.train + split.val) == list(range(len(titles)))
    assert split.val
    assert split.train
    assert split == split_titles(titles, fraction, seed, "group")
    if len(set(groups)) > 1:
        assert not {groups[i] for i in split.train} & {groups[i] for i in split.val}
        assert not split.note
    else:
        assert split.val == list(range(split.val[0], split.val[0] + len(split.val)))
        assert "one series" in split.note


def test_nothing_to_hold_out_is_said():
    titles = make_titles(3, 5)
    assert "only one title" in split_titles(titles[:1], 0.1, 0, "group").note
    assert "only one title" in split_titles([], 0.1, 0, "group").note
    assert "switched off" in split_titles(titles, 0, 0, "group").note
    by_title = split_titles(make_titles(4, 5, series="s"), 0.25, 0, "title")
    assert len(by_title.val) == 1
    assert not by_title.note


@pytest.mark.parametrize("fraction", [0.05, 0.5])
def test_at_least_one_validation_title_of_two(fraction):
    assert len(split_titles(make_titles(2, 5), fraction, 0, "group").val) == 1


def test_another_seed_holds_out_other_groups():
    titles = members(range(100))
    held = {tuple(split_titles(titles, 0.1, seed, "group").val) for seed in range(5)}
    assert len(held) == 5
    assert {len(val) for val in held} == {10}


def test_named_groups_are_held_out_and_nothing_else():
    titles = members("abcabcd")
    for seed in (0, 1):
        split = split_titles(titles, 0.9, seed, "group", groups=("c", "a"))
        assert split.val == [0, 2, 3, 5]
        assert split.train == [1, 4, 6]
        assert not split.note
    assert split_titles(titles, 0, 0, "group", groups=("d",)).val == [6]
    assert split_titles(titles, 0.1, 0, "title", groups=("t00003",)).val == [3]


def test_unknown_groups_and_an_empty_training_side_are_refused():
    titles = members("ab")
    with pytest.raises(ModelError, match="no group 'nix' to hold out"):
        split_titles(titles, 0.1, 0, "group", groups=("a", "nix"))
    with pytest.raises(ModelError, match="no group 'a' to hold out"):
        split_titles(titles, 0.1, 0, "title", groups=("a",))
    with pytest.raises(ModelError, match="every title is held out"):
        split_titles(titles, 0.1, 0, "group", groups=("a", "b"))


def test_no_more_is_held_out_than_narrows_a_verdict():
    singles = split_titles(members(range(20_000)), 0.1, 0, "group")
    assert len(singles.val) == MOST_HELD_OUT
    assert len(singles.train) == 20_000 - MOST_HELD_OUT
    series = split_titles(members(i // 100 for i in range(20_000)), 0.1, 0, "group")
    assert len(series.val) == 500, "whole series"
    assert len(split_titles(members(["s"] * 9_000), 0.1, 0, "group").val) == MOST_HELD_OUT


def test_one_group_larger_than_the_most_is_held_out_whole():
    split = split_titles(members(i // 600 for i in range(1200)), 0.1, 0, "group")
    assert len(split.val) == len(split.train) == 600


# ---- plans

plans = st.builds(
    lambda lengths, window, batch, seed: Plan(
        [3 * i for i in range(len(lengths))], lengths, window, batch, seed
    ),
    st.lists(st.integers(2, 60), min_size=1, max_size=10),
    st.integers(2, 20),
    st.integers(1, 80),
    st.integers(0, 9),
)


@given(plans, st.integers(0, 4))
def test_an_epoch_sees_every_shot_at_most_once(plan, epoch):
    batches = plan.epoch(epoch)
    assert batches == plan.epoch(epoch)
    seen = [(p.title, s) for b in batches for p in b for s in range(p.start, p.end)]
    assert len(seen) == len(set(seen))
    assert all(MIN_WINDOW <= len(p) <= plan.window for b in batches for p in b)
    for title, n in zip(plan.titles, plan.lengths, strict=True):
        own = {s for t, s in seen if t == title}
        # A lone shot at either end is no window.
        assert own >= set(range(1, n - 1) if n > plan.window else range(n))
        assert own <= set(range(n))
    for batch in batches:
        assert batch
        assert sum(map(len, batch)) <= plan.batch_shots or len(batch) == 1
        assert all(len(a) >= len(b) for a, b in pairwise(batch)), "ordered by length"


def test_epochs_and_seeds_differ():
    plan = Plan(range(6), [20] * 6, window=512, batch_shots=60, seed=3)
    assert plan.epoch(0) != plan.epoch(1)
    assert plan.epoch(0) != dataclasses.replace(plan, seed=4).epoch(0)
    long = Plan([0], [1000], window=100, batch_shots=100, seed=0)
    assert len({min(len(p) for b in long.epoch(e) for p in b) for e in range(5)}) > 1, "phases"


def test_every_end_of_a_long_title_is_seen_in_some_epoch():
    plan = Plan([0], [11], window=5, batch_shots=100, seed=0)
    seen = {s for e in range(30) for b in plan.epoch(e) for p in b for s in range(p.start, p.end)}
    assert seen == set(range(11))


@given(plans, st.integers(0, 12))
def test_batches_go_on_from_any_place(plan, skip):
    stream = plan.batches()
    made = [next(stream) for _ in range(skip + 4)]
    epoch, index, _ = made[skip]
    again = plan.batches(epoch, index)
    assert [next(again) for _ in range(4)] == made[skip:]
    # A checkpoint says "the batch after this one", which may lie beyond the epoch.
    after = plan.batches(epoch, index + 1)
    assert [next(after) for _ in range(3)] == made[skip + 1 :]


pieces_lists = st.lists(st.integers(2, 30), max_size=25).map(
    lambda lengths: [Piece(i, 0, n) for i, n in enumerate(sorted(lengths, reverse=True))]
)


@given(pieces_lists, st.integers(1, 6))
def test_shares_are_a_partition_of_about_equal_loads(pieces, world):
    shares = [share(pieces, rank, world) for rank in range(world)]
    assert sorted((p for s in shares for p in s), key=lambda p: p.title) == pieces
    loads = [sum(map(len, s)) for s in shares]
    assert max(loads) - min(loads) <= max(map(len, pieces), default=0)
    assert share(pieces, 0, 1) == pieces
    for own in shares:
        assert all(len(a) >= len(b) for a, b in pairwise(own)), "the order is kept"


@given(pieces_lists, st.integers(1, 80))
def test_portions_keep_order_and_bound(pieces, most):
    parts = portions(pieces, most)
    assert [p for part in parts for p in part] == pieces
    assert all(part for part in parts)
    assert all(sum(map(len, part)) <= most or len(part) == 1 for part in parts)


# ---- masks


@given(
    st.lists(st.booleans(), max_size=60),
    st.floats(0.01, 0.99),
    st.integers(0, 1000),
    st.sampled_from([1.0, 1.5, 3.0, 10.0, 200.0]),
)
def test_masks_hide_at_least_one_and_leave_at_least_one(usable, ratio, seed, span):
    usable = np.array(usable, np.bool_)
    masked = draw_mask(usable, ratio, np.random.default_rng(seed), span)
    assert not (masked & ~usable).any()
    assert (masked == draw_mask(usable, ratio, np.random.default_rng(seed), span)).all()
    n = int(usable.sum())
    if n >= 2:
        assert masked.sum() == min(max(1, round(ratio * n)), n - 1)
    else:
        assert not masked.any()


def mean_run(span, usable=None):
    usable = np.ones(500, np.bool_) if usable is None else usable
    lengths = []
    for seed in range(40):
        masked = draw_mask(usable, 0.2, np.random.default_rng(seed), span)[usable]
        edges = np.flatnonzero(np.diff(np.pad(masked.astype(int), 1)))
        lengths += list(edges[1::2] - edges[::2])
    return np.mean(lengths)


def test_spans_are_as_long_as_said():
    # Of single shots a fifth has a masked neighbour on its right: runs of 1 / 0.8 on average.
    assert mean_run(1.0) == pytest.approx(1.25, abs=0.05)
    assert 2 < mean_run(2.0) < 3.2
    assert 4.5 < mean_run(5.0) < 7.5
    gaps = np.arange(700) % 7 != 0  # shots without features do not end a span
    assert mean_run(5.0, gaps) > 4.5


def test_every_shot_is_masked_equally_often():
    draws = [draw_mask(np.ones(10, np.bool_), 0.2, np.random.default_rng(s)) for s in range(4000)]
    assert np.mean(draws, axis=0) == pytest.approx(np.full(10, 0.2), abs=0.03)


@st.composite
def windows(draw):
    n, m = draw(st.integers(1, 20)), draw(st.integers(1, 4))
    present = draw(
        st.lists(st.lists(st.booleans(), min_size=m, max_size=m), min_size=n, max_size=n)
    )
    masked = draw(st.lists(st.booleans(), min_size=n, max_size=n))
    return np.array(present, np.bool_), np.array(masked, np.bool_)


@given(windows(), st.floats(0, 0.99), st.floats(0, 0.99), st.integers(0, 1000))
def test_hidden_modalities_leave_something_to_see(window, ratio, dropout, seed):
    present, masked = window
    hidden, asked = draw_hidden(present, masked, ratio, dropout, np.random.default_rng(seed))
    assert not (hidden & ~present).any()
    assert not (asked & ~hidden).any()
    assert not hidden[masked].any()
    assert (asked.sum(axis=1) <= 1).all()
    left = present & ~hidden
    assert left[present.any(axis=1)].any(axis=1).all(), "a visible shot keeps a modality"
    dropped = present & ~(hidden & ~asked)
    can = int((~masked & (dropped.sum(axis=1) > 1)).sum())
    assert asked.sum() == min(round(ratio * len(present)), can)


def test_a_window_goes_without_a_modality_as_a_whole():
    present, masked = np.ones((8, 3), np.bool_), np.arange(8) % 4 == 0
    rng = np.random.default_rng(0)
    gone = []
    for _ in range(600):
        hidden, asked = draw_hidden(present, masked, 0.0, 0.3, rng)
        assert not asked.any()
        assert not hidden[masked].any()
        assert (hidden[~masked] == hidden[1]).all(), "the same modalities of every visible shot"
        gone.append(hidden[1])
    # The last modality is kept where all three would go: 0.3 - 0.3 ** 3 of the times.
    assert np.mean(gone, axis=0) == pytest.approx([0.3, 0.3, 0.3 - 0.3**3], abs=0.06)


def test_asked_modalities_are_an_even_draw():
    present = np.ones((300, 3), np.bool_)
    _, asked = draw_hidden(present, np.zeros(300, np.bool_), 0.9, 0.0, np.random.default_rng(0))
    assert asked.sum() == 270
    assert asked.sum(axis=0) == pytest.approx([90, 90, 90], abs=30)


def test_nothing_is_hidden_unless_asked_for():
    present = np.ones((5, 3), np.bool_)
    for array in draw_hidden(present, np.zeros(5, np.bool_), 0, 0, np.random.default_rng(0)):
        assert not array.any()


@given(st.lists(st.integers(0, 300), max_size=20), st.integers(1, 3000), st.integers(0, 99))
def test_a_sample_is_of_many_titles_and_never_the_same_shot_twice(lengths, shots, seed):
    runs = sample(lengths, shots, np.random.default_rng(seed))
    seen = [(title, i) for title, start, end in runs for i in range(start, end)]
    assert len(seen) == len(set(seen))
    assert all(0 <= start < end <= lengths[title] for title, start, end in runs)
    assert all(end - start <= 64 for _, start, end in runs)
    assert [title for title, *_ in runs] == sorted(title for title, *_ in runs)
    if shots >= sum(lengths) + 64 * len(lengths):
        assert len(seen) == sum(lengths)
    assert len(seen) <= shots + 63


def test_a_small_sample_reaches_most_titles():
    runs = sample([1000] * 200, 64 * 200, np.random.default_rng(0))
    assert len({title for title, *_ in runs}) > 110
