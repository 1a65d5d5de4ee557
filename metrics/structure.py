"""Gene-gene correlations, within-class spread and zeros."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gexbench.metrics.arrays import Matrix, as_matrix, as_pair

STRONG = 0.3


def correlation_matrix(rows: Any) -> Matrix:
    """Pearson correlations between genes, (genes, genes). A constant gene correlates 0 with all others, 1 with itself.

    Constant genes stay in every average: dropping them would reward a collapsed gene.
    """
    x = as_matrix(rows, "rows", rows=2)
    centred = x - x.mean(axis=0)
    norms = np.sqrt((centred * centred).sum(axis=0))
    # Rounding leaves a constant column a tiny norm, relative to its own size.
    constant = norms <= 1e-10 * np.maximum(np.abs(x).max(axis=0), 1e-300) * np.sqrt(len(x))
    scaled = centred / np.where(constant, 1.0, norms)
    scaled[:, constant] = 0.0
    result = np.clip(scaled.T @ scaled, -1.0, 1.0)
    np.fill_diagonal(result, 1.0)
    return np.asarray(result)


def _upper(rows: Any, correlations: Matrix | None) -> Matrix:
    matrix = correlation_matrix(rows) if correlations is None else correlations
    return np.asarray(matrix[np.triu_indices(len(matrix), 1)])


def _both(real: Any, synthetic: Any, real_correlations: Matrix | None) -> tuple[Matrix, Matrix]:
    x, y = as_pair(real, synthetic, rows=2)
    if x.shape[1] < 2:
        raise ValueError("correlations between genes need at least two genes")
    return _upper(x, real_correlations), _upper(y, None)


def correlation_mse(real: Any, synthetic: Any, *, real_correlations: Matrix | None = None) -> float:
    """Mean squared difference of the correlations over gene pairs, [0, 4], lower is better (GeMM-GAN's C.MSE).

    real_correlations: ``correlation_matrix(real)``, when it is kept from before. Time O(n · genes²).
    """
    a, b = _both(real, synthetic, real_correlations)
    return float(((a - b) ** 2).mean())


def correlation_gamma(real: Any, synthetic: Any, *, real_correlations: Matrix | None = None) -> float:
    """Pearson correlation between the two sets' correlations over gene pairs, [-1, 1], higher is better.

    Gamma of Viñas et al. 2022, equation 11 (correlations in place of 1 - correlations: the same value).
    0 where one set's correlations are all equal.
    """
    a, b = _both(real, synthetic, real_correlations)
    a, b = a - a.mean(), b - b.mean()
    scale = float(np.sqrt((a @ a) * (b @ b)))
    return float(np.clip(a @ b / scale, -1.0, 1.0)) if scale > 1e-12 else 0.0


def strong_pairs_mae(
    real: Any, synthetic: Any, *, threshold: float = STRONG, real_correlations: Matrix | None = None
) -> float:
    """Mean absolute difference of the correlation over pairs with real |r| > threshold, [0, 2], lower is better.

    Raises ValueError when no pair is that strong.
    """
    a, b = _both(real, synthetic, real_correlations)
    strong = np.abs(a) > threshold
    if not strong.any():
        raise ValueError(f"no gene pair of the real set has |r| > {threshold}")
    return float(np.abs(a - b)[strong].mean())


def variance_ratio(real: Any, synthetic: Any, labels: Any) -> float:
    """Synthetic over real variance within classes, summed over genes, [0, inf); 1 is right, below 1 is collapse.

    labels: (n,) class of row i of both sets; classes with one row carry no spread and are left out.
    Standardised values give every gene the same weight. Raises ValueError when the real spread is 0.
    """
    x, y = as_pair(real, synthetic, rows=2)
    classes = np.asarray(labels)
    if not len(x) == len(y) == len(classes):
        raise ValueError(f"{len(x)} real rows, {len(y)} synthetic rows and {len(classes)} labels must be as many")
    spread = within_class_squares(x, classes)
    if spread <= 0:
        raise ValueError("the real rows do not vary within any class")
    return within_class_squares(y, classes) / spread


def within_class_squares(rows: Matrix, labels: NDArray[Any]) -> float:
    """Sum over rows and genes of the squared deviation from the row's class mean."""
    _, codes = np.unique(labels, return_inverse=True)
    counts = np.bincount(codes)
    sums = np.zeros((len(counts), rows.shape[1]))
    np.add.at(sums, codes, rows)
    return float(((rows - (sums / counts[:, None])[codes]) ** 2).sum())


def zero_fraction(synthetic: Any, floor: float, *, tolerance: float = 1e-6) -> float:
    """Share of values at or below the unit's floor, [0, 1]; right when it equals that of real rows.

    floor: the unit's lowest value, log2(C) for log2(x + C); tolerance takes up float32 rounding.
    """
    return float((as_matrix(synthetic, "synthetic") <= floor + tolerance).mean())
