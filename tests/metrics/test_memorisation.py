"""The copy gate on copies, noisy copies and fresh rows; blends of two training rows, and rows of several donors."""

import numpy as np
import pytest

from gexbench.metrics.gates.copies import made_of, pool_of
from gexbench.metrics.memorisation import (
    blend_share,
    blend_threshold,
    copy_share,
    copy_threshold,
    donor_ratios,
    nearest_ratios,
    segment_ratios,
)


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


def test_segment_ratio_by_hand():
    training = [[0.0, 0.0], [2.0, 0.0], [5.0, 5.0], [40.0, 40.0]]
    rows = [[1.0, 1.0], [0.5, 0.0], [-1.0, 0.0], [2.0, 0.0]]
    expected = [1 / np.sqrt(32), 0, 1 / np.sqrt(61), 0]
    assert segment_ratios(rows, training, neighbours=2) == pytest.approx(expected, abs=1e-9)
    # The third side of the triangle is nearer: its middle lies 0 from the row.
    assert segment_ratios([[3.5, 2.5]], training, neighbours=3) == pytest.approx([0.0], abs=1e-9)
    assert segment_ratios([[2.0, 1.0]], [[2.0, 2.0]] * 3 + [[9.0, 9.0]], neighbours=2) == pytest.approx([1.0])
    assert segment_ratios([[2.0, 2.0]], [[2.0, 2.0]] * 4, neighbours=2).tolist() == [0.0]
    for neighbours in (1, 4):
        with pytest.raises(ValueError, match="give at least 2"):
            segment_ratios(rows, training, neighbours=neighbours)


def test_segment_ratio_against_a_fine_grid(sets):
    training, _, fresh = sets
    weights = np.linspace(0, 1, 2001)[:, None]
    for row in fresh[:3]:
        near = training[np.argsort(np.linalg.norm(training - row, axis=1))[:6]]
        pairs = [(near[i], near[j]) for i in range(5) for j in range(i)]
        least = min(np.linalg.norm(weights * a + (1 - weights) * b - row, axis=1).min() for a, b in pairs)
        found = segment_ratios([row], training)[0]
        assert found == pytest.approx(least / np.linalg.norm(near[5] - row), rel=1e-5)


def test_blends_are_seen_where_the_copy_gate_is_blind(sets):
    training, validation, fresh = sets
    threshold, copies = blend_threshold(validation, training), copy_threshold(validation, training)
    assert (segment_ratios(validation, training) < threshold).mean() == pytest.approx(0.01)
    assert blend_share(fresh, training, threshold) < 0.05
    first, second = training[:200], training[200:]
    midpoints = (first + second) / 2
    assert copy_share(midpoints, training, copies) < 0.05
    for weight in (0.5, 0.7, 0.9, 1.0):
        assert blend_share(weight * first + (1 - weight) * second, training, threshold) > 0.95
    noise = np.random.default_rng(1).normal(size=midpoints.shape)
    assert blend_share(midpoints + 0.3 * noise, training, threshold) > 0.8
    assert blend_share(midpoints + 3 * noise, training, threshold) < 0.05
    half = np.vstack([fresh[:100], midpoints[:100]])
    assert blend_share(half, training, threshold) == pytest.approx(0.5, abs=0.04)


def test_segment_ratios_do_not_depend_on_chunks_order_or_place(sets):
    training, _, fresh = sets
    expected = segment_ratios(fresh[:40], training)
    assert segment_ratios(fresh[:40], training, chunk=7) == pytest.approx(expected)
    order = np.random.default_rng(2).permutation(len(training))
    moved = segment_ratios(fresh[:40, ::-1] * 2 + 3, training[order][:, ::-1] * 2 + 3)
    assert moved == pytest.approx(expected)


def test_donor_ratios_by_hand():
    training = [[0.0], [4.0], [10.0], [22.0]]
    assert donor_ratios([[1.0], [2.0]], training, donors=3) == pytest.approx(
        np.array([[1 / 3, 3 / 9, 9 / 21], [1, 2 / 8, 8 / 20]])
    )
    assert donor_ratios([[4.0]], training, donors=1).tolist() == [[0.0]]
    assert donor_ratios([[4.0]], [[4.0], [4.0], [5.0]], donors=2).tolist() == [[0.0, 0.0]]
    for donors in (0, 4):
        with pytest.raises(ValueError, match=f"{donors} donors of 4 training rows"):
            donor_ratios([[1.0]], training, donors=donors)


def test_the_first_donor_ratio_is_the_copy_gates_and_chunks_and_order_change_nothing(sets):
    training, _, fresh = sets
    found = donor_ratios(fresh, training)
    assert (found[:, 0] == nearest_ratios(fresh, training)).all()
    assert donor_ratios(fresh, training[::-1, ::-1][:, ::-1], chunk=7) == pytest.approx(found)


def mosaic(first, second, rng):
    """Genes of either row, in random order up to half of their squared distance: about equally far from both."""
    rows = second.copy()
    for row, squares in enumerate((first - second) ** 2):
        order = rng.permutation(len(squares))
        take = order[: np.abs(np.cumsum(squares[order]) - squares.sum() / 2).argmin() + 1]
        rows[row, take] = first[row, take]
    return rows


def test_rows_of_two_donors_are_seen_where_the_copy_gate_is_blind(sets):
    training, validation, fresh = sets
    pool, copies = pool_of(training, validation), copy_threshold(validation, training)

    def shares(rows):
        return {kind: count.below / count.rows for kind, count in made_of(rows, pool)[0].items()}

    assert max(shares(fresh).values()) < 0.05
    assert shares(training[:300])["one"] == 1.0
    rows = mosaic(training[:200], training[200:], np.random.default_rng(3))
    assert (np.isin(rows, training[:200]) | np.isin(rows, training[200:])).all()
    assert copy_share(rows, training, copies) < 0.03
    assert shares(rows)["two"] > 0.4
    assert shares((training[:200] + training[200:]) / 2)["two"] > 0.9
    thirds = (training[:100] + training[100:200] + training[200:300]) / 3
    assert shares(thirds)["three"] > 0.25
    half = np.vstack([fresh[:100], rows[:100]])
    assert 0.15 < shares(half)["two"] < 0.35
