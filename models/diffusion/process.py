"""What a process between latents and noise has to give, so that one denoiser and one training serve all."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

Predict = Callable[[Tensor, Tensor], Tensor]
"""Noisy latents (B, d) and timesteps (B,) in 0 … 999 → what the denoiser predicts (B, d)."""


@dataclass(frozen=True, slots=True, eq=False)
class Noised:
    """A mini-batch for the denoiser: noisy latents (B, d), timesteps (B,), and the target (B, d)."""

    noisy: Tensor
    timestep: Tensor
    target: Tensor


class Process(Protocol):
    """A process between latents and N(0, I) noise."""

    def noised(self, clean: Tensor, share: Tensor, random: torch.Generator) -> Noised:
        """Latents (B, d) noised at times (B,) in [0, 1) of the process; `random` is on their device."""
        ...

    def drawn(self, predict: Predict, start: Tensor, random: torch.Generator) -> Tensor:
        """Latents (B, d) from noise `start` (B, d); more noise, if any, is drawn from `random`, on the CPU."""
        ...
