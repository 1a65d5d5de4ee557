"""Differential privacy by one Gaussian mechanism, its budget split over several sums.

Neighbouring data sets differ by one patient, added or removed. A release of sensitivity s with noise of sd s/μ is
μ-Gaussian differentially private; releases of μ₁, μ₂, …, each of which may depend on those before it, together are
√(μ₁² + μ₂² + …) (Dong, Roth & Su 2022, corollary 3.3), and that is (ε, δ)-private with the δ of `delta_of` exactly
(Balle & Wang 2018, theorem 8).
"""

from dataclasses import dataclass
from math import exp, sqrt

import torch
from scipy.stats import norm
from torch import Tensor


def delta_of(mu: float, epsilon: float) -> float:
    """δ of a Gaussian mechanism whose sensitivity is μ sds of its noise: Φ(μ/2 − ε/μ) − exp(ε) Φ(−μ/2 − ε/μ)."""
    return float(norm.cdf(mu / 2 - epsilon / mu) - exp(epsilon + norm.logcdf(-mu / 2 - epsilon / mu)))


def mu_of(epsilon: float, delta: float) -> float:
    """The largest μ that is (ε, δ)-private, by bisection to a relative error of 1e-12, from below."""
    low, high = 0.0, 1.0
    while delta_of(high, epsilon) <= delta:
        high *= 2
    while high - low > 1e-12 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if delta_of(middle, epsilon) <= delta else (low, middle)
    return low


@dataclass(frozen=True, slots=True)
class GaussianMechanism:
    """Releases sums over patients with noise.

    Attributes:
        mu: of all releases together.
        generator: of the noise, on the CPU.
    """

    mu: float
    generator: torch.Generator

    def sd(self, sensitivity: float, share: float) -> float:
        """Standard deviation of the noise of a release that spends `share` of μ²."""
        return sensitivity / (self.mu * sqrt(share))

    def release(self, total: Tensor, sensitivity: float, share: float) -> Tensor:
        """A sum plus independent noise on every element.

        Args:
            total: any shape, float64.
            sensitivity: the largest Euclidean norm of one patient's part of it.
            share: of μ²; all releases' shares sum to at most 1.
        """
        noise = torch.randn(total.shape, generator=self.generator, dtype=torch.float64, device="cpu")
        return total + self.sd(sensitivity, share) * noise.to(total.device)

    def release_symmetric(self, total: Tensor, sensitivity: float, share: float) -> Tensor:
        """The same for a symmetric matrix, `sensitivity` in the Frobenius norm; off the diagonal half the variance.

        The elements on and above the diagonal, those above it times √2, are a vector of the same norm.
        """
        noise = self.release(torch.zeros_like(total), sensitivity, share)
        return total + (noise + noise.T) / 2
