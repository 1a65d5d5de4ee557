"""An order of names that depends on the names alone."""

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray


def hashed_order(names: Any, salt: str) -> NDArray[np.intp]:
    """Places of (n,) names in the order of the SHA-256 of (salt, name); equal names keep their order."""
    digests = [hashlib.sha256(f"{salt}\x1f{name}".encode()).digest() for name in np.asarray(names).tolist()]
    return np.array(sorted(range(len(digests)), key=digests.__getitem__), dtype=np.intp)
