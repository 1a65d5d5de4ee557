"""All metrics of the suite, in the order of the tables, and the weights of their families."""

import math
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from gexbench.metrics.catalogue.biology import BIOLOGY, PAPER_VARIANTS
from gexbench.metrics.catalogue.extended import (
    EXTENDED_DETECTION,
    EXTENDED_UTILITY,
    MEMBERSHIP,
    SCARCE_UTILITY,
    SHUFFLED_CONDITIONS,
)
from gexbench.metrics.catalogue.specification import Family, Goal, MetricSpecification, Need, Panel

FAMILY_WEIGHTS: Mapping[Family, float] = MappingProxyType(
    {"support": 1.0, "distribution": 1.0, "structure": 1.0, "detection": 1.0, "utility": 1.0, "biology": 1.0}
)
"""Weights of the families in the overall score; families outside stand beside it."""

_INFINITE = math.inf
_PAIRWISE = "time O(n² genes), memory O(n)"
_SORTED = "time O(n log n genes)"
_SPACES = (("genes", "standardised genes"), ("pcs", "50 principal components of real training rows"))
_KYNKAANNIEMI = "Kynkäänniemi et al. 2019, equations 1 and 2"
_NAEEM = "Naeem et al. 2020, equations 5 and 6"
_VINAS = "Viñas et al. 2022, equation 11"
_GNEITING = "Gneiting & Raftery 2007, equation 21; Ferro 2014, equation 6"


def _support() -> list[MetricSpecification]:
    measures: tuple[tuple[str, str, Goal, float, str], ...] = (
        ("precision", "Share of synthetic rows near real rows", "match", 1.0, _KYNKAANNIEMI),
        ("recall", "Share of real rows near synthetic rows", "higher", 1.0, _KYNKAANNIEMI),
        ("density", "Real balls around a synthetic row, over k", "match", _INFINITE, _NAEEM),
        ("coverage", "Share of real balls that hold a synthetic row", "higher", 1.0, _NAEEM),
    )
    return [
        MetricSpecification(
            name=f"{name}_{space}",
            title=f"{title}; k = 5, {where}",
            family="support",
            goal=goal,
            range=(0.0, high),
            floor=None if goal == "match" else "worst-trivial",
            ceiling="real-holdout",
            version=1,
            cost=_PAIRWISE,
            needs=frozenset(),
            unit="1",
            reference=reference,
            panel="core",
            in_overall=True,
        )
        for space, where in _SPACES
        for name, title, goal, high, reference in measures
    ]


def _distance(
    name: str, title: str, family: Family, high: float, cost: str, unit: str, reference: str, low: float = 0.0
) -> MetricSpecification:
    """A set metric for which lower is better."""
    return MetricSpecification(
        name=name,
        title=title,
        family=family,
        goal="lower",
        range=(low, high),
        floor="worst-trivial",
        ceiling="real-holdout",
        version=1,
        cost=cost,
        needs=frozenset(),
        unit=unit,
        reference=reference,
        panel="core",
        in_overall=True,
    )


def _distribution() -> list[MetricSpecification]:
    sd, rubner = "training sd", "Vaserstein 1969; Rubner et al. 2000"
    return [
        _distance(
            "frechet",
            "Fréchet distance of the fitted Gaussians",
            "distribution",
            _INFINITE,
            "time O(genes³)",
            "training variance",
            "Dowson & Landau 1982; Heusel et al. 2017",
        ),
        _distance(
            "mmd",
            "Unbiased squared maximum mean discrepancy, RBF, five widths",
            "distribution",
            2.0,
            _PAIRWISE,
            "1",
            "Gretton et al. 2012, equation 3",
            low=-1.0,
        ),
        _distance(
            "energy",
            "Energy distance",
            "distribution",
            _INFINITE,
            _PAIRWISE,
            sd,
            "Székely & Rizzo 2013, equation 5",
        ),
        _distance(
            "sliced_wasserstein",
            "Sliced 2-Wasserstein distance, 256 directions",
            "distribution",
            _INFINITE,
            "time O(n genes · 256)",
            sd,
            "Bonneel et al. 2015, section 3",
        ),
        _distance(
            "wasserstein_mean",
            "Wasserstein-1 per gene, mean",
            "distribution",
            _INFINITE,
            _SORTED,
            sd,
            rubner,
        ),
        _distance(
            "wasserstein_max",
            "Wasserstein-1 per gene, worst gene",
            "distribution",
            _INFINITE,
            _SORTED,
            sd,
            rubner,
        ),
        _distance("ks_mean", "Kolmogorov-Smirnov per gene, mean", "distribution", 1.0, _SORTED, "1", "Smirnov 1948"),
        _distance(
            "ks_max",
            "Kolmogorov-Smirnov per gene, worst gene",
            "distribution",
            1.0,
            _SORTED,
            "1",
            "Smirnov 1948",
        ),
    ]


