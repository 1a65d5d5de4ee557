"""Seeds and orders derived by SHA-256 from named axes, never from position or Python's salted hash."""

import hashlib
import json
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def derive_seed(**axes: str | int) -> int:
    """A seed in [0, 2**63) that depends on every axis (name and value) and on nothing else.

    The order of the arguments does not matter: `derive_seed(cohort="a", fold=1)` equals
    `derive_seed(fold=1, cohort="a")`.
    """
    text = json.dumps(axes, sort_keys=True, ensure_ascii=True)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def hash_keys(seed: int, ids: Sequence[str] | NDArray[np.str_]) -> NDArray[np.uint64]:
    """One SHA-256 key of (seed, id) per id, shape (n,): sorting by it is a shuffle that depends on ids alone."""
    prefix = f"{seed}\x1f".encode()
    digests = b"".join(hashlib.sha256(prefix + str(name).encode()).digest()[:8] for name in ids)
    return np.frombuffer(digests, dtype=">u8").astype(np.uint64)


def hash_order(seed: int, ids: Sequence[str] | NDArray[np.str_]) -> NDArray[np.intp]:
    """Indices that put `ids` into the order of their SHA-256 keys, shape (n,)."""
    return np.argsort(hash_keys(seed, ids), kind="stable")
