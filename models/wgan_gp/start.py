"""Where `standard` training starts: the conditional mean by least squares, its residuals by principal components.

A WGAN-GP started at random needs thousands of steps before its rows spread as wide as real ones, and short
trainings collapse onto the conditional mean. Started here, the generator is a linear Gaussian model
x = f(c) + R z + noise, inside the same architecture, and adversarial training refines it.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

from gexbench.models.conditioning.batch import ConditionReader
from gexbench.models.wgan_gp.conditional import ConditionalGenerator
from gexbench.models.wgan_gp.networks import ExpressionGenerator
from gexbench.tasks.split import Split

_SHIFT = 4.0
_JITTER = 0.1
_RATE = 2e-3
_CHUNK = 512
_LEAST_SCALE = 1e-3


def start_from_components(
    generator: ConditionalGenerator,
    train: tuple[Split, ConditionReader],
    validation: tuple[Split, ConditionReader],
    *,
    steps: int,
    batch: int,
    random: torch.Generator,
) -> None:
    """Set a generator's weights so that it draws from a Gaussian around the conditional mean.

    The output layer becomes principal directions of the training rows times their sds; hidden units work around a
    bias of 4, where ReLU passes them unchanged; `steps` least-squares steps fit the encoder and the condition's
    weights; the weights of z become the square root of the residuals' covariance within those directions, widened by
    the ratio of validation to training residuals (training ones are too small), and the gene noise takes the rest.
    """
    rows = train[0].standardised
    head = generator.head
    basis, scales = _directions(rows, min(head.latent, head.output.in_features))
    _linearise(head, basis, scales)
    if head.first.in_features > head.latent:
        _fit_mean(generator, rows, train[1], steps, batch, random)
    residuals = rows - conditional_mean(generator, train[1])
    held_out = validation[0].standardised - conditional_mean(generator, validation[1])
    wider = (held_out.square().mean() / residuals.square().mean().clamp_min(1e-12)).clamp(1.0, 2.0).sqrt()
    _spread(head, residuals * wider, basis, scales)


@torch.no_grad()
def conditional_mean(generator: ConditionalGenerator, reader: ConditionReader) -> Tensor:
    """(n, genes) output at z = 0 without gene noise, for every patient of the reader, in evaluation mode."""
    was_training = generator.training
    generator.eval()
    head, device = generator.head, reader.labels.device
    width = head.latent + (0 if head.log_scale is None else head.genes)
    parts = [
        generator(torch.zeros((len(index), width), device=device), reader.batch(index))
        for index in torch.split(torch.arange(len(reader), device=device), _CHUNK)
    ]
    generator.train(was_training)
    return torch.cat(parts)


def _directions(rows: Tensor, most: int) -> tuple[Tensor, Tensor]:
    """Principal directions (genes, k) and their sds (k,), k <= most."""
    _, values, basis = torch.linalg.svd(rows - rows.mean(0), full_matrices=False)
    scales = (values[:most] / math.sqrt(len(rows))).clamp_min(_LEAST_SCALE)
    return basis[:most].T.contiguous(), scales


@torch.no_grad()
def _linearise(head: ExpressionGenerator, basis: Tensor, scales: Tensor) -> None:
    """Hidden unit k carries 4 + coordinate k in units of its sd, and the output maps it back."""
    size = len(scales)
    for layer in (head.first, head.second, head.output):
        layer.weight.mul_(_JITTER)
    head.first.weight[:, : head.latent] = 0.0
    head.first.bias.fill_(_SHIFT)
    head.second.weight.diagonal().add_(1.0)
    head.second.bias.copy_(_SHIFT - head.second.weight.sum(1) * _SHIFT)
    head.output.weight[:, :size] += basis * scales
    head.output.bias.copy_(-_SHIFT * head.output.weight.sum(1))


def _fit_mean(
    generator: ConditionalGenerator,
    rows: Tensor,
    reader: ConditionReader,
    steps: int,
    batch: int,
    random: torch.Generator,
) -> None:
    """Least squares of G(0, c) on the expression over the encoder and the first layer."""
    head = generator.head
    parameters: list[Tensor] = [*generator.encoder.parameters(), head.first.weight, head.first.bias]
    optimiser = torch.optim.Adam(parameters, lr=_RATE)
    width = head.latent + (0 if head.log_scale is None else head.genes)
    zeros = torch.zeros((batch, width), device=rows.device)
    for step in range(steps):
        optimiser.param_groups[0]["lr"] = _RATE * 0.5 * (1 + math.cos(math.pi * step / steps))
        index = torch.randint(len(rows), (batch,), generator=random, device=random.device).to(rows.device)
        loss = functional.mse_loss(generator(zeros, reader.batch(index, random)), rows[index])
        optimiser.zero_grad()
        torch.autograd.backward(loss, inputs=parameters)
        optimiser.step()


@torch.no_grad()
def _spread(head: ExpressionGenerator, residuals: Tensor, basis: Tensor, scales: Tensor) -> None:
    """Weights of z from the residuals' covariance within the directions; the gene noise from what is left."""
    size = len(scales)
    inside = (residuals - residuals.mean(0)) @ basis
    coordinates = inside / scales
    values, vectors = torch.linalg.eigh(coordinates.T @ coordinates / len(coordinates))
    root = vectors * values.clamp_min(0.0).sqrt() @ vectors.T
    head.first.weight[:size, :size] = root
    if head.log_scale is not None:
        rest = residuals - residuals.mean(0) - inside @ basis.T
        head.log_scale.copy_(rest.square().mean(0).sqrt().clamp_min(_LEAST_SCALE).log())
