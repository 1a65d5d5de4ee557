"""Paired metrics against naive sums and known distributions."""

import numpy as np
import pytest

from gexbench.metrics.paired import (
    crps,
    interval_coverage,
    rank_histogram,
    rank_nonuniformity,
    retrieval,
    skill,
    within_class_correlation,
)


def _oracle(rng, n=60, m=19, genes=30):
    mean = rng.normal(size=(n, 1, genes))
    return mean[:, 0], mean + rng.normal(size=(n, m, genes)), mean[:, 0] + rng.normal(size=(n, genes))


def test_crps_against_the_double_sum():
    _, draws, truth = _oracle(np.random.default_rng(0), 4, 5, 3)
    expected = []
    for i in range(4):
        for g in range(3):
            x, y = draws[i, :, g], truth[i, g]
            spread = sum(abs(x[a] - x[b]) for a in range(5) for b in range(a + 1, 5)) / (5 * 4)
            expected.append(np.abs(x - y).mean() - spread)
    assert crps(draws, truth) == pytest.approx(np.mean(expected))


def test_crps_is_fair_in_the_number_of_draws():
    rng = np.random.default_rng(1)
    few, many = (_oracle(rng, 400, m, 40)[1:] for m in (2, 50))
    # The CRPS of a standard normal forecast with itself is 1 / sqrt(pi).
    assert crps(*few) == pytest.approx(1 / np.sqrt(np.pi), rel=0.02)
    assert crps(*many) == pytest.approx(1 / np.sqrt(np.pi), rel=0.02)
    with pytest.raises(ValueError, match="at least 2 draws"):
        crps(np.zeros((3, 1, 2)), np.zeros((3, 2)))


def test_crps_prefers_the_right_spread():
    mean, draws, truth = _oracle(np.random.default_rng(2))
    right = crps(draws, truth)
    for factor in (0.3, 2.0):
        assert crps(mean[:, None] + factor * (draws - mean[:, None]), truth) > right * 1.05
    assert skill(right, 2 * right) == 0.5
    assert skill(2 * right, right) == -1.0


def test_ranks_of_the_truth_among_oracle_draws_are_uniform():
    _, draws, truth = _oracle(np.random.default_rng(3), 400, 19, 50)
    histogram = rank_histogram(draws.astype(np.float16), truth)
    assert histogram.sum() == pytest.approx(1)
    assert histogram == pytest.approx(np.full(20, 0.05), abs=0.008)
    assert interval_coverage(histogram) == pytest.approx(0.8, abs=0.01)
    assert rank_nonuniformity(histogram) < 0.03


def test_ranks_by_hand_and_ties_are_spread():
    draws = np.array([[[1.0], [2.0], [3.0]]] * 3)
    assert rank_histogram(draws, [[0.0], [2.5], [9.0]]) == pytest.approx([1 / 3, 0, 1 / 3, 1 / 3])
    assert rank_histogram(draws[:1], [[2.0]]) == pytest.approx([0, 0.5, 0.5, 0])
    assert rank_histogram(np.zeros((1, 3, 1)), [[0.0]]) == pytest.approx(np.full(4, 0.25))
    assert rank_nonuniformity(np.array([1.0, 0, 0, 0])) == 0.75
    with pytest.raises(ValueError, match="19 draws"):
        interval_coverage(np.full(21, 1 / 21))


def test_interval_is_the_second_to_the_eighteenth_draw():
    draws = np.arange(1.0, 20.0).reshape(1, 19, 1)
    inside = {y: interval_coverage(rank_histogram(draws, [[y]])) for y in (1.5, 2.5, 17.5, 18.5)}
    assert inside == {1.5: 0.0, 2.5: 1.0, 17.5: 1.0, 18.5: 0.0}


def test_within_class_correlation_ignores_what_the_label_knows():
    rng = np.random.default_rng(4)
    labels = np.repeat(["a", "b", "rare"], [40, 40, 5])
    centre = {"a": -5.0, "b": 5.0, "rare": 90.0}
    means = np.array([[centre[name]] for name in labels]) + np.zeros((85, 8))
    truth = means + rng.normal(size=means.shape)
    assert abs(within_class_correlation(means + 1e-3 * rng.normal(size=means.shape), truth, labels)) < 0.15
    assert within_class_correlation(means, truth, labels) == 0.0
    assert within_class_correlation(truth, truth, labels) == pytest.approx(1)
    assert within_class_correlation(2 * means - truth, truth, labels) == pytest.approx(-1)
    broken = truth.copy()
    broken[80:] = rng.normal(size=(5, 8)) * 1e3
    assert within_class_correlation(broken, truth, labels) == pytest.approx(1)
    with pytest.raises(ValueError, match="none of 1 classes"):
        within_class_correlation(truth[:5], truth[:5], labels[:5])


def test_retrieval():
    rng = np.random.default_rng(5)
    labels, truth = np.repeat(["a", "b"], 30), rng.normal(size=(60, 10))
    assert retrieval(truth, truth, labels) == 1.0
    assert retrieval(-truth, truth, labels) < 0.1
    assert retrieval(np.zeros_like(truth), np.ones_like(truth), labels) == 0.5
    by_class = np.where(labels == "a", 3.0, -3.0)[:, None]
    assert retrieval(by_class + np.zeros((60, 10)), truth + by_class, labels) == pytest.approx(0.5, abs=1e-9)
    noise = [retrieval(rng.normal(size=(60, 10)), truth, labels) for _ in range(40)]
    assert np.mean(noise) == pytest.approx(0.5, abs=0.03)


def test_shapes_are_checked():
    with pytest.raises(ValueError, match="patients × draws × genes"):
        crps(np.zeros((3, 19, 4)), np.zeros((3, 5)))
