"""How many of a set of honest rows fall below a threshold that held-out real rows set.

The threshold of a fold is the r-th smallest value among n audit rows, which no generator has seen. A fresh row that
resembles them falls below it with probability B ~ Beta(r, n + 1 - r), so that of m such rows
K ~ BetaBinomial(m, r, n + 1 - r) do (Wilks 1941): exact at any n, whatever the distribution of the values. If a share t
of the rows is copied and always falls below, K ~ Binomial(m, t + (1 - t) B). Folds are convolved.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from gexbench.metrics.shared.arrays import Matrix, as_array

TOLERATED = 0.05
"""Share of copied rows that a generator may have."""
LEVEL = 0.05 / 12
"""Probability under which a count is called too large: 5 % over twelve counts (Bonferroni)."""
ENOUGH = 100
"""Audit rows, over all folds, below which a count judges nobody."""
AUDIT_SHARE = 0.01


class Count(NamedTuple):
    """Of a fold: ``below`` of ``rows`` fell below the ``rank``-th smallest value of ``audit_rows``.

    Without audit rows nothing but a copy counts.
    """

    below: int
    rows: int
    audit_rows: int
    rank: int


def threshold_rank(audit_rows: int) -> int:
    """Rank of the threshold among the audit rows' values: 1 % of them, at least the smallest."""
    return max(1, round(AUDIT_SHARE * (audit_rows + 1)))


def below_audit(values: Any, audit: Any) -> Count:
    """How many of (m,) values lie below the ``threshold_rank``-th smallest of (n,) audit values, n >= 1."""
    limits = np.sort(as_array(audit))
    rank = threshold_rank(len(limits))
    return Count(int((as_array(values) < limits[rank - 1]).sum()), len(values), len(limits), rank)


@lru_cache(maxsize=4096)
def _null(rows: int, audit_rows: int, rank: int, tolerated: float) -> Matrix:
    from scipy.stats import beta, binom

    if not audit_rows:
        return np.asarray(binom.pmf(np.arange(rows + 1), rows, tolerated))
    own = beta(rank, audit_rows + 1 - rank)
    lowest, highest = own.ppf(1e-9), own.isf(1e-9)
    places, weights = np.polynomial.legendre.leggauss(48 + 2 * (rows // audit_rows))
    share = lowest + (highest - lowest) * (places + 1) / 2
    weights = weights * own.pdf(share)
    chance = tolerated + (1.0 - tolerated) * share
    found = weights @ binom.pmf(np.arange(rows + 1)[None, :], rows, chance[:, None])
    return np.asarray(found / weights.sum())


def count_null(folds: Sequence[Count], *, tolerated: float = TOLERATED) -> Matrix:
    """Probability of 0, 1, … rows below the thresholds, over all folds, (rows of all folds + 1,)."""
    whole = np.ones(1)
    for fold in folds:
        whole = np.convolve(whole, _null(fold.rows, fold.audit_rows, fold.rank, tolerated))
    return whole


def count_p_value(folds: Sequence[Count], *, tolerated: float = TOLERATED) -> float:
    """Probability of at least as many rows below the thresholds if a share ``tolerated`` were copied, (0, 1]."""
    return float(min(1.0, count_null(folds, tolerated=tolerated)[sum(fold.below for fold in folds) :].sum()))


def largest_passing_share(folds: Sequence[Count], *, level: float = LEVEL, tolerated: float = TOLERATED) -> float:
    """Largest share of rows below the thresholds that ``count_p_value`` keeps at ``level`` or above, [0, 1]."""
    null = count_null(folds, tolerated=tolerated)
    above = np.cumsum(null[::-1])[::-1]
    return float(np.flatnonzero(above >= level).max()) / (len(null) - 1)


def copied_interval(folds: Sequence[Count], *, level: float = LEVEL, digits: int = 3) -> tuple[float, float]:
    """Shares of copied rows, [0, 1], that the counts do not contradict: each end is rejected at ``level``.

    The lower end lies above ``TOLERATED`` just where ``count_p_value`` lies below ``level``.
    """
    count, step = sum(fold.below for fold in folds), 10.0**-digits

    def likely(share: float, upper: bool) -> bool:
        null = count_null(folds, tolerated=share)
        return float((null[: count + 1] if upper else null[count:]).sum()) >= level

    def end(upper: bool) -> float:
        low, high = (-1, round(1 / step)) if not upper else (0, round(1 / step) + 1)
        while high - low > 1:
            middle = (low + high) // 2
            if likely(middle * step, upper) == upper:
                low = middle
            else:
                high = middle
        return (low if upper else high) * step

    return end(False), end(True)
