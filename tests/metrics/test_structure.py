"""Correlation structure, spread within classes, zeros."""

import numpy as np
import pytest

from gexbench.metrics.structure import (
    correlation_gamma,
    correlation_matrix,
    correlation_mse,
    strong_pairs_mae,
    variance_ratio,
    zero_fraction,
)


def _rows(seed, n=50, genes=6):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, genes)) @ rng.normal(size=(genes, genes))


def test_against_numpy():
    x, y = _rows(0), _rows(1)
    upper = np.triu_indices(6, 1)
    a, b = np.corrcoef(x.T)[upper], np.corrcoef(y.T)[upper]
    assert correlation_mse(x, y) == pytest.approx(((a - b) ** 2).mean())
    assert correlation_gamma(x, y) == pytest.approx(np.corrcoef(a, b)[0, 1])
    assert strong_pairs_mae(x, y) == pytest.approx(np.abs(a - b)[np.abs(a) > 0.3].mean())


def test_strong_pairs_are_those_of_the_real_set():
    x, noise = _rows(0), np.random.default_rng(2).normal(size=(500, 6))
    assert strong_pairs_mae(x, noise) > 0.3
    with pytest.raises(ValueError, match="no gene pair"):
        strong_pairs_mae(noise, x)


@pytest.mark.parametrize("level", [0.0, 0.1, 1e6])
def test_a_constant_gene_correlates_with_nothing_and_is_counted(level):
    x = _rows(0)
    collapsed = x.copy()
    collapsed[:, 2] = level
    matrix = correlation_matrix(collapsed)
    assert np.isfinite(matrix).all()
    assert matrix[2].tolist() == [0, 0, 1, 0, 0, 0]
    expected = (np.corrcoef(x.T)[2, [0, 1, 3, 4, 5]] ** 2).sum() / 15
    assert correlation_mse(x, collapsed) == pytest.approx(expected)
    assert correlation_gamma(x, collapsed) < 1
    assert correlation_gamma(x, np.full_like(x, level)) == 0.0


def test_identity_and_permutations():
    x, y = _rows(0), _rows(1)
    rng = np.random.default_rng(0)
    rows, genes = rng.permutation(50), rng.permutation(6)
    assert correlation_mse(x, x[rows]) == pytest.approx(0, abs=1e-15)
    assert correlation_gamma(x, x[rows]) == pytest.approx(1)
    for metric in (correlation_mse, correlation_gamma, strong_pairs_mae):
        assert metric(x[rows][:, genes], y[:, genes]) == pytest.approx(metric(x, y))


def test_variance_ratio_by_hand():
    labels = ["a", "a", "b", "b", "c"]
    real = np.array([[0.0], [2.0], [10.0], [14.0], [99.0]])  # squares 2 + 8
    assert variance_ratio(real, np.array([[5.0], [5.0], [1.0], [3.0], [7.0]]), labels) == pytest.approx(0.2)
    assert variance_ratio(real, real + 3.0, labels) == pytest.approx(1.0)
    centre = (real - 1) * 0.5
    assert variance_ratio(real, centre, labels) == pytest.approx(0.25)
    with pytest.raises(ValueError, match="do not vary"):
        variance_ratio(np.ones((5, 1)), real, labels)


def test_zero_fraction_counts_the_units_floor():
    rows = np.array([[0.0, 1.0], [-0.5, 2.0]])
    assert zero_fraction(rows, 0.0) == 0.5
    assert zero_fraction(rows, 1.0) == 0.75
