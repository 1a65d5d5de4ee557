"""Support metrics against prdc and by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prdc import compute_prdc
from scipy.spatial.distance import cdist

from gexbench.metrics.shared.screening import screen
from gexbench.metrics.support import Support, coverage, density, precision, radii, recall, support_measures


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


def _plain(real, synthetic, k):
    """All distances at once, and the radii of both sides: what the screened comparisons must reproduce."""
    inner, outer = (np.sort(cdist(rows, rows), axis=1)[:, k] for rows in (real, synthetic))
    distances = cdist(real, synthetic)
    inside = distances <= inner[:, None]
    recalled = (distances <= outer[None, :]).any(axis=1)
    measures = (inside.any(axis=0).mean(), recalled.mean(), inside.sum(axis=0).mean() / k, inside.any(axis=1).mean())
    return Support(*map(float, measures)), inner, outer


def _hard_sets():
    rng = np.random.default_rng(8)
    real, other = rng.normal(size=(310, 40)), rng.normal(size=(240, 40)) * 0.9
    whole, other_whole = rng.integers(0, 3, (310, 4)), rng.integers(0, 3, (240, 4))
    copies = real[rng.integers(0, 310, 240)]
    far, spikes = real.copy(), other.copy()
    far[7], spikes[3, 5] = 1e9, -1e6
    # Neighbours closer together than float32 tells apart, in a set as wide as before.
    fine = real[:, None, :].repeat(2, 1).reshape(-1, 40) + rng.normal(size=(620, 40)) * 1e-9
    return {
        "random": (real, other),
        "one gene": (real[:, :1], other[:, :1]),
        "many genes": (rng.normal(size=(60, 3000)), rng.normal(size=(90, 3000))),
        "ties": (whole.astype(float), other_whole.astype(float)),
        "thirds": (whole / 3, other_whole / 3),
        "copies": (real, copies),
        "near copies": (real, copies + rng.normal(size=copies.shape) * 1e-7),
        "fine": (fine, fine[::3] + 1e-10),
        "duplicated": (real[rng.integers(0, 40, 310)], other[rng.integers(0, 40, 240)]),
        "equal": (np.full((310, 40), 0.1), np.full((240, 40), 0.1)),
        "collapsed": (real, other[:1].repeat(240, 0)),
        "offset": (real + 1e6, other + 1e6),
        "offset whole": (whole + 1e6, other_whole + 1e6),
        "apart": (real, other + 1e6),
        "outliers": (far, spikes),
        "tiny": (real * 1e-60, other * 1e-60),
        "nothing": (real * 1e-170, other * 1e-170),
        "huge": (real * 1e140, other * 1e140),
        "scales": (real * 10.0 ** rng.integers(-60, 60, 40), other * 10.0 ** rng.integers(-60, 60, 40)),
        "row scales": (real * 10.0 ** rng.integers(-40, 3, (310, 1)), other * 10.0 ** rng.integers(-40, 3, (240, 1))),
        "float32": (real.astype(np.float32), other.astype(np.float32)),
    }


@pytest.mark.parametrize("name", list(_hard_sets()))
def test_decisions_are_those_of_the_exact_distances(name):
    sets = _hard_sets()[name]
    for real, synthetic in (sets, sets[::-1], (sets[0], sets[0])):
        for k in (1, 5):
            expected, inner, outer = _plain(real, synthetic, k)
            assert np.array_equal(radii(real, k), inner)
            assert np.array_equal(radii(synthetic, k, chunk=50), outer)
            assert support_measures(real, synthetic, k) == expected
            assert support_measures(real, synthetic, k, real_radii=inner, chunk=17) == expected


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 40), st.integers(2, 40), st.integers(1, 6), st.integers(0, 4))
def test_decisions_on_random_grids(seed, n, m, genes, decimals):
    rng = np.random.default_rng(seed)
    real, synthetic = (rng.normal(size=(rows, genes)).round(decimals) for rows in (n, m))
    k = int(rng.integers(1, min(n, m)))
    assert support_measures(real, synthetic, k) == _plain(real, synthetic, k)[0]


def test_given_radii_on_the_distances_themselves():
    # Each radius equals a distance, or is the next number below it: <= holds for the one and not for the other.
    real, synthetic = _sets(5, 80, 70, 20)
    distances = cdist(real, synthetic)
    for inner in (distances[:, 3], np.nextafter(distances[:, 3], 0)):
        found = support_measures(real, synthetic, 5, real_radii=inner)
        assert found.density == (distances <= inner[:, None]).sum(axis=0).mean() / 5
    for limit in (np.inf, -1.0, np.nan, 0.0, 1e300):
        found = support_measures(real, synthetic, 5, real_radii=np.full(80, limit))
        assert found.coverage == (distances <= limit).any(axis=1).mean()


@pytest.mark.parametrize("name", ["random", "many genes", "outliers", "scales", "row scales", "offset", "near copies"])
def test_screen_bounds_hold_and_are_narrow(name):
    real, synthetic = _hard_sets()[name]
    pairs = screen(real, synthetic)
    assert pairs is not None
    squares = (cdist(real, synthetic) * pairs.scale) ** 2
    norms = pairs.left_norms[:, None] + pairs.right_norms[None, :]
    lower = pairs.left_norms[:, None] * (1 - pairs.error) - 2.0 * pairs.closeness(slice(None)).astype(float)
    assert (lower <= squares + pairs.underflow).all()
    assert (squares <= lower + 2 * pairs.error * norms + pairs.underflow).all()
    assert np.median(pairs.right_norms) < 10 * np.median(squares)
    assert pairs.error < 3e-7 * (real.shape[1] + 6)
    assert np.abs(pairs.left).max() <= 1


def test_sizes_the_bound_does_not_cover_have_no_screen():
    rows = np.random.default_rng(0).normal(size=(20, 3))
    assert screen(rows * 1e120, rows) is None
    assert screen(rows * 1e-120, rows * 1e-120) is None
    assert screen(rows * 0, rows * 0) is not None
