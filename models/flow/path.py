"""The conditional optimal-transport path of flow matching, and solvers of its flow."""

from dataclasses import dataclass

import torch
from torch import Tensor

from gexbench.models.diffusion.process import Noised, Predict
from gexbench.models.flow.settings import SolverName

LAST = 999.0
"""Timestep of t = 1, on the scale that the denoiser's embedding of time expects."""


@dataclass(frozen=True, slots=True)
class OptimalTransportPath:
    """Straight lines from noise x₀ to latents x₁: a `Process` that starts with noise at t = 0.

    x_t = (1 − (1 − σ) t) x₀ + t x₁ with velocity x₁ − (1 − σ) x₀ (Lipman et al. 2023, eq. 20 to 23), σ = `least_sd`.

    Attributes:
        solver: `euler` or `heun`; sampling_steps: at most so many evaluations; least_sd: σ.
    """

    solver: SolverName
    sampling_steps: int
    least_sd: float = 0.0

    def noised(self, clean: Tensor, share: Tensor, random: torch.Generator) -> Noised:
        """At t = `share`, with the velocity to predict."""
        noise = torch.randn(clean.shape, generator=random, device=clean.device)
        kept = 1.0 - self.least_sd
        time = share[:, None]
        return Noised((1.0 - kept * time) * noise + time * clean, share * LAST, clean - kept * noise)

    def drawn(self, predict: Predict, start: Tensor, random: torch.Generator) -> Tensor:
        """By steps of equal length; Heun's method averages the velocities at both ends of a step. Draws nothing."""
        return solved(predict, start, self.solver, self.sampling_steps)


@torch.no_grad()
def solved(predict: Predict, start: Tensor, solver: SolverName, evaluations: int) -> Tensor:
    """x(1) of dx/dt = velocity(x, t) from x(0) = `start` (B, d).

    Args:
        predict: velocities (B, d) of latents (B, d) at timesteps (B,) = 999 t.
        start: noise.
        solver: Euler, of order 1, or Heun (the explicit trapezoidal rule), of order 2.
        evaluations: at most so many of `predict`.
    """
    steps = evaluations if solver == "euler" else max(1, evaluations // 2)
    latents = start

    def velocity(at: Tensor, step: int) -> Tensor:
        return predict(at, torch.full((len(at),), LAST * step / steps, device=at.device))

    for step in range(steps):
        first = velocity(latents, step)
        if solver == "heun":
            first = (first + velocity(latents + first / steps, step + 1)) / 2
        latents = latents + first / steps
    return latents
