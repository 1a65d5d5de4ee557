"""Conditioning on image patches and clinical text: GeMM-GAN's fusion network and its ablations.

Source: Panaccione, Sgaravatti, Pinoli, GeMM-GAN, ICIAP 2025 workshops, arXiv 2601.15392.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from gexbench.models.conditioning.attention import PatchEncoder, QueryAttention, masked_mean
from gexbench.models.conditioning.batch import ConditionBatch

Wiring = Literal["sequential", "parallel"]
_SHIFT = 5.0


@dataclass(frozen=True, slots=True)
class FusionSizes:
    """Sizes of the networks that read patches and tokens.

    Attributes:
        patch_width: d_p; token_width: d_t; width: E; heads, layers: of the transformer; dropout: in [0, 1).
        wiring: query of the image-to-text attention, the attended image (`sequential`) or the encoder's summary
            output (`parallel`).
    """

    patch_width: int
    token_width: int
    width: int = 256
    heads: int = 4
    layers: int = 2
    dropout: float = 0.1
    wiring: Wiring = "sequential"


class FilmProjection(nn.Module):
    """Feature-wise modulation of raw patches by the raw summary token, then a linear map (GeMM-GAN, steps 2 and 3).

    γ = tanh(a), β = b clamped to [-5, 5] with (a, b) linear in the summary token; U ← γ·U + β.
    """

    def __init__(self, token_width: int, patch_width: int, width: int) -> None:
        super().__init__()
        self.modulation = nn.Linear(token_width, 2 * patch_width)
        self.projection = nn.Linear(patch_width, width)

    def forward(self, summary: Tensor, patches: Tensor) -> Tensor:
        """Summary (B, d_t), patches (B, P, d_p) → (B, P, E).

        Modulation and projection are one matrix per sample, U (γ ⊙ Wᵀ) + βWᵀ + bias, when there are
        enough patches to make up for building it; both orders are the same mathematics.
        """
        scale, shift = self.modulation(summary).chunk(2, dim=-1)
        scale, shift = torch.tanh(scale), shift.clamp(-_SHIFT, _SHIFT)
        if 2 * patches.shape[1] < self.projection.out_features:
            modulated: Tensor = self.projection(torch.addcmul(shift[:, None], scale[:, None], patches))
            return modulated
        matrix = scale[:, :, None] * self.projection.weight.T
        return torch.baddbmm(self.projection(shift)[:, None], patches, matrix)


class GemmFusion(nn.Module):
    """GeMM-GAN's fusion of patches and text (steps 2 to 7); without FiLM it is the cross-attention ablation.

    Attributes:
        out_features: E.
    """

    def __init__(self, sizes: FusionSizes, *, film: bool = True) -> None:
        super().__init__()
        self.out_features = sizes.width
        self.wiring = sizes.wiring
        self.film = FilmProjection(sizes.token_width, sizes.patch_width, sizes.width) if film else None
        self.project_patches = None if film else nn.Linear(sizes.patch_width, sizes.width)
        self.project_tokens = nn.Linear(sizes.token_width, sizes.width)
        self.encoder = PatchEncoder(sizes.width, sizes.heads, sizes.layers, sizes.dropout)
        self.text_to_image = QueryAttention(sizes.width, sizes.heads)
        self.image_to_text = QueryAttention(sizes.width, sizes.heads)

    def forward(self, batch: ConditionBatch) -> Tensor:
        """Tokens (B, T, d_t) and patches (B, P, d_p) with their masks → condition (B, E)."""
        tokens, token_mask = batch.text()
        patches, patch_mask = batch.image()
        if self.film is not None:
            projected = self.film(tokens[:, 0], patches)
        elif self.project_patches is not None:
            projected = self.project_patches(patches)
        encoded, encoded_mask = self.encoder(projected, patch_mask)
        image = self.text_to_image(self.project_tokens(tokens[:, 0]), encoded, encoded_mask)
        query = image if self.wiring == "sequential" else encoded[:, 0]
        text = self.image_to_text(query, tokens, token_mask, source=self.project_tokens)
        fused: Tensor = image + text
        return fused


class FilmEncoder(nn.Module):
    """The FiLM ablation: modulated patches through the encoder; the condition is its summary output."""

    def __init__(self, sizes: FusionSizes) -> None:
        super().__init__()
        self.out_features = sizes.width
        self.film = FilmProjection(sizes.token_width, sizes.patch_width, sizes.width)
        self.encoder = PatchEncoder(sizes.width, sizes.heads, sizes.layers, sizes.dropout)

    def forward(self, batch: ConditionBatch) -> Tensor:
        """→ condition (B, E)."""
        patches, mask = batch.image()
        encoded: Tensor = self.encoder(self.film(batch.text()[0][:, 0], patches), mask)[0]
        return encoded[:, 0]


class TextSummary(nn.Module):
    """The text-only ablation: a linear map of the summary token."""

    def __init__(self, sizes: FusionSizes) -> None:
        super().__init__()
        self.out_features = sizes.width
        self.project = nn.Linear(sizes.token_width, sizes.width)

    def forward(self, batch: ConditionBatch) -> Tensor:
        """→ condition (B, E)."""
        projected: Tensor = self.project(batch.text()[0][:, 0])
        return projected


class PatchMean(nn.Module):
    """The image-only ablation: the masked mean of linearly mapped patches; 0 for a patient without patches."""

    def __init__(self, sizes: FusionSizes) -> None:
        super().__init__()
        self.out_features = sizes.width
        self.project = nn.Linear(sizes.patch_width, sizes.width)

    def forward(self, batch: ConditionBatch) -> Tensor:
        """→ condition (B, E)."""
        patches, mask = batch.image()
        return masked_mean(self.project(patches), mask)


class ImageTransformer(nn.Module):
    """The image ablation with an encoder: projection, ReLU, LayerNorm, summary vector, transformer; no text."""

    def __init__(self, sizes: FusionSizes) -> None:
        super().__init__()
        self.out_features = sizes.width
        self.project = nn.Linear(sizes.patch_width, sizes.width)
        self.norm = nn.LayerNorm(sizes.width)
        self.encoder = PatchEncoder(sizes.width, sizes.heads, sizes.layers, sizes.dropout)

    def forward(self, batch: ConditionBatch) -> Tensor:
        """→ condition (B, E)."""
        patches, mask = batch.image()
        values = self.norm(functional.relu(self.project(patches)))
        encoded: Tensor = self.encoder(values, mask)[0]
        return encoded[:, 0]
