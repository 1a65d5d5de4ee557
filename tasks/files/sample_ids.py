"""Which patient or donor an id states, in the naming schemes of public programmes."""

import re
from collections.abc import Iterable

_SCHEMES = (
    re.compile(r"(TCGA-[A-Z0-9]{2}-[A-Z0-9]{4})(?:-\d{2}[A-Z]?.*)?"),
    re.compile(r"(GTEX-[A-Z0-9]+)(?:-.+)?"),
    re.compile(r"(TARGET-\d{2}-[A-Z0-9]{6})(?:-.+)?"),
    re.compile(r"(C3[LN]-\d{5})(?:[-.].+)?"),
    re.compile(r"(HCM-[A-Z]{4}-\d{4}-[A-Z]\d{2})(?:-.+)?"),
)
"""TCGA, GTEx, TARGET, CPTAC, HCMI; the group is the donor."""


def donor_of(name: str) -> str | None:
    """The donor that a sample's id begins with (`GTEX-1117F-0226-SM-5GZZ7` → `GTEX-1117F`), None for other names."""
    for scheme in _SCHEMES:
        if found := scheme.fullmatch(name):
            return found[1]
    return None


def mostly_samples(names: Iterable[str]) -> list[str]:
    """Those of the names that are ids of known samples, if they are more than half of the first thousand; else none."""
    looked = list(names)[:1000]
    found = [name for name in looked if donor_of(name)]
    return found if 2 * len(found) > len(looked) else []
