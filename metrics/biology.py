"""Differential expression between types and pathway activity, and what both need of a fold's real side.

All functions take rows in the cohort's log unit, not standardised: fold changes and the ranks of genes within a
sample need the common unit. Sources: Welch 1947 (t), Lin 1989 (concordance), Foroutan et al. 2018 (rank scores).
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gexbench.metrics.co_expression import co_expression_modules
from gexbench.metrics.shared.arrays import Matrix, as_array, as_matrix, as_pair
from gexbench.metrics.structure import Correlations

CLASS_ROWS = 10
"""Rows below which a class takes no part."""
TOPS = (50, 100)
"""Numbers of leading genes that ``de_overlap`` is computed for."""


class ClassDifferences(NamedTuple):
    """classes (c,); fold_changes (c, genes), differences of means in the log unit; t (c, genes), Welch's."""

    classes: NDArray[np.str_]
    fold_changes: Matrix
    t: Matrix


def class_differences(rows: Any, labels: Any, *, smallest: int = CLASS_ROWS) -> ClassDifferences:
    """Every class of at least ``smallest`` rows against all other rows, gene by gene.

    rows (n, genes), labels (n,). Where neither side varies, t is 0 for equal means, else infinite with the sign of
    the difference. Time O(classes n genes), memory O(classes genes). Welch 1947. Raises ValueError when fewer than
    two classes exist or none is large enough.
    """
    x = as_matrix(rows, "rows")
    names, codes, counts = _coded(x, labels)
    chosen = np.flatnonzero((counts >= smallest) & (len(x) - counts >= 2))
    if not len(chosen):
        raise ValueError(f"no class has {smallest} rows and two rows of others beside it: {len(names)} classes")
    member = (codes[None, :] == chosen[:, None]).astype(np.float64)
    # Centring first keeps the sums of squares from cancelling.
    x = x - x.mean(axis=0)
    total, squares = x.sum(axis=0), x * x
    inside, outside = counts[chosen][:, None], (len(x) - counts[chosen])[:, None]
    sums, sums_of_squares = member @ x, member @ squares
    means, others = sums / inside, (total - sums) / outside
    # Below this the spread of a constant gene is rounding alone.
    tiny = 1e-14 * squares.mean(axis=0)
    error = _mean_variance(sums_of_squares, means, inside, tiny)
    error += _mean_variance(squares.sum(axis=0) - sums_of_squares, others, outside, tiny)
    change = means - others
    change[np.abs(change) <= np.sqrt(tiny)] = 0.0
    with np.errstate(divide="ignore", invalid="ignore"):
        t = change / np.sqrt(error)
    return ClassDifferences(names[chosen], change, np.where((error == 0) & (change == 0), 0.0, t))


def _coded(rows: Matrix, labels: Any) -> tuple[NDArray[np.str_], NDArray[np.intp], NDArray[np.intp]]:
    """Class names, class of every row, rows of every class."""
    given = as_array(labels).astype(np.str_)
    if given.shape != (len(rows),):
        raise ValueError(f"labels have shape {given.shape} for {len(rows)} rows; give one label per row")
    names, codes, counts = np.unique(given, return_inverse=True, return_counts=True)
    if len(names) < 2:
        raise ValueError(f"all rows are of class {names[0]!r}; differences need two classes")
    return names, codes, counts


def _mean_variance(squares: Matrix, means: Matrix, n: NDArray[np.intp], tiny: Matrix) -> Matrix:
    """Squared standard error of a mean: variance (ddof 1) over n; variances up to ``tiny`` are 0."""
    variance = (squares - n * means**2) / (n - 1)
    return np.asarray(np.where(variance > tiny, variance, 0.0) / n)


def concordance(a: Any, b: Any) -> float:
    """Lin's concordance correlation of two equally long vectors, [-1, 1]; 1 only for equal values.

    2 cov / (var a + var b + (mean a - mean b)²). Chosen before Pearson's r, which is blind to differences that are
    shrunk or inflated as a whole. Two equal constants agree perfectly. Lin 1989, equation 1.
    """
    x, y = as_array(a).astype(np.float64).ravel(), as_array(b).astype(np.float64).ravel()
    if x.shape != y.shape or not len(x):
        raise ValueError(f"vectors of {len(x)} and {len(y)} values; both need the same number, above 0")
    scale = x.var() + y.var() + (x.mean() - y.mean()) ** 2
    return float(np.clip(2.0 * ((x - x.mean()) * (y - y.mean())).mean() / scale, -1.0, 1.0)) if scale else 1.0


def fold_change_concordance(real: ClassDifferences, synthetic: ClassDifferences) -> dict[str, float]:
    """Lin's concordance of the log-fold-changes over genes, for every class; higher is better."""
    _check_classes(real, synthetic)
    pairs = zip(real.classes, real.fold_changes, synthetic.fold_changes, strict=True)
    return {str(name): concordance(a, b) for name, a, b in pairs}


def top_overlap(real: ClassDifferences, synthetic: ClassDifferences, top: int) -> dict[str, float]:
    """Share of the ``top`` genes by |t| that both sets name, for every class, [0, 1]; higher is better.

    Ties are broken by the size of the fold change; by chance top / genes. Raises ValueError unless
    1 <= top < genes.
    """
    _check_classes(real, synthetic)
    genes = real.t.shape[1]
    if not 1 <= top < genes:
        raise ValueError(f"the top {top} of {genes} genes say nothing; it must lie between 1 and {genes - 1}")
    both = _top(real, top) & _top(synthetic, top)
    return {str(name): float(share) for name, share in zip(real.classes, both.sum(axis=1) / top, strict=True)}


