"""Rows that are copies of known rows, or made of two or three of them, against what unseen real rows show."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from gexbench.metrics.gates.calibration import Count, threshold_rank
from gexbench.metrics.memorisation import DONORS, donor_ratios
from gexbench.metrics.shared.arrays import Matrix

KINDS = ("one", "two", "three", "any")
"""Of how many known rows a row is made; `any` asks for all three at once."""


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """Known rows, and the limits that audit rows set.

    rows: (n, genes); scale: (donors,) ratios that 1 % of the known rows stay below among each other, which make the
    kinds comparable; limits: kind → ``donor_ratios``, of `any` their smallest in units of the scale, below which a row
    counts as made of known rows; audit_rows: those that set the limits; rank: of a limit among them.
    """

    rows: Matrix
    scale: Matrix
    limits: dict[str, float]
    audit_rows: int
    rank: int


def pool_of(known: Any, audit: Any) -> Pool:
    """Known rows with the limits of (m, genes) audit rows; audit rows equal to a known row set none.

    A limit is the ``threshold_rank``-th smallest value of the audit rows. Needs four known rows. O(n (n + m) genes).
    """
    if len(known) < 4:
        raise ValueError(f"{len(known)} known rows are too few to seek copies of them; at least 4 are needed")
    donors = min(DONORS, len(known) - 2)
    # Every row's nearest is itself, so that the other ratios are those among the rest.
    among = donor_ratios(known, known, donors=donors + 1)[:, 1:]
    scale = np.array([np.percentile(column[column > 0], 1) if (column > 0).any() else 1.0 for column in among.T])
    ratios = donor_ratios(audit, known, donors=donors)
    ratios = ratios[ratios[:, 0] > 0]
    rank = threshold_rank(len(ratios)) if len(ratios) else 0
    limits = {kind: float(np.sort(values)[rank - 1]) if rank else 0.0 for kind, values in _kinds(ratios, scale).items()}
    return Pool(known, scale, limits, len(ratios), rank)


def _kinds(ratios: Matrix, scale: Matrix) -> dict[str, Matrix]:
    found = dict(zip(KINDS, ratios.T, strict=False))
    return {**found, "any": (ratios / scale).min(axis=1)}


def made_of(rows: Any, pool: Pool) -> tuple[dict[str, Count], int]:
    """Kind → how many of (n, genes) rows lie below its limit, and how many rows equal a known row.

    A row equal to a known one counts as made of one, whatever the limit.
    """
    ratios = donor_ratios(rows, pool.rows, donors=len(pool.scale))
    exact = ratios[:, 0] == 0
    counts = {}
    for kind, values in _kinds(ratios, pool.scale).items():
        below = (values < pool.limits[kind]) | (exact & (kind in ("one", "any")))
        counts[kind] = Count(int(below.sum()), len(rows), pool.audit_rows, pool.rank)
    return counts, int(exact.sum())
