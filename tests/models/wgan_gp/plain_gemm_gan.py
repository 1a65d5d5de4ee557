"""GeMM-GAN written plainly with torch's own modules: every use of a condition computes it anew. For comparison only."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from gexbench.models.conditioning.batch import ConditionBatch
from gexbench.models.conditioning.fusion import FusionSizes


class PlainEncoder(nn.Module):
    """Summary vector and torch's post-norm transformer layers."""

    def __init__(self, sizes: FusionSizes) -> None:
        super().__init__()
        self.summary = nn.Parameter(torch.zeros(sizes.width))
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(sizes.width, sizes.heads, 2 * sizes.width, dropout=0.0, batch_first=True)
            for _ in range(sizes.layers)
        )


class PlainFilm(nn.Module):
    """Holds the maps of step 2 and 3."""

    def __init__(self, sizes: FusionSizes) -> None:
        super().__init__()
        self.modulation = nn.Linear(sizes.token_width, 2 * sizes.patch_width)
        self.projection = nn.Linear(sizes.patch_width, sizes.width)


class PlainFusion(nn.Module):
    """Steps 2 to 7 in the order of the paper."""

    def __init__(self, sizes: FusionSizes) -> None:
        super().__init__()
        self.sizes = sizes
        self.film = PlainFilm(sizes)
        self.project_tokens = nn.Linear(sizes.token_width, sizes.width)
        self.encoder = PlainEncoder(sizes)
        self.text_to_image = nn.MultiheadAttention(sizes.width, sizes.heads, batch_first=True)
        self.image_to_text = nn.MultiheadAttention(sizes.width, sizes.heads, batch_first=True)

    def forward(self, batch: ConditionBatch) -> Tensor:
        tokens, token_mask = batch.text()
        patches, patch_mask = batch.image()
        scale, shift = self.film.modulation(tokens[:, 0]).chunk(2, dim=-1)
        patches = torch.tanh(scale)[:, None] * patches + shift.clamp(-5, 5)[:, None]
        projected, words = self.film.projection(patches), self.project_tokens(tokens)
        values = torch.cat([self.encoder.summary.expand(len(projected), 1, -1), projected], dim=1)
        mask = torch.cat([torch.zeros(len(values), 1, dtype=torch.bool, device=values.device), patch_mask], dim=1)
        for layer in self.encoder.layers:
            values = layer(values, src_key_padding_mask=mask)
        image, _ = self.text_to_image(words[:, :1], values, values, key_padding_mask=mask)
        query = image if self.sizes.wiring == "sequential" else values[:, :1]
        text, _ = self.image_to_text(query, words, words, key_padding_mask=token_mask)
        return (image + text)[:, 0]


class PlainHead(nn.Module):
    """Three linear maps with ReLU between them."""

    def __init__(self, inputs: int, hidden: int, outputs: int) -> None:
        super().__init__()
        self.first, self.second, self.output = (
            nn.Linear(inputs, hidden),
            nn.Linear(hidden, hidden),
            nn.Linear(hidden, outputs),
        )

    def forward(self, values: Tensor) -> Tensor:
        return self.output(functional.relu(self.second(functional.relu(self.first(values)))))


class PlainNetwork(nn.Module):
    """Fusion and head; the head reads the input with the condition behind it."""

    def __init__(self, sizes: FusionSizes, inputs: int, hidden: int, outputs: int) -> None:
        super().__init__()
        self.encoder = PlainFusion(sizes)
        self.head = PlainHead(inputs + sizes.width, hidden, outputs)

    def forward(self, values: Tensor, batch: ConditionBatch) -> Tensor:
        return self.head(torch.cat([values, self.encoder(batch)], dim=1))


_RENAMED = (
    (".in_weight", ".in_proj_weight"),
    (".in_bias", ".in_proj_bias"),
    (".out.", ".out_proj."),
    (".attention.", ".self_attn."),
    (".norm_attention.", ".norm1."),
    (".norm_feed.", ".norm2."),
    (".wide.", ".linear1."),
    (".narrow.", ".linear2."),
)


def plain_name(name: str) -> str:
    """Name of the suite's parameter in the plain network."""
    for ours, plain in _RENAMED:
        name = name.replace(ours, plain)
    return name


def copy_weights(ours: nn.Module, plain: nn.Module) -> None:
    """Give the plain network the same weights."""
    plain.load_state_dict({plain_name(name): value.clone() for name, value in ours.state_dict().items()})


def plain_critic_loss(
    generator: nn.Module, critic: nn.Module, real: Tensor, batch: ConditionBatch, noise: Tensor, mix: Tensor
) -> Tensor:
    """Gulrajani et al. 2017 with autograd; the generator's and the critic's condition at every call."""
    fake = generator(noise, batch).detach()
    between = (mix * real + (1 - mix) * fake).requires_grad_(True)
    (gradient,) = torch.autograd.grad(critic(between, batch).sum(), between, create_graph=True)
    penalty = ((gradient.norm(dim=1) - 1) ** 2).mean()
    return critic(fake, batch).mean() - critic(real, batch).mean() + 10.0 * penalty


def plain_generator_loss(generator: nn.Module, critic: nn.Module, noise: Tensor, batch: ConditionBatch) -> Tensor:
    """−mean D(G(z, c), c')."""
    return -critic(generator(noise, batch), batch).mean()
