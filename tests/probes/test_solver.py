import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from mediafm.probes import solver
from mediafm.probes.solver import Pairs, Rows, solve


def made(rows, width, columns, seed=0, rate=0.3):
    """Correlated standardised features, and labels that lean on them."""
    rng = np.random.default_rng(seed)
    mixing = rng.normal(size=(width, width)) * np.logspace(0, -1.5, width)[:, None]
    x = rng.normal(size=(rows, width)) @ mixing
    x = (x - x.mean(0)) / x.std(0)
    s = x @ rng.normal(size=(width, columns)) / width**0.5 + rng.logistic(size=(rows, columns))
    return x, (s > np.quantile(s, 1 - rate, axis=0)).astype(np.float64)


def found(x, y, penalty, weight=None, dtype=torch.float64, start=None):
    rows = Rows(torch.tensor(x, dtype=dtype))
    w = None if weight is None else torch.tensor(weight, dtype=dtype)
    solution = solve(rows, torch.tensor(y, dtype=dtype), penalty, w, start)
    return rows, solution


def features(rows, solution):
    return (rows.basis_DR @ solution.v_RC).double().numpy(), solution.bias_C.double().numpy()


def reference(x, y, penalty, weight=None, **options):
    total = len(y) if weight is None else weight.sum()
    model = LogisticRegression(C=1 / (penalty * total), tol=1e-10, max_iter=10_000, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a tolerance that the line search cannot reach
        return model.fit(x, y, sample_weight=weight)


def agrees(x, rows, solution, c, model, atol=1e-4):
    weight_DC, bias_C = features(rows, solution)
    np.testing.assert_allclose(weight_DC[:, c], model.coef_[0], atol=atol)
    np.testing.assert_allclose(bias_C[c], model.intercept_[0], atol=atol)
    p = 1 / (1 + np.exp(-(x @ weight_DC[:, c] + bias_C[c])))
    np.testing.assert_allclose(p, model.predict_proba(x)[:, 1], atol=atol)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("rows", "width"), [(1500, 40), (60, 120)])
@pytest.mark.parametrize("penalty", [1.0, 1e-2, 1e-3])
def test_the_optimum_is_that_of_scikit_learn(rows, width, penalty, dtype):
    x, y = made(rows, width, 4)
    design, solution = found(x, y, penalty, dtype=dtype)
    assert solution.converged_C.all()
    for c in range(4):
        agrees(x, design, solution, c, reference(x, y[:, c], penalty))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_weights_of_rows_are_those_of_scikit_learn(dtype):
    x, y = made(800, 30, 3)
    weight = np.random.default_rng(1).choice([0, 0.2, 1, 5], size=(800, 3))
    rows, solution = found(x, y, 1e-2, weight, dtype)
    for c in range(3):
        agrees(x, rows, solution, c, reference(x, y[:, c], 1e-2, weight[:, c]))
    rows, solution = found(x, y, 1e-2, weight[:, :1], dtype)
    for c in range(3):
        agrees(x, rows, solution, c, reference(x, y[:, c], 1e-2, weight[:, 0]))


def test_balanced_is_that_of_scikit_learn():
    x, y = made(1000, 20, 2, rate=0.03)
    weight = np.where(y == 1, 0.5 / y.mean(0), 0.5 / (1 - y.mean(0)))
    rows, solution = found(x, y, 1e-2, weight)
    for c in range(2):
        model = reference(x, y[:, c], 1e-2, class_weight="balanced")
        agrees(x, rows, solution, c, model)


