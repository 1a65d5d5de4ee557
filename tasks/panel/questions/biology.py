"""Do types differ in the same genes, gene sets and co-expression modules?"""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gexbench.metrics import biology, co_expression
from gexbench.metrics.structure import correlations
from gexbench.tasks.panel.declarations.comparison import Comparison
from gexbench.tasks.panel.declarations.metric import Findings, Metric
from gexbench.tasks.panel.declarations.rows import RealRows
from gexbench.tasks.panel.declarations.task import Step, Task

_DIFFERENCES, _ACTIVITY, _PAIRS = "time O(classes n genes)", "time O(n genes sets)", "time O(n genes²)"
_FOROUTAN, _LANGFELDER = "Foroutan et al. 2018 (rank score)", "Langfelder et al. 2011"


_biology = partial(
    Metric,
    family="biology",
    goal="higher",
    floor="worst-trivial",
    ceiling="real-holdout",
    panel="extended",
    in_overall=True,
)


def _synthetic(given: Comparison) -> NDArray[Any]:
    """The synthetic rows that set metrics compare, in the cohort's unit."""
    return np.asarray(given.generated.test[given.rows.set_rows])


def _over_classes(metric: Metric, found: Mapping[str, float]) -> Findings:
    return Findings({metric: float(np.mean(list(found.values())))}, per_class={metric.name: found})


def _concordance(given: Comparison) -> Findings:
    real = given.prepared.biology
    synthetic = biology.class_differences(_synthetic(given), real.labels)
    return _over_classes(DE_CONCORDANCE, biology.fold_change_concordance(real.differences, synthetic))


def _overlap(given: Comparison, top: int) -> Findings:
    real = given.prepared.biology
    synthetic = biology.class_differences(_synthetic(given), real.labels)
    return _over_classes(DE_OVERLAP[top], biology.top_overlap(real.differences, synthetic, top))


def _pathway_concordance(given: Comparison) -> float:
    real = given.prepared.biology
    activities = biology.pathway_activity(_synthetic(given), real.sets)
    return biology.pathway_concordance(real.activities, activities, real.labels)


def _pathway_agreement(given: Comparison) -> float:
    real = given.prepared.biology
    return biology.pathway_agreement(real.activities, biology.pathway_activity(_synthetic(given), real.sets))


DE_CONCORDANCE = _biology(
    "de_concordance",
    "Concordance of log-fold-changes, each type against the rest, mean over types",
    range=(-1.0, 1.0),
    cost=_DIFFERENCES,
    needs=("labels",),
    reference="Lin 1989, equation 1",
    short="DE concordance",
    compute=_concordance,
)
DE_OVERLAP = {
    top: _biology(
        f"de_overlap_{top}",
        f"Share of the top {top} genes by Welch's |t| that real rows name too, mean over types",
        range=(0.0, 1.0),
        cost=_DIFFERENCES,
        needs=("labels",),
        reference="Welch 1947",
        short=f"DE overlap {top}",
        compute=partial(_overlap, top=top),
    )
    for top in biology.TOPS
}
"""A metric each, since small cohorts have too few genes for the larger one."""
PATHWAY_CONCORDANCE = _biology(
    "pathway_concordance",
    "Concordance of the types' mean pathway activities by rank",
    range=(-1.0, 1.0),
    cost=_ACTIVITY,
    needs=("labels", "gene sets"),
    reference=f"{_FOROUTAN}; Lin 1989",
    compute=_pathway_concordance,
)
PATHWAY_AGREEMENT = _biology(
    "pathway_agreement",
    "1 - Kolmogorov-Smirnov distance of pathway activities by rank, mean over sets",
    range=(0.0, 1.0),
    cost=_ACTIVITY,
    needs=("gene sets",),
    reference=f"{_FOROUTAN}; Smirnov 1948",
    compute=_pathway_agreement,
)
MODULE_CONNECTIVITY = _biology(
    "module_connectivity",
    "Correlation of the genes' connectivity within co-expression modules, mean over modules",
    range=(-1.0, 1.0),
    cost=_PAIRS,
    reference=f"{_LANGFELDER} (cor.kIM)",
)
MODULE_DENSITY_ERROR = _biology(
    "module_density_error",
    "Absolute error of the mean |r| within co-expression modules, mean over modules",
    goal="lower",
    range=(0.0, 1.0),
    cost=_PAIRS,
    reference=f"{_LANGFELDER} (module density)",
)


def _modules(given: Comparison) -> Findings:
    real, modules = given.prepared.correlations, given.prepared.biology.modules
    synthetic = correlations(given.synthetic)
    return Findings(
        {
            MODULE_CONNECTIVITY: co_expression.module_connectivity(real, synthetic, modules),
            MODULE_DENSITY_ERROR: co_expression.module_density_error(real, synthetic, modules),
        },
        extra={"modules": float(len(modules)), "module_genes": float(sum(map(len, modules)))},
    )


def _together(rows: RealRows) -> Iterator[Step]:
    yield Step("modules", (MODULE_CONNECTIVITY, MODULE_DENSITY_ERROR), _modules)


TASK = Task(
    "biology",
    "do cancer types differ in the same genes, gene sets and co-expression modules?",
    (
        DE_CONCORDANCE,
        *DE_OVERLAP.values(),
        PATHWAY_CONCORDANCE,
        PATHWAY_AGREEMENT,
        MODULE_CONNECTIVITY,
        MODULE_DENSITY_ERROR,
    ),
    _together,
)
