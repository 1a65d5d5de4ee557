"""Differential expression, pathway activity and modules against scipy and by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import rankdata, ttest_ind

from gexbench.metrics.biology import (
    class_differences,
    concordance,
    de_concordance,
    de_overlap,
    fold_change_concordance,
    pathway_activity,
    pathway_agreement,
    pathway_concordance,
)

LABELS = np.repeat(["a", "b", "c", "rare"], [20, 15, 12, 5])


def _rows(seed, effects=None, genes=40):
    effects = np.random.default_rng(9).normal(size=(4, genes)) if effects is None else effects
    codes = np.unique(LABELS, return_inverse=True)[1]
    rng = np.random.default_rng(seed)
    return 8 + effects[codes] + rng.normal(size=(len(LABELS), genes)) * np.linspace(0.3, 2, genes)


def test_differences_agree_with_scipy_and_leave_rare_classes_to_the_rest():
    rows = _rows(0)
    found = class_differences(rows, LABELS)
    assert found.classes.tolist() == ["a", "b", "c"]
    for name, change, t in zip(*found, strict=True):
        mine, others = rows[name == LABELS], rows[name != LABELS]
        assert change == pytest.approx(mine.mean(axis=0) - others.mean(axis=0))
        assert t == pytest.approx(ttest_ind(mine, others, equal_var=False).statistic)


def test_genes_without_spread_have_no_or_infinite_t():
    rows = np.full((24, 3), 0.1)
    rows[:12, 1] = 0.3
    rows[:, 2] = np.arange(24)
    found = class_differences(rows, np.repeat(["a", "b"], 12))
    assert found.t[:, 0].tolist() == [0, 0]
    assert found.t[:, 1].tolist() == [np.inf, -np.inf]
    assert found.fold_changes[:, 0].tolist() == [0, 0]
    assert np.isfinite(found.t[:, 2]).all()


def test_too_few_classes_are_refused():
    rows = _rows(0)
    with pytest.raises(ValueError, match="need two classes"):
        class_differences(rows, np.repeat("a", len(rows)))
    with pytest.raises(ValueError, match="no class has 30 rows"):
        class_differences(rows, LABELS, smallest=30)
    with pytest.raises(ValueError, match="one label per row"):
        class_differences(rows, LABELS[:-1])


def test_concordance_by_hand_and_against_shrinkage():
    # Means 2 and 3, variances 2/3 and 8/3, covariance 4/3: 2 · 4/3 / (2/3 + 8/3 + 1).
    assert concordance([1, 2, 3], [1, 3, 5]) == pytest.approx(8 / 13)
    # Means 1 and 4, variances and covariance 2/3: 2 · 2/3 / (2/3 + 2/3 + 9).
    assert concordance([0, 1, 2], [3, 4, 5]) == pytest.approx(4 / 31)
    x = np.random.default_rng(1).normal(size=50)
    assert concordance(x, x) == pytest.approx(1)
    assert concordance(x, -x) == pytest.approx(-1, abs=0.1)
    # Pearson's r is 1 in both cases.
    assert concordance(x, 0.5 * x) < 0.85
    assert concordance(x, x + 1) < 0.85
    assert concordance([2, 2], [2, 2]) == 1.0
    assert concordance([2, 2], [3, 3]) == 0.0
    with pytest.raises(ValueError, match="same number"):
        concordance([1, 2], [1])


def test_expression_differences_fall_with_corruption():
    real, fair = _rows(0), _rows(1)
    shrunk = fair.mean(axis=0) + 0.3 * (fair - fair.mean(axis=0))
    shuffled = np.random.default_rng(2).permutation(fair)
    scores = [de_concordance(real, rows, LABELS) for rows in (real, fair, shrunk, shuffled)]
    assert scores[0] == pytest.approx(1)
    assert scores == sorted(scores, reverse=True)
    assert scores[1] > 0.8
    assert abs(scores[3]) < 0.3
    # t does not depend on the scale, so the leading genes survive shrinkage.
    assert de_overlap(real, shrunk, LABELS, 10) == de_overlap(real, fair, LABELS, 10)
    assert de_overlap(real, fair, LABELS, 10) > 0.6 > de_overlap(real, shuffled, LABELS, 10)


def test_overlap_by_hand():
    effects = np.zeros((4, 6))
    effects[0, :2] = 9
    other = np.zeros((4, 6))
    other[0, 1:3] = 9
    real, synthetic = _rows(0, effects, 6), _rows(1, other, 6)
    # Gene 1 is common for the class "a", which alone differs.
    labels = np.where(LABELS == "a", "a", "rest")
    assert de_overlap(real, synthetic, labels, 2) == 0.5
    assert de_overlap(real, real, labels, 2) == 1.0
    with pytest.raises(ValueError, match="top 6 of 6 genes"):
        de_overlap(real, real, labels, 6)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**6))
def test_order_of_rows_and_genes_changes_nothing(seed):
    rng = np.random.default_rng(seed)
    real, synthetic = _rows(0), _rows(1)
    rows, genes = rng.permutation(len(LABELS)), rng.permutation(real.shape[1])
    moved = (real[rows][:, genes], synthetic[rows][:, genes], LABELS[rows])
    assert de_concordance(*moved) == pytest.approx(de_concordance(real, synthetic, LABELS))
    assert de_overlap(*moved, 10) == pytest.approx(de_overlap(real, synthetic, LABELS, 10))
    member = np.arange(40)[:, None] < np.array([12, 30])
    found = pathway_activity(real, member)
    assert pathway_activity(real[rows][:, genes], member[genes]) == pytest.approx(found[rows])


def test_classes_must_agree():
    real = class_differences(_rows(0), LABELS)
    with pytest.raises(ValueError, match="same classes"):
        fold_change_concordance(real, class_differences(_rows(0), np.where(LABELS == "c", "d", LABELS)))


def test_activity_agrees_with_a_plain_loop_and_its_bounds_are_reached():
    rng = np.random.default_rng(3)
    rows, member = np.round(rng.normal(size=(7, 25)), 1), rng.random((25, 4)) < 0.4
    expected = np.empty((7, 4))
    for i, row in enumerate(rows):
        ranks = (rankdata(row) - 1) / 24
        for s in range(4):
            expected[i, s] = ranks[member[:, s]].mean() - ranks[~member[:, s]].mean()
    assert pathway_activity(rows, member) == pytest.approx(expected)
    assert pathway_activity([[0.0, 1.0], [1.0, 0.0], [4.0, 4.0]], [[False], [True]]).ravel().tolist() == [1, -1, 0]
    assert pathway_activity(np.exp(rows), member) == pytest.approx(expected)
    for wrong in (np.ones((25, 1), dtype=bool), np.zeros((25, 1), dtype=bool), np.zeros((25, 0), dtype=bool)):
        with pytest.raises(ValueError, match="some of the genes"):
            pathway_activity(rows, wrong)
    with pytest.raises(ValueError, match="genes × sets"):
        pathway_activity(rows, member[:-1])


def test_pathway_scores_fall_with_corruption():
    member = np.random.default_rng(4).random((40, 12)) < 0.3
    real, fair = (pathway_activity(_rows(seed), member) for seed in (0, 1))
    shuffled = np.random.default_rng(5).permutation(fair)
    collapsed = np.tile(fair.mean(axis=0), (len(fair), 1))
    assert pathway_concordance(real, real, LABELS) == pytest.approx(1)
    assert pathway_concordance(real, fair, LABELS) > 0.8
    assert pathway_concordance(real, shuffled, LABELS) < 0.4
    assert pathway_concordance(real, collapsed, LABELS) == pytest.approx(0, abs=1e-12)
    # What all classes share says nothing about them.
    assert pathway_concordance(real, real + 0.3, LABELS) == pytest.approx(1)
    assert pathway_agreement(real, real) == 1.0
    assert pathway_agreement(real, fair) > 0.8 > pathway_agreement(real, collapsed)
    assert pathway_agreement(real, real + 3) == 0.0
    with pytest.raises(ValueError, match="1 of 4 classes have 20 rows"):
        pathway_concordance(real, fair, LABELS, smallest=20)


def test_tensors_are_taken():
    torch = pytest.importorskip("torch")
    real, synthetic = (torch.tensor(_rows(seed), requires_grad=True) for seed in (0, 1))
    found = de_concordance(real, synthetic, LABELS)
    assert isinstance(found, float)
    assert found == de_concordance(_rows(0), _rows(1), LABELS)
