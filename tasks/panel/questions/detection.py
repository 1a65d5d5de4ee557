"""Can a classifier tell synthetic profiles from real ones?"""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gexbench.metrics import detection
from gexbench.metrics.detection import DETECTORS, Detection, Detector
from gexbench.metrics.shared.arrays import Matrix
from gexbench.metrics.shared.row_samples import most_pairs, sampled_places
from gexbench.tasks.panel.declarations.comparison import Comparison
from gexbench.tasks.panel.declarations.metric import Findings, Metric
from gexbench.tasks.panel.declarations.rows import RealRows
from gexbench.tasks.panel.declarations.task import Step, Task

_detection = partial(Metric, family="detection", range=(0.0, 1.0), needs=("pairs",), reference="Lopez-Paz & Oquab 2017")
_COST = "50 + 3 · 34 trees and one fit of 15 epochs, 3 folds"
_WORDS: dict[Detector, tuple[str, str]] = {
    "xgb": ("boosted trees", "XGB"),
    "trees": ("extremely randomised trees", "ET"),
    "lr": ("logistic regression", "LR"),
    "mlp": ("multilayer perceptron", "MLP"),
}

DETECTION = _detection(
    "detection",
    "AUC of real against synthetic, mean of four classifiers, 3 folds by patient; values on the training rows' grid",
    goal="lower",
    floor=1.0,
    ceiling="real-holdout",
    cost=_COST,
    in_overall=True,
    short="detection AUC",
    tables=("main", "ablations"),
)
BY_DETECTOR: dict[Detector, Metric] = {
    detector: _detection(
        f"detection_{detector}",
        f"AUC of real against synthetic, {title}; values on the training rows' grid",
        goal="diagnostic",
        cost="3 folds",
        version=2,
        short=f"detection AUC ({short})",
    )
    for detector, (title, short) in _WORDS.items()
}
RAW = _detection(
    "detection_raw",
    "AUC of real against synthetic, mean of four classifiers, values as made: also sees rounding",
    goal="diagnostic",
    cost=_COST,
    panel="extended",
    short="detection AUC, raw values",
)


def _detect(given: Comparison) -> Findings:
    pairs = given.rows.set_rows[_pairs(given)]
    real, synthetic = (_on_grid(given, rows[pairs]) for rows in (given.rows.test, given.generated.test))
    found = _by_detector(given, real, synthetic)
    values = {DETECTION: _mean(found)} | {BY_DETECTOR[name]: each.auc for name, each in found.items()}
    return Findings(values, extra={"detection_null_sd": found["lr"].null_sd})


def _on_grid(given: Comparison, rows: Any) -> Matrix:
    return given.prepared.space.standardise(detection.snapped(rows, given.prepared.grid), "snapped rows")


def _raw(given: Comparison) -> Findings:
    pairs = _pairs(given)
    return Findings({RAW: _mean(_by_detector(given, given.real[pairs], given.synthetic[pairs]))})


def _pairs(given: Comparison) -> NDArray[np.intp]:
    """Of the compared rows those that take part, of many a sample."""
    return sampled_places(given.rows.test_ids[given.rows.set_rows], most_pairs(len(given.rows.genes)))


def _by_detector(given: Comparison, real: Matrix, synthetic: Matrix) -> dict[Detector, Detection]:
    # Genes by name, so that their order in the cohort has no say in what the trees draw.
    genes = np.argsort(np.asarray(given.rows.genes))
    patients = given.rows.test_patients[given.rows.set_rows][_pairs(given)]
    return {
        detector: detection.detect(
            real[:, genes], synthetic[:, genes], patients, detector=detector, seed=given.prepared.seed
        )
        for detector in DETECTORS
    }


def _mean(found: dict[Detector, Detection]) -> float:
    return float(np.mean([each.auc for each in found.values()]))


def _together(rows: RealRows) -> Iterator[Step]:
    yield Step("detection", (DETECTION, *BY_DETECTOR.values()), _detect)
    yield Step("detection_raw", (RAW,), _raw)


TASK = Task(
    "detection",
    "can a classifier tell synthetic profiles from real ones?",
    (DETECTION, *BY_DETECTOR.values(), RAW),
    _together,
)
