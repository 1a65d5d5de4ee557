"""Distances between two sets of rows: Fréchet, MMD, energy, Wasserstein and Kolmogorov-Smirnov. Lower is better.

Callers standardise both sets by the same (training) statistics first. Tensors on a GPU are compared there.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from gexbench.metrics.shared.arrays import (
    Matrix,
    Rows,
    as_array,
    column_sorted,
    device_matrix,
    device_pair,
    like,
    namespace,
    pair_chunks,
    squared_distances,
)

WIDTH_LADDER = (0.25, 0.5, 1.0, 2.0, 4.0)


def frechet(real: Any, synthetic: Any) -> float:
    """Fréchet distance of the two fitted Gaussians: |mu_x - mu_y|² + tr(S_x + S_y - 2 (S_x S_y)^½), [0, inf).

    The trace of the root is the nuclear norm of X_c Y_cᵀ / sqrt((n-1)(m-1)) when n + m < genes, else the sum of
    the root eigenvalues of the symmetric S_x^½ S_y S_x^½: never the root of an asymmetric product.
    Biased upwards by about genes / n: compare at equal n only. Dowson & Landau 1982; Heusel et al. 2017.
    Time O(min(n, genes)³).
    """
    x, y = device_pair(real, synthetic, rows=2)
    xp = namespace(x)
    shift = x.mean(axis=0) - y.mean(axis=0)
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    n, m = len(x) - 1, len(y) - 1
    traces = float((x * x).sum() / n + (y * y).sum() / m)
    if len(x) + len(y) < x.shape[1]:
        root = float(xp.linalg.svdvals(x @ y.T).sum() / np.sqrt(n * m))
    else:
        values, vectors = xp.linalg.eigh(x.T @ x / n)
        projected = y @ (vectors * xp.sqrt(values.clip(0.0)))
        root = float(xp.sqrt(xp.linalg.eigvalsh(projected.T @ projected / m).clip(0.0)).sum())
    return max(float(shift @ shift) + traces - 2.0 * root, 0.0)


def median_width(rows: Any, *, limit: int = 1000, seed: int = 0) -> float:
    """Median Euclidean distance between different rows, the base width of ``mmd``; at most ``limit`` rows, seeded.

    Raises ValueError when more than half of the rows are equal (the median is 0).
    """
    x = device_matrix(rows, "rows", rows=2)
    if len(x) > limit:
        x = x[np.sort(np.random.default_rng(seed).choice(len(x), limit, replace=False))]
    squares = as_array(squared_distances(x, x))[np.triu_indices(len(x), 1)]
    width = float(np.sqrt(np.median(squares)))
    if width <= 1e-6:
        raise ValueError("more than half of the rows are equal, so their median distance is 0; give a width")
    return width


def mmd(
    real: Any,
    synthetic: Any,
    width: float | None = None,
    *,
    ladder: Sequence[float] = WIDTH_LADDER,
    chunk: int = 512,
) -> float:
    """Unbiased squared maximum mean discrepancy, kernel exp(-d² / 2w²), mean over w = ladder · width.

    width: base width, ``median_width`` of the real training rows; by default that of ``real``.
    Range [-1, 2]; 0 in expectation for equal distributions, so small negative values occur.
    Gretton et al. 2012, equation 3. Time O((n + m)² · genes), memory O((n + m) · chunk).
    """
    x, y = device_pair(real, synthetic, rows=2)
    base = median_width(x) if width is None else width
    if not base > 0 or not ladder or min(ladder) <= 0:
        raise ValueError(f"width {base} and ladder {tuple(ladder)} must be positive")
    rates = [1.0 / (2.0 * (base * step) ** 2) for step in ladder]
    n, m = len(x), len(y)
    # The diagonal is exactly 1 per row and leaves the sums of the two within-set terms.
    within = (_kernel_sum(x, x, rates, chunk) - n) / (n * (n - 1))
    within += (_kernel_sum(y, y, rates, chunk) - m) / (m * (m - 1))
    return within - 2.0 * _kernel_sum(x, y, rates, chunk) / (n * m)


def _kernel_sum(x: Rows, y: Rows, rates: Sequence[float], chunk: int) -> float:
    xp, total = namespace(x), 0.0
    for part in pair_chunks(len(x), len(y), chunk):
        squares = squared_distances(x[part], y)
        if x is y:
            rows = np.arange(part.start, part.stop)
            squares[rows - part.start, rows] = 0.0
        kernel, within = xp.empty_like(squares), 0.0
        for rate in rates:
            xp.exp(xp.multiply(squares, -rate, out=kernel), out=kernel)
            within += float(kernel.sum())
        total += within
    return total / len(rates)


def energy_distance(real: Any, synthetic: Any, *, chunk: int = 512) -> float:
    """2 E|X - Y| - E|X - X'| - E|Y - Y'| over all pairs (V-statistic), [0, inf), 0 for equal sets.

    Székely & Rizzo 2013, equation 5. Biased upwards by 1/n: compare at equal n only. Time O((n + m)² · genes).
    """
    x, y = device_pair(real, synthetic)
    between, inside = _mean_distance(x, y, chunk), _mean_distance(x, x, chunk) + _mean_distance(y, y, chunk)
    return max(2.0 * between - inside, 0.0)


def _mean_distance(x: Rows, y: Rows, chunk: int) -> float:
    xp, total = namespace(x), 0.0
    for part in pair_chunks(len(x), len(y), chunk):
        squares = squared_distances(x[part], y)
        if x is y:
            rows = np.arange(part.start, part.stop)
            squares[rows - part.start, rows] = 0.0
        total += float(xp.sqrt(squares, out=squares).sum())
    return total / (len(x) * len(y))


def wasserstein_1d(real: Any, synthetic: Any, *, order: int = 1) -> Matrix:
    """Wasserstein distance of every column, shape (genes,), in the unit of the values.

    (integral over u of |F⁻¹(u) - G⁻¹(u)|^order)^(1/order), exact also for n != m. Time O(n log n · genes).
    """
    return as_array(_column_distances(*device_pair(real, synthetic), order))


def _column_distances(x: Rows, y: Rows, order: int) -> Rows:
    x, y = column_sorted(x), column_sorted(y)
    n, m = len(x), len(y)
    if n == m:
        powers = (abs(x - y) ** order).mean(axis=0)
    else:
        # Whole numbers on the grid of 1 / (n m) keep the breakpoints of both quantile functions exact.
        cuts = np.union1d(np.arange(1, n + 1) * m, np.arange(1, m + 1) * n)
        weights = np.diff(cuts, prepend=0) / (n * m)
        powers = like(weights, x) @ abs(x[(cuts - 1) // m] - y[(cuts - 1) // n]) ** order
    return powers ** (1.0 / order)


def sliced_wasserstein(real: Any, synthetic: Any, *, projections: int = 256, seed: int = 0) -> float:
    """Root mean square over random unit directions of the 2-Wasserstein distance, [0, inf).

    Bonneel et al. 2015, section 3 (the estimate of POT's ``sliced_wasserstein_distance``).
    Time O(n · genes · projections). The directions depend on the seed and the number of genes only.
    """
    x, y = device_pair(real, synthetic)
    directions = np.random.default_rng(seed).standard_normal((x.shape[1], projections))
    directions /= np.linalg.norm(directions, axis=0)
    directions = like(directions, x)
    parts = pair_chunks(projections, max(len(x), len(y)), projections)
    distances = [_column_distances(x @ directions[:, part], y @ directions[:, part], 2) for part in parts]
    return float(np.sqrt(float((namespace(x).concatenate(distances) ** 2).mean())))


def ks(real: Any, synthetic: Any) -> Matrix:
    """Two-sample Kolmogorov-Smirnov statistic sup|F - G| of every column, shape (genes,), each in [0, 1].

    Ties between and within the sets are counted before the difference is read. Time O(n log n · genes).
    """
    x, y = device_pair(real, synthetic)
    xp, n, m = namespace(x), len(x), len(y)
    gaps = np.empty(x.shape[1], dtype=np.int64)
    for gene in range(x.shape[1]):
        a, b = column_sorted(x[:, gene]), column_sorted(y[:, gene])
        # F and G step at values of either set only. Whole numbers n m F and n m G, so that nothing is rounded.
        gaps[gene] = max(
            int(abs(m * xp.searchsorted(a, at, side="right") - n * xp.searchsorted(b, at, side="right")).max())
            for at in (a, b)
        )
    return np.asarray(gaps / (n * m))
