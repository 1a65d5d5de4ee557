"""Orders of names that depend on the names alone."""

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray


def hash_keys(salt: str | int, names: Any) -> NDArray[np.uint64]:
    """The first 64 bits of the SHA-256 of (salt, name), shape (n,): sorting by them is a shuffle by names alone."""
    prefix = f"{salt}\x1f".encode()
    digests = b"".join(hashlib.sha256(prefix + str(name).encode()).digest()[:8] for name in np.asarray(names).tolist())
    return np.frombuffer(digests, dtype=">u8").astype(np.uint64)


def hash_order(salt: str | int, names: Any) -> NDArray[np.intp]:
    """Indices that put (n,) names into the order of their keys; equal names keep their order."""
    return np.argsort(hash_keys(salt, names), kind="stable")
