"""Orders of names: those that folds, seeds and published numbers were made with."""

import hashlib

import numpy as np
import pytest

from gexbench.metrics.shared.hashing import hash_keys, hash_order

NAMES = [f"TCGA-{number:04d}" for number in range(200)]


@pytest.mark.parametrize("salt", [0, 7, "membership", "shuffled labels/given/3"])
def test_the_order_is_that_of_the_whole_digests(salt):
    digests = [hashlib.sha256(f"{salt}\x1f{name}".encode()).digest() for name in NAMES]
    expected = sorted(range(len(NAMES)), key=digests.__getitem__)
    assert hash_order(salt, NAMES).tolist() == expected
    assert hash_order(salt, np.asarray(NAMES)).tolist() == expected
    assert [int.from_bytes(digest[:8], "big") for digest in digests] == hash_keys(salt, NAMES).tolist()


def test_equal_names_keep_their_order_and_no_names_have_one():
    order = hash_order("x", ["b", "a", "b"]).tolist()
    assert order.index(0) + 1 == order.index(2)
    assert hash_order("x", []).tolist() == []
