"""Encoder, decoder, and the Pyro model and guide made of them."""

from collections.abc import Sequence
from typing import cast

import pyro
import pyro.distributions as dist
import torch
from torch import Tensor, nn

from gexbench.models.conditioning.labels import LabelEmbedding
from gexbench.models.vae.settings import VaeSettings

SMALLEST_SCALE = 0.01
"""Of the likelihood, in z-scores: keeps a gene that is constant in training from an infinite density."""


class VaeNetwork(nn.Module):
    """genes (+ condition) → hidden → hidden → latent, mirrored; everything in z-scores.

    `model` and `guide` are Pyro programs. They hold their parameters as this module's own, not in Pyro's global
    parameter store.
    """

    def __init__(self, genes: int, sizes: Sequence[int], settings: VaeSettings) -> None:
        super().__init__()
        self.latents = settings.latents
        self.embedding = LabelEmbedding(sizes) if settings.conditioning == "labels" else None
        width = self.embedding.out_features if self.embedding else 0
        hidden = settings.hidden
        self.encoder = _layers(genes + width, hidden, 2 * self.latents, settings.dropout)
        decoded = 2 * genes if settings.scale == "latent" else genes
        self.decoder = _layers(self.latents + width, hidden, decoded, settings.dropout)
        self.log_scale = nn.Parameter(torch.zeros(genes))
        self.decodes_scale = settings.scale == "latent"

    def condition(self, labels: Tensor) -> Tensor | None:
        """Label codes (B, columns) → condition (B, width); None without conditions."""
        return None if self.embedding is None else cast(Tensor, self.embedding(labels))

    def encode(self, expression: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation (B, latents) of the posterior of expression (B, genes)."""
        mean, log_variance = self.encoder(_joined(expression, self.condition(labels))).chunk(2, dim=1)
        return mean, (0.5 * log_variance.clamp(-12, 8)).exp()

    def decode(self, latent: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Mean (B, genes) and standard deviation (genes,) or (B, genes) of expression given latents (B, latents)."""
        decoded = self.decoder(_joined(latent, self.condition(labels)))
        if not self.decodes_scale:
            return decoded, self.log_scale.exp() + SMALLEST_SCALE
        mean, log_scale = decoded.chunk(2, dim=1)
        return mean, (self.log_scale + log_scale.clamp(-3, 3)).exp() + SMALLEST_SCALE

    def model(self, expression: Tensor, labels: Tensor, beta: float) -> None:
        """p(z) p(x | z, y), z ~ N(0, I), the term of z weighted by `beta`; reconstruction is summed over genes."""
        with pyro.plate("rows", len(expression)):
            with pyro.poutine.scale(scale=beta):
                zero = expression.new_zeros(len(expression), self.latents)
                latent = pyro.sample("latent", _normal(zero, torch.ones_like(zero)))
            pyro.sample("expression", _normal(*self.decode(latent, labels)), obs=expression)

    def guide(self, expression: Tensor, labels: Tensor, beta: float) -> None:
        """q(z | x, y), diagonal normal."""
        with pyro.plate("rows", len(expression)), pyro.poutine.scale(scale=beta):
            pyro.sample("latent", _normal(*self.encode(expression, labels)))


def _layers(inputs: int, hidden: int, outputs: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(inputs, hidden),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(hidden, hidden),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(hidden, outputs),
    )


def _joined(values: Tensor, condition: Tensor | None) -> Tensor:
    return values if condition is None else torch.cat([values, condition], dim=1)


def _normal(mean: Tensor, scale: Tensor) -> dist.TorchDistribution:
    normal: dist.TorchDistribution = dist.Normal(mean, scale, validate_args=False).to_event(1)  # type: ignore[no-untyped-call]
    return normal
