"""Does a classifier trained on synthetic profiles recognise real ones (TSTR), and one of real ones synthetic (TRTS)?

By label column and classifier; all rows are standardised by the fold's space. Also what sets the scale: real rows in
the place of synthetic ones (TRTR), the most frequent class, and real rows with permuted labels.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gexbench.metrics.classifiers import Classification, Classifier, Fitted, fit_classifier, majority, train_and_test
from gexbench.metrics.shared.hashing import hash_order
from gexbench.tasks.panel.declarations.comparison import Comparison
from gexbench.tasks.panel.declarations.metric import Findings, Metric, Need, Panel, Table
from gexbench.tasks.panel.declarations.rows import RealRows
from gexbench.tasks.panel.declarations.task import Step, Task

MEASURES = {"accuracy": "accuracy", "balanced_accuracy": "balanced accuracy", "macro_f1": "macro-F1"}
"""Names of a classification's measures, and how titles write them."""
ANCHORS = ("trtr", "majority", "shuffled_labels")
"""Names of a fold's reference values: real rows, the most frequent class, real rows with permuted labels."""

Asked = tuple[Classifier, str, Sequence[str]]
"""A classifier, a label column and the anchors that are asked of them."""


def measured(
    task: str,
    title: str,
    cost: str,
    reference: str,
    *,
    words: str,
    classifier: Classifier,
    panel: Panel,
    needs: tuple[Need, ...] = ("labels",),
    scored: bool = False,
    tables: tuple[Table, ...] = (),
) -> tuple[Metric, ...]:
    """A metric per measure, between the majority class and TRTR; `tables` show its accuracy.

    Balanced accuracy is shown only: with accuracy and macro-F1 it would weigh small classes twice.
    """
    return tuple(
        Metric(
            name=f"{task}_{name}",
            title=title.format(measure),
            family="utility",
            version=2,
            goal="higher",
            range=(0.0, 1.0),
            floor="majority",
            ceiling="trtr",
            cost=cost,
            needs=needs,
            reference=reference,
            panel=panel,
            in_overall=scored and name != "balanced_accuracy",
            per_label=True,
            short=f"{words} {measure.replace('-', ' ')} ({classifier.upper()})",
            tables=tables if name == "accuracy" else (),
        )
        for name, measure in MEASURES.items()
    )


def _tstr_by(
    classifier: Classifier, model: str, cost: str, panel: Panel = "core", tables: tuple[Table, ...] = ()
) -> tuple[Metric, ...]:
    return measured(
        f"tstr_{classifier}",
        f"Train on synthetic, test on real: {{}}, {model}",
        cost,
        "Esteban et al. 2017",
        words="TSTR",
        classifier=classifier,
        panel=panel,
        scored=True,
        tables=tables,
    )


TSTR: dict[Classifier, tuple[Metric, ...]] = {
    "lr": _tstr_by("lr", "logistic regression", "seconds per label", tables=("main", "ablations")),
    "xgb": _tstr_by("xgb", "XGBoost", "classes · 60 trees"),
    "mlp": _tstr_by("mlp", "multilayer perceptron", "30 epochs per label", panel="extended"),
}
# Beside the score: class means reach 1.
TRTS = measured(
    "trts_lr",
    "Train on real, test on synthetic: {}, logistic regression",
    "one prediction per label",
    "Esteban et al. 2017",
    words="TRTS",
    classifier="lr",
    panel="extended",
    needs=("labels", "training"),
)


def asked(rows: RealRows, panel: Panel) -> tuple[tuple[Classifier, str], ...]:
    """Classifiers and label columns that a panel adds: the dear ones on the coarser columns in `extended` alone."""
    if panel == "core":
        return (*(("lr", label) for label in rows.labels), ("xgb", rows.finest))
    coarser: list[tuple[Classifier, str]] = [("xgb", label) for label in rows.labels if label != rows.finest]
    return (*coarser, *(("mlp", label) for label in rows.labels))


def tstr(rows: RealRows, train: Any, test: Any, classifier: Classifier, label: str, seed: int) -> Classification:
    """Train on ``train``, a row per training patient with that patient's label, test on all real test rows.

    train (n_train, genes) and test (n_test, genes) are standardised by the fold's space.
    """
    labels, truth = rows.labels[label].train, rows.labels[label].test
    return train_and_test(classifier, train, labels, test, truth, left_out=rows.left_out.get(label, ()), seed=seed)


