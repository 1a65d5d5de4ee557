"""Do genes correlate, vary and vanish in synthetic profiles as they do in real ones?"""

import math
from collections.abc import Iterator
from functools import partial

from gexbench.metrics import structure
from gexbench.tasks.panel.declarations.comparison import Comparison, NotApplicable
from gexbench.tasks.panel.declarations.metric import Findings, Metric
from gexbench.tasks.panel.declarations.rows import RealRows
from gexbench.tasks.panel.declarations.task import Step, Task

_PAIRS = "time O(n genes²)"

_structure = partial(Metric, family="structure", ceiling="real-holdout", in_overall=True)

CORRELATION_MSE = _structure(
    "correlation_mse",
    "Mean squared error of gene-gene correlations",
    goal="lower",
    range=(0.0, 4.0),
    floor="worst-trivial",
    cost=_PAIRS,
    reference="GeMM-GAN",
    short="C.MSE",
    tables=("main",),
)
CORRELATION_GAMMA = _structure(
    "correlation_gamma",
    "Correlation of the gene-gene correlations (gamma)",
    goal="higher",
    range=(-1.0, 1.0),
    floor="worst-trivial",
    cost=_PAIRS,
    reference="Viñas et al. 2022, equation 11",
    short="correlation γ",
)
STRONG_PAIRS = _structure(
    "strong_pairs_mae",
    "Mean absolute error of correlations with real |r| > 0.3",
    goal="lower",
    range=(0.0, 2.0),
    floor="worst-trivial",
    cost=_PAIRS,
    reference="this suite",
    short="strong pairs error",
)


def _compared(given: Comparison) -> structure.CorrelationComparison:
    def compare() -> structure.CorrelationComparison:
        return structure.compare_correlations(given.prepared.correlations, structure.correlations(given.synthetic))

    return given.once("correlations", compare)


def _correlations(given: Comparison) -> Findings:
    found = _compared(given)
    return Findings({CORRELATION_MSE: found.mse, CORRELATION_GAMMA: found.gamma})


def _strong_pairs(given: Comparison) -> Findings:
    found = _compared(given).strong_mae
    if found is None:
        raise ValueError(f"no gene pair of the real set has |r| > {structure.STRONG}")
    return Findings({STRONG_PAIRS: found})


def _together(rows: RealRows) -> Iterator[Step]:
    yield Step("correlations", (CORRELATION_MSE, CORRELATION_GAMMA), _correlations)
    yield Step("strong_pairs", (STRONG_PAIRS,), _strong_pairs)


def _variance_ratio(given: Comparison) -> float:
    return structure.variance_ratio(given.real, given.synthetic, given.labels)


def _zero_fraction(given: Comparison) -> float:
    if given.rows.floor is None:
        raise NotApplicable("the cohort's unit has no floor")
    return structure.zero_fraction(given.generated.test[given.rows.set_rows], given.rows.floor)


VARIANCE_RATIO = _structure(
    "variance_ratio",
    "Variance within classes, synthetic over real, median over genes",
    version=2,
    goal="match",
    range=(0.0, math.inf),
    cost="time O(n genes)",
    needs=("labels",),
    reference="this suite",
    tables=("main",),
    compute=_variance_ratio,
)
ZERO_FRACTION = _structure(
    "zero_fraction",
    "Share of values at the unit's floor",
    goal="match",
    range=(0.0, 1.0),
    cost="time O(n genes)",
    reference="this suite",
    compute=_zero_fraction,
)
TASK = Task(
    "structure",
    "do genes correlate, vary and drop to zero in synthetic profiles as in real ones?",
    (CORRELATION_MSE, CORRELATION_GAMMA, STRONG_PAIRS, VARIANCE_RATIO, ZERO_FRACTION),
    _together,
)
