"""gexbench.metrics: pure metric functions, their catalogue, scores and the panel that computes them together.

Functions take NumPy arrays or torch tensors on any device, compute in float64 and return floats or NumPy arrays. On a
GPU are computed, where a tensor lies on one: support, distribution, correlations, the copy gate and nearest distances.
All others (classifiers, ranks, paired draws, biology, within-class spread) move tensors to the CPU.

Names are imported on first use, so that the catalogue costs neither scikit-learn nor XGBoost.
"""

from importlib import import_module
from typing import Any

_MODULES = {
    "biology": (
        "class_differences",
        "concordance",
        "de_concordance",
        "de_overlap",
        "pathway_activity",
        "pathway_agreement",
        "pathway_concordance",
    ),
    "catalogue": ("CATALOGUE", "FAMILY_WEIGHTS", "lookup", "panel_specifications", "split_key"),
    "classifiers": ("Classification", "classification", "fit_classifier", "majority", "train_and_test"),
    "co_expression": ("co_expression_modules", "module_connectivity", "module_density_error"),
    "detection": ("auc", "auc_null_sd", "detect"),
    "distribution": ("energy_distance", "frechet", "ks", "mmd", "sliced_wasserstein", "wasserstein_1d"),
    "extended_utility": ("few_patients", "release"),
    "fold": ("PreparedFold", "RealFold", "SyntheticFold", "prepare"),
    "gene_sets": ("GeneSets", "GeneSetsError", "read_gene_sets", "usable_sets"),
    "membership": ("closer_ratio_share", "compared_patients", "membership_attacks", "nearer_share", "split_attacks"),
    "memorisation": (
        "blend_share",
        "blend_threshold",
        "copy_share",
        "copy_threshold",
        "donor_ratios",
        "donor_shares",
        "donor_thresholds",
        "segment_ratios",
    ),
    "paired": ("crps", "rank_histogram", "retrieval", "skill", "within_class_correlation"),
    "page": ("metrics_page",),
    "panel": ("MetricValue", "PanelResult", "evaluate"),
    "paper_variants": ("paper_support", "paper_tstr_on_training_rows"),
    "scores": ("CellScore", "References", "cell_score", "discriminates", "normalise", "undiscriminating"),
    "specification": ("MetricSpecification",),
    "structure": (
        "correlation_gamma",
        "correlation_matrix",
        "correlation_mse",
        "strong_pairs_mae",
        "variance_ratio",
        "zero_fraction",
    ),
    "support": ("Support", "coverage", "density", "precision", "recall", "support_measures"),
}
_OWNER = {name: module for module, names in _MODULES.items() for name in names}
__all__ = sorted(_OWNER)


def __getattr__(name: str) -> Any:
    if name not in _OWNER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_OWNER[name]}"), name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
