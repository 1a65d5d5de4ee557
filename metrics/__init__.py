"""gexbench.metrics: pure metric functions, their catalogue, scores and the panel that computes them together.

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
    "metrics.catalogue.built_in": ("CATALOGUE", "FAMILY_WEIGHTS", "lookup", "panel_specifications", "split_key"),
    "metrics.classifiers": ("Classification", "classification", "fit_classifier", "majority", "train_and_test"),
    "metrics.co_expression": ("co_expression_modules", "module_connectivity", "module_density_error"),
    "metrics.detection": ("auc", "auc_null_sd", "detect"),
    "metrics.distribution": ("energy_distance", "frechet", "ks", "mmd", "sliced_wasserstein", "wasserstein_1d"),
    "tasks.panel.extended_utility": ("few_patients", "release"),
    "tasks.panel.fold": ("PreparedFold", "RealFold", "SyntheticFold", "prepare"),
    "tasks.panel.gene_sets": ("GeneSets", "GeneSetsError", "read_gene_sets", "usable_sets"),
    "metrics.membership": (
        "closer_ratio_share",
        "compared_patients",
        "membership_attacks",
        "nearer_share",
        "split_attacks",
    ),
    "metrics.memorisation": (
        "blend_share",
        "blend_threshold",
        "copy_share",
        "copy_threshold",
        "donor_ratios",
        "donor_shares",
        "donor_thresholds",
        "segment_ratios",
    ),
    "metrics.paired": ("crps", "rank_histogram", "retrieval", "skill", "within_class_correlation"),
    "metrics.catalogue.page": ("metrics_page",),
    "tasks.panel.panel": ("MetricValue", "PanelResult", "evaluate"),
    "metrics.paper_variants": ("paper_support", "paper_tstr_on_training_rows"),
    "metrics.catalogue.scores": (
        "CellScore",
        "References",
        "cell_score",
        "discriminates",
        "normalise",
        "undiscriminating",
    ),
    "metrics.catalogue.specification": ("MetricSpecification",),
    "metrics.structure": (
        "correlation_gamma",
        "correlation_matrix",
        "correlation_mse",
        "strong_pairs_mae",
        "variance_ratio",
        "zero_fraction",
    ),
    "metrics.support": ("Support", "coverage", "density", "precision", "recall", "support_measures"),
}
_OWNER = {name: f"gexbench.{module}" for module, names in _MODULES.items() for name in names}
__all__ = sorted(_OWNER)


def __getattr__(name: str) -> Any:
    if name not in _OWNER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_OWNER[name]), name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
