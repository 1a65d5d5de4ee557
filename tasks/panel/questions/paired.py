"""Do slide and text say more of a patient's profile than the label does?"""

import math
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
from numpy.typing import NDArray

from gexbench.metrics import paired
from gexbench.metrics.shared.arrays import Matrix, as_array, row_chunks
from gexbench.metrics.shuffled_conditions import shuffled_conditions
from gexbench.metrics.space import LIMIT
from gexbench.tasks.panel.declarations.comparison import Comparison
from gexbench.tasks.panel.declarations.metric import Findings, Metric
from gexbench.tasks.panel.declarations.rows import RealRows
from gexbench.tasks.panel.declarations.task import Step, Task

_DRAWN_PATIENTS = 256
"""A multiple of the patients that the CRPS takes at once, so that its bits stay the same."""
_GNEITING = "Gneiting & Raftery 2007, equation 21; Ferro 2014, equation 6"


_paired = partial(Metric, family="paired", cost="time O(n draws genes)")
_of_conditions = partial(
    _paired, goal="diagnostic", needs=("pairs", "labels", "training"), reference="this suite", panel="extended"
)


def standardised_draws(given: Comparison) -> NDArray[np.float32]:
    """Draws in units of the training sd, float32 (n_test, draws, genes)."""
    return given.once("draws", lambda: _standardised(given, slice(None)))


def _standardised(given: Comparison, part: slice) -> NDArray[np.float32]:
    space = given.prepared.space
    raw = as_array(given.generated.paired)[part]
    raw, _ = paired.checked_draws(raw, given.rows.test[part])
    scores = raw.astype(np.float32)
    scores -= space.mean.astype(np.float32)
    scores /= space.sd.astype(np.float32)
    return np.clip(scores, -LIMIT, LIMIT, out=scores)


def _over_draws(given: Comparison, of_part: Callable[[NDArray[np.float32], slice], Matrix]) -> Matrix:
    """What is computed patient by patient from the standardised draws, which are never held all at once."""
    parts = row_chunks(len(given.prepared.test), _DRAWN_PATIENTS)
    return np.concatenate([of_part(_standardised(given, part), part) for part in parts])


def patient_scores(given: Comparison) -> Matrix:
    """CRPS of every test row's draws, in units of the training sd, (n_test,)."""

    def scores(draws: NDArray[np.float32], part: slice) -> Matrix:
        return paired.patient_crps(draws, given.prepared.test[part])

    return given.once("crps", lambda: _over_draws(given, scores))


def _conditional_skill(given: Comparison) -> Findings:
    level = given.training.label_crps_mean
    found = paired.skill(float(patient_scores(given).mean()), level)
    return Findings({CONDITIONAL_SKILL: found}, extra={"label_crps": level})


def _crps(given: Comparison) -> Findings:
    scores = patient_scores(given)
    return Findings({CRPS: float(scores.mean())}, per_row={CRPS: scores})


CONDITIONAL_SKILL = _paired(
    "conditional_skill",
    "1 - CRPS / CRPS of all training rows of the label",
    goal="skill",
    version=2,
    range=(-math.inf, 1.0),
    floor="label-draws",
    needs=("pairs", "labels", "training"),
    reference=_GNEITING,
    tables=("main", "ablations"),
    compute=_conditional_skill,
)
CRPS = _paired(
    "crps",
    "Fair continuous ranked probability score of 19 draws",
    goal="lower",
    range=(-math.inf, math.inf),
    needs=("pairs",),
    unit="training sd",
    reference=_GNEITING,
    short="CRPS",
    compute=_crps,
)
WITHIN_CLASS = _paired(
    "within_class_correlation",
    "Correlation of the draws' mean with the truth within types, median over genes",
    goal="higher",
    range=(-1.0, 1.0),
    needs=("pairs", "labels"),
    reference="this suite",
)
RETRIEVAL = _paired(
    "retrieval",
    "Percentile of the right patient within its type, chance 0.5",
    goal="higher",
    range=(0.0, 1.0),
    needs=("pairs", "labels"),
    reference="this suite",
)
INTERVAL_COVERAGE = _paired(
    "interval_coverage",
    "Share of true values within the central 80 % interval",
    goal="diagnostic",
    range=(0.0, 1.0),
    needs=("pairs",),
    reference="Gneiting et al. 2007",
)
RANK_NONUNIFORMITY = _paired(
    "rank_nonuniformity",
    "Total variation of the truth's ranks among the draws from uniform",
    goal="diagnostic",
    range=(0.0, 1.0),
    needs=("pairs",),
    reference="Talagrand et al. 1997; Hamill 2001",
    short="rank non-uniformity",
)
SHUFFLED_CONDITIONS = _of_conditions(
    "shuffled_conditions_skill",
    "Conditional skill when patients of a class exchange their draws",
    range=(-math.inf, 1.0),
)
CONDITIONS_GAIN = _of_conditions(
    "conditions_gain",
    "Conditional skill of the right patient's draws beyond exchanged ones; 0 when draws know only the label",
    range=(-math.inf, math.inf),
)


def _calibration(given: Comparison) -> Findings:
    histogram = paired.rank_histogram(given.generated.paired, given.rows.test)
    values = {
        RANK_NONUNIFORMITY: paired.rank_nonuniformity(histogram),
        INTERVAL_COVERAGE: paired.interval_coverage(histogram),
    }
    return Findings(values, extra={f"rank_share_{rank}": float(share) for rank, share in enumerate(histogram)})


def _within_class(given: Comparison) -> Findings:
    mean = _over_draws(given, lambda draws, _: draws.mean(axis=1, dtype=np.float64))
    test, labels = given.prepared.test, given.rows.test_labels
    return Findings(
        {
            WITHIN_CLASS: paired.within_class_correlation(mean, test, labels),
            RETRIEVAL: paired.retrieval(mean, test, labels),
        }
    )


def _shuffled_conditions(given: Comparison) -> Findings:
    found = shuffled_conditions(
        standardised_draws(given),
        given.prepared.test,
        patient_scores(given),
        given.training.label_crps,
        given.rows.test_patients,
        given.rows.test_labels,
        f"shuffled conditions/{given.prepared.seed}",
    )
    values = {SHUFFLED_CONDITIONS: found.skill, CONDITIONS_GAIN: found.gain}
    return Findings(values, extra={"shuffled_conditions_rows": float(found.rows)})


def _together(rows: RealRows) -> Iterator[Step]:
    yield Step("calibration", (INTERVAL_COVERAGE, RANK_NONUNIFORMITY), _calibration)
    yield Step("within_class", (WITHIN_CLASS, RETRIEVAL), _within_class)
    yield Step("shuffled_conditions", (SHUFFLED_CONDITIONS, CONDITIONS_GAIN), _shuffled_conditions)


TASK = Task(
    "paired",
    "do slides and text say more about a patient's profile than the label does?",
    (
        CONDITIONAL_SKILL,
        CRPS,
        WITHIN_CLASS,
        RETRIEVAL,
        INTERVAL_COVERAGE,
        RANK_NONUNIFORMITY,
        SHUFFLED_CONDITIONS,
        CONDITIONS_GAIN,
    ),
    _together,
)
