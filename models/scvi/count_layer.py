"""Between a cohort's unit and the read counts that it keeps beside its expression."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from gexbench.models.contract import Unavailable
from gexbench.tasks.cohorts.units import Unit

SWEEPS = 50
"""Alternations of the least-squares fit: of two factors, so that a few already are enough."""
TOLERANCE = 0.05
"""Largest root mean square of log2(value / (count · gene factor · patient factor)), weighted by the counts."""
ROWS = 1024
"""Rows that are held at once in float64."""
SMALLEST = 1e-9
"""Linear values up to it are 0."""


class NotProportional(ValueError):
    """The unit is not counts times a gene factor and a patient factor; the message states the deviation."""


@dataclass(frozen=True, slots=True, eq=False)
class LayerScale:
    """Values of the linear unit as counts times a gene's factor, brought to a patient's total.

    So are TPM (Wagner et al. 2012, equation 1: the read counts over the gene's length, over the patient's sum of
    these), FPKM and CPM. For log2(NAME+C) the linear value is 2^x − C.

    Attributes:
        unit: name of the cohort's unit.
        gene_factors: (genes,) natural logarithms, their mean weighted by the counts is 0.
    """

    unit: str
    gene_factors: Tensor

    @classmethod
    def fit(cls, unit: Unit, expression: Tensor, counts: Tensor) -> tuple["LayerScale", Tensor]:
        """The scale, by least squares weighted by the counts, and the logarithm of every patient's total, (n, 1).

        A gene without a count takes the median of the other genes' factors.

        Args:
            unit: of the expression.
            expression: (n, genes) in the unit.
            counts: (n, genes) read counts.

        Raises:
            Unavailable: a unit whose values cannot be told from its name.
            NotProportional: beyond `TOLERANCE`.
        """
        if unit.offset is None:
            raise Unavailable(f"needs counts or log2(NAME+C), but the cohort's unit is {unit.name!r}")
        parts = range(0, len(expression), ROWS)
        weights, logs = _weighted_logs(expression, counts, unit.offset)
        of_genes, of_patients = ((weights * logs).sum(axis, dtype=torch.float64) for axis in (0, 1))
        all_genes, all_patients = (weights.sum(axis, dtype=torch.float64).clamp_min(1e-9) for axis in (0, 1))
        gene = torch.zeros_like(all_genes)
        for _ in range(SWEEPS):
            patient = (of_patients - _times(weights, gene)) / all_patients
            before, gene = gene, (of_genes - _times(weights.T, patient)) / all_genes
            gene -= (gene * all_genes).sum() / all_genes.sum()
            if float((gene - before).abs().max()) < 1e-7:
                break
        off = _residual(weights, logs, patient, gene)
        if off > TOLERANCE:
            raise NotProportional(
                f"the cohort's {unit.name} differs from its counts by more than a gene's and a patient's factor "
                f"(rms {off:.2f} of log2, at most {TOLERANCE:g})"
            )
        known = all_genes > 0.5
        gene = torch.where(known, gene, gene[known].median() if known.any() else 0.0)
        linear = torch.cat([_linear(expression[start : start + ROWS], unit.offset).sum(1) for start in parts])
        return cls(unit.name, gene.float()), linear.clamp_min(SMALLEST).log().float()[:, None]

    @property
    def source(self) -> str:
        """Where the counts come from, for the record."""
        return "count layer"

    def rows(self, counts: Tensor, totals: Tensor) -> Tensor:
        """Counts (n, genes) and logarithms of totals (n, 1) → rows in the cohort's unit, float32, not below its floor.

        A row without a count is 0 in the linear unit.
        """
        offset = Unit(self.unit).offset or 0.0
        weighted = counts.double() * self.gene_factors.double().exp()
        linear = weighted / weighted.sum(1, keepdim=True).clamp_min(1e-300) * totals.double().exp()
        return torch.log2(linear + offset).float().clamp_min(math.log2(offset))


def _weighted_logs(expression: Tensor, counts: Tensor, offset: float) -> tuple[Tensor, Tensor]:
    """Counts where the linear value is above 0 too, and log(linear value / count), (n, genes) each; else 0."""
    weights, logs = counts.clone(), torch.zeros_like(counts)
    for start in range(0, len(counts), ROWS):
        part = slice(start, start + ROWS)
        linear = _linear(expression[part], offset)
        weights[part] *= linear > SMALLEST
        ratio = linear.clamp_min(SMALLEST) / counts[part].clamp_min(1.0)
        logs[part] = ratio.log() * (weights[part] > 0)
    return weights, logs


def _linear(expression: Tensor, offset: float) -> Tensor:
    return torch.exp2(expression.double()) - offset


def _times(weights: Tensor, factors: Tensor) -> Tensor:
    """weights @ factors in float64, some rows at a time."""
    parts = range(0, len(weights), ROWS)
    return torch.cat([weights[start : start + ROWS].double() @ factors for start in parts])


def _residual(weights: Tensor, logs: Tensor, patient: Tensor, gene: Tensor) -> float:
    """Root mean square of log2 about the two factors, weighted by the counts."""
    squares = 0.0
    for start in range(0, len(weights), ROWS):
        part = slice(start, start + ROWS)
        squares += float((weights[part] * (logs[part] - patient[part, None] - gene).square()).sum())
    return math.sqrt(squares / max(float(weights.sum(dtype=torch.float64)), 1.0)) / math.log(2.0)
