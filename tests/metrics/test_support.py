"""Support metrics against prdc and by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prdc import compute_prdc

from gexbench.metrics.support import coverage, density, precision, radii, recall, support_measures


def _sets(seed, n=60, m=45, genes=6, shift=0.4):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, genes)), rng.normal(size=(m, genes)) * 0.8 + shift


@pytest.mark.parametrize("k", [1, 5])
@pytest.mark.parametrize("seed", [0, 1])
def test_agrees_with_prdc(seed, k):
    real, synthetic = _sets(seed)
    expected = compute_prdc(real, synthetic, nearest_k=k)
    found = support_measures(real, synthetic, k)._asdict()
    assert found == pytest.approx(expected)
    # All four differ here, so that none can stand in for another.
    assert len(set(found.values())) == 4


def test_by_hand_precision_is_not_recall():
    # Real balls of radius 1 at 0, 1, 2 and 10 (radius 8); synthetic collapsed near 0.5.
    real, synthetic = np.array([[0.0], [1.0], [2.0], [10.0]]), np.array([[0.5], [0.6]])
    assert precision(real, synthetic, k=1) == 1.0
    assert recall(real, synthetic, k=1) == 0.0
    assert density(real, synthetic, k=1) == 2.0
    assert coverage(real, synthetic, k=1) == 0.5


def test_radius_is_the_kth_other_row_and_counts_duplicates():
    assert radii([[0.0], [1.0], [3.0]], k=1).tolist() == [1, 1, 2]
    assert radii([[0.0], [0.0], [3.0]], k=1).tolist() == [0, 0, 3]
    assert radii([[0.0, 0.0], [1.0, 1.0], [5.0, 5.0]], k=1, distance="manhattan").tolist() == [2, 2, 8]
    with pytest.raises(ValueError, match="between 1 and 2"):
        radii([[0.0], [1.0], [3.0]], k=3)


def test_all_equal_rows_score_one():
    rows = np.full((12, 7), 0.1)
    assert support_measures(rows, rows.copy(), 5)[:2] == (1.0, 1.0)
    assert coverage(rows, rows.copy()) == 1.0


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6))
def test_identity_scores_one_and_permutations_change_nothing(seed):
    real, synthetic = _sets(seed, 25, 20)
    assert precision(real, real) == recall(real, real) == coverage(real, real) == 1.0
    rng = np.random.default_rng(seed)
    rows, genes = rng.permutation(len(synthetic)), rng.permutation(real.shape[1])
    moved = support_measures(real[::-1][:, genes], synthetic[rows][:, genes])
    assert moved == pytest.approx(support_measures(real, synthetic))


def test_chunks_and_kept_radii_change_nothing():
    real, synthetic = _sets(3)
    whole = support_measures(real, synthetic, 5)
    assert support_measures(real, synthetic, 5, chunk=7) == whole
    assert support_measures(real, synthetic, 5, real_radii=radii(real, 5)) == whole
    with pytest.raises(ValueError, match="real_radii has shape"):
        support_measures(real, synthetic, 5, real_radii=radii(real[:-1], 5))


def test_tensors_are_taken_and_bad_input_is_named():
    torch = pytest.importorskip("torch")
    real, synthetic = _sets(4)
    assert precision(torch.tensor(real), torch.tensor(synthetic)) == precision(real, synthetic)
    with pytest.raises(ValueError, match="align both by gene name"):
        precision(real, synthetic[:, :3])
    synthetic[2, 1] = np.nan
    with pytest.raises(ValueError, match="synthetic: 1 rows hold NaN"):
        precision(real, synthetic)
