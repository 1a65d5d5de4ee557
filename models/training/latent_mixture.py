"""Latent distributions to sample from, fitted to the posterior of the training rows.

The posterior of a row is N(m, diag(s²)). The aggregate posterior of a group of rows has the mean of the m and the
covariance of the m plus the mean of the s². Its use in place of N(0, I): Ghosh et al. 2020, "From variational to
deterministic autoencoders", section 4 (ex-post density estimation).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

SWEEPS = 30
"""Expectation-maximisation sweeps of the mixture."""


@dataclass(frozen=True, slots=True, eq=False)
class LatentMixture:
    """Normal distributions over latents.

    Attributes:
        weights: (k,) probabilities of the components.
        means: (k, latents).
        factors: (k, latents, latents) lower triangular; covariance = F Fᵀ.
    """

    weights: Tensor
    means: Tensor
    factors: Tensor

    def draw(self, components: Tensor, generator: torch.Generator) -> Tensor:
        """One latent for each component index (B,), shape (B, latents); the generator is on the CPU."""
        shape = (len(components), self.means.shape[1])
        drawn = torch.randn(shape, generator=generator, device="cpu").to(self.means.device)
        latent = self.means[components]
        for component in torch.unique(components).tolist():
            rows = (components == component).nonzero()[:, 0]
            latent[rows] += drawn[rows] @ self.factors[component].T
        return latent

    def choose(self, count: int, generator: torch.Generator) -> Tensor:
        """Component indices (count,) drawn by their weights; the generator is on the CPU."""
        if not count:  # multinomial refuses to draw nothing
            return torch.zeros(0, dtype=torch.int64, device=self.weights.device)
        drawn = torch.multinomial(self.weights.cpu(), count, replacement=True, generator=generator)
        return drawn.to(self.weights.device)


@dataclass(frozen=True, slots=True, eq=False)
class LatentRegression:
    """A normal distribution over latents whose mean is linear in a condition.

    Attributes:
        weight: (c, latents); bias: (latents,).
        factor: (latents, latents) lower triangular; covariance = F Fᵀ.
    """

    weight: Tensor
    bias: Tensor
    factor: Tensor

    def draw(self, condition: Tensor, generator: torch.Generator) -> Tensor:
        """One latent per condition (B, c), shape (B, latents); the generator is on the CPU."""
        drawn = torch.randn((len(condition), len(self.bias)), generator=generator, device="cpu")
        return condition @ self.weight + self.bias + drawn.to(condition.device) @ self.factor.T


def of_conditions(mean: Tensor, scale: Tensor, condition: Tensor, ridge: float = 10.0) -> LatentRegression:
    """Ridge regression of the posteriors' means on the condition; the covariance is that of its residuals.

    Args:
        mean, scale: (n, latents) of the rows' posteriors.
        condition: (n, c).
        ridge: penalty, in units of a condition's mean squared entry.
    """
    centre, middle = condition.mean(0), mean.mean(0)
    values = (condition - centre).double()
    gram = values.T @ values
    gram.diagonal().add_(ridge * values.square().mean().clamp_min(1e-12))
    weight = torch.linalg.solve(gram, values.T @ (mean - middle).double()).to(mean.dtype)
    residuals = mean - middle - (condition - centre) @ weight
    covariance = residuals.T @ residuals / len(mean) + torch.diag(scale.square().mean(0))
    jitter = 1e-6 * torch.eye(len(middle), device=mean.device)
    return LatentRegression(weight, middle - centre @ weight, torch.linalg.cholesky(covariance + jitter))


def of_labels(mean: Tensor, scale: Tensor, codes: Tensor, classes: int) -> LatentMixture:
    """One normal distribution per class code; a class without rows takes the pooled one.

    Args:
        mean, scale: (n, latents) of the rows' posteriors.
        codes: (n,) int64.
        classes: number of classes.
    """
    shares = torch.nn.functional.one_hot(codes, classes).to(mean.dtype)
    return _weighted(mean, scale, shares)


def of_mixture(mean: Tensor, scale: Tensor, components: int, generator: torch.Generator) -> LatentMixture:
    """A mixture of normal distributions by expectation-maximisation over the posteriors' means.

    Args:
        mean, scale: (n, latents) of the rows' posteriors.
        components: at most n are used.
        generator: on the CPU; draws the first centres, by k-means++.
    """
    centres = _spread_centres(mean, min(components, len(mean)), generator)
    nearest = torch.cdist(mean, centres).argmin(1)
    shares = torch.nn.functional.one_hot(nearest, len(centres)).to(mean.dtype)
    for _ in range(SWEEPS):
        mixture = _weighted(mean, scale, shares)
        shares = _log_densities(mixture, mean).add(mixture.weights.log()).softmax(1)
    return _weighted(mean, scale, shares)


def _weighted(mean: Tensor, scale: Tensor, shares: Tensor) -> LatentMixture:
    """Components from rows with weights (n, k); covariances are shrunk to the pooled one by latents / rows."""
    latents = mean.shape[1]
    counts = shares.sum(0)
    safe = counts.clamp(min=1e-6)
    centres = torch.where(counts[:, None] > 1e-6, (shares.T @ mean) / safe[:, None], mean.mean(0))
    own = (shares.T @ scale.square()) / safe[:, None]
    pooled = torch.zeros((latents, latents), dtype=mean.dtype, device=mean.device)
    scatter = []
    for component in range(len(counts)):
        centred = (mean - centres[component]) * shares[:, component, None].sqrt()
        scatter.append(centred.T @ centred)
        pooled += scatter[-1]
    pooled /= counts.sum()
    average = scale.square().mean(0)
    factors = []
    for component, total in enumerate(scatter):
        count = counts[component]
        kept = count / (count + 0.1 * latents)
        covariance = kept * (total / safe[component]) + (1 - kept) * pooled
        covariance += torch.diag(kept * own[component] + (1 - kept) * average)
        factors.append(torch.linalg.cholesky(covariance + 1e-6 * torch.eye(latents, device=mean.device)))
    return LatentMixture((counts / counts.sum()).clamp(min=1e-12), centres, torch.stack(factors))


def _log_densities(mixture: LatentMixture, rows: Tensor) -> Tensor:
    """log N(row; component) (n, k), up to a constant."""
    columns = []
    for centre, factor in zip(mixture.means, mixture.factors, strict=True):
        solved = torch.linalg.solve_triangular(factor, (rows - centre).T, upper=False)
        columns.append(-0.5 * solved.square().sum(0) - factor.diagonal().log().sum())
    return torch.stack(columns, dim=1)


def _spread_centres(rows: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """k-means++ centres (count, latents): each new one drawn by squared distance to the nearest so far."""
    first = int(torch.randint(len(rows), (1,), generator=generator, device="cpu"))
    chosen, nearest = [first], (rows - rows[first]).square().sum(1)
    while len(chosen) < count:
        following = int(torch.multinomial(nearest.cpu() + 1e-12, 1, generator=generator))
        chosen.append(following)
        nearest = torch.minimum(nearest, (rows - rows[following]).square().sum(1))
    return rows[chosen]
