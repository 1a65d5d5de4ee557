"""Downstream disease-type classification by label column and classifier: TSTR, TRTR, shuffled labels, majority."""

from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from gexbench.metrics.classifiers import Classification, Classifier, majority, train_and_test
from gexbench.metrics.shared.hashing import hash_order
from gexbench.tasks.panel.fold import RealFold

CLASSIFIERS: tuple[Classifier, ...] = ("lr", "xgb")
MEASURES = ("accuracy", "balanced_accuracy", "macro_f1")
ANCHORS = ("trtr", "majority", "shuffled_labels")
"""Names of a fold's reference values: real rows, the most frequent class, real rows with permuted labels."""


@dataclass(frozen=True, slots=True, eq=False)
class Utility:
    """values: ``tstr_lr_accuracy[project]`` and the like → value; per_class: ``tstr_lr_recall[project]`` → recalls.

    correct: whether each row was named rightly, of the rows that were tested (see ``tested_rows``).
    """

    values: dict[str, float]
    per_class: dict[str, dict[str, float]]
    correct: NDArray[np.bool_]


def tasks(fold: RealFold, classifier: str) -> tuple[str, ...]:
    """Label columns that a classifier is asked: all by logistic regression, the finest by XGBoost (the dear one)."""
    return tuple(fold.labels) if classifier == "lr" else (fold.finest,)


def tstr(fold: RealFold, rows: Any, test: Any, classifier: str, label: str, seed: int) -> Utility:
    """Train on ``rows``, one per training patient with that patient's label, test on all real test rows.

    rows (n_train, genes) and test (n_test, genes) are standardised by the fold's space.
    """
    train_labels, _, test_labels = fold.labels[label]
    found = train_and_test(
        cast(Classifier, classifier),
        rows,
        train_labels,
        test,
        test_labels,
        left_out=fold.left_out.get(label, ()),
        seed=seed,
    )
    return keyed(found, f"tstr_{classifier}", label)


def with_shuffled_labels(fold: RealFold, seed: int) -> RealFold:
    """The fold with every training patient's labels exchanged for another's, all label columns alike.

    By two hashed orders of the ids, so that the order of rows has no say. Test labels stay.
    """
    given, taken = (hash_order(f"shuffled labels/{side}/{seed}", fold.train_ids) for side in ("given", "taken"))
    source = np.empty(len(given), dtype=np.intp)
    source[given] = taken
    labels = {column: (train[source], validation, test) for column, (train, validation, test) in fold.labels.items()}
    return replace(fold, labels=labels)


def anchors_of(
    fold: RealFold, shuffled: RealFold | None, train: Any, test: Any, classifier: str, label: str, seed: int
) -> dict[str, Utility]:
    """TRTR (``trtr``, ceiling) and the majority class (``majority``, floor) of one task, keyed like TSTR.

    With ``shuffled``, the fold ``with_shuffled_labels``, also TRTR on these (``shuffled_labels``): what a classifier
    reaches that has nothing to learn. train, test: the fold's real rows, standardised.
    """
    train_labels, _, test_labels = fold.labels[label]
    frequent = majority(train_labels, test_labels, left_out=fold.left_out.get(label, ()))
    found = {
        "trtr": tstr(fold, train, test, classifier, label, seed),
        "majority": keyed(frequent, f"tstr_{classifier}", label),
    }
    if shuffled is not None:
        found["shuffled_labels"] = tstr(shuffled, train, test, classifier, label, seed)
    return found


def references(fold: RealFold, train: Any, test: Any, seed: int) -> dict[str, Any]:
    """``values`` and ``per_class`` of ``ANCHORS``, keyed like TSTR; JSON-able. Only ``lr`` meets shuffled labels.

    train, test: the fold's real rows, standardised.
    """
    values: dict[str, dict[str, float]] = {name: {} for name in ANCHORS}
    per_class: dict[str, dict[str, dict[str, float]]] = {name: {} for name in ANCHORS}
    shuffled = with_shuffled_labels(fold, seed)
    for classifier in CLASSIFIERS:
        for label in tasks(fold, classifier):
            floor = shuffled if classifier == "lr" else None
            for name, found in anchors_of(fold, floor, train, test, classifier, label, seed).items():
                values[name] |= found.values
                per_class[name] |= found.per_class
    return {"values": values, "per_class": per_class}


def keyed(found: Classification, task: str, label: str) -> Utility:
    """Scores of a task (``tstr_lr``) on a label column, under their keys."""
    values = {f"{task}_{measure}[{label}]": float(getattr(found, measure)) for measure in MEASURES}
    return Utility(values, {f"{task}_recall[{label}]": found.recall}, found.correct)


def tested_rows(fold: RealFold, label: str) -> NDArray[np.intp]:
    """Test rows that take part in the classification of a label column: those of no left-out class."""
    return np.flatnonzero(~np.isin(fold.labels[label][2], fold.left_out.get(label, ())))
