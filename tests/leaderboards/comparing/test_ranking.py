"""Order, ranks, win rates and planned comparisons on values worked out by hand."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from gexbench.leaderboards.comparing.ranking import inseparable, mean_rank, planned_comparisons, standing, win_rate
from gexbench.leaderboards.statistics import holm, p_value

NAMES = ["alpha", "beta", "copier", "gaussian"]


def test_references_take_no_rank_and_gated_rows_stand_last() -> None:
    ranked, below = np.array([True, True, False, False]), np.array([False, False, True, False])
    place = standing(np.array([0.5, 0.7, 0.9, 0.6]), ranked, below, NAMES)
    assert [NAMES[at] for at in place.order] == ["beta", "gaussian", "alpha", "copier"]
    assert place.rank.tolist() == [2, 1, 0, 0]
    assert place.leader == 1


def test_equal_scores_share_a_rank() -> None:
    place = standing(np.array([0.5, 0.7, 0.7, 0.1]), np.ones(4, bool), np.zeros(4, bool), NAMES)
    assert place.rank.tolist() == [3, 1, 1, 4]
    assert place.order.tolist() == [1, 2, 0, 3]


def test_without_scores_there_is_neither_rank_nor_leader() -> None:
    place = standing(np.full(4, np.nan), np.ones(4, bool), np.zeros(4, bool), NAMES)
    assert place.leader is None
    assert place.rank.tolist() == [0, 0, 0, 0]
    assert inseparable(planned_comparisons({}, NAMES, [], None, None, 0.3), None) == frozenset()


def test_mean_rank_by_hand() -> None:
    # (2 generators, 1 fold, 3 metrics): ranks 1, 1.5 and 2 for the first; the third metric of nobody is left out
    scores = np.array([[[0.9, 0.5, 0.1, np.nan]], [[0.2, 0.5, 0.4, np.nan]]])
    assert_allclose(mean_rank(scores), [1.5, 1.5])
    assert_allclose(mean_rank(scores[:, :, :2]), [1.25, 1.75])


def test_win_rate_by_hand() -> None:
    # folds: a > b > c; a = b > c. a wins 3.5 of 4, b 2.5 of 4, c none
    assert_allclose(win_rate(np.array([[0.9, 0.5], [0.8, 0.5], [0.1, 0.2]])), [3.5 / 4, 2.5 / 4, 0.0])
    assert np.isnan(win_rate(np.array([[0.9, 0.5]]))).all()


@pytest.fixture
def overall() -> np.ndarray:
    base = np.array([[0.500, 0.520, 0.480], [0.700, 0.705, 0.695], [0.698, 0.707, 0.694], [0.600, 0.602, 0.599]])
    return base


def test_planned_comparisons_are_the_baseline_and_the_leader_only(overall: np.ndarray) -> None:
    frame = planned_comparisons({"overall": overall}, NAMES, [1, 2, 0], baseline=3, leader=1, share=1 / 3)
    pairs = list(zip(frame["generator"], frame["against"], frame["role"], strict=True))
    assert pairs == [
        ("beta", "gaussian", "baseline"),
        ("copier", "gaussian", "baseline"),
        ("alpha", "gaussian", "baseline"),
        ("copier", "beta", "leader"),
        ("alpha", "beta", "leader"),
    ]
    differences = np.array([overall[a] - overall[b] for a, b in [(1, 3), (2, 3), (0, 3), (2, 1), (0, 1)]])
    assert_allclose(frame["difference"], differences.mean(axis=1))
    assert_allclose(frame["p_holm"], holm(p_value(differences, 1 / 3)))


def test_the_leaders_group_holds_those_that_cannot_be_told_from_it(overall: np.ndarray) -> None:
    frame = planned_comparisons({"overall": overall}, NAMES, [1, 2, 0], baseline=3, leader=1, share=1 / 3)
    assert inseparable(frame, "beta") == {"beta", "copier"}


def test_holm_is_applied_within_a_measure(overall: np.ndarray) -> None:
    alone = planned_comparisons({"overall": overall}, NAMES, [1, 2, 0], 3, 1, 0.3)
    both = planned_comparisons({"overall": overall, "other": overall * 2}, NAMES, [1, 2, 0], 3, 1, 0.3)
    assert_allclose(both.loc[both["measure"] == "overall", "p_holm"], alone["p_holm"])
