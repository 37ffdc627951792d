"""Metrics against scikit-learn and SciPy, in resamples against rows that are really repeated."""

import math
import pickle
import tracemalloc
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.stats import kendalltau
from sklearn.metrics import average_precision_score

from mediafm.probes import metrics, ranking
from mediafm.probes.metrics import METRICS, Predictions, per_class
from mediafm.probes.ranking import kendall_tau, winner

NAMES = list(METRICS)
AP_NAMES = ["AP", "macro AP", "micro AP"]


def make(truth, score, group=None, title=None, groups=None, classes=None):
    """Predictions; a vector is one column, and every row is a title and group unless given."""
    truth, score = (np.asarray(x, np.float64) for x in (truth, score))
    truth, score = (x[:, None] if x.ndim == 1 else x for x in (truth, score))
    title = np.arange(len(truth)) if title is None else np.asarray(title)
    group = title if group is None else np.asarray(group)
    count = groups or (int(group.max()) + 1 if len(group) else 0)
    return Predictions(
        truth,
        score,
        title.astype(np.int64),
        group.astype(np.int64),
        classes or tuple(f"class {c}" for c in range(truth.shape[1])),
        tuple(f"group {g}" for g in range(count)),
    )


def value(name, predictions):
    return float(METRICS[name].values(predictions, np.ones((1, len(predictions.groups))))[0])


def repeated(predictions, weights):
    """Rows of each group as often as its weight says, every copy of a title a title of its own."""
    parts = []
    for g, weight in enumerate(weights):
        rows = np.flatnonzero(predictions.group_N == g)
        parts += [(rows, copy) for copy in range(int(weight))]
    rows = np.concatenate([np.zeros(0, np.int64), *[rows for rows, _ in parts]])
    copies = np.concatenate([np.zeros(0, np.int64), *[np.full(len(r), c) for r, c in parts]])
    return Predictions(
        predictions.truth_NC[rows],
        predictions.score_NC[rows],
        predictions.title_N[rows] + 1000 * copies,
        predictions.group_N[rows],
        predictions.classes,
        predictions.groups,
    )


def take(predictions, rows):
    return Predictions(
        predictions.truth_NC[rows],
        predictions.score_NC[rows],
        predictions.title_N[rows],
        predictions.group_N[rows],
        predictions.classes,
        predictions.groups,
    )


# Few distinct scores make ties, one makes constant scores; some are far apart, or hardly apart.
SCORES = st.sampled_from(
    [[0.0], [0.0, 1.0], [-0.0, 0.0, 1e-300, 0.5], [-8e307, 8e307], list(np.arange(50) / 7)]
)


@st.composite
def tagged(draw, most=3):
    """Predictions of up to so many classes, with rows that nobody judged."""
    shape = draw(st.integers(1, 40)), draw(st.integers(1, most))
    truth = draw(hnp.arrays(np.float64, shape, elements=st.sampled_from([0.0, 1.0, np.nan])))
    score = draw(hnp.arrays(np.float64, shape, elements=st.sampled_from(draw(SCORES))))
    groups = draw(st.integers(1, 5))
    group = draw(hnp.arrays(np.int64, shape[0], elements=st.integers(0, groups - 1)))
    return make(truth, score, group, groups=groups)


def for_metric(name):
    """Predictions that the metric takes."""
    return {"AP": tagged(1), "kendall": ranked(), "top-1": ranked()}.get(name, tagged())


@st.composite
def ranked(draw):
    """Predictions of rates, for titles of one clip and more, in no order."""
    titles, rows = draw(st.integers(1, 5)), draw(st.integers(1, 30))
    title = draw(hnp.arrays(np.int64, rows, elements=st.integers(0, titles - 1)))
    rates = st.sampled_from([0.1, 0.2, 0.3, np.nan])
    truth = draw(hnp.arrays(np.float64, rows, elements=rates))
    score = draw(hnp.arrays(np.float64, rows, elements=st.sampled_from(draw(SCORES))))
    group = draw(hnp.arrays(np.int64, titles, elements=st.integers(0, 2)))
    return make(truth, score, group[title], title, groups=3)


WEIGHTS = hnp.arrays(np.float64, (4, 5), elements=st.integers(0, 3).map(float))


