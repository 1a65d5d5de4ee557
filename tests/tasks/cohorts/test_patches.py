"""The seeded draw of patches."""

import numpy as np
import pytest

from gexbench.metrics.shared.hashing import hash_keys
from gexbench.tasks.cohorts.cohort import Ragged
from gexbench.tasks.cohorts.patches import in_draw_order
from gexbench.tasks.errors import InputError


def _ragged(*counts: int) -> Ragged:
    values = np.arange(sum(counts) * 2, dtype=np.float32).reshape(-1, 2)
    return Ragged(values, np.concatenate([[0], np.cumsum(counts)]).astype(np.int64))


def test_order_follows_the_hash_of_sample_and_region() -> None:
    patches, samples, regions = _ragged(5, 0, 3), ["p1", "p2", "p3"], list("abcdexyz")
    drawn = in_draw_order(patches, samples, regions)
    keys = hash_keys(0, [f"p1\x1f{region}" for region in "abcde"])
    np.testing.assert_array_equal(drawn.values[:5], patches.values[:5][np.argsort(keys)])
    assert {tuple(row) for row in drawn.values[5:]} == {tuple(row) for row in patches.values[5:]}
    np.testing.assert_array_equal(drawn.offsets, patches.offsets)


def test_position_in_the_file_has_no_influence() -> None:
    patches, regions = _ragged(6, 4), np.asarray([f"r{number}" for number in range(10)])
    shuffled = np.asarray([3, 0, 5, 1, 4, 2, 9, 7, 8, 6])
    moved = Ragged(patches.values[shuffled], patches.offsets)
    first = in_draw_order(patches, ["a", "b"], regions)
    second = in_draw_order(moved, ["a", "b"], regions[shuffled])
    np.testing.assert_array_equal(first.values, second.values)


def test_other_patients_have_no_influence() -> None:
    patches = _ragged(6, 4)
    both = in_draw_order(patches, ["a", "b"])
    alone = in_draw_order(patches.take(np.asarray([1])), ["b"])
    np.testing.assert_array_equal(both.values[6:], alone.values)


def test_patients_get_different_orders() -> None:
    patches = Ragged(np.tile(np.arange(12.0, dtype=np.float32)[:, None], (2, 1)), np.asarray([0, 12, 24]))
    drawn = in_draw_order(patches, ["a", "b"]).values[:, 0]
    assert drawn[:12].tolist() != drawn[12:].tolist()


def test_refuses_ids_that_do_not_fit() -> None:
    patches = _ragged(2, 2)
    with pytest.raises(InputError, match="2 samples, 1 sample ids"):
        in_draw_order(patches, ["a"])
    with pytest.raises(InputError, match="4 patches have 3 region ids"):
        in_draw_order(patches, ["a", "b"], ["x", "y", "z"])
    with pytest.raises(InputError, match="patches of b: region id 'x' appears twice"):
        in_draw_order(patches, ["a", "b"], ["x", "y", "x", "x"])
