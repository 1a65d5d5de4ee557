"""Metrics of the panel ``extended``: the biology family, and the paper's own variants, which enter no score."""

import math

from gexbench.metrics.catalogue.specification import Family, Goal, MetricSpecification, Need

_MEASURES = (("accuracy", "accuracy"), ("balanced_accuracy", "balanced accuracy"), ("macro_f1", "macro-F1"))


def _biology(
    name: str, title: str, low: float, cost: str, reference: str, *needs: Need, goal: Goal = "higher"
) -> MetricSpecification:
    """A metric of the biology family; none exceeds 1."""
    return MetricSpecification(
        name=name,
        title=title,
        family="biology",
        goal=goal,
        range=(low, 1.0),
        floor="worst-trivial",
        ceiling="real-holdout",
        version=1,
        cost=cost,
        needs=frozenset(needs),
        unit="1",
        reference=reference,
        panel="extended",
        in_overall=True,
    )


_DIFFERENCES, _ACTIVITY, _MODULES = "time O(classes n genes)", "time O(n genes sets)", "time O(n genes²)"
_FOROUTAN, _LANGFELDER = "Foroutan et al. 2018 (rank score)", "Langfelder et al. 2011"

BIOLOGY: tuple[MetricSpecification, ...] = (
    _biology(
        "de_concordance",
        "Concordance of log-fold-changes, each type against the rest, mean over types",
        -1.0,
        _DIFFERENCES,
        "Lin 1989, equation 1",
        "labels",
    ),
    *(
        _biology(
            f"de_overlap_{top}",
            f"Share of the top {top} genes by Welch's |t| that real rows name too, mean over types",
            0.0,
            _DIFFERENCES,
            "Welch 1947",
            "labels",
        )
        for top in (50, 100)
    ),
    _biology(
        "pathway_concordance",
        "Concordance of the types' mean pathway activities by rank",
        -1.0,
        _ACTIVITY,
        f"{_FOROUTAN}; Lin 1989",
        "labels",
        "gene sets",
    ),
    _biology(
        "pathway_agreement",
        "1 - Kolmogorov-Smirnov distance of pathway activities by rank, mean over sets",
        0.0,
        _ACTIVITY,
        f"{_FOROUTAN}; Smirnov 1948",
        "gene sets",
    ),
    _biology(
        "module_connectivity",
        "Correlation of the genes' connectivity within co-expression modules, mean over modules",
        -1.0,
        _MODULES,
        f"{_LANGFELDER} (cor.kIM)",
    ),
    _biology(
        "module_density_error",
        "Absolute error of the mean |r| within co-expression modules, mean over modules",
        0.0,
        _MODULES,
        f"{_LANGFELDER} (module density)",
        goal="lower",
    ),
)


def _paper(name: str, title: str, family: Family, high: float, cost: str, *needs: Need) -> MetricSpecification:
    """A metric as the GeMM-GAN paper computes it: shown for comparison, without direction or score."""
    return MetricSpecification(
        name=name,
        title=title,
        family=family,
        goal="diagnostic",
        range=(0.0, high),
        floor=None,
        ceiling=None,
        version=1,
        cost=cost,
        needs=frozenset(needs),
        unit="1",
        reference="GeMM-GAN",
        panel="extended",
        in_overall=False,
        per_label=family == "utility",
    )


PAPER_VARIANTS: tuple[MetricSpecification, ...] = (
    *(
        _paper(
            f"paper_{name}",
            f"{name.capitalize()} as in the paper: k = 10, Manhattan distance, standardised genes",
            "support",
            math.inf if name == "density" else 1.0,
            "time O(n² genes)",
        )
        for name in ("precision", "recall", "density", "coverage")
    ),
    *(
        _paper(
            f"paper_tstr_on_training_rows_{name}",
            f"Train on synthetic rows of the test patients, test on real training rows, as in the paper: {measure}",
            "utility",
            1.0,
            "seconds per label",
            "labels",
            "training",
        )
        for name, measure in _MEASURES
    ),
)
