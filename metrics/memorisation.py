"""Are synthetic rows copies of training rows, or put together from a few of them?

Tensors on a GPU are compared there.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gexbench.metrics.shared.arrays import (
    Matrix,
    as_array,
    device_pair,
    namespace,
    pair_chunks,
    smallest,
    squared_distances,
)

Single = NDArray[np.float32]
COPY_PERCENTILE = 1.0
BLEND_NEIGHBOURS = 5
SPARE = 2
DONORS = 3
"""Most training rows of which a synthetic row is asked whether it was made from them."""


def nearest_ratios(rows: Any, training: Any, *, chunk: int = 512) -> Matrix:
    """d1 / d2, the distances to the nearest and second nearest training row, shape (n,), each in [0, 1].

    0 where the row equals a training row. Needs two training rows. Time O(n · training · genes).
    """
    if len(training) < 2:
        raise ValueError(f"{len(training)} training rows are too few for a second nearest one")
    return np.asarray(donor_ratios(rows, training, donors=1, chunk=chunk)[:, 0])


def copy_threshold(validation: Any, training: Any) -> float:
    """1st percentile of the validation rows' ratios: what real rows that are no copies stay above."""
    return float(np.percentile(nearest_ratios(validation, training), COPY_PERCENTILE))


def copy_share(synthetic: Any, training: Any, threshold: float) -> float:
    """Share of synthetic rows whose ratio of nearest distances lies below ``copy_threshold``, [0, 1].

    About 0.01 for rows that remember nothing, 1 for copies; rows standardised by the training statistics.
    """
    return float((nearest_ratios(synthetic, training) < threshold).mean())


def donor_ratios(rows: Any, training: Any, *, donors: int = DONORS, chunk: int = 512) -> Matrix:
    """d1 / d2, d2 / d3, …, of the distances to the nearest training rows in their order, (n, donors), each in [0, 1].

    A row made from j training rows lies near these and far from all others: its j-th ratio is small, whether it
    mixes them or takes some genes from each. The first is ``nearest_ratios``. 0 where the j-th nearest row is equal.
    Needs donors + 1 training rows. Time O(n · training · genes).
    """
    t, x = device_pair(training, rows)
    if not 1 <= donors < len(t):
        raise ValueError(f"{donors} donors of {len(t)} training rows: give at least 1, and one less than rows")
    xp, result = namespace(x), np.empty((len(x), donors))
    screened = _screened(x, t) if isinstance(x, np.ndarray) else None
    for part in pair_chunks(len(x), len(t), chunk):
        if screened is None:
            near = smallest(squared_distances(x[part], t), donors + 1)
        else:
            near = _exact(x[part], t, squared_distances(screened[0][part], screened[1]), donors + 1)
        # Distances below the rounding of the matrix product are those of equal rows.
        size = 1e-12 * (x[part] ** 2).sum(axis=1).clip(1e-300)[:, None]
        ratios = xp.where(near[:, :-1] <= size, 0.0, xp.sqrt(near[:, :-1] / xp.maximum(near[:, 1:], size)))
        result[part] = as_array(ratios)
    return result


def _screened(x: Matrix, t: Matrix) -> tuple[Single, Single] | None:
    """Both sides centred, in float32, to find the nearest rows by; None where its range does not suffice."""
    centre = t.mean(axis=0)
    left, right = x - centre, t - centre
    largest = max(float(np.abs(left).max()), float(np.abs(right).max()))
    if not 1e-12 < largest < 1e12:
        return None
    return left.astype(np.float32), right.astype(np.float32)


def _exact(x: Matrix, t: Matrix, rough: Single, count: int) -> Matrix:
    """The ``count`` smallest squared distances of every row, ascending, from differences of the rows that are nearest
    by the rough ones; of ``SPARE`` more rows than asked for, as rounding may exchange neighbours."""
    kept = min(count + SPARE, len(t))
    nearest = np.argpartition(rough, kept - 1, axis=1)[:, :kept] if kept < len(t) else np.argsort(rough, axis=1)
    squares = np.empty(nearest.shape)
    for place in range(kept):
        offsets = t[nearest[:, place]] - x
        squares[:, place] = np.einsum("ij,ij->i", offsets, offsets)
    return np.sort(squares, axis=1)[:, :count]


def segment_ratios(rows: Any, training: Any, *, neighbours: int = BLEND_NEIGHBOURS, chunk: int = 256) -> Matrix:
    """How much nearer a row lies to a segment between two training rows than to training rows at large, (n,) in [0, 1].

    Distance to the nearest segment between two of the ``neighbours`` nearest training rows, over the distance to the
    next nearest one: 0 for a copy and for every convex combination of two of these neighbours. Needs neighbours + 1
    training rows. Time O(n · training · genes + n · neighbours² · genes). Of tensors on a GPU the offsets to the
    neighbours leave it.
    """
    t, x = device_pair(training, rows)
    if not 2 <= neighbours < len(t):
        raise ValueError(f"{neighbours} neighbours of {len(t)} training rows: give at least 2, and one less than rows")
    result = np.empty(len(x))
    for part in pair_chunks(len(x), len(t), chunk):
        order = squared_distances(x[part], t).argsort(axis=1)[:, : neighbours + 1]
        # From differences: a matrix product leaves equal rows a distance of rounding.
        offsets = as_array(t[order] - x[part][:, None, :])
        squares = np.einsum("rng,rng->rn", offsets, offsets)
        products = offsets @ offsets.transpose(0, 2, 1)
        least = np.minimum(_to_segments(squares, products, neighbours), squares[:, 0])
        size = 1e-12 * np.maximum(as_array((x[part] ** 2).sum(axis=1)), 1e-300)
        result[part] = np.where(least <= size, 0.0, np.sqrt(least / np.maximum(squares[:, neighbours], size)))
    return result


def _to_segments(squares: Matrix, products: Matrix, neighbours: int) -> Matrix:
    """Smallest squared distance of each row to a segment between two neighbours, (rows,).

    squares (rows, k): squared offsets a of the neighbours from the row; products (rows, k, k): a · b of two of them.
    """
    first, second = np.triu_indices(neighbours, 1)
    a, b, ab = squares[:, first], squares[:, second], products[:, first, second]
    lengths = a + b - 2.0 * ab
    # The point a + w (b - a) nearest to the row; where both neighbours are equal any w will do.
    w = np.clip((a - ab) / np.maximum(lengths, 1e-300), 0.0, 1.0)
    nearest: Matrix = np.maximum(a - 2.0 * w * (a - ab) + w * w * lengths, 0.0).min(axis=1)
    return nearest


def blend_threshold(validation: Any, training: Any, *, neighbours: int = BLEND_NEIGHBOURS) -> float:
    """1st percentile of the validation rows' ``segment_ratios``: what real rows that blend nothing stay above."""
    return float(np.percentile(segment_ratios(validation, training, neighbours=neighbours), COPY_PERCENTILE))


def blend_share(synthetic: Any, training: Any, threshold: float, *, neighbours: int = BLEND_NEIGHBOURS) -> float:
    """Share of synthetic rows whose segment ratio lies below ``blend_threshold``, [0, 1]; lower is better.

    About 0.01 for rows that remember nothing, near 1 for copies and for convex combinations of two training rows, also
    of equal weights, which ``copy_share`` does not see. A diagnostic: it enters neither a score nor the copy gate.
    """
    return float((segment_ratios(synthetic, training, neighbours=neighbours) < threshold).mean())
