"""The steps of the biology family and of the paper's variants."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gexbench.metrics import biology, co_expression, paper_variants
from gexbench.metrics.structure import correlations
from gexbench.metrics.support import Support
from gexbench.tasks.panel.fold import PreparedFold
from gexbench.tasks.panel.steps import Comparison, Compute, Findings, Step
from gexbench.tasks.panel.utility import MEASURES

PAPER_TSTR = "paper_tstr_on_training_rows"


def biology_steps(fold: PreparedFold) -> Iterator[Step]:
    """All of them, for a fold; each overlap is a step of its own, since small cohorts have too few genes for it."""
    yield Step("de_concordance", ("de_concordance",), _concordance)
    for top in biology.TOPS:
        yield Step(f"de_overlap_{top}", (f"de_overlap_{top}",), _overlap(top))
    yield Step("pathway_concordance", ("pathway_concordance",), _pathway_concordance)
    yield Step("pathway_agreement", ("pathway_agreement",), _pathway_agreement)
    yield Step("modules", ("module_connectivity", "module_density_error"), _modules)
    yield Step("paper_support", tuple(f"paper_{name}" for name in Support._fields), _paper_support)
    for label in fold.fold.labels:
        keys = tuple(f"{PAPER_TSTR}_{measure}[{label}]" for measure in MEASURES)
        yield Step(f"{PAPER_TSTR}[{label}]", keys, _paper_tstr(label))


def _set_rows(given: Comparison) -> NDArray[Any]:
    """The synthetic rows that set metrics compare, in the cohort's unit."""
    return np.asarray(given.synthetic.test[given.fold.fold.set_rows])


def _over_classes(key: str, found: Mapping[str, float]) -> Findings:
    return Findings({key: float(np.mean(list(found.values())))}, per_class={key: found})


def _concordance(given: Comparison) -> Findings:
    real = given.fold.biology
    synthetic = biology.class_differences(_set_rows(given), real.labels)
    return _over_classes("de_concordance", biology.fold_change_concordance(real.differences, synthetic))


def _overlap(top: int) -> Compute:
    def compute(given: Comparison) -> Findings:
        real = given.fold.biology
        synthetic = biology.class_differences(_set_rows(given), real.labels)
        return _over_classes(f"de_overlap_{top}", biology.top_overlap(real.differences, synthetic, top))

    return compute


def _pathway_concordance(given: Comparison) -> Findings:
    real = given.fold.biology
    activities = biology.pathway_activity(_set_rows(given), real.sets)
    return Findings({"pathway_concordance": biology.pathway_concordance(real.activities, activities, real.labels)})


def _pathway_agreement(given: Comparison) -> Findings:
    real = given.fold.biology
    activities = biology.pathway_activity(_set_rows(given), real.sets)
    return Findings({"pathway_agreement": biology.pathway_agreement(real.activities, activities)})


def _modules(given: Comparison) -> Findings:
    real, modules = given.fold.correlations, given.fold.biology.modules
    synthetic = correlations(given.set_rows)
    return Findings(
        {
            "module_connectivity": co_expression.module_connectivity(real, synthetic, modules),
            "module_density_error": co_expression.module_density_error(real, synthetic, modules),
        },
        extra={"modules": float(len(modules)), "module_genes": float(sum(map(len, modules)))},
    )


def _paper_support(given: Comparison) -> Findings:
    real = given.fold.real
    found = paper_variants.paper_support(real, given.set_rows, min(paper_variants.K, len(real) - 1))
    return Findings({f"paper_{name}": value for name, value in found._asdict().items()})


def _paper_tstr(label: str) -> Compute:
    def compute(given: Comparison) -> Findings:
        fold, training = given.fold.fold, given.fold.training
        if training is None:
            raise ValueError("the paper's protocol evaluates on training rows")
        train_labels, _, test_labels = fold.labels[label]
        found = paper_variants.paper_tstr_on_training_rows(
            given.test, test_labels, training.rows, train_labels, left_out=fold.left_out.get(label, ())
        )
        return Findings({f"{PAPER_TSTR}_{measure}[{label}]": float(getattr(found, measure)) for measure in MEASURES})

    return compute
