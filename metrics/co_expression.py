"""Modules of co-expressed genes, found on the real set, and how far they are preserved in the synthetic set.

Sources: Langfelder & Horvath 2008 (modules by average linkage), Langfelder et al. 2011 (preservation).
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gexbench.metrics.shared.arrays import Matrix, as_matrix, as_pair
from gexbench.metrics.shared.block_correlations import BlockCorrelations
from gexbench.metrics.structure import pearson

MODULE_GENES = 10
"""Genes below which a module says nothing."""

Modules = Sequence[NDArray[np.intp]]


def co_expression_modules(correlations: Any, *, smallest: int = MODULE_GENES) -> tuple[NDArray[np.intp], ...]:
    """Modules of co-expressed genes: indices of the genes of each, largest module first.

    Average-linkage clustering of 1 - |r|, cut at the height where the most clusters hold at least ``smallest``
    genes, on ties the highest; these clusters are the modules. correlations (genes, genes) or blocks. Time and memory
    O(genes²). After Langfelder & Horvath 2008 (unsigned network). Raises ValueError with fewer than ``smallest``
    genes.
    """
    from scipy.cluster.hierarchy import fcluster, linkage

    r = correlations if isinstance(correlations, BlockCorrelations) else as_matrix(correlations, "correlations")
    if r.shape[0] != r.shape[1] or len(r) < smallest:
        raise ValueError(f"correlations of {r.shape}: modules need a square matrix of at least {smallest} genes")
    tree = linkage(r.distances() if isinstance(r, BlockCorrelations) else _distances(r), "average")
    sizes = np.concatenate([np.ones(len(r)), tree[:, 3]]) >= smallest
    joined = tree[:, :2].astype(np.intp)
    large = np.cumsum(sizes[len(r) :].astype(int) - sizes[joined].sum(axis=1))
    # A cut takes all joins of one height, so only the last of them is a place to cut.
    large[:-1][np.diff(tree[:, 2]) <= 0] = 0
    height = tree[np.flatnonzero(large == large.max())[-1], 2]
    codes = fcluster(tree, height, "distance")
    found = [np.flatnonzero(codes == code) for code in np.unique(codes)]
    return tuple(sorted((m for m in found if len(m) >= smallest), key=lambda m: (-len(m), int(m[0]))))


def module_connectivity(real: Any, synthetic: Any, modules: Modules) -> float:
    """Correlation of the genes' connectivity within their module, mean over modules, [-1, 1]; higher is better.

    Connectivity of a gene: sum of |r| with the module's other genes; real, synthetic: (genes, genes)
    correlations; a constant connectivity correlates 0. Time O(genes²). Langfelder et al. 2011 (cor.kIM).
    """
    pairs = _within(real, synthetic, modules)
    return float(np.mean([pearson(a.of_genes, b.of_genes) for a, b in pairs]))


def module_density_error(real: Any, synthetic: Any, modules: Modules) -> float:
    """Absolute difference of the mean |r| within a module, mean over modules, [0, 1]; lower is better.

    Arguments as ``module_connectivity``. Time O(genes²). Langfelder et al. 2011 (module density).
    """
    pairs = _within(real, synthetic, modules)
    sizes = [len(a.of_genes) for a, _ in pairs]
    return float(np.mean([abs(a.total - b.total) / (n * (n - 1)) for n, (a, b) in zip(sizes, pairs, strict=True)]))


class _Strengths(NamedTuple):
    """Sums of |r| with a module's other genes: of each gene, (n,), and of all."""

    of_genes: Matrix
    total: float


def _distances(r: Matrix) -> Matrix:
    from scipy.spatial.distance import squareform

    distances = 1.0 - np.abs(r)
    np.fill_diagonal(distances, 0.0)
    return np.asarray(squareform(np.maximum(distances, 0.0), checks=False))


def _within(real: Any, synthetic: Any, modules: Modules) -> list[tuple[_Strengths, _Strengths]]:
    """Per module, the strengths of its genes in both sets."""
    in_blocks = isinstance(real, BlockCorrelations) and isinstance(synthetic, BlockCorrelations)
    x, y = (real, synthetic) if in_blocks else as_pair(real, synthetic)
    if x.shape != y.shape or x.shape[0] != x.shape[1]:
        raise ValueError(f"correlations of {x.shape} and {y.shape}: both need the same genes on both axes")
    if not modules or any(len(module) < 2 for module in modules):
        raise ValueError("at least one module is needed, each of two or more genes")
    return [(_strengths(x, module), _strengths(y, module)) for module in modules]


def _strengths(values: Any, module: NDArray[np.intp]) -> _Strengths:
    if isinstance(values, BlockCorrelations):
        sums = values.strengths(module)
        return _Strengths(sums, float(sums.sum()))
    found = np.abs(values[np.ix_(module, module)])
    np.fill_diagonal(found, 0.0)
    return _Strengths(found.sum(axis=1), float(found.sum()))
