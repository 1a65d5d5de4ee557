"""From a seed and conditions to z-scored rows."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from gexbench.models.training.latent_mixture import LatentMixture, LatentRegression
from gexbench.models.training.state import under
from gexbench.models.vae.networks import VaeNetwork

Prior = LatentMixture | LatentRegression | None
"""Distribution of latents when sampling; None is N(0, I)."""


@dataclass(frozen=True, slots=True, eq=False)
class LatentSource:
    """A trained network and the latents it decodes.

    Attributes:
        network: with its conditioning encoder.
        prior: see `Prior`.
        by_label: component of a `LatentMixture` = finest label; else drawn by the mixture's weights.
    """

    network: VaeNetwork
    prior: Prior
    by_label: bool

    def latents(self, finest: Tensor, condition: Tensor, generator: torch.Generator) -> Tensor:
        """One latent per row, (B, latents), of finest label codes (B,) and conditions (B, c)."""
        if self.prior is None:
            shape = (len(condition), self.network.latents)
            return torch.randn(shape, generator=generator, device="cpu").to(condition.device)
        if isinstance(self.prior, LatentRegression):
            return self.prior.draw(condition, generator)
        components = finest if self.by_label else self.prior.choose(len(condition), generator)
        return self.prior.draw(components, generator)


@torch.no_grad()
def decoded(source: LatentSource, finest: Tensor, condition: Tensor, generator: torch.Generator) -> Tensor:
    """Draws from the likelihood at drawn latents: z-scores (B, genes).

    The generator is on the CPU, so that the same model gives the same rows on any device up to rounding.

    Args:
        source: network and prior.
        finest: (B,) finest label codes, used where the prior goes by label.
        condition: (B, c) of the network's conditioning encoder.
        generator: of latents and likelihood.
    """
    mean, scale = source.network.decode(source.latents(finest, condition, generator), condition)
    noise = torch.randn(mean.shape, generator=generator, device="cpu").to(mean.device)
    return mean + scale * noise


def prior_state(prior: Prior) -> dict[str, Tensor]:
    """Tensors that `restored_prior` takes."""
    if prior is None:
        return {}
    names = ("weights", "means", "factors") if isinstance(prior, LatentMixture) else ("weight", "bias", "factor")
    return {f"prior.{name}": getattr(prior, name) for name in names}


def restored_prior(tensors: Mapping[str, Tensor]) -> Prior:
    """The inverse of `prior_state`."""
    held = under("prior.", tensors)
    if "means" in held:
        return LatentMixture(held["weights"], held["means"], held["factors"])
    return LatentRegression(held["weight"], held["bias"], held["factor"]) if held else None
