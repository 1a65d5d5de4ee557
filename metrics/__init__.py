"""gexbench.metrics: pure metric functions; by name also the declarations, panel and scores of gexbench.tasks.

Functions take NumPy arrays or torch tensors on any device, compute in float64 and return floats or NumPy arrays. On a
GPU are computed, where a tensor lies on one: support, distribution, correlations, the copy gate and nearest distances.
All others (classifiers, ranks, paired draws, biology, within-class spread) move tensors to the CPU.

Names are imported on first use, so that the catalogue costs neither scikit-learn nor XGBoost.
"""

from importlib import import_module
from typing import Any

_MODULES = {
    "metrics.biology": (
        "class_differences",
        "concordance",
        "de_concordance",
        "de_overlap",
        "pathway_activity",
        "pathway_agreement",
        "pathway_concordance",
    ),
    "metrics.gates.calibration": ("copied_interval", "count_null", "count_p_value", "largest_passing_share"),
    "metrics.gates.class_copula": ("class_copula_rows",),
    "metrics.classifiers": ("Classification", "classification", "fit_classifier", "majority", "train_and_test"),
    "metrics.gates.copies": ("made_of", "pool_of"),
    "metrics.co_expression": ("co_expression_modules", "module_connectivity", "module_density_error"),
    "metrics.detection": ("auc", "auc_null_sd", "detect"),
    "metrics.distribution": ("energy_distance", "frechet", "ks", "mmd", "sliced_wasserstein", "wasserstein_1d"),
    "metrics.membership": (
        "attack_scores",
        "attacks",
        "closer_ratio_share",
        "ground",
        "nearer_share",
        "paired_by_class",
        "placements",
        "true_positive_rate",
    ),
    "metrics.memorisation": (
        "blend_share",
        "blend_threshold",
        "copy_share",
        "copy_threshold",
        "donor_ratios",
        "segment_ratios",
    ),
    "metrics.paired": ("crps", "rank_histogram", "retrieval", "skill", "within_class_correlation"),
    "metrics.paper_variants": ("paper_support", "paper_tstr_on_training_rows"),
    "metrics.structure": (
        "correlation_gamma",
        "correlation_matrix",
        "correlation_mse",
        "strong_pairs_mae",
        "variance_ratio",
        "zero_fraction",
    ),
    "metrics.support": ("Support", "coverage", "density", "precision", "recall", "support_measures"),
    "tasks.panel.declarations.comparison": ("Comparison", "NotApplicable"),
    "tasks.panel.declarations.metric": ("FAMILY_WEIGHTS", "Findings", "Metric"),
    "tasks.panel.declarations.rows": ("Prepared", "RealRows", "SyntheticRows"),
    "tasks.panel.declarations.task": ("Step", "Task"),
    "tasks.panel.built_in": ("CATALOGUE",),
    "tasks.panel.catalogue": ("lookup", "panel_specifications", "split_key"),
    "tasks.panel.evaluation": ("MetricValue", "PanelResult", "evaluate"),
    "tasks.panel.gene_sets": ("GeneSets", "GeneSetsError", "read_gene_sets", "usable_sets"),
    "tasks.panel.page": ("metrics_page",),
    "tasks.panel.preparation": ("prepare",),
    "tasks.panel.scores": (
        "CellScore",
        "References",
        "cell_score",
        "discriminates",
        "normalise",
        "undiscriminating",
    ),
    "tasks.panel.questions.augmentation": ("few_patients", "release"),
}
_OWNER = {name: f"gexbench.{module}" for module, names in _MODULES.items() for name in names}
_FORMER = {
    "MetricSpecification": "Metric",
    "PreparedFold": "Prepared",
    "RealFold": "RealRows",
    "SyntheticFold": "SyntheticRows",
}
"""Names that users' files import, and what they are called now."""
__all__ = sorted([*_OWNER, *_FORMER])


def __getattr__(name: str) -> Any:
    name = _FORMER.get(name, name)
    if name not in _OWNER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_OWNER[name]), name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
