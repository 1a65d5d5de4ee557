"""Distribution distances against scipy, POT and naive double loops."""

import warnings

import numpy as np
import ot
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.linalg import sqrtm

from gexbench.metrics.distribution import (
    energy_distance,
    frechet,
    ks,
    median_width,
    mmd,
    sliced_wasserstein,
    wasserstein_1d,
)

ALL = (
    frechet,
    lambda x, y: mmd(x, y, 3.0),
    energy_distance,
    sliced_wasserstein,
    lambda x, y: float(wasserstein_1d(x, y).mean()),
    lambda x, y: float(ks(x, y).max()),
)


def _sets(seed, n=40, m=30, genes=5):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, genes)), rng.normal(size=(m, genes)) @ rng.normal(size=(genes, genes)) * 0.6 + 0.5


def _frechet_by_sqrtm(x, y):
    a, b = np.cov(x.T), np.cov(y.T)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        root = np.real(sqrtm(a @ b))
    return ((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(a + b - 2 * root)


@pytest.mark.parametrize(("n", "m", "genes"), [(60, 50, 7), (200, 300, 40)])
def test_frechet_against_sqrtm_of_the_product(n, m, genes):
    x, y = _sets(0, n, m, genes)
    assert frechet(x, y) == pytest.approx(_frechet_by_sqrtm(x, y), rel=1e-6)


def test_frechet_against_sqrtm_of_a_singular_product():
    """With fewer rows than genes the oracle loses half of its digits: the square roots of eigenvalues that are 0."""
    x, y = _sets(0, 40, 40, 60)
    assert frechet(x, y) == pytest.approx(_frechet_by_sqrtm(x, y), rel=1e-4)


def test_frechet_by_nuclear_norm_and_by_eigenvalues_agree_below_full_rank():
    # Padding with constant genes changes no distance, but moves n + m from above to below the genes.
    x, y = _sets(1, 12, 10, 15)
    pad = [np.hstack([rows, np.zeros((len(rows), 20))]) for rows in (x, y)]
    assert frechet(*pad) == pytest.approx(frechet(x, y), rel=1e-7)


def test_mmd_against_a_double_loop():
    x, y = _sets(2, 9, 7)

    def kernel(a, b):
        return np.mean([np.exp(-((a - b) ** 2).sum() / (2 * (1.7 * step) ** 2)) for step in (0.5, 2.0)])

    expected = np.mean([kernel(a, b) for i, a in enumerate(x) for j, b in enumerate(x) if i != j])
    expected += np.mean([kernel(a, b) for i, a in enumerate(y) for j, b in enumerate(y) if i != j])
    expected -= 2 * np.mean([kernel(a, b) for a in x for b in y])
    assert mmd(x, y, 1.7, ladder=(0.5, 2.0), chunk=4) == pytest.approx(expected)


def test_mmd_width_follows_the_data_so_that_many_genes_still_differ():
    rng = np.random.default_rng(0)
    x, near, far = rng.normal(size=(3, 60, 680))
    assert mmd(x, far + 0.5) > mmd(x, near + 0.1) > 0
    fixed = [mmd(x, rows, np.sqrt(0.5), ladder=(1.0,)) for rows in (near + 0.1, far + 0.5)]
    assert fixed[0] == pytest.approx(fixed[1], abs=1e-12)


def test_mmd_is_unbiased():
    rng = np.random.default_rng(1)
    values = [mmd(rng.normal(size=(20, 3)), rng.normal(size=(20, 3)), 2.0) for _ in range(200)]
    assert abs(np.mean(values)) < 4 * np.std(values, ddof=1) / np.sqrt(200)
    assert min(values) < 0


def test_median_width():
    assert median_width([[0.0], [1.0], [3.0]]) == pytest.approx(2.0)
    with pytest.raises(ValueError, match="rows are equal"):
        median_width(np.ones((5, 2)))


def test_energy_against_scipy_in_one_dimension_and_a_loop_in_more():
    x, y = _sets(3, genes=1)
    assert energy_distance(x, y) == pytest.approx(stats.energy_distance(x[:, 0], y[:, 0]) ** 2)
    x, y = _sets(4, 8, 6)
    means = [np.mean([np.linalg.norm(a - b) for a in s for b in t]) for s, t in ((x, y), (x, x), (y, y))]
    assert energy_distance(x, y, chunk=3) == pytest.approx(2 * means[0] - means[1] - means[2])


@pytest.mark.parametrize(("n", "m"), [(30, 30), (30, 21)])
def test_wasserstein_and_ks_against_scipy_with_ties(n, m):
    x, y = (np.round(rows, 1) for rows in _sets(5, n, m))
    assert wasserstein_1d(x, y) == pytest.approx(
        [stats.wasserstein_distance(a, b) for a, b in zip(x.T, y.T, strict=True)]
    )
    assert ks(x, y) == pytest.approx([stats.ks_2samp(a, b).statistic for a, b in zip(x.T, y.T, strict=True)])


@pytest.mark.parametrize(("n", "m"), [(30, 30), (30, 21)])
def test_sliced_wasserstein_against_pot(n, m):
    x, y = _sets(6, n, m)
    directions = np.random.default_rng(8).standard_normal((5, 64))
    directions /= np.linalg.norm(directions, axis=0)
    expected = ot.sliced_wasserstein_distance(x, y, projections=directions)
    assert sliced_wasserstein(x, y, projections=64, seed=8) == pytest.approx(expected)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6))
def test_identity_and_permutations(seed):
    x, y = _sets(seed, 20, 20)
    rng = np.random.default_rng(seed)
    rows, genes = rng.permutation(20), rng.permutation(5)
    for metric in ALL:
        assert metric(x, x[rows]) <= 1e-7
        assert metric(x, y + 2.0) > 0  # far apart: the unbiased MMD of near sets may fall below 0
        assert metric(x[rows], y) == pytest.approx(metric(x, y))
        if metric is not sliced_wasserstein:
            assert metric(x[:, genes], y[:, genes]) == pytest.approx(metric(x, y))


def test_genes_aligned_by_position_are_told_apart():
    x, _ = _sets(7, 200, 200)
    x = x * np.arange(1, 6)
    for metric in ALL:
        assert metric(x, x[:, ::-1]) > metric(x, x[::-1]) + 1e-3


@pytest.mark.parametrize("metric", ALL)
def test_grows_with_corruption(metric):
    x, _ = _sets(9, 80, 80)
    noise = np.random.default_rng(0).normal(size=x.shape)
    values = [metric(x[:40], x[40:] + size * (1 + noise[40:])) for size in (0.5, 1.5, 4.0)]
    assert values == sorted(values)
