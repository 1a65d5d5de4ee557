"""Attention with masks: the transformer encoder over patches and attention from one query."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional


class Attention(nn.Module):
    """Parameters of multi-head attention of width E (Vaswani et al. 2017), packed as query, key, value.

    Attributes:
        in_weight: (3E, E), in_bias: (3E,); `out`: the linear map after the heads.
    """

    def __init__(self, width: int, heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"width {width} is not a multiple of {heads} heads; choose another width")
        self.heads, self.dropout = heads, dropout
        self.in_weight = nn.Parameter(torch.empty(3 * width, width))
        self.in_bias = nn.Parameter(torch.zeros(3 * width))
        self.out = nn.Linear(width, width)
        nn.init.xavier_uniform_(self.in_weight)
        nn.init.zeros_(self.out.bias)


class SelfAttention(Attention):
    """Multi-head self-attention."""

    def forward(self, values: Tensor, mask: Tensor) -> Tensor:
        """Values (B, N, E) and mask (B, N), True = ignore → (B, N, E)."""
        size, length, width = values.shape
        packed = functional.linear(values, self.in_weight, self.in_bias)
        query, key, value = packed.view(size, length, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(
            query, key, value, attn_mask=~mask[:, None, None, :], dropout_p=self.dropout if self.training else 0.0
        )
        projected: Tensor = self.out(mixed.transpose(1, 2).reshape(size, length, width))
        return projected


class QueryAttention(Attention):
    """Multi-head attention from a single query, without projecting every key and value.

    With one query the key map moves to the query and the value map behind the weighted mean, so its cost no longer
    grows with E² per key: score_h = (K_hᵀ q_h) · x (a key bias shifts all scores alike and cancels), output_h =
    V_h Σ_j w_hj x_j + v_h. A linear map before the keys (`source`) moves along, so that raw tokens are
    read directly. Same mathematics as the usual order.
    """

    def forward(self, query: Tensor, values: Tensor, mask: Tensor, source: nn.Linear | None = None) -> Tensor:
        """Query (B, E) over values (B, N, E), or (B, N, d) with `source` d → E; mask (B, N), True = ignore → (B, E).

        Where everything is masked the mean is 0.
        """
        size, width = query.shape
        each = width // self.heads
        query_weight, key_weight, value_weight = self.in_weight.view(3, self.heads, each, width)
        query_bias, _, value_bias = self.in_bias.view(3, self.heads, each)
        asked = torch.einsum("be,hde->bhd", query, query_weight) + query_bias
        asked = torch.einsum("bhd,hde->bhe", asked / math.sqrt(each), key_weight)
        if source is not None:
            asked = asked @ source.weight
        scores = asked @ values.transpose(1, 2)
        ignored = mask[:, None, :]
        weights = scores.masked_fill(ignored, torch.finfo(scores.dtype).min).softmax(-1).masked_fill(ignored, 0.0)
        mean = weights @ values
        if source is not None:
            mean = functional.linear(mean, source.weight)
            if source.bias is not None:
                mean = mean + weights.sum(-1, keepdim=True) * source.bias
        heads = torch.einsum("bhe,hde->bhd", mean, value_weight) + value_bias
        projected: Tensor = self.out(heads.reshape(size, width))
        return projected


class EncoderLayer(nn.Module):
    """Post-norm transformer layer with ReLU and a feed-forward width of 2E."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.attention = SelfAttention(width, heads, dropout)
        self.norm_attention, self.norm_feed = nn.LayerNorm(width), nn.LayerNorm(width)
        self.wide, self.narrow = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, values: Tensor, mask: Tensor) -> Tensor:
        """Values (B, N, E) and mask (B, N), True = ignore → (B, N, E)."""
        values = self.norm_attention(values + self.dropout(self.attention(values, mask)))
        fed = self.narrow(self.dropout(functional.relu(self.wide(values))))
        normed: Tensor = self.norm_feed(values + self.dropout(fed))
        return normed


class PatchEncoder(nn.Module):
    """A learned summary vector put before the patches, then transformer layers (GeMM-GAN, step 4).

    A patient without patches is the summary vector alone: it is never masked.
    """

    def __init__(self, width: int, heads: int, layers: int, dropout: float) -> None:
        super().__init__()
        self.summary = nn.Parameter(nn.init.trunc_normal_(torch.empty(width), std=0.02))
        self.layers = nn.ModuleList(EncoderLayer(width, heads, dropout) for _ in range(layers))

    def forward(self, patches: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Patches (B, P, E), mask (B, P), True = ignore → outputs (B, P + 1, E), summary first, and their mask."""
        size = len(patches)
        values = torch.cat([self.summary.expand(size, 1, -1), patches], dim=1)
        mask = torch.cat([mask.new_zeros(size, 1), mask], dim=1)
        for layer in self.layers:
            values = layer(values, mask)
        return values, mask


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean over the rows that are not masked, (B, N, E) and (B, N), True = ignore → (B, E); of nothing it is 0."""
    kept = (~mask)[..., None].to(values.dtype)
    return (values * kept).sum(1) / kept.sum(1).clamp_min(1.0)
