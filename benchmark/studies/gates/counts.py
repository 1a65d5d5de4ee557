"""The gate of copies on counts alone: whatever the profiles are, ranks of exchangeable values decide it.

So that many repetitions of large folds cost seconds. Three kinds of ratios are correlated as on real rows (.5), and
`any` is their smallest; each of the parts and pools has values of its own, and all share the copied rows.
"""

from functools import lru_cache

import numpy as np

from gexbench.benchmark.studies.gates.trial import TRAIN
from gexbench.metrics.gates.calibration import Count, below_audit, largest_passing_share, threshold_rank

KINDS, POOLS, CORRELATION = 3, 2, 0.5


def parts_of(size: int) -> tuple[int, int, int]:
    """Rows made for test and training patients, and paired draws."""
    return size, round(TRAIN * size), size


@lru_cache(maxsize=256)
def largest_count(rows: int, size: int, folds: int) -> int:
    """Largest count over the folds that passes."""
    each = [Count(0, rows, size, threshold_rank(size))] * folds
    return round(largest_passing_share(each) * rows * folds)


def fails(size: int, folds: int, share: float, rng: np.random.Generator) -> bool:
    """Whether any of 24 counts is too large in one repetition; ``share`` of the rows are copies of one row."""
    totals: dict[tuple[int, int, int], int] = {}
    for _ in range(folds):
        copied = [rng.random(rows) < share for rows in parts_of(size)]
        for pool in range(POOLS):
            audit = _ratios(size, rng)
            for part, rows in enumerate(parts_of(size)):
                made = _ratios(rows, rng)
                made[copied[part]] = -np.inf if pool == 0 else made[copied[part]]
                for kind in range(KINDS + 1):
                    key = (part, pool, kind)
                    totals[key] = totals.get(key, 0) + below_audit(made[:, kind], audit[:, kind]).below
    return any(total > largest_count(parts_of(size)[part], size, folds) for (part, _, _), total in totals.items())


def _ratios(rows: int, rng: np.random.Generator) -> np.ndarray:
    """(rows, kinds + 1): the last is the smallest of the others."""
    shared, own = rng.normal(size=(rows, 1)), rng.normal(size=(rows, KINDS))
    values = np.sqrt(CORRELATION) * shared + np.sqrt(1 - CORRELATION) * own
    return np.concatenate([values, values.min(axis=1, keepdims=True)], axis=1)


def failing_share(size: int, folds: int, share: float, repetitions: int) -> float:
    """Share of seeded repetitions that fail."""
    seeds = ([size, folds, round(1000 * share), number] for number in range(repetitions))
    return sum(fails(size, folds, share, np.random.default_rng(seed)) for seed in seeds) / repetitions
