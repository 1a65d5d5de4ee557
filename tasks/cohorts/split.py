"""The part of a fold that a generator is given: expression and conditions on one device."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gexbench.tasks.cohorts.conditions import Conditions
from gexbench.tasks.cohorts.units import Unit


@dataclass(frozen=True, slots=True, eq=False)
class Standardiser:
    """Per-gene z-score with training mean and population sd; a constant gene gives 0.

    `mean` and `sd` are (genes,) float32 on the device; `sd` is 0 for a constant gene.
    """

    mean: Tensor
    sd: Tensor

    @classmethod
    def fit(cls, expression: Tensor) -> "Standardiser":
        """Statistics of (n, genes) training rows."""
        values = expression.double()
        return cls(values.mean(0).float(), values.std(0, correction=0).float())

    def forward(self, expression: Tensor) -> Tensor:
        """Cohort's unit → z-scores."""
        return (expression - self.mean) / self.sd.where(self.sd > 0, 1.0) * (self.sd > 0)

    def inverse(self, scores: Tensor) -> Tensor:
        """z-scores → cohort's unit; a constant gene returns its mean."""
        return scores * self.sd + self.mean


@dataclass(frozen=True, slots=True)
class CohortFacts:
    """Facts of the cohort that a generator may see: name, fingerprint, unit, provenance (no rows)."""

    name: str
    fingerprint: str
    unit: Unit
    provenance: Mapping[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class CountLayer:
    """Read counts that a cohort keeps beside its expression, for the generators that ask for them.

    Attributes:
        counts: (samples, genes) int32 of the fold's development patients, in the machine's memory or in a mapped file.
        rows: (n,) the split's rows of it.
    """

    counts: NDArray[np.int32]
    rows: NDArray[np.intp]

    def take(self, places: Tensor) -> "CountLayer":
        """Of some of the split's rows, in their order."""
        return CountLayer(self.counts, self.rows[places.cpu().numpy()])

    def on(self, device: torch.device) -> Tensor:
        """The split's counts, a new (n, genes) float32 tensor."""
        return torch.from_numpy(self.counts[self.rows].astype(np.float32)).to(device)


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Patients of one part of a fold (training or validation).

    Attributes:
        expression: (n, genes) float32 in the cohort's unit, on the device.
        standardised: the same, z-scored with the fold's training statistics.
        standardiser: those statistics and their inverse.
        conditions: conditions of the same n patients, in the same order.
        genes: gene names, the columns.
        cohort: facts of the cohort.
        counts: read counts of the same rows and genes, where the cohort keeps them beside another unit. A generator
            that reads them says so in its registry entry (`reads_counts`).
    """

    expression: Tensor
    standardised: Tensor
    standardiser: Standardiser
    conditions: Conditions
    genes: tuple[str, ...]
    cohort: CohortFacts
    counts: CountLayer | None = None

    def __len__(self) -> int:
        return len(self.expression)
