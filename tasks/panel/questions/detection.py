"""Can a classifier tell synthetic profiles from real ones?"""

from functools import partial

from gexbench.metrics import detection
from gexbench.tasks.panel.declarations.comparison import Comparison
from gexbench.tasks.panel.declarations.metric import Findings, Metric, Panel, Table
from gexbench.tasks.panel.declarations.task import Task


def _detect(given: Comparison, detector: detection.Detector) -> Findings:
    patients = given.rows.test_patients[given.rows.set_rows]
    found = detection.detect(given.real, given.synthetic, patients, detector=detector, seed=given.prepared.seed)
    return Findings({DETECTION[detector]: found.auc}, extra={"detection_null_sd": found.null_sd})


def _detection(
    detector: detection.Detector, title: str, cost: str, panel: Panel = "core", tables: tuple[Table, ...] = ()
) -> Metric:
    return Metric(
        name=f"detection_{detector}",
        title=f"AUC of real against synthetic, {title}, 3 folds by patient",
        family="detection",
        goal="lower",
        range=(0.0, 1.0),
        floor=1.0,
        ceiling=0.5,
        cost=cost,
        needs=("pairs",),
        reference="Lopez-Paz & Oquab 2017",
        panel=panel,
        in_overall=True,
        short=f"detection AUC ({detector.upper()})",
        tables=tables,
        compute=partial(_detect, detector=detector),
    )


DETECTION: dict[detection.Detector, Metric] = {
    "lr": _detection("lr", "logistic regression", "time O(n genes) per step"),
    "xgb": _detection("xgb", "XGBoost", "300 trees", tables=("main", "ablations")),
    "mlp": _detection("mlp", "multilayer perceptron", "3 fits of 30 epochs", panel="extended"),
}
TASK = Task("detection", "can a classifier tell synthetic profiles from real ones?", tuple(DETECTION.values()))
