"""Intervals, tests and Holm's correction against values by hand and simulation."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from gexbench.leaderboards.statistics import fold_mean, half_width, holm, p_value, standard_error

T_975 = {2: 4.302652729911275, 4: 2.7764451051977987}


def test_half_width_by_hand() -> None:
    # mean .8, deviations -.02, 0, .02: s = .02 with ddof 1; share 1/3: sqrt(1/3 + 1/3)
    expected = T_975[2] * 0.02 * math.sqrt(2 / 3)
    assert_allclose(half_width([[0.78, 0.80, 0.82]], 1 / 3), [expected], rtol=1e-9)


def test_half_width_without_shared_patients_is_the_ordinary_t_interval() -> None:
    values = np.array([0.3, 0.5, 0.1, 0.9, 0.2])
    low, high = stats.t.interval(0.95, 4, loc=values.mean(), scale=stats.sem(values))
    assert_allclose(half_width([values], 0.0), [(high - low) / 2])


def test_missing_folds_count_neither_in_the_mean_nor_in_the_degrees_of_freedom() -> None:
    whole, gap = [[0.78, 0.80, 0.82]], [[0.78, np.nan, 0.80, 0.82, np.nan]]
    assert_allclose(fold_mean(gap), fold_mean(whole))
    assert_allclose(half_width(gap, 0.3), half_width(whole, 0.3))


def test_one_fold_has_a_mean_but_no_interval_and_no_p() -> None:
    assert fold_mean([[0.4]]) == 0.4
    assert np.isnan(half_width([[0.4]], 0.3)).all()
    assert np.isnan(p_value([[0.4]], 0.3)).all()
    assert np.isnan(fold_mean([[np.nan, np.nan]])).all()


def test_p_value_agrees_with_the_paired_t_test_when_nothing_is_shared() -> None:
    a, b = np.array([0.3, 0.5, 0.1, 0.9]), np.array([0.2, 0.45, 0.15, 0.6])
    assert_allclose(p_value([a - b], 0.0), [stats.ttest_rel(a, b).pvalue])
    assert p_value([a - b], 0.25)[0] > p_value([a - b], 0.0)[0]


def test_equal_rows_are_not_different_and_a_constant_difference_is() -> None:
    assert_allclose(p_value([[0.0, 0.0, 0.0], [0.2, 0.2, 0.2]], 0.3), [1.0, 0.0])
    assert standard_error([[0.8, 0.8, 0.8]], 0.3) == 0


def test_false_alarms_over_folds_that_share_training_patients() -> None:
    """Fold means with the correlation n_test / (n_test + n_train) that the correction stands for: 5 % false alarms."""
    folds, share, repetitions = 5, 1 / 3, 20_000
    rho = share / (1 + share)
    rng = np.random.default_rng(3)
    common, own = rng.standard_normal((repetitions, 1)), rng.standard_normal((repetitions, folds))
    differences = math.sqrt(rho) * common + math.sqrt(1 - rho) * own
    assert 0.045 < (p_value(differences, share) < 0.05).mean() < 0.055
    assert (p_value(differences, 0.0) < 0.05).mean() > 0.15


def test_holm_by_hand() -> None:
    # sorted .01, .02, .03, .04 times 4, 3, 2, 1 = .04, .06, .06, .04; the running maximum gives .04, .06, .06, .06
    assert_allclose(holm([0.04, 0.01, 0.03, 0.02]), [0.06, 0.04, 0.06, 0.06])
    assert_allclose(holm([0.5, 0.6]), [1.0, 1.0])


def test_holm_does_not_count_tests_that_were_not_made() -> None:
    adjusted = holm([0.02, np.nan, 0.01])
    assert_allclose(adjusted[[0, 2]], [0.02, 0.02])
    assert np.isnan(adjusted[1])
    assert holm([]).shape == (0,)


@pytest.mark.parametrize("seed", range(3))
def test_holm_rejects_exactly_what_the_step_down_procedure_rejects(seed: int) -> None:
    p = np.random.default_rng(seed).beta(0.3, 3, 12)
    rejected = set()
    for step, at in enumerate(np.argsort(p)):
        if p[at] > 0.05 / (len(p) - step):
            break
        rejected.add(int(at))
    assert rejected == set(np.flatnonzero(holm(p) <= 0.05).tolist())
