"""Heads of the WGAN-GP: generator and critic over a condition, whatever encoder made it."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

_ACTIVATIONS: Mapping[str, type[nn.Module]] = MappingProxyType(
    {"relu": nn.ReLU, "leaky_relu": nn.LeakyReLU, "silu": nn.SiLU}
)


class ExpressionGenerator(nn.Module):
    """[z, c] → hidden → hidden → genes with ReLU and a linear output (GeMM-GAN, step 8).

    With `gene_noise` the output gains independent normal noise with a learned scale per gene: `hidden` features span
    at most as many directions, while real expression varies in all of them. With `components` z comes from a mixture
    of that many unit normal distributions; their centres and weights are buffers, at first all in the origin.
    """

    def __init__(
        self,
        latent: int,
        condition: int,
        hidden: int,
        genes: int,
        *,
        gene_noise: bool = False,
        components: int = 0,
    ) -> None:
        super().__init__()
        self.latent, self.genes = latent, genes
        self.first = nn.Linear(latent + condition, hidden)
        self.second = nn.Linear(hidden, hidden)
        self.output = nn.Linear(hidden, genes)
        self.log_scale = nn.Parameter(torch.full((genes,), -2.0)) if gene_noise else None
        self.components = components
        if components:
            self.register_buffer("centres", torch.zeros(components, latent))
            self.register_buffer("shares", torch.full((components,), 1.0 / components))

    @property
    def noise_width(self) -> int:
        """Columns of the noise: latent, plus genes with gene noise."""
        return self.latent + (0 if self.log_scale is None else self.genes)

    def noise(self, rows: int, generator: torch.Generator) -> Tensor:
        """Random input of `rows` rows, (rows, noise_width), on the generator's device."""
        device = generator.device
        drawn = torch.randn((rows, self.noise_width), generator=generator, device=device)
        if self.components and rows:
            shares, centres = self.get_buffer("shares").to(device), self.get_buffer("centres").to(device)
            chosen = torch.multinomial(shares, rows, replacement=True, generator=generator)
            drawn[:, : self.latent] += centres[chosen]
        return drawn

    def forward(self, noise: Tensor, condition: Tensor) -> Tensor:
        """Noise (B, latent [+ genes]) and condition (B, c) → z-scored expression (B, genes)."""
        hidden = functional.relu(self.first(torch.cat([noise[:, : self.latent], condition], dim=1)))
        expression: Tensor = self.output(functional.relu(self.second(hidden)))
        if self.log_scale is None:
            return expression
        return torch.addcmul(expression, noise[:, self.latent :], self.log_scale.exp())


class Judged(NamedTuple):
    """Inputs of one critic update: scores (B,) of real and fake rows, gradient norms (B,) at rows between them."""

    real: Tensor
    fake: Tensor
    slopes: Tensor


class Critic(nn.Module):
    """[x, c] → hidden → hidden → 1 without normalisation (GeMM-GAN, step 9).

    Attributes:
        piecewise_linear: whether the activation is, so that the gradient with respect to x depends on the
            condition through the signs of the activations alone, and ∂penalty/∂c = 0.
    """

    def __init__(self, genes: int, condition: int, hidden: int, activation: str = "relu") -> None:
        super().__init__()
        self.genes = genes
        self.first = nn.Linear(genes + condition, hidden)
        self.second = nn.Linear(hidden, hidden)
        self.output = nn.Linear(hidden, 1)
        self.activation = _ACTIVATIONS[activation]()
        self.piecewise_linear = isinstance(self.activation, nn.ReLU | nn.LeakyReLU)

    def forward(self, expression: Tensor, condition: Tensor) -> Tensor:
        """Expression (B, genes) and condition (B, c) → scores (B,)."""
        return self._upper(self.first(torch.cat([expression, condition], dim=1)))

    def judge(
        self, real: Tensor, fake: Tensor, mix: Tensor, conditions: tuple[Tensor, Tensor, Tensor], *, detach: bool = True
    ) -> Judged:
        """Scores of both batches and gradient norms at x̂ = mix · real + (1 − mix) · fake.

        The first layer is linear, so x̂ needs no pass of its own through it; for a piecewise-linear activation
        the gradient is the closed form ((s₂ ⊙ w₃) W₂ ⊙ s₁) W₁ with the activations' slopes s, which are constants
        almost everywhere.

        Args:
            real, fake: (B, genes), the fake rows detached from the generator.
            mix: (B, 1) in [0, 1].
            conditions: (B, c) for the real, the fake and the mixed rows; the same tensor thrice where they share one.
            detach: keep the penalty's gradient from the condition; exact only for piecewise-linear activations.

        Raises:
            ValueError: `detach` with another activation.
        """
        if detach and not self.piecewise_linear:
            raise ValueError(
                f"the penalty of a critic with {type(self.activation).__name__} depends on the condition; "
                "pass detach=False, or choose ReLU or LeakyReLU"
            )
        weight, offset = self.first.weight[:, : self.genes], self.first.weight[:, self.genes :]
        shared = conditions[0] is conditions[1] is conditions[2]
        shifts = [functional.linear(c, offset, self.first.bias) for c in (conditions[:1] if shared else conditions)] * (
            3 if shared else 1
        )
        plain = functional.linear(torch.cat([real, fake]), weight)
        plain_real, plain_fake = plain.chunk(2)
        scores = self._upper(torch.cat([plain_real + shifts[0], plain_fake + shifts[1]]))
        mixed = torch.lerp(plain_fake, plain_real, mix) + shifts[2]
        gradient = self._closed_form(mixed, weight) if detach else self._traced(mixed, weight)
        of_real, of_fake = scores.chunk(2)
        return Judged(of_real, of_fake, gradient.norm(dim=1))

    def _upper(self, before: Tensor) -> Tensor:
        scores: Tensor = self.output(self.activation(self.second(self.activation(before))))
        return scores[:, 0]

    def _closed_form(self, before: Tensor, weight: Tensor) -> Tensor:
        with torch.no_grad():
            lower = self._slope(before)
            upper = self._slope(self.second(self.activation(before)))
        return (((upper * self.output.weight) @ self.second.weight) * lower) @ weight

    def _slope(self, before: Tensor) -> Tensor:
        negative = self.activation.negative_slope if isinstance(self.activation, nn.LeakyReLU) else 0.0
        return torch.where(before > 0, 1.0, negative).to(before.dtype)

    def _traced(self, before: Tensor, weight: Tensor) -> Tensor:
        (gradient,) = torch.autograd.grad(self._upper(before).sum(), before, create_graph=True)
        return gradient @ weight


def critic_loss(judged: Judged, penalty: float) -> Tensor:
    """mean D(fake) − mean D(real) + penalty · mean (‖∇D(x̂)‖ − 1)² (Gulrajani et al. 2017, equation 3)."""
    return judged.fake.mean() - judged.real.mean() + penalty * gradient_penalty(judged)


def gradient_penalty(judged: Judged) -> Tensor:
    """mean (‖∇D(x̂)‖₂ − 1)², at least 0; 0 for a linear critic of unit gradient."""
    return (judged.slopes - 1.0).square().mean()
