"""Modules of co-expressed genes, found on the real set, and how far they are preserved in the synthetic set.

Sources: Langfelder & Horvath 2008 (modules by average linkage), Langfelder et al. 2011 (preservation).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gexbench.metrics.arrays import Matrix, as_matrix, as_pair
from gexbench.metrics.structure import pearson

MODULE_GENES = 10
"""Genes below which a module says nothing."""

Modules = Sequence[NDArray[np.intp]]


def co_expression_modules(correlations: Any, *, smallest: int = MODULE_GENES) -> tuple[NDArray[np.intp], ...]:
    """Modules of co-expressed genes: indices of the genes of each, largest module first.

    Average-linkage clustering of 1 - |r|, cut at the height where the most clusters hold at least ``smallest``
    genes, on ties the highest; these clusters are the modules. correlations (genes, genes). Time and memory
    O(genes²). After Langfelder & Horvath 2008 (unsigned network). Raises ValueError with fewer than ``smallest``
    genes.
    """
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    r = as_matrix(correlations, "correlations")
    if r.shape[0] != r.shape[1] or len(r) < smallest:
        raise ValueError(f"correlations of {r.shape}: modules need a square matrix of at least {smallest} genes")
    distances = 1.0 - np.abs(r)
    np.fill_diagonal(distances, 0.0)
    tree = linkage(squareform(np.maximum(distances, 0.0), checks=False), "average")
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
    return float(np.mean([pearson(a.sum(axis=1), b.sum(axis=1)) for a, b in pairs]))


def module_density_error(real: Any, synthetic: Any, modules: Modules) -> float:
    """Absolute difference of the mean |r| within a module, mean over modules, [0, 1]; lower is better.

    Arguments as ``module_connectivity``. Time O(genes²). Langfelder et al. 2011 (module density).
    """
    pairs = _within(real, synthetic, modules)
    return float(np.mean([abs(a.sum() - b.sum()) / (len(a) * (len(a) - 1)) for a, b in pairs]))


def _within(real: Any, synthetic: Any, modules: Modules) -> list[tuple[Matrix, Matrix]]:
    """Per module, |r| between its genes in both sets, 0 on the diagonal."""
    x, y = as_pair(real, synthetic)
    if x.shape != y.shape or x.shape[0] != x.shape[1]:
        raise ValueError(f"correlations of {x.shape} and {y.shape}: both need the same genes on both axes")
    if not modules or any(len(module) < 2 for module in modules):
        raise ValueError("at least one module is needed, each of two or more genes")
    pairs = []
    for module in modules:
        a, b = (np.abs(values[np.ix_(module, module)]) for values in (x, y))
        np.fill_diagonal(a, 0.0)
        np.fill_diagonal(b, 0.0)
        pairs.append((a, b))
    return pairs
