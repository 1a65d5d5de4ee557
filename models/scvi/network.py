"""scVI's network: construction, encoding of rows, and draws of counts from its likelihood."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scvi.module import VAE
from torch import Tensor

from gexbench.models.scvi.settings import ScviSettings
from gexbench.models.training.latent_mixture import LatentMixture

MOST_PER_CALL = 4096
"""Rows encoded at once."""

LARGEST_RATE = 1e8
"""Of a Poisson draw; scvi-tools cuts there too."""


def network_of(genes: int, classes: Sequence[int], settings: ScviSettings) -> Any:
    """scvi-tools' `VAE` module on the current default device, its weights drawn from torch's global generator.

    Args:
        genes: width of a row.
        classes: number of classes of each label column, finest first; empty without conditions.
        settings: sizes, likelihood, dispersion.
    """
    normalised = {"batch": ("both", "none"), "layer": ("none", "both"), "none": ("none", "none")}
    use_batch_norm, use_layer_norm = normalised[settings.normalisation]
    return VAE(
        n_input=genes,
        n_batch=classes[0] if classes else 1,
        n_cats_per_cov=list(classes[1:]),
        n_hidden=settings.hidden,
        n_latent=settings.latent,
        n_layers=settings.layers,
        dropout_rate=settings.dropout,
        dispersion=settings.dispersion,
        gene_likelihood=settings.likelihood,
        encode_covariates=settings.encode_covariates,
        use_batch_norm=use_batch_norm,
        use_layer_norm=use_layer_norm,
    )


@torch.no_grad()
def start_from_moments(network: Any, counts: Tensor, classes: Tensor) -> None:
    """Start the output where counts are: at each gene's mean share, and at the spread of its logarithms in a class.

    From scvi-tools' own start, a random inverse dispersion about 1, thousands of steps only bring it to the size that
    counts of tissues have. Training changes all of it.

    Args:
        network: changed in place; counts: (n, genes) of training; classes: (n,) codes.
    """
    shares = (counts / counts.sum(1, keepdim=True)).mean(0)
    network.decoder.px_scale_decoder[0].bias.copy_(shares.clamp_min(1e-9).log())
    logs = counts.log1p()
    one_hot = torch.nn.functional.one_hot(classes).to(logs.dtype)
    means = (one_hot.T @ logs) / one_hot.sum(0).clamp_min(1.0)[:, None]
    start = -(logs - means[classes]).square().mean(0).clamp(1e-2, 1e2).log()
    if network.dispersion == "gene-cell":
        network.decoder.px_r_decoder.bias.copy_(start)
    else:
        network.px_r.copy_(start if network.px_r.dim() == 1 else start[:, None].expand_as(network.px_r))


def inputs_of(labels: Tensor) -> dict[str, Tensor | None]:
    """Label codes (B, columns) as the network's keyword arguments; (B, 0) where it is given none."""
    finest = labels[:, :1] if labels.shape[1] else labels.new_zeros((len(labels), 1))
    return {"batch_index": finest, "cat_covs": labels[:, 1:] if labels.shape[1] > 1 else None}


@torch.no_grad()
def posterior(network: Any, counts: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and sd (n, latents) of q(z | counts, labels); the network is in evaluation mode."""
    means, scales = [], []
    devices = [counts.device] if counts.device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):  # the encoder also draws from its distribution
        for start in range(0, len(counts), MOST_PER_CALL):
            part = slice(start, start + MOST_PER_CALL)
            encoded = network.inference(x=counts[part], **inputs_of(labels[part]))["qz"]
            means.append(encoded.loc)
            scales.append(encoded.scale)
    return torch.cat(means), torch.cat(scales)


@dataclass(frozen=True, slots=True, eq=False)
class CountSource:
    """A trained network and what it decodes.

    Attributes:
        network: in evaluation mode.
        mixture: of (z, sizes) for `prior="aggregate"`, of the sizes alone for `standard`; they are standardised. One
            component per finest label with labels.
        total: (sizes, 2) mean and sd over the training rows of the log total and, where the cohort's unit follows
            from a count layer, of the log total in the linear unit.
        labelled: whether labels are given.
    """

    network: Any
    mixture: LatentMixture
    total: Tensor
    labelled: bool

    @torch.no_grad()
    def draw(self, labels: Tensor, seed: int) -> tuple[Tensor, Tensor]:
        """Draws from the likelihood at drawn latents and totals, (B, genes) on the device, for label codes.

        Beside them the drawn sizes after the total, (B, 1) or (B, 0).

        All noise is drawn on the CPU: another device gives the same rows up to rounding of the network's output,
        which can, rarely, turn a draw by rejection into another one.
        """
        generator = torch.Generator().manual_seed(seed)
        components = labels[:, 0] if self.labelled else self.mixture.choose(len(labels), generator)
        drawn = self.mixture.draw(components, generator)
        latents, sizes = drawn[:, : -len(self.total)], drawn[:, -len(self.total) :]
        sizes = sizes * self.total[:, 1] + self.total[:, 0]
        if not latents.shape[1]:
            shape = (len(labels), self.network.n_latent)
            latents = torch.randn(shape, generator=generator, device="cpu").to(drawn.device)
        given = inputs_of(labels if self.labelled else labels[:, :0])
        likelihood = self.network.generative(z=latents, library=sizes[:, :1], **given)["px"]
        counts = _drawn(likelihood, np.random.default_rng(seed))
        return torch.from_numpy(counts).to(drawn.device), sizes[:, 1:]


def _drawn(likelihood: Any, random: np.random.Generator) -> NDArray[np.float32]:
    """One draw (B, genes) from scvi-tools' (zero-inflated) negative binomial: Poisson of a gamma-distributed rate."""
    mean: NDArray[np.float64] = likelihood.mu.double().cpu().numpy()
    inverse_dispersion = likelihood.theta.double().expand(mean.shape).cpu().numpy()
    rate = random.standard_gamma(inverse_dispersion) * (mean / inverse_dispersion)
    counts: NDArray[np.float32] = random.poisson(np.minimum(rate, LARGEST_RATE)).astype(np.float32)
    if hasattr(likelihood, "zi_probs"):
        counts *= random.random(counts.shape) >= likelihood.zi_probs.double().cpu().numpy()
    return counts
