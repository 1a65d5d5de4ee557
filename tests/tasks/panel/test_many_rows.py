"""Metrics of all pairs of rows hold a bounded number of pairs, of however many rows, and give the same values."""

import numpy as np
import pytest

from gexbench.metrics import distribution, membership, memorisation
from gexbench.metrics.shared import arrays

MOST = 600


def rows(seed, count, genes=6):
    return np.random.default_rng(seed).normal(size=(count, genes))


METRICS = {
    "mmd": lambda x, y: distribution.mmd(x, y, 2.0),
    "energy": distribution.energy_distance,
    "sliced_wasserstein": lambda x, y: distribution.sliced_wasserstein(x, y, projections=40),
    "nearest_ratios": memorisation.nearest_ratios,
    "donor_ratios": memorisation.donor_ratios,
    "segment_ratios": memorisation.segment_ratios,
    "nearest_distances": membership.nearest_distances,
}


@pytest.mark.parametrize("name", METRICS)
def test_pairs_held_at_once_are_bounded_and_values_stay(monkeypatch, name):
    x, y = rows(0, 90), rows(1, 70)
    expected = METRICS[name](x, y)
    sizes = []

    def recorded(module, function):
        made = getattr(module, function)

        def record(a, b, *more):
            sizes.append(a.shape[0] * (a.shape[1] if function == "_column_distances" else len(b)))
            return made(a, b, *more)

        monkeypatch.setattr(module, function, record)

    recorded(distribution, "_column_distances")
    for module in (distribution, membership, memorisation):
        recorded(module, "squared_distances")
    METRICS[name](x, y)
    assert max(sizes) > MOST, "without the bound more is held"
    sizes.clear()
    monkeypatch.setattr(arrays, "MOST_PAIRS", MOST)
    np.testing.assert_allclose(METRICS[name](x, y), expected, rtol=1e-12)
    assert 0 < max(sizes) <= MOST


def test_a_panels_sets_are_compared_in_the_same_steps_as_ever():
    """Other steps could change the last bit of a published value."""
    from gexbench.metrics.shared.row_samples import MOST_ROWS

    chunks = list(arrays.pair_chunks(MOST_ROWS, MOST_ROWS, 512))
    assert chunks == list(arrays.row_chunks(MOST_ROWS, 512))
    assert len(list(arrays.pair_chunks(256, 2 * MOST_ROWS, 256))) == 1
    assert {part.stop - part.start for part in arrays.pair_chunks(100, 10**7, 512)} == {1}
