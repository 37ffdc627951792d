"""Intervals: what they cover, what widens them, and what is paired."""

import math

import numpy as np
import pytest

from mediafm.probes import bootstrap
from mediafm.probes.bootstrap import (
    Difference,
    Interval,
    difference,
    interval,
    mean_difference,
    mean_interval,
    resamples,
)
from mediafm.probes.metrics import METRICS, Predictions

AP = METRICS["AP"]


def make(truth, score, group, title=None, groups=None):
    truth, score = (np.asarray(x, np.float64)[:, None] for x in (truth, score))
    group = np.asarray(group, np.int64)
    title = np.arange(len(truth)) if title is None else np.asarray(title)
    names = tuple(f"group {g}" for g in range(groups or int(group.max()) + 1))
    return Predictions(truth, score, title.astype(np.int64), group, ("a class",), names)


def series(rng, groups, rows, spread):
    """Tags of series that differ in how often they have the tag and how well it is seen."""
    group = np.repeat(np.arange(groups), rows)
    often, seen = rng.random(groups), 1 + spread * rng.normal(size=groups)
    truth = (rng.random(groups * rows) < often[group]).astype(float)
    return make(truth, truth * seen[group] + rng.normal(size=len(truth)), group)


def with_score(predictions, score):
    return make(
        predictions.truth_NC[:, 0], score, predictions.group_N, groups=len(predictions.groups)
    )


def noisier(predictions, seed, scale=1.0):
    noise = np.random.default_rng(seed).normal(size=len(predictions.title_N))
    return with_score(predictions, predictions.score_NC[:, 0] + scale * noise)


def test_resamples_are_draws_with_replacement():
    weight_BG = resamples(20, 5000, seed=3)
    assert weight_BG.shape == (5000, 20)
    assert weight_BG.dtype == np.float64
    assert (weight_BG.sum(axis=1) == 20).all()
    # Each is drawn once on average, and not at all in (1 - 1/20) ** 20 of the resamples.
    np.testing.assert_allclose(weight_BG.mean(axis=0), 1, atol=0.1)
    assert (weight_BG == 0).mean() == pytest.approx(0.95**20, abs=0.01)
    assert (weight_BG == resamples(20, 5000, seed=3)).all()
    assert (weight_BG != resamples(20, 5000, seed=4)).any()


def test_interval_is_the_percentiles_of_the_resamples():
    predictions = series(np.random.default_rng(0), groups=10, rows=8, spread=0.5)
    weight_BG = resamples(10, 300, seed=5)
    value_B = [float(AP.values(predictions, w[None])[0]) for w in weight_BG]
    found = interval(AP, predictions, draws=300, seed=5, level=0.8)
    assert found.value == pytest.approx(AP.values(predictions, np.ones((1, 10)))[0])
    assert [found.low, found.high] == pytest.approx(list(np.quantile(value_B, [0.1, 0.9])))
    assert found.low < found.value < found.high


def coverage(as_groups, trials=100):
    """Share of the intervals over samples of series that hold the value of all series."""
    everything = series(np.random.default_rng(1), 10_000, 20, 1)
    truth = float(AP.values(everything, np.ones((1, 10_000)))[0])
    held = 0
    for trial in range(trials):
        predictions = series(np.random.default_rng([2, trial]), 40, 20, 1)
        found = interval(AP, as_groups(predictions), draws=200, seed=trial)
        held += found.low <= truth <= found.high
    return held / trials


def rows_as_groups(predictions):
    rows = np.arange(len(predictions.title_N))
    return make(predictions.truth_NC[:, 0], predictions.score_NC[:, 0], rows)


def test_intervals_over_groups_cover_and_those_over_rows_do_not():
    assert 0.88 <= coverage(lambda predictions: predictions) <= 0.99
    assert coverage(rows_as_groups) < 0.75


