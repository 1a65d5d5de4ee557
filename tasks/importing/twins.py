"""Samples with one profile under several ids: a copy of a training patient in the test set is no unseen patient."""

import hashlib
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gexbench.tasks.errors import InputError, examples

Twins = Literal["error", "drop", "keep"]
_FEW = 20
"""Whole numbers of fewer genes than this are equal by chance."""


def twin_sets(values: NDArray[np.float32]) -> list[list[int]]:
    """Rows with equal values, (n, genes) → lists of at least two row numbers, in the order of the first.

    Profiles of whole numbers of fewer than 20 genes are not compared.
    """
    rows: dict[bytes, list[int]] = {}
    for row, profile in enumerate(values):
        rows.setdefault(hashlib.blake2b((profile + np.float32(0)).tobytes(), digest_size=16).digest(), []).append(row)
    sets = [found for found in rows.values() if len(found) > 1]
    return sets if values.shape[1] >= _FEW else [rows for rows in sets if (values[rows[0]] % 1).any()]


def left_out(sets: Sequence[Sequence[int]], samples: NDArray[np.str_], labels: NDArray[np.str_]) -> list[int]:
    """Rows to leave out: all but the first id of a set of one label, all of a set with several labels.

    Args:
        sets: of `twin_sets`.
        samples: (n,) ids.
        labels: (n,) classes of the finest label.
    """
    dropped = []
    for rows in sets:
        ordered = sorted(rows, key=lambda row: str(samples[row]))
        dropped += ordered[1:] if len({str(labels[row]) for row in rows}) == 1 else ordered
    return sorted(dropped)


def as_one_patient(sets: Sequence[Sequence[int]], groups: NDArray[np.str_]) -> dict[str, str]:
    """Patient → the name under which all patients with a common profile count as one, for those that have one."""
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        while (above := parent.setdefault(name, name)) != name:
            name = above
        return name

    for rows in sets:
        names = [root(str(groups[row])) for row in rows]
        for name in names:
            parent[name] = min(names)
    return {name: root(name) for name in list(parent)}


def said(sets: Sequence[Sequence[int]], samples: NDArray[np.str_], labels: NDArray[np.str_]) -> str:
    """How many profiles are listed under several ids, within a class and across classes, with examples."""
    across = [rows for rows in sets if len({str(labels[row]) for row in rows}) > 1]
    ids = sum(map(len, sets))
    shown = examples(" = ".join(str(samples[row]) for row in rows[:3]) for rows in sets)
    apart = f", {len(across)} of them across classes" if across else ", all within a class"
    return f"{len(sets)} profiles are listed under several ids ({ids} ids; {shown}){apart}"


def refused(name: str, words: str) -> InputError:
    """The error of twins that were not asked about."""
    return InputError(
        f"{name}: {words}; leave the copies out with --twins drop, or keep them with --twins keep (they then count as "
        "one patient, which no fold parts)"
    )
