"""The fixed downstream classifiers and their scores.

``lr``: logistic regression, L2 with C = 0.1, lbfgs to 1e-4, at most 1,000 steps, on rows as given: callers standardise
training and test rows alike by real training statistics, so that every generator meets the same penalty.
``xgb``: XGBoost, 60 trees a class, depth 4, learning rate 0.3, 64 bins, ``hist``, one thread, float32.
Neither is tuned, so that all generators meet the same ones.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from gexbench.metrics.arrays import as_matrix

Classifier = Literal["lr", "xgb"]
Labels = NDArray[np.str_]


@dataclass(frozen=True, slots=True, eq=False)
class Classification:
    """Scores of predicted labels; all in [0, 1], higher is better.

    recall: per class of the true labels. macro_f1 averages over classes that are true or predicted.
    """

    accuracy: float
    balanced_accuracy: float
    macro_f1: float
    recall: dict[str, float]


def classification(truth: Any, predicted: Any) -> Classification:
    """Accuracy, balanced accuracy (mean recall), macro-F1 and per-class recall of two (n,) label arrays."""
    y, p = np.asarray(truth, dtype=np.str_), np.asarray(predicted, dtype=np.str_)
    if y.shape != p.shape or y.ndim != 1 or not len(y):
        raise ValueError(f"truth {y.shape} and prediction {p.shape} must be label lists of one length above 0")
    classes = np.unique(np.concatenate([y, p]))
    true, guessed = np.searchsorted(classes, y), np.searchsorted(classes, p)
    hits = np.bincount(true[true == guessed], minlength=len(classes))
    wanted, made = np.bincount(true, minlength=len(classes)), np.bincount(guessed, minlength=len(classes))
    recall = {str(name): float(hits[i] / wanted[i]) for i, name in enumerate(classes) if wanted[i]}
    return Classification(
        accuracy=float(hits.sum() / len(y)),
        balanced_accuracy=float(np.mean(list(recall.values()))),
        macro_f1=float((2.0 * hits / (wanted + made)).mean()),
        recall=recall,
    )


def train_and_test(
    classifier: Classifier,
    train: Any,
    train_labels: Any,
    test: Any,
    test_labels: Any,
    *,
    left_out: Iterable[str] = (),
    seed: int = 0,
) -> Classification:
    """Fit a classifier on (n, genes) standardised rows and score it on others (TRTR, TSTR, TRTS by the rows given).

    left_out: classes whose rows take no part on either side.
    Training rows are put into one order first: rows shuffled within a class give the same scores, to the bit.
    Raises ValueError when fewer than two classes remain or no test row does.
    """
    x, labels = _remaining(as_matrix(train, "train"), train_labels, left_out)
    rows, truth = _remaining(as_matrix(test, "test"), test_labels, left_out)
    classes, codes = np.unique(labels, return_inverse=True)
    if len(classes) < 2 or not len(truth):
        raise ValueError(f"{len(classes)} classes to train on and {len(truth)} rows to test on are too few")
    order = np.lexsort((*x.T[:8], codes))
    fit = _logistic if classifier == "lr" else _boosted
    return classification(truth, classes[fit(x[order], codes[order], rows, seed)])


def majority(train_labels: Any, test_labels: Any, *, left_out: Iterable[str] = ()) -> Classification:
    """Scores of always naming the most frequent training class (the first by name on ties)."""
    labels, truth = (_remaining(None, each, left_out)[1] for each in (train_labels, test_labels))
    classes, counts = np.unique(labels, return_counts=True)
    return classification(truth, np.full(len(truth), classes[counts.argmax()]))


def _remaining(rows: Any, labels: Any, left_out: Iterable[str]) -> tuple[Any, Labels]:
    names = np.asarray(labels, dtype=np.str_)
    if rows is not None and len(rows) != len(names):
        raise ValueError(f"{len(rows)} rows have {len(names)} labels; give one label per row")
    keep = ~np.isin(names, list(left_out))
    return (None if rows is None else rows[keep]), names[keep]


def _logistic(x: Any, codes: Any, test: Any, seed: int) -> NDArray[np.intp]:
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=0.1, tol=1e-4, max_iter=1000)
    return np.asarray(model.fit(x, codes).predict(test), dtype=np.intp)


def _boosted(x: Any, codes: Any, test: Any, seed: int) -> NDArray[np.intp]:
    from xgboost import XGBClassifier

    model = XGBClassifier(
        n_estimators=60,
        max_depth=4,
        learning_rate=0.3,
        max_bin=64,
        tree_method="hist",
        n_jobs=1,
        random_state=seed % 2**31,
    )
    model.fit(x.astype(np.float32), codes)
    return np.asarray(model.predict(test.astype(np.float32)), dtype=np.intp)
