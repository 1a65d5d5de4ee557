"""Gene-gene correlations, within-class spread and zeros.

Correlations of tensors on a GPU are compared there; spread and zeros, linear in the values, on the CPU.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gexbench.metrics.shared.arrays import (
    Matrix,
    Rows,
    as_array,
    as_matrix,
    as_pair,
    device_matrix,
    device_pair,
    namespace,
)
from gexbench.metrics.shared.block_correlations import MOST_HELD_GENES, BlockCorrelations, PairSums

STRONG = 0.3
Correlations = Rows | BlockCorrelations
"""Of few genes a (genes, genes) matrix, of more than ``MOST_HELD_GENES`` blocks."""


def correlation_matrix(rows: Any) -> Matrix:
    """Pearson correlations between genes, (genes, genes). A constant gene correlates 0 with all others, 1 with itself.

    Constant genes stay in every average: dropping them would reward a collapsed gene.
    """
    return as_array(_held(_scaled(device_matrix(rows, "rows", rows=2))))


def correlations(rows: Any) -> Correlations:
    """Pearson correlations between genes, held or in blocks by the number of genes; see ``correlation_matrix``.

    Those of a tensor on a GPU stay there when they are held; blocks are made on the CPU.
    """
    scaled = _scaled(device_matrix(rows, "rows", rows=2))
    return _held(scaled) if scaled.shape[1] <= MOST_HELD_GENES else BlockCorrelations(as_array(scaled))


def _scaled(x: Rows) -> Rows:
    """Centred columns of unit norm, 0 where a gene is constant."""
    xp = namespace(x)
    centred = x - x.mean(axis=0)
    norms = xp.sqrt((centred * centred).sum(axis=0))
    # Rounding leaves a constant column a tiny norm, relative to its own size.
    constant = norms <= 1e-10 * xp.amax(abs(x), 0).clip(1e-300) * float(np.sqrt(len(x)))
    scaled = centred / xp.where(constant, 1.0, norms)
    scaled[:, constant] = 0.0
    return scaled


def _held(scaled: Rows) -> Rows:
    xp = namespace(scaled)
    result = scaled.T @ scaled
    xp.clip(result, -1.0, 1.0, out=result)
    genes = np.arange(len(result))
    result[genes, genes] = 1.0
    return result


class CorrelationComparison(NamedTuple):
    """mse in [0, 4], gamma in [-1, 1]; strong_mae in [0, 2], None when no real pair has |r| > threshold."""

    mse: float
    gamma: float
    strong_mae: float | None


def compare_correlations(
    real: Correlations, synthetic: Correlations, *, threshold: float = STRONG
) -> CorrelationComparison:
    """Compare the correlations of two sets, both held or both in blocks, over the pairs above the diagonal.

    Raises ValueError when the shapes differ or there are fewer than two genes.
    """
    if real.shape != synthetic.shape or len(real.shape) != 2 or len(real) < 2:
        raise ValueError(f"correlations of {real.shape} and {synthetic.shape}: both need the same, two or more, genes")
    if isinstance(real, BlockCorrelations) and isinstance(synthetic, BlockCorrelations):
        sums = PairSums(threshold)
        for one, other in zip(real.above_diagonal(), synthetic.above_diagonal(), strict=True):
            sums.add(one, other)
        mae = sums.strong_sum / sums.strong if sums.strong else None
        return CorrelationComparison(sums.squares / sums.count, sums.pearson, mae)
    if isinstance(real, BlockCorrelations) or isinstance(synthetic, BlockCorrelations):
        raise ValueError("correlations of one set are held and those of the other in blocks; make both alike")
    a, b = _above_diagonal(real), _above_diagonal(synthetic)
    difference = a - b
    strong = abs(a) > threshold
    strong_mae = float(abs(difference[strong]).mean()) if strong.any() else None
    return CorrelationComparison(float((difference**2).mean()), pearson(a, b), strong_mae)


def _above_diagonal(matrix: Rows) -> Rows:
    """Values above the diagonal, row by row; index arrays would take twice the memory of the matrix."""
    return namespace(matrix).concatenate([matrix[row, row + 1 :] for row in range(len(matrix))])


def pearson(a: Rows, b: Rows) -> float:
    """Pearson correlation of two vectors, [-1, 1]; 0 where one of them is constant."""
    a, b = a - a.mean(), b - b.mean()
    scale = float(np.sqrt(float(a @ a) * float(b @ b)))
    return float(np.clip(float(a @ b) / scale, -1.0, 1.0)) if scale > 1e-12 else 0.0


def _compared(real: Any, synthetic: Any, threshold: float = STRONG) -> CorrelationComparison:
    x, y = device_pair(real, synthetic, rows=2)
    return compare_correlations(correlations(x), correlations(y), threshold=threshold)


def correlation_mse(real: Any, synthetic: Any) -> float:
    """Mean squared difference of the correlations over gene pairs, [0, 4], lower is better (GeMM-GAN's C.MSE).

    real (n, genes), synthetic (m, genes). Time O(n · genes²).
    """
    return _compared(real, synthetic).mse


def correlation_gamma(real: Any, synthetic: Any) -> float:
    """Pearson correlation between the two sets' correlations over gene pairs, [-1, 1], higher is better.

    Gamma of Viñas et al. 2022, equation 11 (correlations in place of 1 - correlations: the same value).
    0 where one set's correlations are all equal.
    """
    return _compared(real, synthetic).gamma


def strong_pairs_mae(real: Any, synthetic: Any, *, threshold: float = STRONG) -> float:
    """Mean absolute difference of the correlation over pairs with real |r| > threshold, [0, 2], lower is better.

    Raises ValueError when no pair is that strong.
    """
    result = _compared(real, synthetic, threshold).strong_mae
    if result is None:
        raise ValueError(f"no gene pair of the real set has |r| > {threshold}")
    return result


def variance_ratio(real: Any, synthetic: Any, labels: Any) -> float:
    """Synthetic over real variance within classes, median over genes, [0, inf); 1 is right, below 1 is collapse.

    labels: (n,) class of row i of both sets; classes with one row carry no spread and are left out. A sum over genes
    would be decided by one gene with an outlier. Genes whose real rows do not vary within classes are left out; raises
    ValueError when none varies.
    """
    x, y = as_pair(real, synthetic, rows=2)
    classes = as_array(labels)
    if not len(x) == len(y) == len(classes):
        raise ValueError(f"{len(x)} real rows, {len(y)} synthetic rows and {len(classes)} labels must be as many")
    spread = within_class_squares(x, classes)
    # Below this the spread of a constant gene is rounding alone.
    varies = spread > 1e-20 * (x * x).sum(axis=0)
    if not varies.any():
        raise ValueError("the real rows do not vary within any class")
    with np.errstate(divide="ignore"):
        # Of logarithms, so that the ratio turns over when the sets are exchanged.
        return float(np.exp(np.median(np.log(within_class_squares(y, classes)[varies] / spread[varies]))))


def within_class_squares(rows: Matrix, labels: NDArray[Any]) -> Matrix:
    """Sum over rows of the squared deviation from the row's class mean, (genes,)."""
    _, codes = np.unique(labels, return_inverse=True)
    counts = np.bincount(codes)
    sums = np.zeros((len(counts), rows.shape[1]))
    np.add.at(sums, codes, rows)
    return np.asarray(((rows - (sums / counts[:, None])[codes]) ** 2).sum(axis=0))


def zero_fraction(synthetic: Any, floor: float, *, tolerance: float = 1e-6) -> float:
    """Share of values at or below the unit's floor, [0, 1]; right when it equals that of real rows.

    floor: the unit's lowest value, log2(C) for log2(x + C); tolerance takes up float32 rounding.
    """
    return float((as_matrix(synthetic, "synthetic") <= floor + tolerance).mean())
