"""Gene-gene correlations of many genes, block by block: the whole matrix is never held."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gexbench.metrics.shared.arrays import Matrix, row_chunks

MOST_HELD_GENES = 5000
"""Genes up to which a (genes, genes) matrix is held (200 MB); above, correlations are made in blocks."""
BLOCK_GENES = 512


@dataclass(frozen=True, slots=True, eq=False)
class BlockCorrelations:
    """Correlations between genes as products of standardised columns.

    scaled: (n, genes) centred columns of unit norm, 0 where a gene is constant. Memory O(block · genes).
    """

    scaled: Matrix
    block_genes: int = BLOCK_GENES

    def __len__(self) -> int:
        return int(self.scaled.shape[1])

    @property
    def shape(self) -> tuple[int, int]:
        """(genes, genes)."""
        return len(self), len(self)

    def blocks(self) -> Iterator[slice]:
        """Genes in blocks."""
        return row_chunks(len(self), self.block_genes)

    def between(self, rows: slice | NDArray[np.intp], columns: slice | NDArray[np.intp]) -> Matrix:
        """Correlations of some genes with others; a gene with itself is up to rounding 1, 0 for a constant one."""
        found = self.scaled[:, rows].T @ self.scaled[:, columns]
        return np.asarray(np.clip(found, -1.0, 1.0, out=found))

    def above_diagonal(self) -> Iterator[Matrix]:
        """The pairs of different genes, each once: vectors, block by block in the order of the matrix's rows."""
        for part in self.blocks():
            found = self.between(part, slice(part.start, None))
            yield found[np.triu(np.ones(found.shape, dtype=bool), 1)]

    def strengths(self, genes: NDArray[np.intp]) -> Matrix:
        """Sum of |r| of each of these genes with the others of them, shape (len(genes),)."""
        sums = np.empty(len(genes))
        for part in row_chunks(len(genes), self.block_genes):
            found = np.abs(self.between(genes[part], genes))
            found[np.arange(len(found)), np.arange(part.start, part.stop)] = 0.0
            sums[part] = found.sum(axis=1)
        return sums

    def distances(self) -> Matrix:
        """1 - |r| of all pairs, shape (genes (genes - 1) / 2,), as ``scipy.spatial.distance.squareform`` lays them."""
        held, start = np.empty(len(self) * (len(self) - 1) // 2), 0
        for pairs in self.above_diagonal():
            held[start : start + len(pairs)] = 1.0 - np.abs(pairs)
            start += len(pairs)
        return held


class PairSums:
    """Sums over pairs of values that come in parts, for the measures of ``structure.compare_correlations``.

    Means and squares about them are merged part by part (Chan, Golub & LeVeque 1979), so that nothing cancels.
    """

    def __init__(self, threshold: float) -> None:
        self.threshold = threshold
        self.count = self.strong = 0
        self.mean_a = self.mean_b = self.aa = self.bb = self.ab = self.squares = self.strong_sum = 0.0

    def add(self, a: Matrix, b: Matrix) -> None:
        """Add equally long vectors of values."""
        if not len(a):
            return
        difference = a - b
        self.squares += float(difference @ difference)
        strong = np.abs(a) > self.threshold
        self.strong += int(strong.sum())
        self.strong_sum += float(np.abs(difference[strong]).sum())
        mean_a, mean_b = float(a.mean()), float(b.mean())
        a, b = a - mean_a, b - mean_b
        total = self.count + len(a)
        of_both = self.count * len(a) / total
        shift_a, shift_b = mean_a - self.mean_a, mean_b - self.mean_b
        self.aa += float(a @ a) + shift_a * shift_a * of_both
        self.bb += float(b @ b) + shift_b * shift_b * of_both
        self.ab += float(a @ b) + shift_a * shift_b * of_both
        self.mean_a += shift_a * len(a) / total
        self.mean_b += shift_b * len(a) / total
        self.count = total

    @property
    def pearson(self) -> float:
        """Of both sides' values, [-1, 1]; 0 where one of them is constant."""
        scale = float(np.sqrt(self.aa * self.bb))
        return float(np.clip(self.ab / scale, -1.0, 1.0)) if scale > 1e-12 else 0.0
