import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediafm.catalog.clip import unit
from mediafm.catalog.fused import fuse
from mediafm.report.similarity import (
    colour_limits,
    cosines,
    most_similar,
    over_time,
    pool,
)


def vectors(shots: int, seed: int, dim: int = 5) -> np.ndarray:
    return unit(np.random.default_rng(seed).normal(size=(shots, dim)))


@given(shots=st.integers(1, 300), limit=st.integers(1, 60), seed=st.integers(0, 99))
def test_a_pooled_matrix_is_the_block_mean_of_the_whole(shots, limit, seed):
    x_ND = vectors(shots, seed)
    x_CD, edges = pool(x_ND, limit)
    assert len(x_CD) == len(edges) - 1 <= limit
    assert edges[0] == 0
    assert edges[-1] == shots
    assert (np.diff(edges) > 0).all()
    whole, pooled = x_ND @ x_ND.T, cosines(x_CD)
    for row in range(0, len(x_CD), 7):
        for column in range(0, len(x_CD), 5):
            block = whole[edges[row] : edges[row + 1], edges[column] : edges[column + 1]]
            assert pooled[row, column] == pytest.approx(block.mean(), abs=1e-4)


@given(
    lengths=st.lists(st.integers(0, 5_000_000), min_size=1, max_size=40).filter(any),
    cells=st.integers(1, 50),
)
def test_time_slices_hold_each_shot_for_as_long_as_it_lasts(lengths, cells):
    ends = np.cumsum(lengths)
    times = np.stack([ends - lengths, ends], axis=1)
    x_ND = vectors(len(lengths), 1)
    x_GD = over_time(x_ND, times, cells)
    expected = (np.asarray(lengths)[:, None] * x_ND).sum(axis=0) / ends[-1]
    np.testing.assert_allclose(x_GD.mean(axis=0), expected, atol=1e-3)


def test_a_gap_between_shots_is_no_number():
    times = np.array([[0, 10], [30, 40]])
    x_GD = over_time(np.eye(2, dtype=np.float32), times, 4)
    assert np.isnan(x_GD[[1, 2]]).all()
    np.testing.assert_allclose(x_GD[[0, 3]], np.eye(2), atol=1e-6)


def test_overlapping_shots_share_their_time():
    times = np.array([[0, 100], [10, 20], [50, 100]])
    x_GD = over_time(np.eye(3, dtype=np.float32), times, 10)
    np.testing.assert_allclose(x_GD[1], [0.5, 0.5, 0], atol=1e-6)
    np.testing.assert_allclose(x_GD[9], [0.5, 0, 0.5], atol=1e-6)


def test_raw_vectors_leave_out_what_is_absent_and_what_is_no_number():
    features = {
        "video": np.array([[3.0, 1.0], [0.0, 0.0], [np.nan, 1.0]]),
        "text": np.array([[1.0, 3.0], [9.0, 9.0], [1.0, 1.0]]),
    }
    present = {"video": np.array([True, False, True]), "text": np.array([True, False, False])}
    means = {"video": np.array([1.0, 1.0]), "text": np.array([1.0, 1.0])}
    raw = fuse(features, present, means)
    np.testing.assert_allclose(raw[0], np.array([1, 0, 0, 1]) / np.sqrt(2), atol=1e-6)
    np.testing.assert_array_equal(raw[1], 0)
    assert np.isfinite(raw).all()


@given(shots=st.integers(1, 30))
def test_colour_limits_are_in_order_and_ignore_the_diagonal(shots):
    alike = np.full((shots, shots), 0.5, np.float32)
    np.fill_diagonal(alike, 1)
    low, high = colour_limits(alike)
    assert low < high
    assert shots == 1 or (low, high) == pytest.approx((0.48, 0.52))


def test_most_similar_shots_leave_out_the_shot_itself():
    x = vectors(700, 3)  # more than one block of rows
    index, cosine = most_similar(x, 5)
    whole = x @ x.T
    np.fill_diagonal(whole, -2)
    np.testing.assert_allclose(cosine, -np.sort(-whole, axis=1)[:, :5], atol=1e-5)
    assert (index != np.arange(700)[:, None]).all()
    assert most_similar(x[:1], 5)[0].shape == (1, 0)
    assert most_similar(x[:3], 5)[0].shape == (3, 2)