def test_resemblance_within_groups_widens_the_interval():
    predictions = series(np.random.default_rng(3), 40, 20, 1)
    grouped, single = interval(AP, predictions), interval(AP, rows_as_groups(predictions))
    assert grouped.value == single.value
    assert grouped.high - grouped.low > 1.5 * (single.high - single.low)


@pytest.mark.parametrize("name", list(METRICS))
def test_identical_predictions_do_not_differ(name):
    rng = np.random.default_rng(4)
    title = rng.integers(0, 30, 300)
    truth = rng.integers(0, 2, 300)
    predictions = make(truth, rng.normal(size=300), title % 7, title)
    # Another scale is the same ranking.
    scaled = make(truth, 3 * predictions.score_NC[:, 0] + 1, title % 7, title)
    for other in (predictions, scaled):
        found = difference(METRICS[name], predictions, other)
        assert found == Difference(0, 0, 0, 0.5, found.groups)


def test_pairs_are_more_certain_than_their_parts():
    ours = series(np.random.default_rng(5), 40, 20, 1)
    theirs = noisier(ours, seed=6, scale=1)
    found = difference(AP, ours, theirs, draws=400)
    back = difference(AP, theirs, ours, draws=400)
    single = [interval(AP, p, draws=400) for p in (ours, theirs)]
    assert found.value == pytest.approx(single[0].value - single[1].value)
    assert found.high - found.low < 0.7 * (single[0].high - single[0].low)
    assert (back.value, back.low, back.high) == pytest.approx(
        (-found.value, -found.high, -found.low)
    )
    assert found.p_above == pytest.approx(1 - back.p_above)
    assert found.low > 0
    assert found.p_above > 0.98


def test_p_above_by_hand():
    # Ours win group 0, theirs group 1: what counts is which was drawn more often.
    title = [0, 0, 1, 1]
    ours = make([0, 1, 0, 1], [0, 1, 1, 0], [0, 0, 1, 1], title)
    theirs = make([0, 1, 0, 1], [1, 0, 0, 1], [0, 0, 1, 1], title)
    weight_BG = resamples(2, 500, seed=0)
    more = (weight_BG[:, 0] > weight_BG[:, 1]).mean() + 0.5 * (weight_BG[:, 0] == 1).mean()
    found = difference(METRICS["top-1"], ours, theirs, draws=500)
    assert found == Difference(0, -1, 1, pytest.approx(more), 2)


def changed(predictions, **parts):
    values = {name: getattr(predictions, name) for name in Predictions.__slots__}
    return Predictions(**(values | parts))


def test_pairs_need_the_same_rows():
    ours = series(np.random.default_rng(7), 4, 5, 1)
    missing = ours.truth_NC.copy()
    missing[3] = np.nan
    assert difference(AP, changed(ours, truth_NC=missing), changed(ours, truth_NC=missing.copy()))
    for theirs, word in [
        (changed(ours, truth_NC=missing), "truth_NC differs"),
        (changed(ours, truth_NC=1 - ours.truth_NC), "truth_NC differs"),
        (changed(ours, title_N=ours.title_N[::-1]), "title_N differs"),
        (changed(ours, group_N=ours.group_N[::-1]), "group_N differs"),
        (changed(ours, groups=tuple("abcd")), "groups"),
        (changed(ours, classes=("another",)), "classes"),
        (series(np.random.default_rng(7), 4, 6, 1), "title_N differs"),
    ]:
        with pytest.raises(ValueError, match=word):
            difference(AP, ours, theirs)


