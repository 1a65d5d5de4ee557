"""Within-class spread of samples, stated in every trained generator's record."""

import torch
from torch import Tensor

from gexbench.models.contract import Diverged, FitReport
from gexbench.tasks.cohorts.split import Split

LEAST_VARIANCE_RATIO = 0.7
"""Below it the generator's row carries a warning."""

COLLAPSED_VARIANCE_RATIO = 1e-3
"""Below it the rows of a condition are one and the same: the cell fails."""


def variance_ratio(synthetic: Tensor, real: Tensor, classes: Tensor) -> float:
    """Within-class variance of synthetic over real rows, median over genes; 1 is right, 0 is collapse.

    synthetic and real are (n, genes), row i of each of class `classes[i]`; classes of one row add nothing, as do
    genes that do not vary within classes. The median, since one gene with an outlier would decide a sum.
    """

    def within(values: Tensor) -> Tensor:
        indicator = torch.nn.functional.one_hot(classes).to(values.dtype)
        means = (indicator.T @ values) / indicator.sum(0).clamp_min(1.0)[:, None]
        return (values - means[classes]).square().sum(0)

    spread = within(real)
    varies = spread > 1e-10
    return float((within(synthetic)[varies] / spread[varies]).median()) if varies.any() else 1.0


def report_dispersion(report: FitReport, synthetic: Tensor, validation: Split) -> None:
    """Put the ratio on validation patients into the facts, and a warning where samples collapse.

    synthetic: (n, genes) z-scores, row i made from the condition of validation patient i.

    Raises:
        Diverged: samples do not vary at all, or are not finite.
    """
    ratio = variance_ratio(synthetic, validation.standardised, validation.conditions.finest)
    if not ratio >= COLLAPSED_VARIANCE_RATIO:
        raise Diverged(
            f"samples collapsed: their within-class variance on validation patients is {ratio:.2g} of the real one, "
            f"under {COLLAPSED_VARIANCE_RATIO:g}"
        )
    report.facts["within_class_variance_ratio"] = round(ratio, 4)
    if ratio < LEAST_VARIANCE_RATIO:
        report.warnings.append(
            f"within-class variance is {ratio:.2f} of the real one on validation patients: samples collapse "
            "towards the mean of their condition"
        )
