"""Normal distributions per finest label under differential privacy."""

from typing import ClassVar

import torch
from torch import Tensor

from gexbench.models.contract import Progress, Unavailable, silent
from gexbench.models.references.correlation import CorrelatedNormals
from gexbench.models.references.dp_settings import DpSettings
from gexbench.models.references.gaussian import NormalPerLabel
from gexbench.models.references.gaussian_mechanism import GaussianMechanism, mu_of
from gexbench.models.references.pools import LabelPools
from gexbench.models.settings import GeneratorSettings
from gexbench.tasks.cohorts.split import Split

UPPER = 20.0
"""Highest value in a logarithmic unit: a million transcripts per million."""

SHARES = {"counts": 0.05, "centre": 0.1, "scatter": 0.7, "means": 0.15}
"""Of μ², the privacy budget, by release. They and the clips were chosen on a fold of TCGA, once for all cohorts; the
guarantee does not cover that choice on TCGA."""

ABOVE_NOISE = 1.05
"""A direction is kept if its eigenvalue exceeds the largest of the noise alone by this factor."""


class DpClassGaussian(NormalPerLabel):
    """A normal distribution per finest label, (ε, δ)-differentially private in the training patients.

    Four sums are released by `GaussianMechanism`: patients by class; rows, clipped around the middle of the unit's
    range, for a centre; outer products of rows clipped around that centre, for a covariance (Dwork et al. 2014,
    Analyze Gauss); and the same rows by class in the leading directions of that covariance. All else follows from
    these. The directions are those whose eigenvalues stand above the noise's, which are corrected for it
    (Benaych-Georges & Nadakuditi 2011); class means are shrunk by their known noise (Efron & Morris 1975), as are the
    genes' variances outside the directions. Classes share the covariance within classes. Names of genes and classes,
    unit and settings are public; z-scores are not, so the fit uses the cohort's unit. A class is sampled whether or not
    it has training patients, since that is private.

    The guarantee holds for a secret seed; whoever publishes it, as records do, gives the noise away. Noise is drawn in
    floating-point numbers (Mironov 2012): this is a measure of what privacy costs, not a tool for publishing rows.
    """

    Settings: ClassVar[type[GeneratorSettings]] = DpSettings
    settings: DpSettings
    kept: ClassVar[tuple[str, ...]] = (*NormalPerLabel.kept, "factors", "factor_rows", "noise")
    factors: Tensor
    factor_rows: Tensor
    noise: Tensor

    def fit(self, train: Split, validation: Split, *, seed: int, progress: Progress = silent) -> None:
        """Release the four sums and derive the distributions; the seed draws the noise.

        Raises:
            Unavailable: the range of values is not public: the unit is not logarithmic and the settings do not give it.
        """
        lower, upper = self._range(train)
        self.remember(train)
        classes = self.pools.classes
        self.pools = LabelPools.of(range(len(classes)), self.pools.column, classes)
        mu = mu_of(self.settings.epsilon, self.settings.delta)
        mechanism = GaussianMechanism(mu, torch.Generator().manual_seed(seed))
        values, codes = train.expression.double().clamp(lower, upper), train.conditions.finest
        counts = torch.bincount(codes, minlength=len(classes)).double()
        counts = mechanism.release(counts, 1.0, SHARES["counts"]).clamp(min=1.0)
        patients = float(counts.sum())
        self.gene_mean = self._centre(values, (lower, upper), patients, mechanism).float()
        self.gene_sd = torch.ones_like(self.gene_mean)
        reach = self.settings.clip * values.shape[1] ** 0.5
        deviations = _clipped(values - self.gene_mean, reach)
        noise = mechanism.sd(reach**2, SHARES["scatter"])
        scatter = mechanism.release_symmetric(deviations.T @ deviations, reach**2, SHARES["scatter"])
        eigenvalues, directions = _leading(scatter, noise)
        sums = values.new_zeros((len(classes), len(eigenvalues))).index_add_(0, codes, deviations @ directions)
        sums = mechanism.release(sums, reach, SHARES["means"])
        means = _shrunk(sums / counts[:, None], mechanism.sd(reach, SHARES["means"]) / counts[:, None], counts)
        between = (means * counts[:, None]).T @ means / patients
        spread, axes = torch.linalg.eigh(torch.diag(eigenvalues / patients) - between)
        self.means = (means @ directions.T).float()
        factor = ((directions @ axes) * spread.clamp(min=0.0).sqrt()).T.float()
        explained = directions.square() @ eigenvalues
        rest = _even((scatter.diagonal() - explained) / patients, noise / patients)
        normals = CorrelatedNormals.of({0: (factor, rest.sqrt())}, self.gene_mean[None])
        self.factors, self.factor_rows, self.noise = normals.factors, normals.factor_rows, normals.noise
        self.report.facts |= {
            "classes": len(classes),
            "epsilon": self.settings.epsilon,
            "delta": self.settings.delta,
            "neighbours": "one patient added or removed",
            "noise_multiplier": 1 / mu,
            "directions": len(eigenvalues),
        }

    def deviations(self, codes: Tensor, generator: torch.Generator) -> Tensor:
        """Correlated normal deviations, alike in all classes."""
        normals = CorrelatedNormals(self.factors, self.factor_rows, self.noise)
        return normals.draw(torch.zeros_like(codes), generator)

    def _range(self, train: Split) -> tuple[float, float]:
        unit = train.cohort.unit
        lower = unit.floor if self.settings.lower is None else self.settings.lower
        upper = UPPER if self.settings.upper is None and unit.offset is not None else self.settings.upper
        if lower is None or upper is None or lower >= upper:
            raise Unavailable(
                f"needs a public range of values, lower below upper; found {lower} to {upper} for the unit "
                f"{unit.name!r}; give the settings lower and upper"
            )
        return lower, upper

    def _centre(
        self, values: Tensor, limits: tuple[float, float], patients: float, mechanism: GaussianMechanism
    ) -> Tensor:
        """Released mean (genes,) of the clipped rows."""
        reach = self.settings.centre_clip * values.shape[1] ** 0.5
        middle = sum(limits) / 2
        total = mechanism.release(_clipped(values - middle, reach).sum(0), reach, SHARES["centre"])
        return (middle + total / patients).clamp(*limits)


