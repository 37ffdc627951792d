import numpy as np
import pytest

import heads as benchmark


def test_the_benchmark_compares_the_same_problem(capsys):
    x, y = benchmark.make(2000, 20, 6)
    assert x.dtype == y.dtype == np.float32 and x.shape == (2000, 20) and y.shape == (2000, 6)
    rates = y.mean(axis=0)
    assert 0.001 < rates[0] < 0.003 and rates[-1] == pytest.approx(0.3, abs=0.01)
    own = benchmark.ours(x, y, 1e-2)
    x64 = x.astype(np.float64)
    reference = {c: benchmark.theirs(x64, y[:, c], 1e-2, "newton-cholesky", 1e-12) for c in (0, 5)}
    assert max(benchmark.differences(x, own, reference)) < 1e-4
    assert abs(benchmark.gap(x64, y, 1e-2, own, reference)) < 1e-7
    none = {c: np.zeros(21) for c in (0, 5)}
    assert max(benchmark.differences(x, none, reference)) > 0.1
    assert benchmark.gap(x64, y, 1e-2, none, reference) > 0.1
    assert "did not converge" not in capsys.readouterr().out
