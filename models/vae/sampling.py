"""From a seed and label codes to z-scored rows."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from gexbench.models.vae.networks import VaeNetwork
from gexbench.models.vae.prior import LatentMixture


@dataclass(frozen=True, slots=True, eq=False)
class LatentSource:
    """A trained network and the latents it decodes: from N(0, I) where `mixture` is None."""

    network: VaeNetwork
    mixture: LatentMixture | None
    conditioning: Literal["none", "labels"]

    def latents(self, labels: Tensor, generator: torch.Generator) -> Tensor:
        """One latent per row of label codes (B, columns); with labels, component = finest label."""
        if self.mixture is None:
            shape = (len(labels), self.network.latents)
            return torch.randn(shape, generator=generator, device="cpu").to(labels.device)
        if self.conditioning == "labels":
            return self.mixture.draw(labels[:, 0], generator)
        return self.mixture.draw(self.mixture.choose(len(labels), generator), generator)


@torch.no_grad()
def decoded(source: LatentSource, labels: Tensor, generator: torch.Generator) -> Tensor:
    """Draws from the likelihood at drawn latents: z-scores (B, genes) for label codes (B, columns).

    The generator is on the CPU, so that the same model gives the same rows on any device up to rounding.
    """
    mean, scale = source.network.decode(source.latents(labels, generator), labels)
    noise = torch.randn(mean.shape, generator=generator, device="cpu").to(mean.device)
    return mean + scale * noise
