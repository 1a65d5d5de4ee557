"""The fixed downstream classifiers and their scores.

``lr``: logistic regression, L2 with C = 0.1, lbfgs to 1e-4, at most 1,000 steps, float32, on rows as given: callers
standardise training and test rows alike by real training statistics, so that every generator meets the same penalty.
``xgb``: three XGBoost boosters with seeds of their own, each of 12 trees a class on a third of the genes: depth 4,
learning rate 0.3, 32 bins, ``hist``, one thread, float32; their margins are added. A third of the genes a booster, and
not a third a split of one booster, since ``hist`` fills the histograms of all genes it is given.
``mlp``: multilayer perceptron, one hidden layer of 128 ReLU units, L2 of 1e-3, Adam at 1e-3, batches of 128 (or all
rows), 30 epochs without early stopping, float32.
None is tuned, so that all generators meet the same ones.
"""

import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from gexbench.metrics.shared.arrays import Matrix, as_matrix
from gexbench.metrics.shared.row_samples import most_fitted, sampled_of_classes

Classifier = Literal["lr", "xgb", "mlp"]
EPOCHS, BATCH = 30, 128
BOOSTERS = 3
"""Boosters of the boosted trees, each on a share of the genes."""
Labels = NDArray[np.str_]
Predict = Callable[[Matrix], NDArray[np.intp]]


@dataclass(frozen=True, slots=True, eq=False)
class Classification:
    """Scores of predicted labels; all in [0, 1], higher is better.

    recall: per class of the true labels. macro_f1 averages over classes that are true or predicted. correct: of every
    tested row, in their order.
    """

    accuracy: float
    balanced_accuracy: float
    macro_f1: float
    recall: dict[str, float]
    correct: NDArray[np.bool_]


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
        correct=true == guessed,
    )


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """A fitted classifier. classes: names by code; predict: (n, genes) standardised rows → codes (n,)."""

    classes: Labels
    left_out: frozenset[str]
    predict: Predict

    def test(self, rows: Any, labels: Any) -> Classification:
        """Its scores on (n, genes) rows with labels (n,), rows of the left-out classes apart.

        Raises ValueError when no row remains.
        """
        kept, truth = _remaining(as_matrix(rows, "test"), labels, self.left_out)
        if not len(truth):
            raise ValueError(f"{len(self.classes)} classes to train on and no rows to test on are too few")
        return classification(truth, self.classes[self.predict(kept)])


def fit_classifier(
    classifier: Classifier, rows: Any, labels: Any, *, left_out: Iterable[str] = (), seed: int = 0
) -> Fitted:
    """Fit a classifier on (n, genes) standardised rows.

    left_out: classes whose rows take no part, here and in tests.
    Rows are put into one order first: rows shuffled within a class give the same scores, to the bit. Of more rows than
    ``row_samples.most_fitted`` a seeded sample is fitted on.
    Raises ValueError when fewer than two classes remain.
    """
    apart = frozenset(left_out)
    x, names = _remaining(as_matrix(rows, "train"), labels, apart)
    classes, codes = np.unique(names, return_inverse=True)
    if len(classes) < 2:
        raise ValueError(f"{len(classes)} classes to train on are too few")
    order = np.lexsort((*x.T[:8], codes))
    order = order[sampled_of_classes(codes[order], most_fitted(x.shape[1], len(classes), classifier == "xgb"))]
    fit = {"lr": _logistic, "xgb": _boosted, "mlp": _perceptron}[classifier]
    return Fitted(classes, apart, fit(x[order], codes[order], seed))


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
    """``fit_classifier`` on (n, genes) standardised rows, tested on others: TRTR, TSTR, TRTS by the rows given.

    Raises ValueError when fewer than two classes remain or no test row does.
    """
    fitted = fit_classifier(classifier, train, train_labels, left_out=left_out, seed=seed)
    return fitted.test(test, test_labels)


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
    if keep.all():
        return rows, names
    return (None if rows is None else rows[keep]), names[keep]


def _logistic(x: Any, codes: Any, seed: int) -> Predict:
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=0.1, tol=1e-4, max_iter=1000).fit(x.astype(np.float32), codes)
    return lambda rows: np.asarray(model.predict(rows.astype(np.float32)), dtype=np.intp)


def _boosted(x: Any, codes: Any, seed: int) -> Predict:
    margins = fit_boosted(x, codes, rounds=12, depth=4, bins=32, seed=seed)
    return lambda rows: margins(rows).argmax(axis=1)


def fit_boosted(x: Any, codes: Any, *, rounds: int, depth: int, bins: int, seed: int) -> Callable[[Any], Matrix]:
    """The suite's boosted trees (module docstring), each booster of ``rounds`` trees a class.

    x (n, genes); codes (n,), 0 to classes - 1. Returns rows (m, genes) → their margins, (m, classes): sums over the
    boosters, of two classes 0 and the margin of the second.
    """
    import xgboost

    parts = np.array_split(np.random.default_rng(seed).permutation(x.shape[1]), min(BOOSTERS, x.shape[1]))
    classes = int(np.max(codes)) + 1
    settings: dict[str, Any] = {"max_depth": depth, "eta": 0.3, "max_bin": bins, "tree_method": "hist", "nthread": 1}
    of_many = {"objective": "multi:softprob", "num_class": classes}
    settings |= {"objective": "binary:logistic"} if classes < 3 else of_many
    fitted = []
    for number, genes in enumerate(parts):
        data = xgboost.QuantileDMatrix(_single(x, genes), np.asarray(codes), max_bin=bins, nthread=1)
        fitted.append((genes, xgboost.train(settings | {"seed": (seed + number) % 2**31}, data, rounds)))

    def margins(rows: Any) -> Matrix:
        total = sum(
            model.predict(xgboost.DMatrix(_single(rows, genes), nthread=1), output_margin=True).astype(np.float64)
            for genes, model in fitted
        )
        return np.asarray(total if classes > 2 else np.stack([np.zeros(len(rows)), total], axis=1))

    return margins


def _single(rows: Any, genes: NDArray[np.intp]) -> NDArray[np.float32]:
    return np.ascontiguousarray(rows[:, genes], dtype=np.float32)


def _perceptron(x: Any, codes: Any, seed: int) -> Predict:
    model = fit_perceptron(x, codes, seed)
    return lambda rows: np.asarray(model.predict(rows.astype(np.float32)), dtype=np.intp)


def fit_perceptron(x: Any, codes: Any, seed: int, *, units: int = 128, epochs: int = EPOCHS, rate: float = 1e-3) -> Any:
    """The suite's multilayer perceptron (module docstring), a fitted scikit-learn ``MLPClassifier``."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier

    model = MLPClassifier(
        hidden_layer_sizes=(units,),
        alpha=1e-3,
        batch_size=min(BATCH, len(x)),
        learning_rate_init=rate,
        max_iter=epochs,
        n_iter_no_change=epochs,
        random_state=seed % 2**31,
    )
    with warnings.catch_warnings():
        # A fixed number of epochs is the point: it ends before scikit-learn's own criterion is met.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(x.astype(np.float32), codes)
