"""The common space of a fold: scaling, components and kernel width, all fitted on real training rows once."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from gexbench.metrics.arrays import Matrix, as_matrix
from gexbench.metrics.distribution import median_width

COMPONENTS = 50


@dataclass(frozen=True, slots=True, eq=False)
class Space:
    """mean, sd: (genes,), sd 1 for a constant gene; components: (genes, c); width: of the kernel of ``mmd``."""

    mean: Matrix
    sd: Matrix
    components: Matrix
    width: float

    def standardise(self, rows: Any, name: str) -> Matrix:
        """(n, genes) rows in the cohort's unit → units of the training sd."""
        values = as_matrix(rows, name)
        if values.shape[1] != len(self.mean):
            raise ValueError(f"{name} has {values.shape[1]} genes where the fold has {len(self.mean)}")
        return np.asarray((values - self.mean) / self.sd)

    def project(self, standardised: Matrix) -> Matrix:
        """(n, genes) standardised rows → (n, c) principal components."""
        return np.asarray(standardised @ self.components)


def fit_space(train: Any, *, components: int = COMPONENTS) -> Space:
    """Fit on (n, genes) real training rows; at most min(n - 1, genes) components, signs fixed.

    Eigenvectors of the covariance of standardised rows. Time O(n genes² + genes³).
    """
    x = as_matrix(train, "train", rows=3)
    mean, sd = x.mean(axis=0), x.std(axis=0)
    sd = np.where(sd > 1e-8 * np.maximum(np.abs(mean), 1.0), sd, 1.0)
    z = (x - mean) / sd
    keep = min(components, len(x) - 1, x.shape[1])
    vectors = np.linalg.eigh(z.T @ z / len(z))[1][:, ::-1][:, :keep]
    largest = vectors[np.abs(vectors).argmax(axis=0), np.arange(keep)]
    return Space(mean, sd, np.ascontiguousarray(vectors * np.sign(largest)), median_width(z))
