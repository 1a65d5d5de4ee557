"""Mosaics: rows whose modules of genes come from two real rows of a class, about equally far from both.

They are made to pass the copy gate, which asks whether one training row is much nearer than the next. Every value is
that of a real patient, marginals and correlations within modules stay, and honest-looking rows leak two patients each.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gexbench.metrics.fold import RealFold
from gexbench.metrics.structure import correlation_matrix

MODULES = 60
ORDERS = 30
"""Random orders of the modules that are tried for the most even halves."""

Values = NDArray[np.float32]


def mosaic_rows(
    rows: Values,
    labels: NDArray[np.str_],
    fold: RealFold,
    rng: np.random.Generator,
    *,
    of: Literal["train", "validation"],
) -> Values:
    """Rows (n, genes) with about half of each exchanged for genes of another real row of its class.

    Args:
        rows: real rows, the first donors.
        labels: (n,) class of each.
        fold: the real fold.
        rng: source of the second donors and of the modules' order.
        of: the part of the fold that the second donors come from.
    """
    donors = _second_donors(rows, labels, fold, rng, of)
    modules = _modules(fold.train)
    sd = np.maximum(fold.train.std(axis=0, dtype=np.float64), 1e-9)
    weights = ((rows - donors) / sd) ** 2 @ np.eye(modules.max() + 1)[modules]
    return np.where(_even_halves(weights, rng)[:, modules], rows, donors).astype(np.float32)


def _second_donors(
    rows: Values, labels: NDArray[np.str_], fold: RealFold, rng: np.random.Generator, of: Literal["train", "validation"]
) -> Values:
    """A row of the same class for each, another one where the class has another; first donors may be rounded ones."""
    pool, names = getattr(fold, of), fold.labels[fold.finest][0 if of == "train" else 1]
    donors = np.empty_like(rows)
    for name in np.unique(labels):
        mine, of_class = np.flatnonzero(labels == name), pool[names == name]
        places = {row.tobytes(): place for place, row in enumerate(of_class.astype(np.float16))}
        own = np.array([places.get(row.tobytes(), len(of_class)) for row in rows[mine].astype(np.float16)])
        chosen = rng.integers(0, max(1, len(of_class) - 1), size=len(mine))
        donors[mine] = of_class[np.minimum(chosen + (chosen >= own), len(of_class) - 1)]
    return donors


def _modules(train: Values) -> NDArray[np.intp]:
    """Module of each gene, counted from 0: average linkage of 1 - |r| over the training rows."""
    from scipy.cluster.hierarchy import fcluster, linkage

    distances = 1.0 - np.abs(correlation_matrix(train))
    tree = linkage(distances[np.triu_indices(len(distances), 1)], "average")
    return np.asarray(np.unique(fcluster(tree, MODULES, "maxclust"), return_inverse=True)[1])


def _even_halves(weights: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.bool_]:
    """Columns of each row that hold about half of its weight, shape of weights; the evenest of some random choices."""
    total = np.maximum(weights.sum(axis=1), 1e-300)
    best, least = np.zeros(weights.shape, dtype=bool), np.full(len(weights), np.inf)
    for _ in range(ORDERS):
        order = np.argsort(rng.random(weights.shape), axis=1)
        sums = np.cumsum(np.take_along_axis(weights, order, axis=1), axis=1) / total[:, None]
        chosen = np.zeros(weights.shape, dtype=bool)
        cut = np.abs(sums - 0.5).argmin(axis=1)
        np.put_along_axis(chosen, order, np.arange(weights.shape[1]) <= cut[:, None], axis=1)
        off = np.abs(sums[np.arange(len(sums)), cut] - 0.5)
        better = off < least
        best[better], least[better] = chosen[better], off[better]
    return best
