"""The common space of a fold: scaling, components and kernel width, all fitted on real training rows once."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gexbench.metrics.distribution import median_width
from gexbench.metrics.shared.arrays import Matrix, as_matrix
from gexbench.metrics.shared.block_correlations import MOST_HELD_GENES

COMPONENTS = 50
LIMIT = 10.0
"""Largest size of a z-score: an outlier of one gene may count as much as 100 values, not as the whole profile."""


@dataclass(frozen=True, slots=True, eq=False)
class Space:
    """mean, sd: (genes,), sd 1 for a constant gene; components: (genes, c); width: of the kernel of ``mmd``."""

    mean: Matrix
    sd: Matrix
    components: Matrix
    width: float

    def standardise(self, rows: Any, name: str) -> Matrix:
        """(n, genes) rows in the cohort's unit → units of the training sd, from -10 to 10."""
        values = as_matrix(rows, name)
        if values.shape[1] != len(self.mean):
            raise ValueError(f"{name} has {values.shape[1]} genes where the fold has {len(self.mean)}")
        scores = values - self.mean
        scores /= self.sd
        return np.clip(scores, -LIMIT, LIMIT, out=scores)

    def project(self, standardised: Matrix) -> Matrix:
        """(n, genes) standardised rows → (n, c) principal components."""
        return np.asarray(standardised @ self.components)


def fit_space(train: Any, *, components: int = COMPONENTS) -> Space:
    """Fit on (n, genes) real training rows; at most min(n - 1, genes) components, signs fixed.

    Eigenvectors of the covariance of standardised rows; of many genes from the products of rows where these are fewer.
    Time O(n genes² + genes³), of more than 5,000 genes O(n genes min(n, genes) + min(n, genes)³).
    """
    x = as_matrix(train, "train", rows=3)
    mean, sd = x.mean(axis=0), x.std(axis=0)
    sd = np.where(sd > 1e-8 * np.maximum(np.abs(mean), 1.0), sd, 1.0)
    z = np.clip((x - mean) / sd, -LIMIT, LIMIT)
    del x
    keep = min(components, len(z) - 1, z.shape[1])
    if z.shape[1] > MOST_HELD_GENES:
        vectors = _leading(z, keep)
    else:
        vectors = np.linalg.eigh(z.T @ z / len(z))[1][:, ::-1][:, :keep]
    largest = vectors[np.abs(vectors).argmax(axis=0), np.arange(keep)]
    return Space(mean, sd, np.ascontiguousarray(vectors * np.sign(largest)), median_width(z))


def near_constant(train: Any) -> NDArray[np.intp]:
    """Genes of (n, genes) rows that all but one row leave nearly unchanged: half their variance is one row's."""
    x = as_matrix(train, "train")
    squares = x - x.mean(axis=0)
    squares *= squares
    sums = squares.sum(axis=0)
    return np.flatnonzero((2.0 * squares.max(axis=0) > sums) & (sums > 1e-16 * len(x) * (x * x).max(axis=0)))


def _leading(z: Matrix, keep: int) -> Matrix:
    """The ``keep`` leading unit eigenvectors of zᵀz, (genes, keep), through the smaller of zᵀz and z zᵀ."""
    from scipy.linalg import eigh

    by_rows = len(z) < z.shape[1]
    products = z @ z.T if by_rows else z.T @ z
    last = len(products) - 1
    found = eigh(products, subset_by_index=(last - keep + 1, last), overwrite_a=True, check_finite=False)[1][:, ::-1]
    vectors = z.T @ found if by_rows else found
    norms = np.linalg.norm(vectors, axis=0)
    # Rows without variation beyond the first components leave rounding alone.
    return np.asarray(vectors / np.where(norms > 1e-9 * norms.max(), norms, np.inf))
