"""Detectors, their folds and the AUC."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from gexbench.metrics.detection import auc, auc_null_sd, detect, group_folds


def test_auc_against_sklearn_with_ties():
    rng = np.random.default_rng(0)
    high, low = rng.integers(0, 9, 50) + 1, rng.integers(0, 9, 70)
    expected = roc_auc_score(np.repeat([1, 0], [50, 70]), np.concatenate([high, low]))
    assert auc(high, low) == pytest.approx(expected)


def test_null_sd():
    assert auc_null_sd(800, 800) == pytest.approx(0.0144, abs=5e-5)
    rng = np.random.default_rng(1)
    null = [auc(rng.normal(size=40), rng.normal(size=30)) for _ in range(2000)]
    assert np.std(null) == pytest.approx(auc_null_sd(40, 30), rel=0.06)


def test_folds_keep_patients_whole_and_ignore_row_order():
    patients = np.array([f"P{i:03}" for i in range(31)])
    groups = np.concatenate([patients, patients])
    folds = group_folds(groups)
    assert (folds[:31] == folds[31:]).all()
    assert sorted(np.bincount(folds[:31]).tolist()) == [10, 10, 11]
    order = np.random.default_rng(2).permutation(62)
    assert (group_folds(groups[order]) == folds[order]).all()
    with pytest.raises(ValueError, match="cannot be dealt"):
        group_folds(["a", "a", "b"])


def test_no_detector_is_tested_on_patients_that_it_was_fitted_on(monkeypatch):
    seen = []

    def scores(rows, truth, test, seed):
        assert not set(rows[:, 0]) & set(test[:, 0])
        assert sorted(rows[truth == 0, 0]) == sorted(rows[truth == 1, 0])
        seen.extend(test[:, 0].tolist())
        return test[:, 0]

    monkeypatch.setattr("gexbench.metrics.detection._logistic_scores", scores)
    numbers = np.arange(40.0)[:, None] @ np.ones((1, 2))
    detect(numbers, numbers, [f"P{i}" for i in range(40)], detector="lr")
    assert sorted(seen) == sorted([*range(40), *range(40)])


@pytest.mark.parametrize("detector", ["lr", "xgb", "mlp"])
def test_a_perfect_generator_is_not_told_apart_and_a_shifted_one_is(detector):
    rng = np.random.default_rng(3)
    condition = rng.normal(size=(240, 1)) * 2
    real, perfect = (condition + rng.normal(size=(240, 8)) for _ in range(2))
    patients = [f"P{i}" for i in range(240)]
    found = detect(real, perfect, patients, detector=detector)
    assert abs(found.auc - 0.5) < 3.5 * found.null_sd
    assert detect(real, perfect + np.tile([1.5, -1.5], 4), patients, detector=detector).auc > 0.8


def test_a_linear_detector_misses_what_trees_see():
    rng = np.random.default_rng(4)
    real, patients = rng.normal(size=(300, 4)), np.arange(300).astype(str)
    tight = 0.3 * rng.normal(size=(300, 4))
    assert abs(detect(real, tight, patients, detector="lr").auc - 0.5) < 0.12
    assert detect(real, tight, patients, detector="xgb").auc > 0.9


def test_is_repeatable_and_checks_rows():
    rng = np.random.default_rng(5)
    real, synthetic, patients = rng.normal(size=(30, 3)), rng.normal(size=(30, 3)), np.arange(30)
    assert detect(real, synthetic, patients, detector="xgb") == detect(real, synthetic, patients, detector="xgb")
    with pytest.raises(ValueError, match="must be as many"):
        detect(real, synthetic[:-1], patients)
