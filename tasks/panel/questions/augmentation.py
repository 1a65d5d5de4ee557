"""Do synthetic profiles help a classifier beside real ones: many, few, or the few that the generator knew?

TRTR + S: train on real and synthetic rows together. *Release*: the generator knew all training patients; a user holds
2 to 25 real patients per class and the released synthetic training rows. *Scarce*: the generator itself was fitted on
the few patients whose expression is known, and makes rows of all training patients from their conditions. All rows are
standardised by the fold's space.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gexbench.metrics.classifiers import Classification, train_and_test
from gexbench.metrics.shared.hashing import hash_order
from gexbench.tasks.panel.declarations.comparison import Comparison
from gexbench.tasks.panel.declarations.metric import Findings, Metric
from gexbench.tasks.panel.declarations.rows import ClassifierReferences, RealRows
from gexbench.tasks.panel.declarations.task import Step, Task
from gexbench.tasks.panel.questions.classification import TRTS, TSTR, measured, scores

RELEASE_SIZES = (2, 5, 10, 25)
"""Real training patients per class that a user of released synthetic rows holds."""
RELEASE_DRAWS = 3


_utility = partial(
    Metric,
    family="utility",
    version=2,
    goal="higher",
    needs=("labels", "training"),
    reference="this suite",
    panel="extended",
)
_gain = partial(_utility, range=(-1.0, 1.0))


_TITLE = "Train on real and synthetic, test on real"
# Beside the score: real rows alone all but reach the ceiling.
AUGMENTED = measured(
    "augmented_lr",
    f"{_TITLE} (TRTR + S): {{}}, logistic regression",
    "seconds per label",
    "this suite",
    words="augmented",
    classifier="lr",
    panel="extended",
    needs=("labels", "training"),
)
AUGMENTED_GAIN = _gain(
    "augmented_lr_gain",
    f"{_TITLE}: accuracy gained over TRTR",
    cost="none of its own",
    per_label=True,
    short="augmented gain (LR)",
)


def _release_metrics(size: int) -> tuple[Metric, Metric]:
    few = f"{size} real patients per class"
    accuracy = _utility(
        f"release_accuracy_{size}",
        f"{few} and released synthetic rows: accuracy, logistic regression, mean of 3 draws",
        range=(0.0, 1.0),
        floor="majority",
        ceiling="trtr",
        cost="3 fits",
        in_overall=True,
    )
    gain = f"{few}: accuracy gained by released synthetic rows"
    return accuracy, _gain(f"release_gain_{size}", gain, cost="none of its own")


RELEASE = {size: _release_metrics(size) for size in RELEASE_SIZES}
SCARCE = (
    _utility(
        "scarce_accuracy",
        "The few real rows that the generator was fitted on and its synthetic rows of all training patients: "
        "accuracy, logistic regression",
        range=(0.0, 1.0),
        cost="one fit",
        panel="scarce",
    ),
    _gain(
        "scarce_gain",
        "Accuracy gained by these synthetic rows over the few real rows alone",
        cost="one fit",
        panel="scarce",
    ),
)


def _references(given: Comparison) -> ClassifierReferences:
    if given.prepared.extended is None:
        raise ValueError("the fold is prepared for the panel 'core'")
    return given.prepared.extended


def _augmented(given: Comparison, label: str) -> Findings:
    rows, prepared = given.rows, given.prepared
    labels, truth = rows.labels[label].train, rows.labels[label].test
    found = train_and_test(
        "lr",
        np.concatenate([given.training.rows, given.synthetic_train]),
        np.concatenate([labels, labels]),
        prepared.test,
        truth,
        left_out=rows.left_out.get(label, ()),
        seed=prepared.seed,
    )
    gain = found.accuracy - _references(given).values["trtr"][AUGMENTED[0].key(label)]
    return Findings({**scores(found, AUGMENTED), AUGMENTED_GAIN: gain}, {"augmented_lr_recall": found.recall})


@dataclass(frozen=True, slots=True, eq=False)
class Release:
    """Means over the draws of patients: accuracy in [0, 1], and recall by class."""

    accuracy: float
    recall: dict[str, float]


def release(rows: RealRows, real: Any, synthetic: Any | None, test: Any, size: int, seed: int) -> Release:
    """Logistic regression on the finest label from ``size`` real rows per class, and the synthetic training rows.

    real, synthetic (n_train, genes): rows of the training patients; None = without synthetic rows. Means over 3
    seeded draws of patients; all rows weigh the same.
    """
    labels = rows.labels[rows.finest].train
    found = []
    for draw in range(RELEASE_DRAWS):
        chosen = few_patients(rows.train_ids, labels, size, f"release/{seed}/{draw}")
        found.append(few_rows(rows, real, chosen, synthetic, test, seed))
    recall = {name: float(np.mean([each.recall[name] for each in found])) for name in found[0].recall}
    return Release(float(np.mean([each.accuracy for each in found])), recall)


def few_rows(
    rows: RealRows, real: Any, chosen: NDArray[np.intp], synthetic: Any | None, test: Any, seed: int
) -> Classification:
    """Logistic regression on the finest label from some real training rows, and the synthetic training rows if any.

    real, synthetic (n_train, genes): rows of the training patients; chosen: the real rows to use. All weigh the same.
    """
    labels, truth = rows.labels[rows.finest].train, rows.labels[rows.finest].test
    train, names = real[chosen], labels[chosen]
    if synthetic is not None:
        train, names = np.concatenate([train, synthetic]), np.concatenate([names, labels])
    return train_and_test("lr", train, names, test, truth, left_out=rows.left_out.get(rows.finest, ()), seed=seed)


def few_patients(ids: Any, labels: Any, size: int, salt: str) -> NDArray[np.intp]:
    """Rows of ``size`` patients of every class (all of a smaller one), ascending.

    Drawn by hashed id, so that the order of rows has no say and the patients of a smaller size are among those of a
    larger one.
    """
    order, names = hash_order(salt, ids), np.asarray(labels)
    return np.sort(np.concatenate([order[names[order] == name][:size] for name in np.unique(names)]))


def _release(given: Comparison, size: int) -> Findings:
    prepared, alone = given.prepared, _references(given).release[str(size)]
    found = release(given.rows, given.training.rows, given.synthetic_train, prepared.test, size, prepared.seed)
    accuracy, gain = RELEASE[size]
    return Findings(
        {accuracy: found.accuracy, gain: found.accuracy - alone},
        {f"release_recall_{size}": found.recall},
        {f"release_real_only_accuracy_{size}": alone},
    )


def _scarce(given: Comparison) -> Findings:
    rows, prepared, fitted = given.rows, given.prepared, given.generated.fitted_ids
    if fitted is None:
        raise ValueError("the generator was fitted on all training patients")
    few = np.flatnonzero(np.isin(rows.train_ids, fitted))
    alone = few_rows(rows, given.training.rows, few, None, prepared.test, prepared.seed)
    both = few_rows(rows, given.training.rows, few, given.synthetic_train, prepared.test, prepared.seed)
    accuracy, gain = SCARCE
    return Findings(
        {accuracy: both.accuracy, gain: both.accuracy - alone.accuracy},
        {"scarce_recall": both.recall},
        {"scarce_real_only_accuracy": alone.accuracy},
    )


def _together(rows: RealRows) -> Iterator[Step]:
    for size, metrics in RELEASE.items():
        yield Step(f"release_{size}", metrics, partial(_release, size=size))
    for label in rows.labels:
        compute = partial(_augmented, label=label)
        yield Step(f"augmented_lr[{label}]", (*AUGMENTED, AUGMENTED_GAIN), compute, label)
    yield Step("scarce", SCARCE, _scarce)


def copied_anchors(rows: RealRows, tstr: Mapping[str, float]) -> dict[str, float]:
    """Keys whose anchors are those of TSTR by logistic regression: TRTS, TRTR + S and released rows."""
    found = {
        metric.key(label): tstr[of.key(label)]
        for metrics in (TRTS, AUGMENTED)
        for label in rows.labels
        for metric, of in zip(metrics, TSTR["lr"], strict=True)
    }
    accuracy = tstr[TSTR["lr"][0].key(rows.finest)]
    return found | {metric.name: accuracy for metric, _ in RELEASE.values()}


TASK = Task(
    "augmentation",
    "do synthetic profiles added to real ones, many or few, improve a classifier?",
    (*AUGMENTED, AUGMENTED_GAIN, *(metric for pair in RELEASE.values() for metric in pair), *SCARCE),
    _together,
    {"augmented_lr_recall": "augmented recall (LR)"},
)