def test_seeds_are_averaged_in_the_same_resamples():
    base = series(np.random.default_rng(8), 12, 20, 1)
    ours = [noisier(base, seed, 0.3) for seed in range(3)]
    theirs = [noisier(base, seed, 0.8) for seed in range(10, 13)]
    weight_BG = resamples(12, 200, seed=1)
    ours_B, theirs_B = (
        np.mean([AP.values(p, weight_BG) for p in all_seeds], axis=0)
        for all_seeds in (ours, theirs)
    )
    found = mean_interval(AP, ours, draws=200, seed=1)
    assert [found.low, found.high] == pytest.approx(list(np.quantile(ours_B, [0.025, 0.975])))
    assert found.value == pytest.approx(np.mean([interval(AP, p, draws=1).value for p in ours]))
    apart = mean_difference(AP, ours, theirs, draws=200, seed=1)
    ends = np.quantile(ours_B - theirs_B, [0.025, 0.975])
    assert [apart.low, apart.high] == pytest.approx(list(ends))
    assert apart.p_above == pytest.approx((ours_B > theirs_B).mean())
    # Of one seed, they are the plain ones.
    assert mean_interval(AP, ours[:1]) == interval(AP, ours[0])
    assert mean_difference(AP, ours[:1], theirs[:1]) == difference(AP, ours[0], theirs[0])


def test_seeds_may_differ_in_rows_but_not_in_groups():
    rng = np.random.default_rng(9)
    seeds = [series(rng, 12, rows, 1) for rows in (5, 9)]
    assert mean_interval(AP, seeds, draws=50).low > 0
    with pytest.raises(ValueError, match="groups differ"):
        mean_interval(AP, [seeds[0], series(rng, 11, 5, 1)])
    with pytest.raises(ValueError, match="no predictions"):
        mean_interval(AP, [])
    with pytest.raises(ValueError, match="no predictions"):
        mean_difference(AP, [], [])


def test_without_two_groups_there_is_no_interval():
    lone = make([1, 0, 1], [3, 2, 1], [0, 0, 0])
    # A second group that nobody judged is no second witness.
    unjudged = make([1, 0, 1, np.nan], [3, 2, 1, 0], [0, 0, 0, 1])
    for predictions in (lone, unjudged):
        found = interval(AP, predictions)
        assert found.value == pytest.approx(5 / 6)
        assert math.isnan(found.low)
        assert math.isnan(found.high)
        assert math.isnan(difference(AP, predictions, predictions).p_above)
    nothing = interval(AP, make([np.nan], [1], [0]))
    assert all(math.isnan(x) for x in (nothing.value, nothing.low, nothing.high))


def test_unjudged_groups_change_nothing():
    predictions = series(np.random.default_rng(10), 6, 10, 1)
    more = make(
        np.append(predictions.truth_NC[:, 0], np.nan),
        np.append(predictions.score_NC[:, 0], 0),
        np.append(predictions.group_N, 6),
        groups=9,
    )
    assert interval(AP, predictions) == interval(AP, more)


def test_resamples_without_a_value_are_left_out():
    # The only positive is in group 0; where it is not drawn, there is nothing to measure.
    predictions = make([1, 0, 0], [1, 0, 2], [0, 1, 2])
    weight_BG = resamples(3, 200, seed=0)
    value_B = AP.values(predictions, weight_BG)
    assert 0.1 < np.isnan(value_B).mean() < 0.5
    found = interval(AP, predictions, draws=200)
    assert [found.low, found.high] == list(np.nanquantile(value_B, [0.025, 0.975]))


def test_parts_of_the_draws_make_one_draw(monkeypatch):
    predictions = series(np.random.default_rng(11), 10, 5, 1)
    whole = interval(AP, predictions, draws=100)
    monkeypatch.setattr(bootstrap, "_CELLS", 70)
    parts = interval(AP, predictions, draws=100)
    assert parts == whole
    assert interval(AP, predictions, draws=100, seed=1) != whole


def test_settings_that_make_no_sense():
    predictions = series(np.random.default_rng(12), 4, 5, 1)
    with pytest.raises(ValueError, match="draws is 0"):
        interval(AP, predictions, draws=0)
    for level in (0, 1, 95):
        with pytest.raises(ValueError, match="level"):
            interval(AP, predictions, level=level)
    assert isinstance(interval(AP, predictions, draws=1), Interval)
