"""The denoiser: a residual MLP modulated by time and condition."""

from typing import cast

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from diffusers.models.embeddings import TimestepEmbedding, Timesteps
from torch import Tensor, nn
from torch.nn import functional

_FREQUENCIES = 64
_MODULATION = 128


class ModulatedBlock(nn.Module):
    """h + (1 + gate) · MLP((1 + scale) · LayerNorm(h) + shift), all three linear in the modulation and 0 at the start.

    Adaptive layer norm: Perez et al. 2018 (FiLM); Peebles & Xie 2023 (DiT).
    """

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.modulation = _zeroed(nn.Linear(_MODULATION, 3 * width))
        self.first = nn.Linear(width, width)
        self.second = nn.Linear(width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, hidden: Tensor, modulation: Tensor) -> Tensor:
        """(B, width), (B, 128) → (B, width)."""
        scale, shift, gate = self.modulation(modulation).chunk(3, dim=1)
        inner = functional.silu(self.first(self.norm(hidden) * (1 + scale) + shift))
        changed: Tensor = hidden + (1 + gate) * self.second(self.dropout(inner))
        return changed


class Denoiser(ModelMixin, ConfigMixin):  # type: ignore[misc]
    """Predicts v = α·ε − σ·x from z = α·x + σ·ε (Salimans & Ho 2022).

    The output layer starts at 0: the right answer for independent N(0, 1) latents, so that an untrained
    denoiser samples a Gaussian.

    Args:
        latents: width of z.
        condition: width of the condition; 0 = unconditional.
        hidden, blocks: width and number of the residual blocks.
        dropout: of the blocks.
    """

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(self, latents: int, condition: int, hidden: int, blocks: int, dropout: float) -> None:
        super().__init__()
        self.frequencies = Timesteps(_FREQUENCIES, flip_sin_to_cos=True, downscale_freq_shift=0)
        self.time = TimestepEmbedding(_FREQUENCIES, _MODULATION)
        self.condition_layer = nn.Linear(condition, _MODULATION) if condition else None
        self.absent = nn.Parameter(torch.zeros(_MODULATION)) if condition else None
        self.first = nn.Linear(latents, hidden)
        self.layers = nn.ModuleList(ModulatedBlock(hidden, dropout) for _ in range(blocks))
        self.norm = nn.LayerNorm(hidden, elementwise_affine=False)
        self.modulation = _zeroed(nn.Linear(_MODULATION, 2 * hidden))
        self.last = _zeroed(nn.Linear(hidden, latents))

    def forward(self, noisy: Tensor, timestep: Tensor, condition: Tensor, absent: Tensor | None = None) -> Tensor:
        """v (B, latents) of noisy latents (B, latents) at timesteps (B,) in 0 … 999, given conditions (B, c).

        Rows where `absent` (B,) bool is true see a learned vector in place of their condition.
        """
        modulation = self.time(self.frequencies(timestep).to(noisy.dtype))
        if self.condition_layer is not None and self.absent is not None:
            seen = self.condition_layer(condition)
            modulation = modulation + (seen if absent is None else torch.where(absent[:, None], self.absent, seen))
        modulation = functional.silu(modulation)
        hidden = self.first(noisy)
        for block in self.layers:
            hidden = block(hidden, modulation)
        scale, shift = self.modulation(modulation).chunk(2, dim=1)
        return cast(Tensor, self.last(self.norm(hidden) * (1 + scale) + shift))


def _zeroed(layer: nn.Linear) -> nn.Linear:
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer
