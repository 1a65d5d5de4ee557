"""Counts below a threshold of audit rows: null, power, critical shares."""

import numpy as np
import pytest
from scipy.stats import betabinom, binom

from gexbench.metrics.gates.calibration import (
    LEVEL,
    Count,
    below_audit,
    copied_interval,
    count_null,
    count_p_value,
    largest_passing_share,
    threshold_rank,
)


def folds(size, count, *, below=0):
    return [Count(below, size, size, threshold_rank(size))] * count


@pytest.mark.parametrize(
    ("size", "count", "share"), [(20, 3, 0.233), (100, 3, 0.103), (200, 3, 0.088), (800, 5, 0.070)]
)
def test_critical_shares(size, count, share):
    assert largest_passing_share(folds(size, count)) == pytest.approx(share, abs=6e-4)


@pytest.mark.parametrize(("rows", "audit", "rank"), [(20, 20, 1), (800, 800, 8), (1900, 20, 1), (50, 5000, 50)])
def test_the_null_is_beta_binomial_without_copies_and_binomial_without_audit_rows(rows, audit, rank):
    counts = np.arange(rows + 1)
    found = count_null([Count(0, rows, audit, rank)], tolerated=0.0)
    assert found == pytest.approx(betabinom.pmf(counts, rows, rank, audit + 1 - rank), abs=1e-7)
    assert count_null([Count(0, rows, 0, 0)], tolerated=0.1) == pytest.approx(binom.pmf(counts, rows, 0.1))


def test_the_null_is_what_is_drawn():
    """Half of the rows beside their copies: ranks of exchangeable values, drawn."""
    rng, rows, audit = np.random.default_rng(0), 40, 100
    drawn = np.empty(4000, dtype=int)
    for at in range(len(drawn)):
        values, copied = rng.normal(size=rows), rng.random(rows) < 0.05
        drawn[at] = below_audit(np.where(copied, -9.0, values), rng.normal(size=audit)).below
    null = count_null([Count(0, rows, audit, threshold_rank(audit))])
    frequencies = np.bincount(drawn, minlength=rows + 1) / len(drawn)
    assert np.abs(np.cumsum(frequencies) - np.cumsum(null)).max() < 1.63 / np.sqrt(len(drawn))


def test_folds_are_convolved_and_p_falls_with_the_count():
    one, two = Count(3, 60, 100, 1), Count(8, 90, 200, 2)
    assert count_null([one, two]) == pytest.approx(np.convolve(count_null([one]), count_null([two])))
    assert count_null([one, two]).sum() == pytest.approx(1)
    assert count_p_value([one, two]) == pytest.approx(count_p_value([two, one]))
    values = [count_p_value([Count(count, 60, 100, 1)]) for count in range(61)]
    assert values[0] == pytest.approx(1)
    assert all(np.diff(values) < 0)


def test_the_interval_agrees_with_the_test_and_holds_the_share():
    for count in range(0, 201, 10):
        each = [Count(count, 200, 200, 2)] * 3
        low, high = copied_interval(each)
        assert (count_p_value(each) < LEVEL) == (low > 0.05)
        assert low - 0.001 <= count / 200 <= high + 0.02
    assert copied_interval(folds(50, 2))[0] == 0
    assert copied_interval([Count(50, 50, 50, 1)])[1] == 1


def test_values_below_the_limit_by_hand():
    assert below_audit([0.5, 1.0, 2.0], [3.0, 1.0, 2.0]) == Count(1, 3, 3, 1)
    assert threshold_rank(20) == 1
    assert threshold_rank(800) == 8
