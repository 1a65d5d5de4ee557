"""One normal distribution per finest label: full (Ledoit-Wolf), diagonal, or its mean only.

All are fitted on z-scored training rows; samples are returned in the cohort's unit, values below the unit's floor
set to the floor. A class of one training patient has that patient's row as mean and takes the variances from the
pooled within-class variances of all classes; the report's facts name such classes.
"""

from abc import abstractmethod
from collections.abc import Iterator
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from gexbench.models.contract import Progress, Samples, silent
from gexbench.models.references.correlation import CorrelatedNormals, shrunk_factor
from gexbench.models.references.labelled import LabelReference
from gexbench.tasks.cohorts.conditions import Conditions
from gexbench.tasks.cohorts.split import Split, Standardiser

CHUNK = 4096
"""Rows sampled at once."""


class NormalPerLabel(LabelReference):
    """Class means (classes, genes) of scaled rows, and what a subclass adds to them."""

    kept: ClassVar[tuple[str, ...]] = ("means", "gene_mean", "gene_sd")
    means: Tensor
    gene_mean: Tensor
    gene_sd: Tensor

    @abstractmethod
    def deviations(self, codes: Tensor, generator: torch.Generator) -> Tensor:
        """Deviations (B, genes) from the means, for class codes (B,), in the same scale."""

    def sample(self, conditions: Conditions, draws: int = 1, *, seed: int) -> Samples:
        """Rows (n * draws, genes) in the cohort's unit.

        Raises:
            InputError: a class without training patients.
        """
        device = self.means.device
        generator = torch.Generator().manual_seed(seed)  # on the CPU: the same rows on any device up to rounding
        codes = torch.as_tensor(np.repeat(self.pools.wanted(conditions), draws), device=device)
        inverse = Standardiser(self.gene_mean, self.gene_sd).inverse
        expression = np.empty((len(codes), len(self.genes)), dtype=np.float32)
        for start in range(0, len(codes), CHUNK):
            part = codes[start : start + CHUNK]
            rows = self.floored(inverse(self.means[part] + self.deviations(part, generator)))
            expression[start : start + CHUNK] = rows.cpu().numpy()
        return Samples.of(expression, conditions, draws, self.genes)


class _Estimated(NormalPerLabel):
    """Class means of z-scored training rows."""

    def fit(self, train: Split, validation: Split, *, seed: int, progress: Progress = silent) -> None:
        """Estimate on the training rows; the seed has no effect."""
        self.remember(train)
        self.gene_mean, self.gene_sd = train.standardiser.mean.clone(), train.standardiser.sd.clone()
        rows, codes = train.standardised.double(), train.conditions.finest
        counts = torch.as_tensor(self.pools.counts, device=rows.device).double()
        sums = rows.new_zeros((len(counts), rows.shape[1])).index_add_(0, codes, rows)
        means = sums / counts.clamp(min=1)[:, None]
        self.means = means.float()
        centred = rows - means[codes]
        degrees = max(len(rows) - int((counts > 0).sum()), 1)
        pooled = centred.square().sum(0) / degrees
        lone = [self.pools.classes[code] for code in np.flatnonzero(self.pools.counts == 1)]
        self.report.facts["classes of one patient, with pooled variances"] = lone
        self.estimate(centred, codes, counts, pooled)

    @abstractmethod
    def estimate(self, centred: Tensor, codes: Tensor, counts: Tensor, pooled: Tensor) -> None:
        """Spread around the means from centred rows (n, genes) float64, class sizes and pooled variances (genes,)."""


class ClassMean(_Estimated):
    """The mean of the finest label; the seed has no effect."""

    deterministic: ClassVar[bool] = True

    def estimate(self, centred: Tensor, codes: Tensor, counts: Tensor, pooled: Tensor) -> None:
        """Nothing beyond the means."""

    def deviations(self, codes: Tensor, generator: torch.Generator) -> Tensor:
        """Zero."""
        return self.means.new_zeros(())


class ClassDiagonal(_Estimated):
    """Independent normal genes per finest label, with unbiased variances."""

    kept: ClassVar[tuple[str, ...]] = (*NormalPerLabel.kept, "sds")
    sds: Tensor

    def estimate(self, centred: Tensor, codes: Tensor, counts: Tensor, pooled: Tensor) -> None:
        """Standard deviations (classes, genes)."""
        squares = centred.new_zeros(self.means.shape).index_add_(0, codes, centred.square())
        variances = squares / (counts - 1).clamp(min=1)[:, None]
        self.sds = torch.where(counts[:, None] > 1, variances, pooled).sqrt().float()

    def deviations(self, codes: Tensor, generator: torch.Generator) -> Tensor:
        """Independent normal deviations."""
        shape = (len(codes), self.means.shape[1])
        return self.sds[codes] * torch.randn(shape, generator=generator, device="cpu").to(codes.device)


class ClassGaussian(_Estimated):
    """A normal distribution with Ledoit-Wolf correlation and the class's own variances per finest label."""

    kept: ClassVar[tuple[str, ...]] = (*NormalPerLabel.kept, "factors", "factor_rows", "noise")
    factors: Tensor
    factor_rows: Tensor
    noise: Tensor

    def estimate(self, centred: Tensor, codes: Tensor, counts: Tensor, pooled: Tensor) -> None:
        """Factor and noise of each class (`shrunk_factor`); the pooled sds for a class of one patient."""
        fitted = {code: shrunk_factor(rows) for code, rows in self._classes(centred)}
        parts = {code: (factor, noise) for code, (factor, noise, _) in fitted.items()}
        normals = CorrelatedNormals.of(parts, pooled.sqrt().float().repeat(len(counts), 1))
        self.factors, self.factor_rows, self.noise = normals.factors, normals.factor_rows, normals.noise
        self.report.facts["shrinkage"] = {self.pools.classes[code]: round(each[2], 4) for code, each in fitted.items()}

    def _classes(self, centred: Tensor) -> Iterator[tuple[int, Tensor]]:
        """Code and centred rows of each class of at least two patients."""
        for code in np.flatnonzero(self.pools.counts > 1):
            start = self.pools.starts[code]
            rows = self.pools.rows[start : start + self.pools.counts[code]]
            yield int(code), centred[torch.as_tensor(rows, device=centred.device)]

    def deviations(self, codes: Tensor, generator: torch.Generator) -> Tensor:
        """Correlated normal deviations."""
        return CorrelatedNormals(self.factors, self.factor_rows, self.noise).draw(codes, generator)