def _top(found: ClassDifferences, top: int) -> NDArray[np.bool_]:
    order = np.lexsort((np.abs(found.fold_changes), np.abs(found.t)), axis=1)[:, -top:]
    member = np.zeros(found.t.shape, dtype=bool)
    np.put_along_axis(member, order, True, axis=1)
    return member


def _check_classes(real: ClassDifferences, synthetic: ClassDifferences) -> None:
    if real.classes.tolist() != synthetic.classes.tolist() or real.t.shape != synthetic.t.shape:
        raise ValueError("real and synthetic differences must be of the same classes and genes")


def de_concordance(real: Any, synthetic: Any, labels: Any) -> float:
    """Concordance of log-fold-changes (each class against the rest), mean over classes, [-1, 1]; higher is better.

    real, synthetic (n, genes) in the log unit, labels (n,): the class of row i of both; classes under 10 rows take
    no part. Time O(classes n genes). Welch 1947; Lin 1989.
    """
    x, y = as_pair(real, synthetic)
    return _mean(fold_change_concordance(class_differences(x, labels), class_differences(y, labels)))


def de_overlap(real: Any, synthetic: Any, labels: Any, top: int = 50) -> float:
    """Share of the top genes by |t| common to both sets, mean over classes, [0, 1]; higher is better.

    Arguments and cost as ``de_concordance``; top: number of genes.
    """
    x, y = as_pair(real, synthetic)
    return _mean(top_overlap(class_differences(x, labels), class_differences(y, labels), top))


def _mean(values: dict[str, float]) -> float:
    return float(np.mean(list(values.values())))


def pathway_activity(rows: Any, membership: Any) -> Matrix:
    """Activity of every gene set in every sample, (n, sets), [-1, 1]: ranks only, so no sample needs another.

    Mean rank of the set's genes minus mean rank of the others, ranks from 0 (lowest) to 1 within the sample, ties
    averaged. rows (n, genes); membership (genes, sets), boolean; every set holds some genes but not all.
    Time O(n genes (log genes + sets)). After the rank score of Foroutan et al. 2018, against the other genes in
    place of its theoretical bounds.
    """
    from scipy.stats import rankdata

    x, member = as_matrix(rows, "rows"), as_array(membership).astype(np.float64)
    if member.ndim != 2 or len(member) != x.shape[1]:
        raise ValueError(f"membership has shape {member.shape} for {x.shape[1]} genes; give genes × sets")
    sizes = member.sum(axis=0)
    if not len(sizes) or (sizes < 1).any() or (sizes >= len(member)).any():
        raise ValueError("membership: every set must hold some of the genes but not all, and there must be one")
    # Sums of half-integers are exact, so that ties between samples stay ties in any order of the genes.
    ranks = rankdata(x, axis=1) - 1.0
    inside = ranks @ member
    outside = ranks.sum(axis=1, keepdims=True) - inside
    return np.asarray((inside / sizes - outside / (len(member) - sizes)) / (x.shape[1] - 1))


def pathway_concordance(real: Any, synthetic: Any, labels: Any, *, smallest: int = CLASS_ROWS) -> float:
    """Concordance of the classes' mean activities, [-1, 1]; higher is better.

    real, synthetic: activities (n, sets) of ``pathway_activity``; labels (n,). Every set's class means are centred
    over the classes of at least ``smallest`` rows, so that what all types share counts nothing; one concordance
    over all classes and sets. Time O(classes n sets). Lin 1989.
    """
    x, y = as_pair(real, synthetic)
    names, codes, counts = _coded(x, labels)
    chosen = np.flatnonzero(counts >= smallest)
    if len(chosen) < 2:
        raise ValueError(f"{len(chosen)} of {len(names)} classes have {smallest} rows; two are needed")
    member = (codes[None, :] == chosen[:, None]) / counts[chosen][:, None]
    means = [member @ values for values in (x, y)]
    return concordance(*(values - values.mean(axis=0) for values in means))


def pathway_agreement(real: Any, synthetic: Any) -> float:
    """1 - Kolmogorov-Smirnov distance of the activities' distributions, mean over sets, [0, 1]; higher is better.

    real (n, sets), synthetic (m, sets): activities. Time O((n + m) log(n + m) sets). Smirnov 1948.
    """
    from gexbench.metrics.distribution import ks

    return float(1.0 - ks(real, synthetic).mean())


@dataclass(frozen=True, eq=False)
class RealBiology:
    """The real side of a fold, made on first use and kept: panels without these metrics never pay for it.

    rows: (n, genes) real set rows in the cohort's unit; labels: (n,); correlations: (genes, genes) of the real set
    rows; membership: (genes, sets), None without gene sets.
    """

    rows: NDArray[Any]
    labels: NDArray[np.str_]
    correlations: Correlations
    membership: NDArray[np.bool_] | None

    @cached_property
    def differences(self) -> ClassDifferences:
        """Of every class against the rest."""
        return class_differences(self.rows, self.labels)

    @cached_property
    def activities(self) -> Matrix:
        """(n, sets). Raises ValueError without gene sets."""
        return pathway_activity(self.rows, self.sets)

    @cached_property
    def modules(self) -> tuple[NDArray[np.intp], ...]:
        """Co-expression modules."""
        return co_expression_modules(self.correlations)

    @property
    def sets(self) -> NDArray[np.bool_]:
        """The membership. Raises ValueError when there is none or no set is usable."""
        if self.membership is None:
            raise ValueError("no gene sets were given")
        if not self.membership.shape[1]:
            raise ValueError("no gene set holds enough of the cohort's genes")
        return self.membership
