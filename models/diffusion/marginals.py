"""Marginal distributions of the genes, taken out before diffusion and put back after it."""

from dataclasses import dataclass

import torch
from torch import Tensor

KNOTS = 1000
"""Most quantiles kept per gene."""


@dataclass(frozen=True, slots=True, eq=False)
class NormalScores:
    """Per gene, a monotone map between values and normal scores Φ⁻¹((position + ½) / K), by K quantiles of training.

    A Gaussian copula's margins (Liu, Lafferty & Wasserman 2009): skew, long tails and the atom of unexpressed genes
    come back exactly, and a model of the scores need not learn them. Values outside of the training range are set to
    its ends.

    Attributes:
        knots: (genes, K) increasing values, K at most `KNOTS`.
    """

    knots: Tensor

    @classmethod
    def fit(cls, rows: Tensor) -> "NormalScores":
        """Quantiles of training rows (n, genes)."""
        ordered = rows.T.contiguous().sort(dim=1).values
        count = min(len(rows), KNOTS)
        place = torch.linspace(0, len(rows) - 1, count, dtype=torch.float64, device=rows.device)
        return cls(_between(ordered, place.expand(len(ordered), -1)))

    def forward(self, rows: Tensor, random: torch.Generator) -> Tensor:
        """Values (n, genes) → scores (n, genes); a value that several quantiles share is spread over them at random.

        Without the spreading the atom of unexpressed genes would be one score far from normal.
        """
        values, last = rows.T.contiguous(), self.knots.shape[1] - 1
        low = torch.searchsorted(self.knots, values)
        high = torch.searchsorted(self.knots, values, right=True)
        below = (low - 1).clamp(min=0)
        gap = (self.knots.gather(1, low.clamp(max=last)) - self.knots.gather(1, below)).clamp_min(1e-12)
        between = below + (values - self.knots.gather(1, below)) / gap
        spread = torch.rand(values.shape, generator=random, device=random.device).to(values.device)
        place = torch.where(high > low, low + spread * (high - low) - 0.5, between)
        position = place.clamp(0, last).double().add(0.5) / (last + 1)
        scores: Tensor = torch.special.ndtri(position).T
        return scores.to(rows.dtype).contiguous()

    def inverse(self, scores: Tensor) -> Tensor:
        """Scores (n, genes) → values (n, genes)."""
        last = self.knots.shape[1] - 1
        place = (torch.special.ndtr(scores.T.double()) * (last + 1) - 0.5).clamp(0, last)
        return _between(self.knots, place).T.to(scores.dtype).contiguous()


def _between(ordered: Tensor, place: Tensor) -> Tensor:
    """Linear interpolation in each row of `ordered` (genes, K) at places (genes, m) in [0, K − 1]."""
    low = place.floor().long()
    high = (low + 1).clamp(max=ordered.shape[1] - 1)
    share = (place - low).to(ordered.dtype)
    return ordered.gather(1, low).lerp(ordered.gather(1, high), share)
