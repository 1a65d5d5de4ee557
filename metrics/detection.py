"""Can a classifier tell synthetic rows from real ones?"""

import hashlib
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gexbench.metrics.classifiers import fit_perceptron
from gexbench.metrics.shared.arrays import Matrix, as_array, as_pair
from gexbench.metrics.shared.row_samples import most_pairs, sampled_places

Detector = Literal["lr", "xgb", "mlp"]
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


def detect(real: Any, synthetic: Any, groups: Any, *, detector: Detector = "lr", seed: int = 0) -> Detection:
    """Pooled out-of-fold AUC over 3 folds grouped by patient.

    real (n, genes) standardised; synthetic (n, genes), row i made from the condition of real row i; groups (n,)
    patient ids of both. A real row and the row made from its condition stay in one fold: apart, a perfect
    generator would be called *less* than indistinguishable. Of more than ``row_samples.most_pairs`` rows a sample takes
    part. ``lr``: C = 0.1, lbfgs; ``xgb``: 100 trees, depth 4,
    ``hist``, one thread; ``mlp``: the perceptron of ``classifiers``. Lopez-Paz & Oquab 2017.
    """
    x, y = as_pair(real, synthetic, rows=FOLDS)
    if not len(x) == len(y) == len(groups):
        raise ValueError(f"{len(x)} real rows, {len(y)} synthetic rows, {len(groups)} patients must be as many")
    pairs = sampled_places(groups, most_pairs(x.shape[1]))
    if len(pairs) < len(x):
        x, y, groups = x[pairs], y[pairs], np.asarray(groups)[pairs]
    rows = np.concatenate([x, y])
    truth = np.repeat([0, 1], [len(x), len(y)])
    fold = np.tile(group_folds(groups), 2)
    score = {"lr": _logistic_scores, "xgb": _boosted_scores, "mlp": _perceptron_scores}[detector]
    scores = np.empty(len(rows))
    for held_out in range(FOLDS):
        test = fold == held_out
        scores[test] = score(rows[~test], truth[~test], rows[test], seed)
    return Detection(auc(scores[truth == 1], scores[truth == 0]), auc_null_sd(len(x), len(y)))


def _logistic_scores(x: Matrix, truth: Any, test: Matrix, seed: int) -> Matrix:
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=0.1, tol=1e-4, max_iter=1000).fit(x, truth)
    return np.asarray(model.decision_function(test))


def _boosted_scores(x: Matrix, truth: Any, test: Matrix, seed: int) -> Matrix:
    from xgboost import XGBClassifier

    model = XGBClassifier(n_estimators=100, max_depth=4, tree_method="hist", n_jobs=1, random_state=seed % 2**31)
    model.fit(x.astype(np.float32), truth)
    return np.asarray(model.predict(test.astype(np.float32), output_margin=True), dtype=np.float64)


def _perceptron_scores(x: Matrix, truth: Any, test: Matrix, seed: int) -> Matrix:
    model = fit_perceptron(x, truth, seed)
    return np.asarray(model.predict_proba(test.astype(np.float32))[:, 1], dtype=np.float64)
