"""From conditions and a seed to rows in the cohort's unit."""

import torch
from torch import Tensor

from gexbench.models.diffusion.denoiser import Denoiser
from gexbench.models.diffusion.process import Predict, Process
from gexbench.models.diffusion.representation import Representation


def guided(denoiser: Denoiser, condition: Tensor, guidance: float) -> Predict:
    """v(none) + guidance · (v(condition) − v(none)) for conditions (B, c); 1 is the conditional prediction alone.

    Ho & Salimans 2022, there written with w = guidance − 1.
    """

    def predict(noisy: Tensor, timestep: Tensor) -> Tensor:
        if guidance == 1.0 or not condition.shape[1]:
            return denoiser.forward(noisy, timestep, condition)
        without = denoiser.forward(noisy, timestep, condition, torch.ones_like(timestep, dtype=torch.bool))
        return without if guidance == 0.0 else without.lerp(denoiser.forward(noisy, timestep, condition), guidance)

    return predict


@torch.no_grad()
def sampled_rows(
    denoiser: Denoiser,
    representation: Representation,
    condition: Tensor,
    process: Process,
    guidance: float,
    random: torch.Generator,
) -> Tensor:
    """One row in the cohort's unit for each condition (B, c); all noise is drawn from `random`, on the CPU."""
    denoiser.eval()
    shape = (len(condition), representation.space.latents)
    start = torch.randn(shape, generator=random, device="cpu").to(condition.device)
    latents = process.drawn(guided(denoiser, condition, guidance), start, random)
    return representation.rows(latents, random)