def _clipped(rows: Tensor, reach: float) -> Tensor:
    """Rows shortened to a Euclidean norm of at most `reach`."""
    length = rows.square().sum(1, keepdim=True).sqrt()
    return rows * (reach / length.clamp(min=reach))


def _leading(scatter: Tensor, noise: float) -> tuple[Tensor, Tensor]:
    """Eigenvalues (k,) and directions (genes, k) of a released matrix that stand above its noise.

    Noise of sd `noise`/√2 off the diagonal has eigenvalues up to 2R, R = noise · √(genes/2); an eigenvalue λ > R shows
    as λ + R²/λ.
    """
    radius = noise * (len(scatter) / 2) ** 0.5
    shown, directions = torch.linalg.eigh(scatter)
    kept = shown > ABOVE_NOISE * 2 * radius
    found = shown[kept]
    return (found + (found.square() - 4 * radius**2).sqrt()) / 2, directions[:, kept]


def _shrunk(means: Tensor, sds: Tensor, counts: Tensor) -> Tensor:
    """Means (classes, k) of known noise (classes, 1), pulled to 0 by noise / (noise + spread of true means)."""
    weights = counts[:, None] / counts.sum()
    true = (weights * (means.square() - sds.square())).sum(0).clamp(min=0.0)
    return means * true / (true + sds.square())


def _even(variances: Tensor, noise: float) -> Tensor:
    """Variances (genes,) of known noise, pulled to their mean in the same way; none is below a twentieth of it."""
    mean = variances.mean().clamp(min=1e-6)
    true = (variances.var() - noise**2).clamp(min=0.0)
    return (mean + (variances - mean) * true / (true + noise**2)).clamp(min=float(mean) / 20)
