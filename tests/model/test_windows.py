"""Windows: everything once, and each shot where it has most context."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediafm.model import windows

sizes = st.integers(1, 40).flatmap(
    lambda size: st.tuples(st.integers(0, 200), st.just(size), st.integers(0, size - 1))
)


def context(window, shot, n):
    left = n if window.start == 0 else shot - window.start
    right = n if window.end == n else window.end - 1 - shot
    return min(left, right)


@given(sizes)
def test_every_shot_is_taken_once_from_inside_its_window(numbers):
    n, size, overlap = numbers
    plan = windows(n, size, overlap)
    assert [s for w in plan for s in range(w.take_start, w.take_end)] == list(range(n))
    for w in plan:
        assert 0 <= w.start <= w.take_start <= w.take_end <= w.end <= n
        assert len(w) == min(n, size)
    for left, right in itertools.pairwise(plan):
        assert left.end - right.start >= overlap
        assert right.start > left.start


@given(sizes)
def test_each_shot_is_taken_where_it_has_most_context(numbers):
    n, size, overlap = numbers
    plan = windows(n, size, overlap)
    for w in plan:
        for shot in range(w.take_start, w.take_end):
            best = max(context(v, shot, n) for v in plan if v.start <= shot < v.end)
            # Without overlap a cut leaves no context at all; with it, half of it or more.
            assert context(w, shot, n) == best
            assert best >= min(overlap // 2, n) - (overlap % 2 == 0 and overlap > 0)


def test_known_windows():
    assert [(w.start, w.end, w.take_start, w.take_end) for w in windows(10, 6, 2)] == [
        (0, 6, 0, 5),
        (4, 10, 5, 10),
    ]
    assert windows(0, 6, 2) == []
    assert len(windows(512, 512, 256)) == 1
    assert [len(w) for w in windows(513, 512, 256)] == [512, 512]


@pytest.mark.parametrize("numbers", [(5, 0, 0), (5, 4, 4), (-1, 4, 2), (5, 4, -1)])
def test_impossible_sizes_are_refused(numbers):
    with pytest.raises(ValueError):
        windows(*numbers)
