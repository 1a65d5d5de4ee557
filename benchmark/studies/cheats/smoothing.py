"""Rows smoothed around real ones: noise of the class's covariance added, or nearest neighbours averaged."""

import numpy as np
from numpy.typing import NDArray

from gexbench.tasks.panel.declarations.rows import RealRows

WIDTH = 0.5
"""Of the kernel of a smoothed bootstrap, in standard deviations of the class."""
NEAREST = 5

Values = NDArray[np.float32]


def bootstrapped_rows(rows: Values, labels: NDArray[np.str_], fold: RealRows, rng: np.random.Generator) -> Values:
    """m + (x − m + h d) / √(1 + h²): a row x of a class with mean m, and normal noise d of the class's covariance.

    The smoothed bootstrap that keeps the variance (Silverman & Young 1987, eq. 2.3), h = `WIDTH`. Values below the
    unit's floor are set to it.

    Args:
        rows: (n, genes) real rows.
        labels: (n,) class of each.
        fold: the real fold.
        rng: source of the noise.
    """
    smoothed, train_labels = rows.astype(np.float64), fold.labels[fold.finest][0]
    for name in np.unique(labels):
        mine, pool = labels == name, fold.train[train_labels == name].astype(np.float64)
        mean = pool.mean(axis=0)
        noise = rng.standard_normal((int(mine.sum()), len(pool))) @ (pool - mean) / np.sqrt(len(pool))
        smoothed[mine] = mean + (smoothed[mine] - mean + WIDTH * noise) / np.sqrt(1 + WIDTH**2)
    return _floored(smoothed, fold)


def neighbour_averages(rows: Values, labels: NDArray[np.str_], fold: RealRows, rng: np.random.Generator) -> Values:
    """Means of the `NEAREST` training rows of the class nearest to each row, every gene's spread within it restored.

    Distances are Euclidean over z-scored genes. Arguments as `bootstrapped_rows`; nothing is drawn.
    """
    averages, train_labels = rows.astype(np.float64), fold.labels[fold.finest][0]
    scale = np.maximum(fold.train.std(axis=0, dtype=np.float64), 1e-9)
    for name in np.unique(labels):
        mine, pool = labels == name, fold.train[train_labels == name].astype(np.float64)
        first, second = averages[mine] / scale, pool / scale
        distances = (first**2).sum(1)[:, None] + (second**2).sum(1) - 2 * first @ second.T
        means = pool[np.argsort(distances, axis=1, kind="stable")[:, :NEAREST]].mean(axis=1)
        spread = means.std(axis=0)
        stretch = np.where(spread > 1e-9, pool.std(axis=0) / np.maximum(spread, 1e-9), 1.0)
        averages[mine] = pool.mean(axis=0) + stretch * (means - pool.mean(axis=0))
    return _floored(averages, fold)


def _floored(rows: NDArray[np.float64], fold: RealRows) -> Values:
    return np.asarray(rows if fold.floor is None else np.maximum(rows, fold.floor), dtype=np.float32)