def reference_ap(predictions, columns, weights):
    """By scikit-learn, over the judged entries of some columns pooled; NaN without positives."""
    truth, score = (x[:, columns].ravel() for x in (predictions.truth_NC, predictions.score_NC))
    weight = np.repeat(weights[predictions.group_N], len(columns))
    kept = ~np.isnan(truth)
    if not (truth[kept] * weight[kept]).any():
        return math.nan
    return average_precision_score(truth[kept], score[kept], sample_weight=weight[kept])


def reference(name, predictions, weights):
    columns = list(range(len(predictions.classes)))
    if name != "macro AP":
        return reference_ap(predictions, columns, weights)
    each = [reference_ap(predictions, [c], weights) for c in columns]
    scored = [ap for ap in each if not math.isnan(ap)]
    return np.mean(scored) if scored else math.nan


@given(tagged(), WEIGHTS)
@settings(max_examples=60)
def test_average_precision_is_that_of_scikit_learn(predictions, weight_BG):
    weight_BG = weight_BG[:, : len(predictions.groups)]
    for name in AP_NAMES[0 if len(predictions.classes) == 1 else 1 :]:
        found_B = METRICS[name].values(predictions, weight_BG)
        wanted_B = [reference(name, predictions, weights) for weights in weight_BG]
        np.testing.assert_allclose(found_B, wanted_B, rtol=1e-12)


@pytest.mark.parametrize("share", [0.02, 0.5])
@pytest.mark.parametrize("distinct", [40, None])
def test_average_precision_over_many_blocks(share, distinct):
    rng = np.random.default_rng(0)
    truth = (rng.random((3000, 3)) < share).astype(float)
    score = truth + rng.normal(size=truth.shape)
    if distinct:
        score = np.round(score * distinct / 8)
    predictions = make(truth, score, rng.integers(0, 30, 3000))
    weight_BG = rng.integers(0, 4, (5, 30)).astype(float)
    weight_BG[4] = rng.random(30)  # weights need not be whole
    assert len(set(score[truth == 1])) > (metrics._LEVELS if distinct is None else 20)
    for name in AP_NAMES[1:]:
        wanted_B = [reference(name, predictions, weights) for weights in weight_BG]
        found_B = METRICS[name].values(predictions, weight_BG)
        np.testing.assert_allclose(found_B, wanted_B, rtol=1e-12)


def by_title(predictions, of_title):
    """Values of titles that have one, each with its group."""
    kept = ~np.isnan(predictions.truth_NC[:, 0])
    for title in np.unique(predictions.title_N[kept]):
        rows = kept & (predictions.title_N == title)
        found = of_title(predictions.truth_NC[rows, 0], predictions.score_NC[rows, 0])
        if found is not None:
            yield int(predictions.group_N[rows][0]), found


def reference_tau(truth, score):
    if len(set(truth)) < 2:
        return None
    return kendalltau(truth, score).statistic if len(set(score)) > 1 else 0.0


def reference_winner(truth, score):
    """Every way to break the ties, one after the other."""
    if min(truth) == max(truth):
        return None
    picks = [i for i in range(len(score)) if score[i] == max(score)]
    return sum(truth[i] == max(truth) for i in picks) / len(picks)


