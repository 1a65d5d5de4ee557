"""Downstream disease-type classification: TSTR, TRTR and the majority class, by label column and classifier."""

from dataclasses import dataclass
from typing import Any, cast

from gexbench.metrics.classifiers import Classification, Classifier, majority, train_and_test
from gexbench.metrics.fold import RealFold

CLASSIFIERS: tuple[Classifier, ...] = ("lr", "xgb")
MEASURES = ("accuracy", "balanced_accuracy", "macro_f1")


@dataclass(frozen=True, slots=True, eq=False)
class Utility:
    """values: ``tstr_lr_accuracy[project]`` and the like → value; per_class: ``tstr_lr_recall[project]`` → recalls."""

    values: dict[str, float]
    per_class: dict[str, dict[str, float]]


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


def references(fold: RealFold, train: Any, test: Any, seed: int) -> dict[str, Any]:
    """``values`` and ``per_class`` of TRTR (ceiling) and of the majority class (floor), keyed like TSTR; JSON-able.

    train, test: the fold's real rows, standardised.
    """
    values: dict[str, dict[str, float]] = {"trtr": {}, "majority": {}}
    per_class: dict[str, dict[str, dict[str, float]]] = {"trtr": {}, "majority": {}}
    for classifier in CLASSIFIERS:
        for label in tasks(fold, classifier):
            train_labels, _, test_labels = fold.labels[label]
            left_out = fold.left_out.get(label, ())
            frequent = keyed(majority(train_labels, test_labels, left_out=left_out), f"tstr_{classifier}", label)
            real = tstr(fold, train, test, classifier, label, seed)
            for name, found in (("trtr", real), ("majority", frequent)):
                values[name] |= found.values
                per_class[name] |= found.per_class
    return {"values": values, "per_class": per_class}


def keyed(found: Classification, task: str, label: str) -> Utility:
    """Scores of a task (``tstr_lr``) on a label column, under their keys."""
    values = {f"{task}_{measure}[{label}]": float(getattr(found, measure)) for measure in MEASURES}
    return Utility(values, {f"{task}_recall[{label}]": found.recall})
