"""The copy gate on copies, noisy copies and fresh rows."""

import numpy as np
import pytest

from gexbench.metrics.memorisation import copy_share, copy_threshold, nearest_ratios


@pytest.fixture
def sets():
    rng = np.random.default_rng(0)
    return rng.normal(size=(400, 60)), rng.normal(size=(300, 60)), rng.normal(size=(300, 60))


def test_ratio_by_hand():
    assert nearest_ratios([[1.0], [0.0], [14.0]], [[0.0], [4.0], [10.0]]).tolist() == pytest.approx([1 / 3, 0, 0.4])
    assert nearest_ratios([[2.0]], [[2.0], [2.0]]).tolist() == [0.0]
    with pytest.raises(ValueError, match="too few"):
        nearest_ratios([[1.0]], [[1.0]])


def test_copies_are_caught_and_fresh_rows_are_not(sets):
    training, validation, fresh = sets
    threshold = copy_threshold(validation, training)
    assert (nearest_ratios(validation, training) < threshold).mean() == pytest.approx(0.01)
    assert copy_share(fresh, training, threshold) < 0.05
    assert copy_share(training[:300], training, threshold) == 1.0
    noisy = training[:300] + 0.3 * np.random.default_rng(1).normal(size=(300, 60))
    assert copy_share(noisy, training, threshold) > 0.95
    assert copy_share(np.vstack([fresh[:270], training[:30]]), training, threshold) == pytest.approx(0.1, abs=0.04)


def test_chunks_change_nothing(sets):
    training, _, fresh = sets
    assert nearest_ratios(fresh, training, chunk=7) == pytest.approx(nearest_ratios(fresh, training))
