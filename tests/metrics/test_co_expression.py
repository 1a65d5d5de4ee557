"""Modules are found, and their preservation falls with corruption."""

import numpy as np
import pytest

from gexbench.metrics.co_expression import co_expression_modules, module_connectivity, module_density_error
from gexbench.metrics.structure import correlation_matrix

SIZES = (25, 15, 12)


def _rows(seed, scale=1.0, n=400):
    """Three modules of genes with graded loadings, of either sign, and eight genes of none."""
    rng = np.random.default_rng(seed)
    factors = np.repeat(rng.normal(size=(n, 3)), SIZES, axis=1)
    loadings = np.concatenate([np.linspace(0.6, 2.5, size) for size in SIZES]) * scale
    signs = np.where(np.arange(sum(SIZES)) % 3, 1, -1)
    return np.concatenate(
        [factors * loadings * signs + rng.normal(size=factors.shape), rng.normal(size=(n, 8))], axis=1
    )


def test_planted_modules_are_found_in_any_order_of_genes():
    modules = co_expression_modules(correlation_matrix(_rows(0)))
    edges = np.cumsum((0, *SIZES))
    assert len(modules) == 3
    for module, first, last in zip(modules, edges, edges[1:], strict=False):
        assert set(module.tolist()) >= set(range(first, last))
        assert len(module) <= last - first + 2
    order = np.random.default_rng(1).permutation(60)
    moved = co_expression_modules(correlation_matrix(_rows(0)[:, order]))
    assert [sorted(order[m].tolist()) for m in moved] == [m.tolist() for m in modules]


def test_small_and_odd_matrices():
    r = correlation_matrix(_rows(0))
    assert co_expression_modules(r[:10, :10])[0].tolist() == list(range(10))
    assert co_expression_modules(np.eye(12))[0].tolist() == list(range(12))
    with pytest.raises(ValueError, match="at least 10 genes"):
        co_expression_modules(r[:9, :9])
    with pytest.raises(ValueError, match="square"):
        co_expression_modules(r[:30])


def test_by_hand():
    real = np.array([[1, 0.5, -0.4], [0.5, 1, 0.1], [-0.4, 0.1, 1]])
    synthetic = np.array([[1, 0.2, 0.2], [0.2, 1, 0.8], [0.2, 0.8, 1]])
    modules = [np.arange(3)]
    # Connectivities (.9, .6, .5) and (.4, 1, 1); mean |r| 1/3 and .4.
    expected = np.corrcoef([0.9, 0.6, 0.5], [0.4, 1, 1])[0, 1]
    assert module_connectivity(real, synthetic, modules) == pytest.approx(expected)
    assert module_density_error(real, synthetic, modules) == pytest.approx(0.4 - 1 / 3)
    two = [np.arange(3), np.arange(2)]
    assert module_density_error(real, synthetic, two) == pytest.approx((0.4 - 1 / 3 + 0.3) / 2)
    with pytest.raises(ValueError, match="at least one module"):
        module_connectivity(real, synthetic, [])
    with pytest.raises(ValueError, match="align both"):
        module_connectivity(real, synthetic[:, :2], modules)


def test_preservation_falls_with_corruption():
    real, fair, weaker = (correlation_matrix(rows) for rows in (_rows(0), _rows(1), _rows(1, 0.4)))
    shuffled = correlation_matrix(np.random.default_rng(2).permuted(_rows(1), axis=0))
    modules = co_expression_modules(real)
    connectivity = [module_connectivity(real, each, modules) for each in (real, fair, shuffled)]
    assert connectivity[0] == pytest.approx(1)
    assert connectivity[1] > 0.9
    assert abs(connectivity[2]) < 0.5
    errors = [module_density_error(real, each, modules) for each in (real, fair, weaker, shuffled)]
    assert errors == sorted(errors)
    assert errors[0] == 0
    assert errors[3] > 5 * errors[1]
    assert module_connectivity(real, correlation_matrix(np.ones((9, 60))), modules) == 0.0
