import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.calibration import _sigmoid_calibration
from sklearn.metrics import average_precision_score, f1_score

from mediafm.errors import MediaFMError
from mediafm.probes import designs, head, heads
from mediafm.probes.calibration import best_threshold, platt
from mediafm.probes.heads import DEFAULT_PENALTY, Examples, fit, pairs
from mediafm.probes.metrics import METRICS


def clips(count, width=12, columns=1, groups=12, seed=0, noise=1.0, rate=0.3):
    """Clips whose labels lean on the first components."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(count, width)).astype(np.float32)
    s = x[:, :columns] + noise * rng.normal(size=(count, columns))
    y = (s > np.quantile(s, 1 - rate, axis=0)).astype(np.float64)
    titles = [f"t{i % groups:02}" for i in range(count)]
    return Examples(x, y, titles, titles)


def names(examples):
    return [f"c{c}" for c in range(examples.y_NC.shape[1])]


@pytest.mark.parametrize("balance", [False, True])
def test_a_head_finds_what_is_there_and_says_how_likely(balance):
    train, test = clips(3000, columns=3, rate=0.1), clips(3000, columns=3, rate=0.1, seed=1)
    head = fit("multi-label", train, names(train), "macro AP", balance=balance).head
    p_NC = head.probabilities(test.x_ND)
    for c in range(3):
        assert average_precision_score(test.y_NC[:, c], p_NC[:, c]) > 0.4  # chance is 0.1
        # Calibrated: of ten shares by probability, each is as likely as it says.
        for part in np.array_split(np.argsort(p_NC[:, c]), 10):
            assert abs(p_NC[part, c].mean() - test.y_NC[part, c].mean()) < 0.08


def test_shuffled_labels_give_chance():
    train, test = clips(2000), clips(2000, seed=1)
    wrong = dataclasses.replace(train, y_NC=np.random.default_rng(3).permutation(train.y_NC))
    score = fit("binary", wrong, ["c0"], "AP").head.scores(test.x_ND)
    assert abs(average_precision_score(test.y_NC[:, 0], score[:, 0]) - 0.3) < 0.04


def test_the_penalty_is_chosen_without_the_clips_that_judge_it():
    # Every title has its own component that gives its clips away: a head that was fitted on a
    # clip's own title is perfect, one that was not knows only the first component.
    rng = np.random.default_rng(0)
    titles = np.repeat(np.arange(30), 10)
    x = np.zeros((300, 31), np.float32)
    y = (rng.random(300) < 0.5).astype(np.float64)
    x[:, 0] = y + 1.5 * rng.normal(size=300)
    x[np.arange(300), 1 + titles] = 20 * (2 * y - 1)
    x += 0.01 * rng.normal(size=x.shape)
    groups = [f"t{t}" for t in titles]
    found = fit("binary", Examples(x, y[:, None], groups, groups), ["c0"], "AP")
    assert max(found.curve.values()) < 0.9
    own = found.head.scores(x)[:, 0]
    assert average_precision_score(y, own) > 0.99  # it does know the clips that it was fitted on
    assert average_precision_score(y, found.inside.score_NC[:, 0]) == pytest.approx(
        found.curve[found.head.penalty]
    )


def test_a_clip_does_not_change_what_the_folds_say_of_its_own_group():
    train = clips(120, groups=6)
    one = fit("binary", train, ["c0"], "AP", penalties=[0.1], balance=True)
    other = train.y_NC.copy()
    mine = np.array(train.groups) == "t03"
    other[mine] = 1 - other[mine]
    two = fit("binary", dataclasses.replace(train, y_NC=other), ["c0"], "AP", penalties=[0.1],
              balance=True)  # fmt: skip
    moved = np.abs(one.inside.score_NC - two.inside.score_NC)[:, 0]
    assert moved[mine].max() < 1e-3 < moved[~mine].max()


def test_a_planted_ranking_is_found_across_titles():
    rng = np.random.default_rng(0)
    titles = [f"t{i // 15:02}" for i in range(600)]
    level = np.repeat(rng.normal(size=(40, 10)), 15, axis=0)
    x = (3 * level + rng.normal(size=(600, 10))).astype(np.float32)
    # Titles differ in their rates by something that says nothing of the order within.
    rate = (x - 3 * level)[:, 0] - 10 * level[:, 0] + 0.3 * rng.normal(size=600)
    every = Examples(x, rate[:, None], titles, titles)
    train, test = every.part(np.arange(600) < 450), every.part(np.arange(600) >= 450)
    found = fit("ranking", train, ["ctr"], "kendall")
    score = found.head.scores(test.x_ND)
    assert METRICS["kendall"].value(test.predictions(score, ["ctr"])) > 0.7
    assert found.head.bias_C == 0 and found.head.slope_C == 1
    with pytest.raises(ValueError, match="no probabilities"):
        found.head.probabilities(test.x_ND)


def test_pairs_are_all_of_a_title_but_for_ties_and_the_unjudged(monkeypatch):
    rate = np.array([0.1, 0.3, np.nan, 0.3, 0.2, 0.9])
    first, second, weight = pairs(rate, ["a", "b", "a", "a", "a", "b"])
    assert set(zip(first, second, strict=True)) == {(3, 0), (4, 0), (3, 4), (5, 1)}
    # As much as there are clips: three judged in a, two in b.
    assert weight[first == 5].sum() == pytest.approx(2)
    assert weight[first != 5].sum() == pytest.approx(3)
    monkeypatch.setattr(heads, "_MOST_PAIRS", 50)
    rate = np.random.default_rng(0).random(100)
    first, second, weight = pairs(rate, ["a"] * 100)
    assert 40 < len(first) <= 50 and (rate[first] > rate[second]).all()
    assert weight.sum() == pytest.approx(100)


def test_nothing_to_rank_is_no_failure():
    flat = Examples(
        np.eye(4, 3, dtype=np.float32), np.full((4, 1), 0.5), list("aabb"), list("aabb")
    )
    found = fit("ranking", flat, ["ctr"], "kendall")
    assert (found.head.scores(flat.x_ND) == 0).all() and found.head.penalty == DEFAULT_PENALTY


@pytest.mark.parametrize("groups", [1, 2, 5])
@pytest.mark.parametrize("count", [1, 2, 10])
@pytest.mark.parametrize("balance", [False, True])
def test_a_handful_of_clips_is_enough_to_answer(count, groups, balance):
    train = clips(count, columns=2, groups=groups)
    train.y_NC[0, 1] = np.nan
    found = fit("multi-label", train, names(train), "macro AP", balance=balance)
    p_NC = found.head.probabilities(train.x_ND)
    assert p_NC.shape == (count, 2) and ((p_NC > 0) & (p_NC < 1)).all()
    assert bool(found.curve) == (min(count, groups) > 1)


def test_one_group_is_divided_into_its_titles():
    train = dataclasses.replace(clips(200), groups=["the only series"] * 200)
    found = fit("binary", train, ["c0"], "AP")
    assert found.curve and found.inside is not None
    alone = dataclasses.replace(train, titles=["the only title"] * 200)
    found = fit("binary", alone, ["c0"], "AP")
    assert not found.curve and found.inside is None and found.head.penalty == DEFAULT_PENALTY


def test_a_class_without_positives_in_most_folds_does_not_spoil_the_others():
    train = clips(300, columns=3, groups=6)
    train.y_NC[:, 1] = np.array(train.groups) == "t00"  # in one group only
    train.y_NC[:, 2] = 0
    found = fit("multi-label", train, names(train), "macro AP", balance=True)
    alone = fit("multi-label", dataclasses.replace(train, y_NC=train.y_NC[:, :1]), ["c0"], "AP",
                penalties=[found.head.penalty], balance=True)  # fmt: skip
    np.testing.assert_allclose(
        found.head.probabilities(train.x_ND)[:, 0], alone.head.probabilities(train.x_ND)[:, 0],
        atol=1e-3)  # fmt: skip
    assert found.head.threshold_C[2] == 0.5
    assert (found.head.probabilities(train.x_ND)[:, 2] < 0.01).all()


def test_balancing_does_not_inflate_what_is_too_rare_to_calibrate():
    train = clips(1000, rate=0.004)
    found = fit("binary", train, ["c0"], "AP", balance=True, penalties=[10.0])
    assert found.head.slope_C == 1 and found.head.probabilities(train.x_ND).mean() < 0.02


def test_unjudged_labels_are_not_negatives():
    train = clips(400)
    hidden = dataclasses.replace(train, y_NC=train.y_NC.copy())
    hidden.y_NC[::4] = np.nan
    kept = train.part(np.arange(400) % 4 != 0)
    a = fit("binary", hidden, ["c0"], "AP", penalties=[0.01]).head
    b = fit("binary", kept, ["c0"], "AP", penalties=[0.01]).head
    # They differ in the rows that standardise only.
    corr = np.corrcoef(a.scores(train.x_ND)[:, 0], b.scores(train.x_ND)[:, 0])[0, 1]
    assert corr > 0.999 and abs(a.bias_C[0] - b.bias_C[0]) < 0.1


def test_classes_of_which_one_holds_sum_to_one():
    train = clips(300, columns=3)
    train.y_NC[:] = np.eye(3)[train.x_ND[:, :3].argmax(axis=1)]
    p_NC = fit("multi-class", train, names(train), "macro AP").head.probabilities(train.x_ND)
    np.testing.assert_allclose(p_NC.sum(axis=1), 1)
    assert (p_NC.argmax(axis=1) == train.y_NC.argmax(axis=1)).mean() > 0.85


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_constant_components_and_scales_do_not_matter(dtype):
    train = clips(300)
    x = train.x_ND.astype(dtype).astype(np.float64)
    plain = fit("binary", dataclasses.replace(train, x_ND=x), ["c0"], "AP").head
    # Steps of a half-precision number below 2048 are 1 or finer, of these powers of two exact.
    odd = np.concatenate([4 * x, np.full((300, 2), 0.1)], axis=1).astype(dtype)
    odd.flags.writeable = False
    head = fit("binary", dataclasses.replace(train, x_ND=odd), ["c0"], "AP").head
    assert (head.std_D[-2:] == 0).all() and (head.weight_DC[-2:] == 0).all()
    np.testing.assert_allclose(head.scores(odd), plain.scores(x), atol=1e-4)
    moved = odd.copy()
    moved[:, -1] = 7  # a component that the head was not fitted on says nothing
    np.testing.assert_array_equal(head.scores(moved), head.scores(odd))


def test_single_precision_chooses_and_scores_as_double_does(monkeypatch):
    train = clips(500, columns=2)
    double = fit("multi-label", train, names(train), "macro AP")
    monkeypatch.setattr(designs, "_DOUBLE", 0)
    monkeypatch.setattr(head, "_ROWS", 64)
    single = fit("multi-label", train, names(train), "macro AP")
    assert single.head.penalty == double.head.penalty
    np.testing.assert_allclose(
        single.head.scores(train.x_ND), double.head.scores(train.x_ND), atol=1e-4
    )


def test_what_cannot_be_fitted_says_so():
    train = clips(20)
    wrong = train.x_ND.copy()
    wrong[3, 2], wrong[7] = np.nan, np.inf
    with pytest.raises(MediaFMError, match="2 of 20 clips are not finite"):
        fit("binary", dataclasses.replace(train, x_ND=wrong), ["c0"], "AP")
    with pytest.raises(MediaFMError, match="there are 0 and 1"):
        fit("binary", train.part(np.zeros(20, np.bool_)), ["c0"], "AP")
    with pytest.raises(MediaFMError, match="12"):
        fit("binary", train, ["c0"], "AP").head.scores(train.x_ND[:, :5])


def test_weak_penalties_are_left_out_once_they_only_harm():
    train = clips(60, width=200, noise=3)
    found = fit("binary", train, ["c0"], "AP")
    assert list(found.curve) == sorted(found.curve, reverse=True)
    assert found.curve[found.head.penalty] == max(found.curve.values())
    chosen = list(found.curve).index(found.head.penalty)
    assert len(found.curve) in (len(heads.PENALTIES), chosen + 4)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**31), st.integers(2, 200), st.floats(-2, 4), st.floats(0.01, 100))
def test_platt_is_that_of_scikit_learn(seed, count, lean, scale):
    rng = np.random.default_rng(seed)
    y = rng.random(count) < 0.3
    y[:2] = [True, False]
    score = scale * (lean * y + rng.normal(size=count)) + 3
    slope, offset = platt(score, y)
    a, b = _sigmoid_calibration(score, y)
    if -a <= 0:
        assert slope == 0
        return
    ours, theirs = slope * score + offset, -a * score - b
    assert slope >= 0
    np.testing.assert_allclose(1 / (1 + np.exp(-ours)), 1 / (1 + np.exp(-theirs)), atol=2e-3)


def test_platt_of_useless_scores_says_the_base_rate():
    y = np.arange(100) % 4 == 0
    for score in (np.zeros(100), -10.0 * y):
        slope, offset = platt(score, y)
        assert slope == pytest.approx(0, abs=1e-6)
        assert 1 / (1 + np.exp(-offset)) == pytest.approx(0.25, abs=0.02)
    slope, offset = platt(1e6 * y, y)  # as sure as the smoothed targets are
    assert 1 / (1 + np.exp(-offset)) == pytest.approx(1 / 77, rel=0.05)


def test_a_head_that_knows_nothing_does_not_say_yes_to_all():
    rng = np.random.default_rng(0)
    y = (rng.random((200, 1)) < 0.2).astype(np.float64)
    titles = [f"t{i % 10}" for i in range(200)]
    head = fit("binary", Examples(np.zeros((200, 3), np.float32), y, titles, titles), ["c"], "AP")
    assert not (head.head.probabilities(np.zeros((4, 3))) >= head.head.threshold_C).any()


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=1, max_size=25))
def test_the_threshold_has_the_best_f1(drawn):
    p = np.array([level / 8 + 0.1 for level, _ in drawn])
    y = np.array([truth for _, truth in drawn])
    if not y.any():
        return
    every = [f1_score(y, p >= t) for t in np.unique(p)]
    assert f1_score(y, p >= best_threshold(p, y)) == pytest.approx(max(every))