def _structure() -> list[MetricSpecification]:
    cost = "time O(n genes²)"
    return [
        _distance(
            "correlation_mse",
            "Mean squared error of gene-gene correlations",
            "structure",
            4.0,
            cost,
            "1",
            "GeMM-GAN",
        ),
        MetricSpecification(
            name="correlation_gamma",
            title="Correlation of the gene-gene correlations (gamma)",
            family="structure",
            goal="higher",
            range=(-1.0, 1.0),
            floor="worst-trivial",
            ceiling="real-holdout",
            version=1,
            cost=cost,
            needs=frozenset(),
            unit="1",
            reference=_VINAS,
            panel="core",
            in_overall=True,
        ),
        _distance(
            "strong_pairs_mae",
            "Mean absolute error of correlations with real |r| > 0.3",
            "structure",
            2.0,
            cost,
            "1",
            "this suite",
        ),
        _match(
            "variance_ratio",
            "Variance within classes, synthetic over real",
            (0.0, _INFINITE),
            frozenset({"labels"}),
        ),
        _match("zero_fraction", "Share of values at the unit's floor", (0.0, 1.0), frozenset()),
    ]


def _match(name: str, title: str, limits: tuple[float, float], needs: frozenset[Need]) -> MetricSpecification:
    return MetricSpecification(
        name=name,
        title=title,
        family="structure",
        goal="match",
        range=limits,
        floor=None,
        ceiling="real-holdout",
        version=1,
        cost="time O(n genes)",
        needs=needs,
        unit="1",
        reference="this suite",
        panel="core",
        in_overall=True,
    )


def _detection() -> list[MetricSpecification]:
    detectors = (
        ("lr", "logistic regression", "time O(n genes) per step"),
        ("xgb", "XGBoost", "300 trees"),
    )
    return [
        MetricSpecification(
            name=f"detection_{name}",
            title=f"AUC of real against synthetic, {title}, 3 folds by patient",
            family="detection",
            goal="lower",
            range=(0.0, 1.0),
            floor=1.0,
            ceiling=0.5,
            version=1,
            cost=cost,
            needs=frozenset({"pairs"}),
            unit="1",
            reference="Lopez-Paz & Oquab 2017",
            panel="core",
            in_overall=True,
        )
        for name, title, cost in detectors
    ]


def _tstr() -> list[MetricSpecification]:
    classifiers = (
        ("lr", "logistic regression", "seconds per label"),
        ("xgb", "XGBoost", "classes · 60 trees"),
    )
    # Balanced accuracy is shown only: with accuracy and macro-F1 it would weigh small classes twice.
    measures = (("accuracy", "accuracy", True), ("balanced_accuracy", "balanced accuracy", False))
    return [
        MetricSpecification(
            name=f"tstr_{classifier}_{name}",
            title=f"Train on synthetic, test on real: {title}, {model}",
            family="utility",
            goal="higher",
            range=(0.0, 1.0),
            floor="majority",
            ceiling="trtr",
            version=1,
            cost=cost,
            needs=frozenset({"labels"}),
            unit="1",
            reference="Esteban et al. 2017",
            panel="core",
            in_overall=scored,
            per_label=True,
        )
        for classifier, model, cost in classifiers
        for name, title, scored in (*measures, ("macro_f1", "macro-F1", True))
    ]


def _beside(
    name: str,
    title: str,
    family: Family,
    goal: Goal,
    limits: tuple[float, float],
    needs: tuple[Need, ...],
    reference: str,
    unit: str = "1",
    panel: Panel = "core",
) -> MetricSpecification:
    """A metric that stands beside the overall score."""
    return MetricSpecification(
        name=name,
        title=title,
        family=family,
        goal=goal,
        range=limits,
        floor="label-draws" if goal == "skill" else None,
        ceiling=None,
        version=1,
        cost=_PAIRWISE if family == "privacy" else "time O(n draws genes)",
        needs=frozenset(needs),
        unit=unit,
        reference=reference,
        panel=panel,
        in_overall=False,
    )


