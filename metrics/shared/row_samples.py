"""Seeded samples of rows where a metric's cost needs them: only above sizes that no published cohort reaches."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gexbench.metrics.shared.arrays import Matrix
from gexbench.metrics.shared.hashing import hash_order

SAMPLE_SEED = 0
MOST_ROWS = 10_000
"""Rows up to which metrics compare all pairs of rows; of more a sample is compared."""
MOST_VALUES = 40_000_000
"""Rows × genes up to which a classifier is fitted on all rows: 2,000 rows of 20,000 genes."""
MOST_BOOSTED = 300_000_000
"""Rows × genes × classes up to which boosted trees are fitted on all rows, since each class has trees of its own: about
470 rows of 20,000 genes and 32 classes, five CPU-minutes."""
LEAST_OF_CLASS = 5


def sampled_places(ids: Any, most: int) -> NDArray[np.intp]:
    """Places, ascending, of at most ``most`` of (n,) ids: the first by SHA-256 of (seed, id), in any order of rows."""
    if len(ids) <= most:
        return np.arange(len(ids))
    return np.sort(hash_order(f"sample of rows/{SAMPLE_SEED}", ids)[:most])


def sampled(rows: Matrix, ids: Any) -> Matrix:
    """At most ``MOST_ROWS`` of (n, genes) rows with (n,) ids; all, not copied, where there are no more."""
    return rows if len(rows) <= MOST_ROWS else np.asarray(rows[sampled_places(ids, MOST_ROWS)])


def most_fitted(genes: int, classes: int, boosted: bool) -> int:
    """Rows up to which a classifier is fitted on all; of boosted trees fewer where there are many classes."""
    return max(1, (min(MOST_VALUES, MOST_BOOSTED // classes) if boosted else MOST_VALUES) // genes)


def sampled_of_classes(codes: NDArray[np.intp], most: int) -> NDArray[np.intp]:
    """Places, ascending, of about ``most`` of (n,) rows, every class in its share and with at least 5 rows.

    codes: class of every row. Drawn by the seed and a row's place within its class.
    """
    if len(codes) <= most:
        return np.arange(len(codes))
    chosen = []
    for code in np.unique(codes):
        mine = np.flatnonzero(codes == code)
        kept = min(len(mine), max(LEAST_OF_CLASS, round(most * len(mine) / len(codes))))
        chosen.append(np.random.default_rng([SAMPLE_SEED, int(code)]).permutation(mine)[:kept])
    return np.sort(np.concatenate(chosen))


def most_pairs(genes: int) -> int:
    """Pairs of a real and a synthetic row up to which detection takes all."""
    return max(1, MOST_VALUES // (2 * genes))


def notes(train: int, validation: int, test: int, set_rows: int, genes: int, classes: int) -> Sequence[str]:
    """What was sampled for a fold of this size, in words for its record; empty where all rows count.

    train, validation, test: rows of the parts; set_rows: rows that set metrics were to compare; classes: of the finest
    label, which boosted trees are asked.
    """
    found, seeded = [], f"a sample of rows (seed {SAMPLE_SEED})"
    if set_rows > MOST_ROWS:
        found.append(f"set metrics compare {seeded}: {MOST_ROWS} of {set_rows}")
    if max(train, validation, test) > MOST_ROWS:
        found.append(f"copies are sought among {seeded} of each part of the fold: at most {MOST_ROWS}")
    if min(set_rows, MOST_ROWS) > most_pairs(genes):
        found.append(f"detection takes {seeded}: {most_pairs(genes)} of {min(set_rows, MOST_ROWS)} of each side")
    fitted, boosted = (most_fitted(genes, classes, trees) for trees in (False, True))
    if train > fitted:
        found.append(f"classifiers are fitted on {seeded}: about {fitted} of {train}")
    if train > boosted and boosted < fitted:
        found.append(f"boosted trees of the {classes} classes are fitted on {seeded}: about {boosted} of {train}")
    return found
