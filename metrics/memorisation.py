"""Are synthetic rows copies of training rows? Tensors on a GPU are compared there."""

from typing import Any

import numpy as np

from gexbench.metrics.arrays import Matrix, as_array, device_pair, like, namespace, row_chunks, squared_distances

COPY_PERCENTILE = 1.0


def nearest_ratios(rows: Any, training: Any, *, chunk: int = 512) -> Matrix:
    """d1 / d2, the distances to the nearest and second nearest training row, shape (n,), each in [0, 1].

    0 where the row equals a training row. Needs two training rows. Time O(n · training · genes).
    """
    t, x = device_pair(training, rows)
    if len(t) < 2:
        raise ValueError(f"{len(t)} training rows are too few for a second nearest one")
    xp, result = namespace(x), np.empty(len(x))
    for part in row_chunks(len(x), chunk):
        squares = squared_distances(x[part], t)
        own, nearest = like(np.arange(len(squares)), squares), squares.argmin(axis=1)
        first = squares[own, nearest]
        squares[own, nearest] = np.inf
        second = xp.amin(squares, 1)
        # Distances below the rounding of the matrix product are those of equal rows.
        size = 1e-12 * (x[part] ** 2).sum(axis=1).clip(1e-300)
        result[part] = as_array(xp.where(first <= size, 0.0, xp.sqrt(first / xp.maximum(second, size))))
    return result


def copy_threshold(validation: Any, training: Any) -> float:
    """1st percentile of the validation rows' ratios: what real rows that are no copies stay above."""
    return float(np.percentile(nearest_ratios(validation, training), COPY_PERCENTILE))


def copy_share(synthetic: Any, training: Any, threshold: float) -> float:
    """Share of synthetic rows whose ratio of nearest distances lies below ``copy_threshold``, [0, 1].

    About 0.01 for rows that remember nothing, 1 for copies; rows standardised by the training statistics.
    """
    return float((nearest_ratios(synthetic, training) < threshold).mean())
