"""The cosine schedule, the v-parameterisation, and samplers by name."""

from dataclasses import dataclass
from typing import Any, cast

import torch
from diffusers import DDIMScheduler, DDPMScheduler, DPMSolverMultistepScheduler
from torch import Tensor

from gexbench.models.diffusion.process import Noised, Predict
from gexbench.models.diffusion.settings import SamplerName

TIMESTEPS = 1000
_LOG_SNR = 4.0


def cosine_rates(device: torch.device) -> tuple[Tensor, Tensor]:
    """α and σ of each of the 1,000 timesteps, (1000,) float32 each, α² + σ² = 1 (Nichol & Dhariwal 2021)."""
    with torch.device("cpu"):
        kept = _scheduler("ddpm").alphas_cumprod.double()
    return kept.sqrt().float().to(device), (1 - kept).sqrt().float().to(device)


def velocity(clean: Tensor, noise: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
    """v = α·ε − σ·x. From it and z = α·x + σ·ε: x = α·z − σ·v, ε = σ·z + α·v (Salimans & Ho 2022)."""
    return alpha * noise - sigma * clean


@torch.no_grad()
def drawn(predict: Predict, start: Tensor, sampler: SamplerName, steps: int, random: torch.Generator) -> Tensor:
    """Latents (B, d) from N(0, I) noise `start` (B, d) by `steps` evaluations of `predict`.

    `ddpm` draws more noise from `random`, on the CPU; the other two are deterministic given `start`. DPM-Solver++
    (Lu et al. 2022, order 2) steps evenly in the logarithm of α / σ over [−4, 4]: with 10 steps the standard
    deviation of normal latents is right to 4 %, where even steps in time lose half of a narrow one's.
    """
    with torch.device("cpu"):
        scheduler = _scheduler(sampler)
        if sampler == "dpm-solver++":
            scheduler.set_timesteps(timesteps=_even_in_log_snr(scheduler.alphas_cumprod, steps))
        else:
            scheduler.set_timesteps(steps)
    latents, options = start, {} if sampler == "ddim" else {"generator": random}
    for timestep in scheduler.timesteps.tolist():
        velocities = predict(latents, torch.full((len(latents),), timestep, device=latents.device))
        latents = scheduler.step(velocities, timestep, latents, **options).prev_sample
    return latents


@dataclass(frozen=True, slots=True)
class CosineDiffusion:
    """Latents to noise and back by the cosine schedule and v-prediction: a `Process`."""

    sampler: SamplerName
    sampling_steps: int
    rates: tuple[Tensor, Tensor]

    @classmethod
    def of(cls, sampler: SamplerName, sampling_steps: int, device: torch.device) -> "CosineDiffusion":
        """On a device."""
        return cls(sampler, sampling_steps, cosine_rates(device))

    def noised(self, clean: Tensor, share: Tensor, random: torch.Generator) -> Noised:
        """At timestep ⌊1000 · share⌋, with v to predict."""
        timestep = (share * TIMESTEPS).long().clamp(max=TIMESTEPS - 1)
        alpha, sigma = (rate[timestep, None] for rate in self.rates)
        noise = torch.randn(clean.shape, generator=random, device=clean.device)
        return Noised(alpha * clean + sigma * noise, timestep, velocity(clean, noise, alpha, sigma))

    def drawn(self, predict: Predict, start: Tensor, random: torch.Generator) -> Tensor:
        """By the sampler."""
        return drawn(predict, start, self.sampler, self.sampling_steps, random)


def _even_in_log_snr(kept: Tensor, steps: int) -> list[int]:
    """Decreasing timesteps from 999, without repetition, even in log(α / σ)."""
    rates = 0.5 * torch.log(kept.double() / (1 - kept.double()))
    wanted = torch.linspace(-_LOG_SNR, _LOG_SNR, steps, dtype=torch.float64, device="cpu")
    nearest = (rates[None, :] - wanted[:, None]).abs().argmin(1).tolist()
    return sorted({TIMESTEPS - 1, *nearest[1:]}, reverse=True)


def _scheduler(name: SamplerName) -> Any:
    common = {
        "num_train_timesteps": TIMESTEPS,
        "beta_schedule": "squaredcos_cap_v2",
        "prediction_type": "v_prediction",
    }
    # Expression is not bounded by 1, so nothing is clipped; even spacing would end one step short of t = 0.
    match name:
        case "ddpm":
            return cast(Any, DDPMScheduler)(
                **common, clip_sample=False, timestep_spacing="trailing", variance_type="fixed_large"
            )
        case "ddim":
            return cast(Any, DDIMScheduler)(**common, clip_sample=False, timestep_spacing="trailing")
        case "dpm-solver++":
            return cast(Any, DPMSolverMultistepScheduler)(**common, algorithm_type="dpmsolver++", solver_order=2)
