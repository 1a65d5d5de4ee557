"""Seeds derived by SHA-256 from named axes, never from position or Python's salted hash."""

import hashlib
import json


def derive_seed(**axes: str | int) -> int:
    """A seed in [0, 2**63) that depends on every axis (name and value) and on nothing else.

    The order of the arguments does not matter: `derive_seed(cohort="a", fold=1)` equals
    `derive_seed(fold=1, cohort="a")`.
    """
    text = json.dumps(axes, sort_keys=True, ensure_ascii=True)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator_seed(**axes: str | int) -> int:
    """The 31 leading bits of `derive_seed`: what a generator is handed, since many libraries take no larger seed."""
    return derive_seed(**axes) >> 32
