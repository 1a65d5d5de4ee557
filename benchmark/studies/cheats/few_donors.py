"""Rows made from two or more real rows of a class each, about equally far from them.

They are made to pass a gate that asks only whether one training row is much nearer than the next, and they leak all
their donors. Blends and averages keep means and covariances of their class; a mosaic keeps every value a real one.
"""

import numpy as np
from numpy.typing import NDArray

from gexbench.metrics.structure import correlation_matrix
from gexbench.tasks.panel.declarations.rows import RealRows

MODULES = 60
ORDERS = 30
"""Random orders of the modules that are tried for the most even halves."""
ANGLES = 400

Values = NDArray[np.float32]


def blended_rows(rows: Values, labels: NDArray[np.str_], fold: RealRows, rng: np.random.Generator) -> Values:
    """m + cos(t) (a - m) + sin(t) (b - m), as far from a as from b: a row, a training row of its class with mean m.

    Two independent rows of a class give a row of the same mean and covariance at every angle t. Values below the
    unit's floor are set to it. Arguments as ``mosaic_rows``.
    """
    donors, means = _second_donors(rows, labels, fold, rng), _class_means(labels, fold)
    first, second = (rows - means).astype(np.float64), (donors - means).astype(np.float64)
    scale = 1.0 / _spread(fold) ** 2
    aa, bb, ab = first**2 @ scale, second**2 @ scale, (first * second) @ scale
    angles = np.linspace(0.0, np.pi / 2, ANGLES)[:, None]
    x, y = np.cos(angles), np.sin(angles)
    nearer = (x - 1) ** 2 * aa + y**2 * bb + 2 * (x - 1) * y * ab
    farther = x**2 * aa + (y - 1) ** 2 * bb + 2 * x * (y - 1) * ab
    even = np.abs(nearer - farther).argmin(axis=0)
    blend = means + x[even] * first + y[even] * second
    return np.asarray(blend if fold.floor is None else np.maximum(blend, fold.floor), dtype=np.float32)


def averaged_rows(
    rows: Values, labels: NDArray[np.str_], fold: RealRows, rng: np.random.Generator, *, others: int
) -> Values:
    """m + √k (mean of k rows − m): a row and k − 1 = ``others`` training rows of its class with mean m.

    k independent rows of a class give a row of the same mean and covariance. Else as ``blended_rows``; a class of few
    rows may give one of them twice.
    """
    means = _class_means(labels, fold)
    deviations = (rows - means).astype(np.float64)
    for _ in range(others):
        deviations += _second_donors(rows, labels, fold, rng) - means
    averaged = means + deviations / np.sqrt(others + 1)
    return np.asarray(averaged if fold.floor is None else np.maximum(averaged, fold.floor), dtype=np.float32)


def mosaic_rows(rows: Values, labels: NDArray[np.str_], fold: RealRows, rng: np.random.Generator) -> Values:
    """Rows (n, genes) with about half exchanged, by modules of genes, for another training row of the class.

    Args:
        rows: real rows, the first donors.
        labels: (n,) class of each.
        fold: the real fold.
        rng: source of the second donors and of the modules' order.
    """
    donors, modules = _second_donors(rows, labels, fold, rng), _modules(fold.train)
    weights = ((rows - donors) / _spread(fold)) ** 2 @ np.eye(modules.max() + 1)[modules]
    return np.where(_even_halves(weights, rng)[:, modules], rows, donors).astype(np.float32)


def _class_means(labels: NDArray[np.str_], fold: RealRows) -> Values:
    """Mean of the training rows of each row's class, (n, genes)."""
    means, train_labels = np.empty((len(labels), len(fold.genes)), dtype=np.float32), fold.labels[fold.finest].train
    for name in np.unique(labels):
        means[labels == name] = fold.train[train_labels == name].mean(axis=0, dtype=np.float64)
    return means


def _spread(fold: RealRows) -> NDArray[np.float64]:
    return np.asarray(np.maximum(fold.train.std(axis=0, dtype=np.float64), 1e-9))


def _second_donors(rows: Values, labels: NDArray[np.str_], fold: RealRows, rng: np.random.Generator) -> Values:
    """A training row of the class for each, another one where there is another; first donors may be rounded ones."""
    train_labels = fold.labels[fold.finest].train
    donors = np.empty_like(rows)
    for name in np.unique(labels):
        mine, of_class = np.flatnonzero(labels == name), fold.train[train_labels == name]
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