@pytest.mark.parametrize(
    ("name", "of_title"), [("kendall", reference_tau), ("top-1", reference_winner)]
)
@given(predictions=ranked(), weight_BG=WEIGHTS)
@settings(max_examples=60)
def test_rankings_are_means_over_titles(name, of_title, predictions, weight_BG):
    weight_BG = weight_BG[:, :3]
    found_B = METRICS[name].values(predictions, weight_BG)
    titles = list(by_title(predictions, of_title))
    for found, weights in zip(found_B, weight_BG, strict=True):
        total = sum(weights[g] for g, _ in titles)
        wanted = sum(weights[g] * v for g, v in titles) / total if total else math.nan
        np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-14)
    counts = np.isin(np.arange(3), [g for g, _ in titles])
    assert METRICS[name].counts(predictions).tolist() == counts.tolist()


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
@settings(max_examples=30)
def test_a_weight_of_two_is_the_group_twice(name, data):
    predictions = data.draw(for_metric(name))
    weight_BG = data.draw(WEIGHTS)[:, : len(predictions.groups)]
    found_B = METRICS[name].values(predictions, weight_BG)
    wanted_B = [value(name, repeated(predictions, weights)) for weights in weight_BG]
    np.testing.assert_allclose(found_B, wanted_B, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
@settings(max_examples=30)
def test_the_order_of_the_rows_changes_nothing(name, data):
    predictions = data.draw(for_metric(name))
    weight_BG = data.draw(WEIGHTS)[:, : len(predictions.groups)]
    rows = np.array(data.draw(st.permutations(range(len(predictions.title_N)))))
    moved = take(predictions, rows)
    metric = METRICS[name]
    np.testing.assert_array_equal(
        metric.values(predictions, weight_BG), metric.values(moved, weight_BG)
    )
    np.testing.assert_allclose(metric.chance(predictions), metric.chance(moved), rtol=1e-12)


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
@settings(max_examples=30)
def test_scores_that_know_nothing_of_the_clips_get_chance(name, data):
    predictions = data.draw(for_metric(name))
    judged_NC = ~np.isnan(predictions.truth_NC)
    often_C = np.nansum(predictions.truth_NC, axis=0) / np.maximum(judged_NC.sum(axis=0), 1)
    flat = make(
        predictions.truth_NC,
        # Pooled, they may know how frequent each class is.
        np.zeros_like(predictions.score_NC) + (often_C if name == "micro AP" else 0),
        predictions.group_N,
        predictions.title_N,
        groups=len(predictions.groups),
    )
    chance = METRICS[name].chance(predictions)
    if name in AP_NAMES and not (predictions.truth_NC > 0).any():
        assert math.isnan(chance) or chance == 0
    elif name != "kendall":
        np.testing.assert_allclose(value(name, flat), chance, rtol=1e-12)
    else:
        assert chance == 0
        assert value(name, flat) == 0 or math.isnan(value(name, flat))


def test_by_hand():
    # Sorted: hit, miss, hit and miss tied: 1/2 * 1 + 1/2 * 2/4.
    assert value("AP", make([1, 0, 1, 0], [9, 8, 7, 7])) == 0.75
    # A negative that nobody judged is none; without the class that has no positive.
    both = make([[1, 0], [np.nan, 0], [0, 0]], [[1, 1], [2, 2], [0, 0]])
    assert value("macro AP", both) == 1
    assert METRICS["macro AP"].chance(both) == 0.5
    # Pooled, two of the other class are above the hit.
    assert value("micro AP", both) == 1 / 3
    # Who knows that only the first class occurs: one hit among the two of it.
    assert METRICS["micro AP"].chance(both) == 0.5
    # The pairs of three clips: two agree, one does not. The second title has all scores tied.
    clips = make([1, 2, 3, 1, 2], [1, 3, 2, 0, 0], title=[0, 0, 0, 1, 1])
    assert value("kendall", clips) == pytest.approx((1 / 3 + 0) / 2)
    assert value("top-1", clips) == 0.25
    assert METRICS["top-1"].chance(clips) == pytest.approx((1 / 3 + 1 / 2) / 2)


def test_titles_without_an_order():
    single = make([0.1, 0.2], [1, 2], title=[0, 1])
    assert math.isnan(value("kendall", single))
    assert math.isnan(value("top-1", single))
    assert math.isnan(METRICS["top-1"].chance(single))
    equal = make([0.1, 0.1], [1, 2], title=[0, 0])
    assert math.isnan(value("kendall", equal))
    assert math.isnan(value("top-1", equal)) and math.isnan(METRICS["top-1"].chance(equal))


def test_kendall_over_blocks(monkeypatch):
    rng = np.random.default_rng(0)
    truth, score = rng.integers(0, 30, (2, 7, 50)).astype(float)
    score[0, :2] = -1.7e308, 1.7e308  # their difference is no float
    wanted = [kendalltau(t, s).statistic for t, s in zip(truth, score, strict=True)]
    monkeypatch.setattr(ranking, "_CELLS", 170)  # three clips at once, across titles
    np.testing.assert_allclose(kendall_tau(truth, score), wanted, rtol=1e-12)
    assert kendall_tau(truth, truth).tolist() == [1] * 7
    assert kendall_tau(truth, -truth).tolist() == [-1] * 7
    assert winner(truth, truth).tolist() == [1] * 7


def test_nothing_defined_is_nan_without_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for truth in ([0, 0], [np.nan, np.nan]):
            for name in AP_NAMES:
                assert math.isnan(value(name, make(truth, [1, 2])))
        for name in NAMES:
            empty = make(np.zeros((0, 1)), np.zeros((0, 1)))
            assert METRICS[name].values(empty, np.ones((3, 0))).shape == (3,)
            assert math.isnan(value(name, empty))
            assert METRICS[name].chance(empty) == 0 or math.isnan(METRICS[name].chance(empty))
            assert METRICS[name].counts(empty).shape == (0,)


def test_per_class():
    truth = [[1, 0, np.nan], [0, 0, np.nan], [1, np.nan, np.nan]]
    rows = per_class(make(truth, [[3, 1, 1], [2, 2, 2], [1, 3, 3]], classes=("a", "b", "c")))
    assert rows[0] == ("a", 2, 3, pytest.approx(5 / 6), pytest.approx(2 / 3))
    assert rows[1][:3] == ("b", 0, 2)
    assert math.isnan(rows[1].ap)
    assert rows[1].prevalence == 0
    assert rows[2][:3] == ("c", 0, 0)
    assert math.isnan(rows[2].prevalence)


def test_groups_that_count():
    truth = [[1, np.nan], [np.nan, 0], [np.nan, np.nan], [0, np.nan]]
    predictions = make(truth, np.zeros((4, 2)))
    assert METRICS["micro AP"].counts(predictions).tolist() == [True, True, False, True]
    # The second column has no positive and is not in the mean.
    assert METRICS["macro AP"].counts(predictions).tolist() == [True, False, False, True]


@pytest.mark.parametrize(
    ("name", "wrong", "words"),
    [
        ("AP", make(np.eye(2), np.eye(2)), "AP is for one column"),
        ("kendall", make(np.eye(2), np.eye(2)), "one column"),
        ("top-1", make(np.eye(2), np.eye(2)), "one column"),
        ("AP", make([0.5, 1], [1, 2]), "0 or 1"),
        ("kendall", make([0, 1], [1, 2], title=[7, 7], group=[0, 1]), "group 0 and group 1"),
    ],
)
def test_what_a_metric_does_not_take(name, wrong, words):
    with pytest.raises(ValueError, match=words):
        value(name, wrong)


def test_predictions_fit_together():
    for truth, score, group, words in [
        ([1, 0], [1, np.nan], None, "score_NC is not finite"),
        ([1, np.inf], [1, 2], None, "truth_NC is infinite"),
        ([1, 0], [1, 2], [0, -1], "codes outside"),
        ([1, 0], [1, 2, 3], None, "score_NC is"),
        ([1, 0], [1, 2], [0], "group_N"),
    ]:
        with pytest.raises(ValueError, match=words):
            make(truth, score, group, groups=2)
    with pytest.raises(ValueError, match="one per resample and group"):
        METRICS["AP"].values(make([1, 0], [1, 2]), np.ones((1, 1)))


@pytest.mark.parametrize("name", NAMES)
def test_metrics_travel_to_other_processes(name):
    predictions = make([0, 1, 1, 0], [1, 3, 2, 2], title=[0, 0, 1, 1])
    there, weight_BG = pickle.loads(pickle.dumps(METRICS[name])), np.ones((1, 2))
    assert there.name == name
    assert there.values(predictions, weight_BG) == METRICS[name].values(predictions, weight_BG)


def test_many_resamples_do_not_fill_the_memory():
    rng = np.random.default_rng(0)
    truth = (rng.random((5000, 3)) < 0.2).astype(float)
    predictions = make(truth, rng.normal(size=truth.shape), rng.integers(0, 50, 5000))
    weight_BG = rng.integers(0, 3, (5000, 50)).astype(float)
    tracemalloc.start()
    try:
        METRICS["micro AP"].values(predictions, weight_BG)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # All entries in all resamples are 600 MB.
    assert peak < 60e6
