"""Downstream tasks of the panel ``extended``: more classifiers in TSTR, TRTS, TRTR + S, and few patients' own rows.

TRTS: train on real, test on synthetic rows; class means reach 1, so it stands beside the score. TRTR + S: train on
real and synthetic rows together. *Release*: the generator knew all training patients; a user holds 2 to 25 real
patients per class and the released synthetic training rows. *Scarce*: the generator itself was fitted on the few
patients whose expression is known, and makes rows of all training patients from their conditions. All rows are
standardised by the fold's space.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gexbench.metrics.catalogue.extended import RELEASE_SIZES
from gexbench.metrics.classifiers import Classification, Classifier, Fitted, fit_classifier, train_and_test
from gexbench.metrics.shared.hashing import hash_order
from gexbench.tasks.panel.fold import RealFold
from gexbench.tasks.panel.utility import ANCHORS, MEASURES, Utility, anchors_of, keyed, tstr, with_shuffled_labels

RELEASE_DRAWS = 3


def extended_tasks(fold: RealFold) -> tuple[tuple[Classifier, str], ...]:
    """TSTR beyond the core panel: XGBoost on the coarser label columns, the perceptron on all."""
    boosted: list[tuple[Classifier, str]] = [("xgb", label) for label in fold.labels if label != fold.finest]
    return (*boosted, *(("mlp", label) for label in fold.labels))


def real_classifiers(fold: RealFold, rows: Any, seed: int) -> dict[str, Fitted]:
    """Label column → logistic regression on the fold's real training rows."""
    return {
        label: fit_classifier("lr", rows, parts[0], left_out=fold.left_out.get(label, ()), seed=seed)
        for label, parts in fold.labels.items()
    }


def trts(fold: RealFold, fitted: Fitted, synthetic: Any, label: str) -> Utility:
    """Test a classifier of real rows on synthetic rows, one per test patient with that patient's label."""
    return keyed(fitted.test(synthetic, fold.labels[label][2]), "trts_lr", label)


def augmented(
    fold: RealFold, real: Any, synthetic: Any, test: Any, label: str, seed: int, trtr: Mapping[str, float]
) -> Utility:
    """TRTR + S by logistic regression: real and synthetic rows of the training patients, each with its label.

    trtr: keys of this task → value of TRTR; the gain is the accuracy beyond it.
    """
    labels = fold.labels[label]
    found = train_and_test(
        "lr",
        np.concatenate([real, synthetic]),
        np.concatenate([labels[0], labels[0]]),
        test,
        labels[2],
        left_out=fold.left_out.get(label, ()),
        seed=seed,
    )
    made = keyed(found, "augmented_lr", label)
    gain = found.accuracy - trtr[f"augmented_lr_accuracy[{label}]"]
    return Utility(made.values | {f"augmented_lr_gain[{label}]": gain}, made.per_class, made.correct)


@dataclass(frozen=True, slots=True, eq=False)
class Release:
    """Means over the draws of patients: accuracy in [0, 1], and recall by class."""

    accuracy: float
    recall: dict[str, float]


def release(fold: RealFold, real: Any, synthetic: Any | None, test: Any, size: int, seed: int) -> Release:
    """Logistic regression on the finest label from ``size`` real rows per class, and the synthetic training rows.

    real, synthetic (n_train, genes): rows of the training patients; None = without synthetic rows. Means over 3
    seeded draws of patients; all rows weigh the same.
    """
    labels = fold.labels[fold.finest][0]
    found = []
    for draw in range(RELEASE_DRAWS):
        chosen = few_patients(fold.train_ids, labels, size, f"release/{seed}/{draw}")
        found.append(few_rows(fold, real, chosen, synthetic, test, seed))
    recall = {name: float(np.mean([each.recall[name] for each in found])) for name in found[0].recall}
    return Release(float(np.mean([each.accuracy for each in found])), recall)


def few_rows(
    fold: RealFold, real: Any, chosen: NDArray[np.intp], synthetic: Any | None, test: Any, seed: int
) -> Classification:
    """Logistic regression on the finest label from some real training rows, and the synthetic training rows if any.

    real, synthetic (n_train, genes): rows of the training patients; chosen: the real rows to use. All weigh the same.
    """
    labels, _, truth = fold.labels[fold.finest]
    rows, names = real[chosen], labels[chosen]
    if synthetic is not None:
        rows, names = np.concatenate([rows, synthetic]), np.concatenate([names, labels])
    return train_and_test("lr", rows, names, test, truth, left_out=fold.left_out.get(fold.finest, ()), seed=seed)


def few_patients(ids: Any, labels: Any, size: int, salt: str) -> NDArray[np.intp]:
    """Rows of ``size`` patients of every class (all of a smaller one), ascending.

    Drawn by hashed id, so that the order of rows has no say and the patients of a smaller size are among those of a
    larger one.
    """
    order, names = hash_order(salt, ids), np.asarray(labels)
    return np.sort(np.concatenate([order[names[order] == name][:size] for name in np.unique(names)]))


def extended_references(
    fold: RealFold, train: Any, test: Any, seed: int, core: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """``values`` and ``per_class`` of ``ANCHORS`` by key, and ``release`` without synthetic rows.

    core: ``values`` and ``per_class`` of the core panel, whose TRTR by logistic regression is not repeated. JSON-able.
    """
    values: dict[str, dict[str, float]] = {name: {} for name in ANCHORS}
    per_class: dict[str, dict[str, dict[str, float]]] = {name: {} for name in ANCHORS}
    shuffled = with_shuffled_labels(fold, seed)
    for classifier, label in extended_tasks(fold):
        for name, found in anchors_of(fold, shuffled, train, test, classifier, label, seed).items():
            values[name] |= found.values
            per_class[name] |= found.per_class
    # Left out of the core panel for its cost.
    boosted = tstr(shuffled, train, test, "xgb", fold.finest, seed)
    values["shuffled_labels"] |= boosted.values
    per_class["shuffled_labels"] |= boosted.per_class
    for name, known in values.items():
        for task in ("trts_lr", "augmented_lr"):
            known |= {
                f"{task}_{measure}[{label}]": core["values"][name][f"tstr_lr_{measure}[{label}]"]
                for label in fold.labels
                for measure in MEASURES
            }
        accuracy = core["values"][name][f"tstr_lr_accuracy[{fold.finest}]"]
        known |= {f"release_accuracy_{size}": accuracy for size in RELEASE_SIZES}
    without = {str(size): release(fold, train, None, test, size, seed).accuracy for size in RELEASE_SIZES}
    return {"values": values, "per_class": per_class, "release": without}
