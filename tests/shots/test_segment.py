"""The segmenter: whatever a detector says, shots partition the title and have lengths in bounds."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mediafm.errors import MediaFMError
from mediafm.shots import Segmenter, ShotConfig, segment
from mediafm.timeline import US

FRAME = 40_000
PLAIN = ShotConfig(min_length=5 * FRAME, max_length=30 * US)


def flat(levels):
    """Frames of one grey level each."""
    return np.repeat(np.array(levels, dtype=np.uint8), 6).reshape(-1, 1, 2, 3)


def cut(levels, config=PLAIN, rates=None):
    """Shots, in frames, of grey frames at 25 frames a second; a change of level is a cut."""
    if rates is None:
        changes = np.abs(np.diff(np.array(levels, dtype=int), append=levels[-1]))
        rates = (changes > 0) * 0.9
    times = [i * FRAME for i in range(len(levels))]
    shots = segment(rates, times, len(levels) * FRAME, flat(levels), config)
    assert [shot.index for shot in shots] == list(range(len(shots)))
    return [(s.span.start // FRAME, s.span.end // FRAME) for s in shots]


@st.composite
def titles(draw, constant=False):
    """A title: rates, times, end, frames, how many rates and frames come at once."""
    count = draw(st.integers(1, 150))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    usual = [FRAME, FRAME, FRAME, 1, 900, 33_367, 250_000, US, 5 * US]
    gaps = rng.choice(draw(st.sampled_from([usual[:1], usual[:6], usual])), count)
    if constant:
        gaps = np.full(count, draw(st.sampled_from([FRAME, 16_683, 100_000])))
    start = draw(st.sampled_from([0, 0, 21_333, -5]))
    times = (start + np.cumsum([0, *gaps])).tolist()
    quiet = draw(st.sampled_from([0.5, 0.9, 0.98]))
    rates = np.where(rng.random(count) < quiet, 0.2, rng.choice([0.6, 0.8, 1.0], count))
    least = draw(st.sampled_from([0, 1, 60_000, 200_000, US]))
    most = draw(st.sampled_from([4, 5, 20])) * max(least, 50_000)
    return SimpleNamespace(
        rates=rates.tolist(),
        times=times[:-1],
        end=times[-1],
        gaps=gaps.tolist(),
        frames=flat(rng.choice([0, 10, 200], count)),
        steps=rng.integers(0, draw(st.sampled_from([3, 10, 50])), (60, 2)).tolist(),
        config=ShotConfig(min_length=least, max_length=most),
    )


def check_partition(shots, title):
    assert shots[0].span.start == title.times[0]
    assert shots[-1].span.end == title.end
    assert all(a.span.end == b.span.start for a, b in itertools.pairwise(shots))
    assert [shot.index for shot in shots] == list(range(len(shots)))
    assert {shot.span.start for shot in shots} <= set(title.times)
    assert all(shot.span.duration > 0 for shot in shots)


@settings(max_examples=400, deadline=None)
@given(titles())
def test_shots_partition_the_title(title):
    shots = segment(title.rates, title.times, title.end, title.frames, title.config)
    check_partition(shots, title)
    least, most = title.config.min_length, title.config.max_length
    if len(shots) > 1:
        assert min(shot.span.duration for shot in shots) >= least
    assert max(shot.span.duration for shot in shots) <= most + least + 2 * max(title.gaps)


@settings(max_examples=300, deadline=None)
@given(titles(constant=True))
def test_lengths_at_a_constant_rate(title):
    shots = segment(title.rates, title.times, title.end, title.frames, title.config)
    check_partition(shots, title)
    longest = max(shot.span.duration for shot in shots)
    assert longest <= title.config.max_length + title.gaps[0]
    if len(shots) > 1:
        assert min(shot.span.duration for shot in shots) >= title.config.min_length


@settings(max_examples=300, deadline=None)
@given(titles())
def test_a_stream_gives_what_the_whole_gives(title):
    """In any pieces, rates behind the frames as they like; what is settled stays settled."""
    segmenter = Segmenter(title.config, 0.5)
    rated = framed = 0
    shots, promises = [], []
    everything = (len(title.rates), len(title.rates))
    for more_frames, more_rates in [*title.steps, everything]:
        ready = min(framed + more_frames, len(title.times))
        rates = min(rated + more_rates, ready)
        shots += segmenter.push(
            np.array(title.rates[rated:rates], dtype=np.float32),
            np.array(title.times[framed:ready], dtype=np.int64),
            title.frames[framed:ready],
        )
        rated, framed = rates, ready
        if framed:
            promises.append((segmenter.settled, sum(not shot.forced for shot in shots)))
    shots += segmenter.finish(title.end)
    whole = segment(title.rates, title.times, title.end, title.frames, title.config)
    check_partition(shots, title)
    assert [s.span for s in shots if not s.forced] == [s.span for s in whole if not s.forced]
    assert shots == whole
    times = [time for time, _ in promises]
    assert times == sorted(times)
    cuts = [shot.span.end for shot in shots if not shot.forced]
    for settled, given_out in promises:
        assert all(end >= settled for end in cuts[given_out:])


def test_cuts():
    assert cut([9] * 20 + [99] * 30 + [200] * 7) == [(0, 20), (20, 50), (50, 57)]
    assert cut([9]) == [(0, 1)]
    assert cut([9, 99]) == [(0, 2)]


def test_nothing_at_all():
    assert segment([], [], 0, np.zeros((0, 1, 2, 3), np.uint8), PLAIN) == []
    assert Segmenter(PLAIN, 0.5).settled == 0


@pytest.mark.parametrize("length", [1, 2, 4])
def test_a_flash_cuts_nothing(length):
    assert cut([50] * 20 + [250] * length + [52] * 20) == [(0, 40 + length)]


def test_a_flash_as_long_as_a_shot_is_one():
    assert cut([50] * 20 + [250] * 5 + [50] * 20) == [(0, 20), (20, 25), (25, 45)]


@pytest.mark.parametrize("length", [1, 2, 4])
def test_a_short_piece_between_different_shots_joins_one(length):
    found = cut([50] * 20 + [250] * length + [120] * 20)
    assert found in ([(0, 20), (20, 40 + length)], [(0, 20 + length), (20 + length, 40 + length)])


@pytest.mark.parametrize("rates", [[0.9], [0.9, 0.9], [0.6, 0.9, 0.6], [0.9, 0, 0, 0.7]])
def test_a_cut_between_dark_pictures_is_no_flash(rates):
    """However alike the pictures are on average, nothing lights up between them."""
    found = np.zeros(40)
    found[19 : 19 + len(rates)] = rates
    assert len(cut([10] * 20 + [15] * 20, rates=found)) == 2


def test_the_surer_cut_is_kept():
    levels = [50] * 20 + [250] * 2 + [120] * 20
    rates = np.zeros(len(levels))
    rates[19], rates[21] = 0.6, 0.9
    assert cut(levels, rates=rates) == [(0, 22), (22, 42)]
    rates[19], rates[21] = 0.9, 0.6
    assert cut(levels, rates=rates) == [(0, 20), (20, 42)]


def test_short_pieces_at_the_ends_join():
    assert cut([9] * 2 + [99] * 30 + [200] * 2) == [(0, 34)]


def test_a_flash_right_before_a_cut_hides_it_not():
    assert cut([50] * 20 + [250] + [50] * 5 + [150] * 20) == [(0, 26), (26, 46)]


def test_a_gradual_transition_is_one_boundary():
    rates = np.zeros(60)
    rates[25:35] = [0.55, 0.7, 0.8, 0.9, 0.9, 0.9, 0.8, 0.7, 0.6, 0.55]
    [(_, end), _] = cut([50] * 60, rates=rates)
    assert end == 30  # the middle of the highest


def test_a_long_take_is_cut_at_the_maximum():
    config = ShotConfig(min_length=5 * FRAME, max_length=100 * FRAME)
    assert cut([50] * 330, config) == [(0, 100), (100, 200), (200, 300), (300, 330)]
    times = [i * FRAME for i in range(330)]
    shots = segment([0.0] * 330, times, 330 * FRAME, flat([50] * 330), config)
    assert [shot.forced for shot in shots] == [True, True, True, False]


def test_a_take_a_little_over_the_maximum_leaves_no_crumb():
    config = ShotConfig(min_length=5 * FRAME, max_length=100 * FRAME)
    assert cut([50] * 102 + [150] * 50, config) == [(0, 51), (51, 102), (102, 152)]


@pytest.mark.parametrize("gap", [FRAME, 150_000, 190_000])
def test_a_real_cut_soon_after_the_maximum_is_kept(gap):
    """At any frame rate: a forced boundary must not stand where the real one wants to."""
    config = ShotConfig(min_length=200_000, max_length=US)
    for before in range(-(-200_000 // gap), 20):
        levels = [50] * before + [150] * 20
        rates = np.zeros(len(levels))
        rates[before - 1] = 0.9
        times = [i * gap for i in range(len(levels))]
        shots = segment(rates, times, len(levels) * gap, flat(levels), config)
        assert before * gap in {shot.span.end for shot in shots if not shot.forced}


def test_memory_is_that_of_the_open_shot():
    config = ShotConfig(min_length=5 * FRAME, max_length=100 * FRAME)
    segmenter = Segmenter(config, 0.5)
    most = 0
    for start in range(0, 5000, 50):
        times = np.arange(start, start + 50) * FRAME
        segmenter.push(np.zeros(50, np.float32), times, flat([50] * 50))
        most = max(most, len(segmenter._frames))
    assert most < 100 + 5 + 50 + 2


@pytest.mark.parametrize("least,most", [(0, 0), (-1, 10), (10, 19), (5, -5)])
def test_lengths_that_cannot_be(least, most):
    with pytest.raises(MediaFMError, match="cannot be made"):
        ShotConfig(min_length=least, max_length=most)
