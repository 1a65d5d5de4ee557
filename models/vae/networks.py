"""Encoder, decoder, and the Pyro model and guide made of them."""

import pyro
import pyro.distributions as dist
import torch
from torch import Tensor, nn

from gexbench.models.conditioning.conditioner import width_of
from gexbench.models.vae.settings import VaeSettings

SMALLEST_SCALE = 0.01
"""Of the likelihood, in z-scores: keeps a gene that is constant in training from an infinite density."""


class VaeNetwork(nn.Module):
    """genes (+ condition) → hidden → hidden → latent, mirrored; everything in z-scores.

    `model` and `guide` are Pyro programs. They hold their parameters as this module's own, not in Pyro's global
    parameter store.

    Args:
        genes: number of genes.
        conditioner: encoder of the conditions: `ConditionBatch` → (B, c), c = 0 without conditions. It belongs to the
            network, and its output is handed in, so that one pass serves encoder and decoder.
        settings: of the family.
    """

    def __init__(self, genes: int, conditioner: nn.Module, settings: VaeSettings) -> None:
        super().__init__()
        self.latents = settings.latents
        self.conditioner = conditioner
        width = width_of(conditioner)
        hidden = settings.hidden
        self.encoder = _layers(genes + width, hidden, 2 * self.latents, settings.dropout)
        decoded = 2 * genes if settings.scale == "latent" else genes
        self.decoder = _layers(self.latents + width, hidden, decoded, settings.dropout)
        self.log_scale = nn.Parameter(torch.zeros(genes))
        self.decodes_scale = settings.scale == "latent"

    def encode(self, expression: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation (B, latents) of the posterior of expression (B, genes)."""
        mean, log_variance = self.encoder(torch.cat([expression, condition], dim=1)).chunk(2, dim=1)
        return mean, (0.5 * log_variance.clamp(-12, 8)).exp()

    def decode(self, latent: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """Mean (B, genes) and standard deviation (genes,) or (B, genes) of expression given latents (B, latents)."""
        decoded = self.decoder(torch.cat([latent, condition], dim=1))
        if not self.decodes_scale:
            return decoded, self.log_scale.exp() + SMALLEST_SCALE
        mean, log_scale = decoded.chunk(2, dim=1)
        return mean, (self.log_scale + log_scale.clamp(-3, 3)).exp() + SMALLEST_SCALE

    def model(self, expression: Tensor, condition: Tensor, beta: float) -> None:
        """p(z) p(x | z, c), z ~ N(0, I), the term of z weighted by `beta`; reconstruction is summed over genes."""
        with pyro.plate("rows", len(expression)):
            with pyro.poutine.scale(scale=beta):
                zero = expression.new_zeros(len(expression), self.latents)
                latent = pyro.sample("latent", _normal(zero, torch.ones_like(zero)))
            pyro.sample("expression", _normal(*self.decode(latent, condition)), obs=expression)

    def guide(self, expression: Tensor, condition: Tensor, beta: float) -> None:
        """q(z | x, c), diagonal normal."""
        with pyro.plate("rows", len(expression)), pyro.poutine.scale(scale=beta):
            pyro.sample("latent", _normal(*self.encode(expression, condition)))


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


def _normal(mean: Tensor, scale: Tensor) -> dist.TorchDistribution:
    normal: dist.TorchDistribution = dist.Normal(mean, scale, validate_args=False).to_event(1)  # type: ignore[no-untyped-call]
    return normal
