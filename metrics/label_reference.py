"""The reference of conditional skills: all real training rows of the patient's class as one ensemble."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gexbench.metrics.shared.arrays import Matrix, as_pair, row_chunks

_GENES = 512


def ensemble_crps(ensemble: Any, truth: Any) -> Matrix:
    """Fair CRPS of (n, genes) truth against the (m, genes) rows of one ensemble, mean over genes, shape (n,).

    mean_i|x_i - y| - sum_{i<j}|x_i - x_j| / (m (m - 1)), by sorting: with the ensemble sorted and r of it not above y,
    sum_i|x_i - y| = y (2 r - m) + sum of all - 2 · sum of the first r. Exact, free of draws; Ferro 2014, equation 6.
    Time O((n + m) log(n + m) · genes). Needs m >= 2.
    """
    x, y = as_pair(ensemble, truth)
    m, total = len(x), np.zeros(len(y))
    if m < 2:
        raise ValueError(f"the fair CRPS needs at least 2 rows, not {m}")
    weights = 2.0 * np.arange(m) - (m - 1)
    for part in row_chunks(x.shape[1], _GENES):
        held = np.sort(x[:, part], axis=0)
        order = np.argsort(np.concatenate([held, y[:, part]]), axis=0, kind="stable")
        below = np.cumsum(order < m, axis=0)
        ranks = np.empty_like(order)
        np.put_along_axis(ranks, order, below, axis=0)
        r = ranks[m:]
        sums = np.concatenate([np.zeros((1, held.shape[1])), held.cumsum(axis=0)])
        away = (y[:, part] * (2 * r - m) + sums[m] - 2.0 * np.take_along_axis(sums, r, axis=0)) / m
        total += (away - weights @ held / (m * (m - 1))).sum(axis=1)
    return np.asarray(total / x.shape[1])


def label_crps(train: Matrix, train_labels: NDArray[Any], test: Matrix, test_labels: NDArray[Any]) -> Matrix:
    """Fair CRPS of every test row against all training rows of its class; (n_test,).

    A class with fewer than 2 training rows falls back on all training rows.
    """
    found = np.empty(len(test))
    for name in np.unique(test_labels):
        mine, pool = test_labels == name, train_labels == name
        found[mine] = ensemble_crps(train[pool] if pool.sum() > 1 else train, test[mine])
    return found


def mean_by_class(values: Matrix, labels: NDArray[Any]) -> float:
    """Mean of (n,) values, summed class by class, so that its last bits do not depend on how the classes are mixed."""
    return sum(float(values[labels == name].sum()) for name in np.unique(labels)) / len(values)