def scores(found: Classification, metrics: Sequence[Metric]) -> dict[Metric, float]:
    """The measures of a classification, by the metric of each."""
    return {metric: float(getattr(found, name)) for name, metric in zip(MEASURES, metrics, strict=True)}


def _tstr(given: Comparison, classifier: Classifier, label: str) -> Findings:
    rows, test = given.rows, given.prepared.test
    found = tstr(rows, given.synthetic_train, test, classifier, label, given.prepared.seed)
    values, recall = scores(found, TSTR[classifier]), {f"tstr_{classifier}_recall": found.recall}
    if (classifier, label) != ("lr", rows.finest):
        return Findings(values, recall)
    correct = np.full(len(rows.test_ids), np.nan)
    correct[tested_rows(rows, label)] = found.correct
    return Findings(values, recall, per_row={TSTR["lr"][0]: correct})


def _trts(given: Comparison, label: str) -> Findings:
    found = given.training.classifiers[label].test(given.synthetic_test, given.rows.labels[label].test)
    return Findings(scores(found, TRTS), {"trts_lr_recall": found.recall})


def _together(rows: RealRows) -> Iterator[Step]:
    panels: tuple[Panel, ...] = ("core", "extended")
    for panel in panels:
        for classifier, label in asked(rows, panel):
            compute = partial(_tstr, classifier=classifier, label=label)
            yield Step(f"tstr_{classifier}[{label}]", TSTR[classifier], compute, label, panel)
    for label in rows.labels:
        yield Step(f"trts_lr[{label}]", TRTS, partial(_trts, label=label), label)


def tested_rows(rows: RealRows, label: str) -> NDArray[np.intp]:
    """Test rows that take part in the classification of a label column: those of no left-out class."""
    return np.flatnonzero(~np.isin(rows.labels[label].test, rows.left_out.get(label, ())))


def real_classifiers(rows: RealRows, train: Any, seed: int) -> dict[str, Fitted]:
    """Label column → logistic regression on the fold's real training rows, standardised."""
    return {
        label: fit_classifier("lr", train, parts.train, left_out=rows.left_out.get(label, ()), seed=seed)
        for label, parts in rows.labels.items()
    }


def with_shuffled_labels(rows: RealRows, seed: int) -> RealRows:
    """The rows with every training patient's labels exchanged for another's, all label columns alike.

    By two hashed orders of the ids, so that the order of rows has no say. Test labels stay.
    """
    given, taken = (hash_order(f"shuffled labels/{side}/{seed}", rows.train_ids) for side in ("given", "taken"))
    source = np.empty(len(given), dtype=np.intp)
    source[given] = taken
    labels = {column: parts._replace(train=parts.train[source]) for column, parts in rows.labels.items()}
    return replace(rows, labels=labels)


def anchor_values(
    rows: RealRows, train: Any, test: Any, seed: int, wanted: Iterable[Asked]
) -> dict[str, dict[str, float]]:
    """``ANCHORS`` → key of TSTR → value: TRTR (ceiling), the majority class (floor), TRTR on permuted labels.

    The last is what a classifier reaches that has nothing to learn. train, test: the fold's real rows, standardised.
    """
    values: dict[str, dict[str, float]] = {name: {} for name in ANCHORS}
    shuffled = with_shuffled_labels(rows, seed)
    for classifier, label, anchors in wanted:
        labels, truth = rows.labels[label].train, rows.labels[label].test
        for anchor in anchors:
            if anchor == "majority":
                found = majority(labels, truth, left_out=rows.left_out.get(label, ()))
            else:
                found = tstr(shuffled if anchor == "shuffled_labels" else rows, train, test, classifier, label, seed)
            values[anchor] |= {metric.key(label): value for metric, value in scores(found, TSTR[classifier]).items()}
    return values


TASK = Task(
    "classification",
    "does a classifier trained on synthetic profiles recognise real ones, for every label column?",
    (*TSTR["lr"], *TSTR["xgb"], *TSTR["mlp"], *TRTS),
    _together,
    {
        **{f"tstr_{classifier}_recall": f"TSTR recall ({classifier.upper()})" for classifier in TSTR},
        "trts_lr_recall": "TRTS recall (LR)",
    },
)
