"""Rows that know the marginals and correlations of a class and nothing else: the yardstick of membership."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gexbench.metrics.shared.arrays import Matrix, as_matrix

LEAST_OF_CLASS = 3


def class_copula_rows(known: Any, labels: Any, asked: Any, seed: int) -> Matrix:
    """Draws from a Gaussian copula of each class, (len(asked), genes), in the unit of ``known``.

    Normal scores with Ledoit-Wolf shrunk correlations (Ledoit & Wolf 2004, lemma 3.2 to 3.5, from products of rows, so
    that no matrix of genes is held) and empirical quantiles with linear interpolation.

    Args:
        known: (n, genes) rows; labels: (n,) class of each.
        asked: (m,) class of every row wanted; a class of fewer than three known rows is drawn from all rows.
        seed: of the draws; those of a class depend on nothing that the other classes hold.
    """
    rows, classes, wanted = as_matrix(known, "known"), np.asarray(labels), np.asarray(asked)
    made = np.empty((len(wanted), rows.shape[1]))
    for name in np.unique(wanted):
        mine = rows[classes == name]
        rng = np.random.default_rng([seed, *str(name).encode()])
        at = np.flatnonzero(wanted == name)
        made[at] = _drawn(mine if len(mine) >= LEAST_OF_CLASS else rows, len(at), rng)
    return made


def _drawn(rows: Matrix, count: int, rng: np.random.Generator) -> Matrix:
    from scipy.special import ndtr, ndtri
    from scipy.stats import rankdata

    n, genes = rows.shape
    scores = ndtri(rankdata(rows, axis=0) / (n + 1))
    scores -= scores.mean(axis=0)
    shrinkage, level = _shrinkage(scores)
    drawn = rng.standard_normal((count, n)) @ scores * np.sqrt((1.0 - shrinkage) / n)
    drawn += np.sqrt(shrinkage * level) * rng.standard_normal((count, genes))
    spread = np.sqrt((1.0 - shrinkage) * (scores**2).mean(axis=0) + shrinkage * level)
    places: Matrix = ndtr(drawn / np.maximum(spread, 1e-12)) * (n - 1)
    lower: NDArray[np.intp] = np.minimum(places.astype(np.intp), n - 2)
    ordered, columns = np.sort(rows, axis=0), np.arange(genes)
    share = places - lower
    return np.asarray(ordered[lower, columns] * (1.0 - share) + ordered[lower + 1, columns] * share)


def _shrinkage(centred: Matrix) -> tuple[float, float]:
    """Weight of the identity and its level, the mean variance of a gene."""
    n, genes = centred.shape
    products = centred @ centred.T
    squares, size = np.diag(products), float((products**2).sum()) / n**2
    level = float(squares.mean()) / genes
    spread = size - genes * level**2
    noise = (float((squares**2).mean()) - size) / n
    return (1.0 if spread <= 0 else min(max(noise, 0.0) / spread, 1.0)), level
