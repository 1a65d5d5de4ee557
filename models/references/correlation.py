"""Correlated normal deviates from a few rows, without a genes × genes matrix."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from sklearn.covariance import ledoit_wolf_shrinkage
from torch import Tensor


def shrunk_factor(centred: Tensor) -> tuple[Tensor, Tensor, float]:
    """Ledoit-Wolf correlation of centred rows X (n, genes) with their own variances, as a factor and noise.

    Rows are scaled to unit variance, so that shrinkage s towards the identity (Ledoit & Wolf 2004, scikit-learn)
    keeps every gene's variance. With XᵀX/n = RᵀR (R triangular, from a QR factorisation), Rᵀw · √(1 − s) + ε · √s,
    w and ε standard normal, has the shrunk correlation exactly.

    Returns:
        The factor sd · √(1 − s) · R, (min(n, genes), genes) float32; the noise sd · √s, (genes,); s.
    """
    sd = centred.square().mean(0).sqrt()
    scaled = centred / sd.where(sd > 0, 1.0)
    shrinkage = float(ledoit_wolf_shrinkage(scaled.cpu().numpy(), assume_centered=True))
    triangle = torch.linalg.qr(scaled, mode="r").R
    return (triangle * ((1 - shrinkage) / len(centred)) ** 0.5 * sd).float(), shrinkage**0.5 * sd, shrinkage


@dataclass(frozen=True, slots=True, eq=False)
class CorrelatedNormals:
    """Zero-mean normal distributions, one per group.

    Attributes:
        factors: (sum of the factors' rows, genes), one group's factor below the other.
        factor_rows: (groups,) rows of each group's factor.
        noise: (groups, genes) sds of the independent part.
    """

    factors: Tensor
    factor_rows: Tensor
    noise: Tensor

    @classmethod
    def of(cls, parts: Mapping[int, tuple[Tensor, Tensor]], noise: Tensor) -> "CorrelatedNormals":
        """From factor and noise by group; groups without one keep their row of `noise` (groups, genes)."""
        noise = noise.clone()
        sizes = [0] * len(noise)
        for group, (factor, own) in parts.items():
            noise[group], sizes[group] = own, len(factor)
        factors = torch.cat([parts[group][0] for group in sorted(parts)]) if parts else noise[:0]
        return cls(factors, torch.as_tensor(sizes, device=noise.device), noise)

    def draw(self, groups: Tensor, generator: torch.Generator) -> Tensor:
        """Deviates (B, genes) for group codes (B,); random numbers are drawn on the CPU."""
        sizes: list[int] = self.factor_rows.tolist()
        noise = torch.randn((len(groups), self.noise.shape[1]), generator=generator, device="cpu")
        drawn = noise.to(groups.device) * self.noise[groups]
        weights = torch.randn((len(groups), max(sizes)), generator=generator, device="cpu").to(groups.device)
        start = 0
        for group, size in enumerate(sizes):
            rows = (groups == group).nonzero()[:, 0] if size else groups[:0]
            if len(rows):
                drawn[rows] += weights[rows, :size] @ self.factors[start : start + size]
            start += size
        return drawn
