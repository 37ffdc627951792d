"""Splits, masks, windows and batches."""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from shot_kit import DIMS, make_titles

from mediafm.model import Fusion, Modality, ModelConfig
from mediafm.pretrain.data import ShotDataset, draw_mask, split_titles


def fitted(titles):
    fusion = Fusion(ModelConfig({m: Modality(d) for m, d in DIMS.items()}, {}))
    fusion.fit(titles)
    return fusion


@given(st.lists(st.booleans(), max_size=60), st.floats(0.01, 0.99), st.integers(0, 1000))
def test_masks_hide_at_least_one_and_leave_at_least_one(usable, ratio, seed):
    usable = np.array(usable, np.bool_)
    masked = draw_mask(usable, ratio, np.random.default_rng(seed))
    assert not (masked & ~usable).any()
    if usable.sum() >= 2:
        assert 1 <= masked.sum() < usable.sum()
        assert abs(masked.sum() - ratio * usable.sum()) <= 1
    else:
        assert not masked.any()


@given(
    st.lists(st.integers(0, 5), min_size=2, max_size=30), st.floats(0.01, 0.9), st.integers(0, 99)
)
def test_groups_are_never_torn_apart(groups, fraction, seed):
    title = make_titles(1, 5)[0]
    titles = [
        dataclasses.replace(title, title_id=f"t{i:02}", group=str(g)) for i, g in enumerate(groups)
    ]
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
    assert "switched off" in split_titles(titles, 0, 0, "group").note
    by_title = split_titles(make_titles(4, 5, series="s"), 0.25, 0, "title")
    assert len(by_title.val) == 1
    assert not by_title.note


@given(
    st.lists(st.integers(2, 40), min_size=1, max_size=8),
    st.integers(2, 20),
    st.integers(1, 60),
    st.integers(0, 5),
)
def test_an_epoch_sees_every_shot_at_most_once(lengths, size, batch, epoch):
    title = make_titles(1, 5)[0]
    titles = [
        dataclasses.replace(
            title,
            times_N2=np.zeros((n, 2), np.int64),
            features={"video": np.zeros((n, 24), np.float16)},
            present={"video": np.ones(n, np.bool_)},
        )
        for n in lengths
    ]
    data = ShotDataset(titles, fitted([]), max_shots=size, batch_shots=batch, seed=1)
    batches = data.epoch(epoch)
    assert batches == data.epoch(epoch)
    seen = [(p.title, s) for b in batches for p in b for s in range(p.start, p.end)]
    assert len(seen) == len(set(seen))
    pieces = [p for b in batches for p in b]
    assert all(2 <= len(p) <= size for p in pieces)
    for i, n in enumerate(lengths):
        left_out = n - sum(1 for title, _ in seen if title == i)
        assert left_out <= (0 if n <= size else 2)  # a lone shot at either end
    for b in batches:
        assert sum(map(len, b)) <= batch or len(b) == 1


def test_epochs_differ_and_batches_go_on_from_any_place():
    titles = make_titles(6, 20)
    data = ShotDataset(titles, fitted(titles), max_shots=512, batch_shots=60, seed=3)
    assert data.epoch(0) != data.epoch(1)
    stream = data.batches(0)
    first = [next(stream) for _ in range(7)]
    epoch, index, _ = first[4]
    again = data.batches(epoch, index)
    assert [next(again) for _ in range(3)] == first[4:]


def test_a_batch_depends_on_its_place_only():
    titles = make_titles(6, 20)
    data = ShotDataset(titles, fitted(titles), max_shots=512, batch_shots=60, seed=3)
    pieces = data.epoch(2)[1]
    one, two = (data.batch(pieces, 2, 1, 0.2, 0.5) for _ in range(2))
    other = data.batch(pieces, 2, 2, 0.2, 0.5)
    assert torch.equal(one.masked_S, two.masked_S)
    assert not torch.equal(one.masked_S, other.masked_S)
    assert one.lengths == [len(p) for p in pieces]
    norm = one.x_SF.norm(dim=1)
    assert torch.allclose(norm, torch.ones_like(norm), atol=1e-5)


def test_a_sample_is_bounded():
    titles = make_titles(6, 20)
    data = ShotDataset(titles, fitted(titles), max_shots=512, batch_shots=60, seed=3)
    assert len(data.sample(30)) == 30
    assert len(data.sample(10_000)) == sum(map(len, titles))


@pytest.mark.parametrize("fraction", [0.05, 0.5])
def test_at_least_one_validation_title_of_two(fraction):
    assert len(split_titles(make_titles(2, 5), fraction, 0, "group").val) == 1