def _paired() -> list[MetricSpecification]:
    return [
        _beside(
            "conditional_skill",
            "1 - CRPS / CRPS of label-matched training draws",
            "paired",
            "skill",
            (-_INFINITE, 1.0),
            ("pairs", "labels", "training"),
            _GNEITING,
        ),
        _beside(
            "crps",
            "Fair continuous ranked probability score of 19 draws",
            "paired",
            "lower",
            (-_INFINITE, _INFINITE),
            ("pairs",),
            _GNEITING,
            unit="training sd",
        ),
        _beside(
            "within_class_correlation",
            "Correlation of the draws' mean with the truth within types, median over genes",
            "paired",
            "higher",
            (-1.0, 1.0),
            ("pairs", "labels"),
            "this suite",
        ),
        _beside(
            "retrieval",
            "Percentile of the right patient within its type, chance 0.5",
            "paired",
            "higher",
            (0.0, 1.0),
            ("pairs", "labels"),
            "this suite",
        ),
        _beside(
            "interval_coverage",
            "Share of true values within the central 80 % interval",
            "paired",
            "diagnostic",
            (0.0, 1.0),
            ("pairs",),
            "Gneiting et al. 2007",
        ),
        _beside(
            "rank_nonuniformity",
            "Total variation of the truth's ranks among the draws from uniform",
            "paired",
            "diagnostic",
            (0.0, 1.0),
            ("pairs",),
            "Talagrand et al. 1997; Hamill 2001",
        ),
    ]


_MADE_OF = {
    "copy_share": ("one", "row", "Lowe 2004, section 7.1 (ratio of the two nearest distances)"),
    "pair_share": ("two", "rows", "Lowe 2004, section 7.1, for the second and third nearest distances"),
    "trio_share": ("three", "rows", "Lowe 2004, section 7.1, for the third and fourth nearest distances"),
}
_POOLS = {"": ("training", "real"), "validation_": ("validation", "test")}
MADE = tuple(_MADE_OF)
"""Names of the shares of rows made of one, two and three real rows: of `memorisation.donor_shares`."""
COPIED = tuple(f"{part}{pool}" for pool in _POOLS for part in ("", "train_"))
"""What stands before these names: rows for test or training patients, against training or validation rows."""


def _privacy() -> list[MetricSpecification]:
    """Shares of rows that are made of one, two or three real rows that ``fit`` saw; the copy gate asks all."""
    found = []
    for made, (number, noun, reference) in _MADE_OF.items():
        for pool, (known, fresh) in _POOLS.items():
            title = f"Share of rows closer to {number} {known} {noun} than 99 % of {fresh} rows are"
            same = "The same share of the rows made for the training patients, from which downstream classifiers learn"
            for name, said in ((f"{pool}{made}", title), (f"train_{pool}{made}", same)):
                found.append(_beside(name, said, "privacy", "diagnostic", (0.0, 1.0), ("training",), reference))
    return found


CATALOGUE: tuple[MetricSpecification, ...] = (
    *_support(),
    *_distribution(),
    *_structure(),
    *_detection(),
    *EXTENDED_DETECTION,
    *_tstr(),
    *EXTENDED_UTILITY,
    *SCARCE_UTILITY,
    *BIOLOGY,
    *_paired(),
    *SHUFFLED_CONDITIONS,
    *_privacy(),
    *MEMBERSHIP,
    *PAPER_VARIANTS,
)
"""Every metric, in the order of the tables."""


def split_key(key: str) -> tuple[str, str | None]:
    """``name[label]`` → (name, label); ``name`` → (name, None). Raises ValueError on another form."""
    name, bracket, rest = key.partition("[")
    if not bracket:
        return key, None
    if not rest.endswith("]") or len(rest) < 2:
        raise ValueError(f"metric key {key!r} must be 'name' or 'name[label]'")
    return name, rest[:-1]


@cache
def lookup(key: str) -> MetricSpecification:
    """The specification of a metric name or value key. Raises KeyError with the nearest names."""
    name, label = split_key(key)
    for spec in CATALOGUE:
        if spec.name == name:
            if label is not None and not spec.per_label:
                raise KeyError(f"metric {name!r} has one value per fold; drop [{label}]")
            return spec
    from difflib import get_close_matches

    near = get_close_matches(name, [spec.name for spec in CATALOGUE], n=3)
    hint = f"; did you mean {' or '.join(near)}?" if near else "; 'gexbench ls metrics' lists all"
    raise KeyError(f"no metric is named {name!r}{hint}")


def panel_specifications(panel: Panel, *, scarce: bool = False) -> tuple[MetricSpecification, ...]:
    """The metrics of a panel, in order; ``extended`` holds ``core``, and both those of scarce fits on request."""
    groups = {"core", *(["extended"] if panel == "extended" else []), *(["scarce"] if scarce else [])}
    return tuple(spec for spec in CATALOGUE if spec.panel in groups)
