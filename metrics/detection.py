"""Can a classifier tell synthetic rows from real ones?"""

import hashlib
import math
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from gexbench.metrics.classifiers import BATCH, fit_boosted, fit_perceptron
from gexbench.metrics.shared.arrays import Matrix, as_array, as_pair

Single = NDArray[np.float32]
Detector = Literal["xgb", "trees", "lr", "mlp"]
DETECTORS: tuple[Detector, ...] = get_args(Detector)
FOLDS = 3


class Detection(NamedTuple):
    """auc in [0, 1], ½ = indistinguishable, 1 = always told apart; null_sd: its sd were the sets exchangeable."""

    auc: float
    null_sd: float


def auc(positive: Any, negative: Any) -> float:
    """Probability that a positive score exceeds a negative one, ties ½ (Mann & Whitney 1947). O(n log n)."""
    from scipy.stats import rankdata

    high, low = (as_array(values).astype(np.float64) for values in (positive, negative))
    if not len(high) or not len(low):
        raise ValueError(f"an AUC needs scores of both kinds, not {len(high)} and {len(low)}")
    ranks = rankdata(np.concatenate([high, low]))[: len(high)]
    return float((ranks.sum() - len(high) * (len(high) + 1) / 2) / (len(high) * len(low)))


def auc_null_sd(n: int, m: int) -> float:
    """sd of the AUC of two exchangeable samples of n and m: sqrt((n + m + 1) / (12 n m))."""
    return float(np.sqrt((n + m + 1) / (12.0 * n * m)))


def group_folds(groups: Any, folds: int = FOLDS) -> NDArray[np.intp]:
    """Fold of every row, shape (n,): groups in SHA-256 order are dealt round-robin, whole.

    Depends on the names only, not on the order of rows. Raises ValueError with fewer groups than folds.
    """
    names, codes = np.unique(np.asarray(groups, dtype=np.str_), return_inverse=True)
    if len(names) < folds:
        raise ValueError(f"{len(names)} patients cannot be dealt into {folds} folds")
    digests = [hashlib.sha256(str(name).encode()).digest() for name in names]
    fold = np.empty(len(names), dtype=np.intp)
    fold[sorted(range(len(names)), key=digests.__getitem__)] = np.arange(len(names)) % folds
    return np.asarray(fold[codes])


def snapped(rows: Any, grid: Any) -> Matrix:
    """Every value of (n, genes) rows moved to the nearest one that its gene has in the grid, (m, genes) sorted columns.

    Of two equally near values the lower one. Where data are rounded, real values lie on a grid and a classifier could
    tell smooth synthetic values by their digits alone. Time O(n log m · genes).
    """
    x, known = as_array(rows), as_array(grid)
    if x.ndim != 2 or known.ndim != 2 or x.shape[1] != known.shape[1] or not len(known):
        raise ValueError(f"rows {x.shape} and grid {known.shape} must be of the same genes, the grid not empty")
    found = np.empty(x.shape)
    for gene in range(x.shape[1]):
        values, wanted = known[:, gene].astype(np.float64), x[:, gene].astype(np.float64)
        above = np.searchsorted(values, wanted)
        low, high = values[np.maximum(above - 1, 0)], values[np.minimum(above, len(values) - 1)]
        found[:, gene] = np.where(np.abs(wanted - low) <= np.abs(high - wanted), low, high)
    return found


def detect(real: Any, synthetic: Any, groups: Any, *, detector: Detector = "lr", seed: int = 0) -> Detection:
    """Pooled out-of-fold AUC over 3 folds grouped by patient.

    real (n, genes) standardised; synthetic (n, genes), row i made from the condition of real row i; groups (n,)
    patient ids of both. A real row and the row made from its condition stay in one fold: apart, a perfect
    generator would be called *less* than indistinguishable. Rows are put into the order of their patients first, so
    that the order given has no say. ``xgb``: three boosters of 34 trees of depth 3, 64 bins (``fit_boosted``);
    ``trees``: 50 extremely randomised trees with leaves of at least 5 rows (Geurts et al. 2006); ``lr``: C = 0.1,
    lbfgs; ``mlp``: the perceptron of ``classifiers`` with 64 units, at twice the rate, 15 epochs, or as many as make
    120 steps. Lopez-Paz & Oquab 2017.
    """
    x, y = as_pair(real, synthetic, rows=FOLDS)
    if not len(x) == len(y) == len(groups):
        raise ValueError(f"{len(x)} real rows, {len(y)} synthetic rows, {len(groups)} patients must be as many")
    order = np.argsort(np.asarray(groups, dtype=np.str_), kind="stable")
    x, y, groups = x[order], y[order], np.asarray(groups)[order]
    rows = np.concatenate([x, y]).astype(np.float32)
    truth = np.repeat([0, 1], [len(x), len(y)])
    fold = np.tile(group_folds(groups), 2)
    score = {"xgb": _boosted_scores, "trees": _tree_scores, "lr": _logistic_scores, "mlp": _perceptron_scores}[detector]
    scores = np.empty(len(rows))
    for held_out in range(FOLDS):
        test = fold == held_out
        scores[test] = score(rows[~test], truth[~test], rows[test], seed)
    return Detection(auc(scores[truth == 1], scores[truth == 0]), auc_null_sd(len(x), len(y)))


def _boosted_scores(x: Single, truth: Any, test: Single, seed: int) -> Matrix:
    margins = fit_boosted(x, truth, rounds=34, depth=3, bins=64, seed=seed)(test)
    return margins[:, 1] - margins[:, 0]


def _tree_scores(x: Single, truth: Any, test: Single, seed: int) -> Matrix:
    from sklearn.ensemble import ExtraTreesClassifier

    model = ExtraTreesClassifier(50, min_samples_leaf=5, random_state=seed % 2**31, n_jobs=1).fit(x, truth)
    return np.asarray(model.predict_proba(test)[:, 1])


def _logistic_scores(x: Single, truth: Any, test: Single, seed: int) -> Matrix:
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=0.1, tol=1e-4, max_iter=1000).fit(x, truth)
    return np.asarray(model.decision_function(test), dtype=np.float64)


def _perceptron_scores(x: Single, truth: Any, test: Single, seed: int) -> Matrix:
    epochs = max(15, math.ceil(120 / math.ceil(len(x) / BATCH)))
    model = fit_perceptron(x, truth, seed, units=64, epochs=epochs, rate=2e-3)
    return np.asarray(model.predict_proba(test)[:, 1], dtype=np.float64)