def test_left_out_rows_might_as_well_not_be_there():
    x, y = made(300, 10, 2)
    weight = np.ones((300, 2))
    weight[200:] = 0
    a, b = found(x, y, 1e-2, weight), found(x[:200], y[:200], 1e-2)
    for one, other in zip(features(*a), features(*b), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_path_with_warm_starts_ends_where_a_cold_start_does(dtype):
    x, y = made(700, 50, 3)
    start = None
    for penalty in (10.0, 0.1, 1e-3):
        rows, start = found(x, y, penalty, dtype=dtype, start=start)
        cold = found(x, y, penalty, dtype=dtype)
        for one, other in zip(features(rows, start), features(*cold), strict=True):
            np.testing.assert_allclose(one, other, atol=1e-4)


def test_columns_are_solved_in_parts_with_and_without_a_start(monkeypatch):
    x, y = made(200, 10, 7)
    rows, whole = found(x, y, 1e-2)
    monkeypatch.setattr(solver, "_ELEMENTS", 600)
    for start in (None, found(x, y, 1.0)[1]):
        parts = solve(rows, torch.tensor(y), 1e-2, torch.ones(200, 7).double(), start)
        torch.testing.assert_close(parts.v_RC, whole.v_RC, atol=1e-5, rtol=0)
        assert parts.converged_C.shape == (7,) and parts.converged_C.all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_pairs_are_differences_without_an_intercept(dtype):
    x, _ = made(120, 15, 1)
    rng = np.random.default_rng(2)
    title = np.repeat(np.arange(12), 10)
    x += 5 * rng.normal(size=(12, 15))[title]  # what sets titles apart must not matter
    one = rng.integers(0, 120, 400)
    other = title[one] * 10 + rng.integers(0, 10, 400)
    one, other = one[one != other], other[one != other]
    weight = rng.choice([0.0, 1.0, 3.0], size=(len(one), 2))
    i, j, t = (torch.from_numpy(a) for a in (one, other, title))
    rows = Pairs(torch.tensor(x, dtype=dtype), t, i, j)
    ones = torch.ones(len(one), 2, dtype=dtype)
    solution = solve(rows, ones, 1e-2, torch.tensor(weight, dtype=dtype))
    assert (solution.bias_C == 0).all() and solution.converged_C.all()
    weight_DC, _ = features(rows, solution)
    d = x[one] - x[other]
    both, sign = np.concatenate([d, -d]), np.repeat([1, 0], len(d))
    for c in range(2):
        twice = np.tile(weight[:, c], 2)
        model = reference(both, sign, 1e-2, twice, fit_intercept=False)
        np.testing.assert_allclose(weight_DC[:, c], model.coef_[0], atol=1e-4)


def test_what_sets_titles_apart_costs_no_steps():
    x, _ = made(200, 15, 1)
    rng = np.random.default_rng(2)
    title = torch.arange(20).repeat_interleave(10)
    one = torch.arange(200)
    other = title * 10 + torch.from_numpy(rng.integers(0, 10, 200))
    ones = torch.ones(200, 1).double()
    near, far = (
        solve(Pairs(torch.tensor(x + apart), title, one, other), ones, 1e-2)
        for apart in (0, 100 * rng.normal(size=(20, 15))[title])
    )
    assert near.steps == far.steps


def test_no_pairs_have_no_opinion():
    none = torch.zeros(0, dtype=torch.long)
    rows = Pairs(torch.randn(5, 3).double(), torch.arange(5), none, none)
    solution = solve(rows, torch.zeros(0, 1).double(), 0.1)
    assert (solution.v_RC == 0).all() and (solution.bias_C == 0).all()


SHAPES = st.tuples(st.integers(1, 30), st.integers(1, 12), st.integers(0, 4))


@settings(deadline=None, max_examples=60)
@given(SHAPES, st.integers(0, 2**31), st.floats(-5, 1), st.sampled_from(["plain", "odd", "huge"]))
def test_any_shape_ends_at_a_flat_place(shape, seed, exponent, style):
    rng = np.random.default_rng(seed)
    rows, width, columns = shape
    x = rng.normal(size=(rows, width))
    if style == "odd":  # constant, duplicated and sparse components
        x[:, ::3], x[:, 1::3] = 0, x[:, 2::3][:, :1] if width > 2 else 1
        x *= rng.random((rows, width)) < 0.5
    if style == "huge":
        x *= 10.0 ** rng.integers(-3, 3)
    y = (rng.random((rows, columns)) < 0.4).astype(np.float64)
    weight = rng.choice([0.0, 1.0, 2.5], size=(rows, columns))
    penalty = 10.0**exponent
    design, solution = found(x, y, penalty, weight)
    w_DC, b_C = features(design, solution)
    assert w_DC.shape == (width, columns) and np.isfinite(w_DC).all() and np.isfinite(b_C).all()
    assert solution.converged_C.all()
    for c in range(columns):
        own = weight[:, c] > 0
        if len(set(y[own, c])) < 2:
            assert (w_DC[:, c] == 0).all()
            continue
        a = weight[:, c] / weight[:, c].sum()
        p = 1 / (1 + np.exp(-(x @ w_DC[:, c] + b_C[c])))
        ones = np.column_stack([x, np.ones(rows)])
        damp = np.append(np.full(width, penalty), 0)
        slope = ones.T @ (a * (p - y[:, c])) + damp * np.append(w_DC[:, c], b_C[c])
        bend = (ones.T * (a * p * (1 - p))) @ ones + np.diag(damp)
        # Half the squared Newton decrement: what could still be gained.
        assert slope @ np.linalg.solve(bend, slope) / 2 < 1e-9


def test_labels_that_all_say_the_same_get_the_rule_of_succession():
    y = np.array([[1, 0, 1], [1, 0, 0], [1, 0, 1.0]])
    weight = np.array([[1, 1, 0], [1, 1, 0], [1, 1, 0.0]])
    for dtype in (torch.float32, torch.float64):
        for warm in (None, found(np.eye(3), np.eye(3), 0.1, dtype=dtype)[1]):
            _, solution = found(np.eye(3), y, 1e-3, weight, dtype, warm)
            assert (solution.v_RC == 0).all() and solution.converged_C.all()
            chance = torch.sigmoid(solution.bias_C)
            torch.testing.assert_close(chance, torch.tensor([0.8, 0.2, 0.5], dtype=dtype))


def test_separable_labels_with_next_to_no_penalty_end():
    x = np.random.default_rng(0).normal(size=(40, 60))
    y = (x[:, :3] > 0).astype(np.float64)
    for dtype in (torch.float32, torch.float64):
        rows, solution = found(x, y, 1e-8, dtype=dtype)
        w_DC, b_C = features(rows, solution)
        assert ((x @ w_DC + b_C > 0) == (y == 1)).all() and np.isfinite(w_DC).all()
        assert solution.steps <= solver.MOST_STEPS


def test_what_stops_early_does_not_claim_to_have_converged(monkeypatch):
    x, y = made(500, 40, 3)
    y[:, 2] = 1  # done before the first step
    monkeypatch.setattr(solver, "MOST_STEPS", 2)
    _, solution = found(x, y, 1e-4)
    assert solution.converged_C.tolist() == [False, False, True]
    monkeypatch.setattr(solver, "MOST_STEPS", 0)
    start = solve(*_with_rows(x, y), 1e-4)
    assert not start.converged_C[:2].any()


def _with_rows(x, y):
    return Rows(torch.tensor(x)), torch.tensor(y)


def test_a_column_that_is_done_stands_still_among_others():
    x, y = made(400, 30, 4)
    y[:, 3] = np.random.default_rng(0).random(400) < 0.5  # the easy one
    _, alone = found(x, y[:, 3:], 1e-1)
    _, among = found(x, y, 1e-1)
    torch.testing.assert_close(among.v_RC[:, 3:], alone.v_RC, atol=1e-9, rtol=0)


def test_what_cannot_be_solved_is_refused():
    x, y = _with_rows(*made(20, 3, 1))
    for penalty in (0, -1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="penalty"):
            solve(x, y, penalty)
    with pytest.raises(ValueError, match="labels"):
        solve(x, torch.full_like(y, torch.nan), 1)
    with pytest.raises(ValueError, match="weights"):
        solve(x, y, 1, -torch.ones_like(y))
    for wrong in (torch.nan, torch.inf, 1e30):
        for shape in ((5, 3), (3, 5)):
            with pytest.raises(ValueError, match="not finite"):
                Rows(torch.full(shape, wrong, dtype=torch.float32))
