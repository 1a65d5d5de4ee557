"""Where `standard` training starts: the conditional mean by least squares, its residuals by principal components.

A WGAN-GP started at random needs thousands of steps before its rows spread as wide as real ones, and short
trainings collapse onto the conditional mean. Started here, the generator is a linear Gaussian model
x = f(c) + R z + noise, inside the same architecture, and adversarial training refines it.
"""

import math

import torch
from sklearn.cluster import KMeans
from torch import Tensor
from torch.nn import functional

from gexbench.models.conditioning.batch import ConditionReader
from gexbench.models.wgan_gp.conditional import ConditionalGenerator
from gexbench.models.wgan_gp.networks import ExpressionGenerator
from gexbench.tasks.cohorts.split import Split
from gexbench.tasks.seeds import derive_seed

_SHIFT = 4.0
_JITTER = 0.1
_RATE = 2e-3
_CHUNK = 512
_LEAST_SCALE = 1e-3
_CLUSTERED_COMPONENTS = 50
_ROWS_PER_CLUSTER = 50


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

    The output layer becomes principal directions of the training rows times their sds; half of the hidden units work
    around a bias of 4, where ReLU passes them unchanged; `steps` least-squares steps fit the encoder and the weights of
    the condition; the weights of z become the square root of the residuals' covariance within those directions,
    widened by the ratio of validation to training residuals (training ones are too small), and the gene noise takes
    the rest.

    With components of z the residuals are clustered, and those within clusters count: z's centres become the
    clusters', z's shares their sizes.
    """
    rows, held_out = train[0].standardised, validation[0].standardised
    head = generator.head
    basis, scales = _directions(rows, min(head.latent, head.output.in_features // 2))
    _linearise(head, basis, scales)
    if head.first.in_features > head.latent:
        _fit_mean(generator, rows, train[1], steps, batch, random)
    residuals = rows - conditional_mean(generator, train[1])
    held_out = held_out - conditional_mean(generator, validation[1])
    clusters = _Clusters(residuals, held_out, basis, head.components) if head.components else None
    if clusters is not None:
        residuals, held_out = clusters.residuals, clusters.held_out
    wider = (held_out.square().mean() / residuals.square().mean().clamp_min(1e-12)).clamp(1.0, 2.0).sqrt()
    root = _spread(head, residuals * wider, basis, scales)
    if clusters is not None:
        clusters.put_into(head, root, basis, scales)


@torch.no_grad()
def conditional_mean(generator: ConditionalGenerator, reader: ConditionReader) -> Tensor:
    """(n, genes) output at z = 0 without gene noise, for every patient of the reader, in evaluation mode."""
    was_training = generator.training
    generator.eval()
    head, device = generator.head, reader.labels.device
    parts = [
        generator(torch.zeros((len(index), head.noise_width), device=device), reader.batch(index))
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
    """Hidden unit k carries 4 + coordinate k in units of its sd, and the output maps it back.

    The other hidden units keep their random weights, with little weight in the output: a network of such linear units
    alone would stay linear, since small steps never take them to where ReLU bends.
    """
    size = len(scales)
    for layer in (head.first, head.second):
        layer.weight[:size] *= _JITTER
    head.output.weight *= _JITTER
    head.first.weight[:size, : head.latent] = 0.0
    head.first.bias[:size] = _SHIFT
    head.second.weight.diagonal()[:size] += 1.0
    head.second.bias[:size] = _SHIFT - head.second.weight[:size, :size].sum(1) * _SHIFT
    head.output.weight[:, :size] += basis * scales
    head.output.bias.copy_(-_SHIFT * head.output.weight[:, :size].sum(1))


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
    zeros = torch.zeros((batch, head.noise_width), device=rows.device)
    for step in range(steps):
        optimiser.param_groups[0]["lr"] = _RATE * 0.5 * (1 + math.cos(math.pi * step / steps))
        index = torch.randint(len(rows), (batch,), generator=random, device=random.device).to(rows.device)
        loss = functional.mse_loss(generator(zeros, reader.batch(index, random)), rows[index])
        optimiser.zero_grad()
        torch.autograd.backward(loss, inputs=parameters)
        optimiser.step()


@torch.no_grad()
def _spread(head: ExpressionGenerator, residuals: Tensor, basis: Tensor, scales: Tensor) -> Tensor:
    """Weights of z (k, k) from the residuals' covariance within the directions; the gene noise from what is left."""
    size = len(scales)
    inside = (residuals - residuals.mean(0)) @ basis
    coordinates = inside / scales
    values, vectors = torch.linalg.eigh(coordinates.T @ coordinates / len(coordinates))
    root: Tensor = vectors * values.clamp_min(0.0).sqrt() @ vectors.T
    head.first.weight[:size, :size] = root
    if head.log_scale is not None:
        rest = residuals - residuals.mean(0) - inside @ basis.T
        head.log_scale.copy_(rest.square().mean(0).sqrt().clamp_min(_LEAST_SCALE).log())
    return root


class _Clusters:
    """Training rows in k-means clusters, found in their leading principal components.

    Attributes:
        residuals, held_out: (n, genes) training and validation rows less their cluster's training mean.
    """

    def __init__(self, rows: Tensor, held_out: Tensor, basis: Tensor, components: int) -> None:
        leading = basis[:, :_CLUSTERED_COMPONENTS]
        most = max(1, len(rows) // _ROWS_PER_CLUSTER)
        means = KMeans(min(components, most), n_init=4, random_state=derive_seed(purpose="clusters") % 2**32)
        found = means.fit((rows @ leading).cpu().numpy())
        codes = torch.as_tensor(found.labels_, dtype=torch.int64, device=rows.device)
        self.sizes = torch.bincount(codes, minlength=components).to(rows.dtype)
        self.centres = rows.new_zeros((components, rows.shape[1])).index_add_(0, codes, rows)
        self.centres /= self.sizes.clamp_min(1.0)[:, None]
        nearest = torch.as_tensor(found.predict((held_out @ leading).cpu().numpy()), device=rows.device).long()
        self.residuals, self.held_out = rows - self.centres[codes], held_out - self.centres[nearest]

    @torch.no_grad()
    def put_into(self, head: ExpressionGenerator, root: Tensor, basis: Tensor, scales: Tensor) -> None:
        """Centres of z from the clusters' means: what `root` maps to their coordinates."""
        coordinates = self.centres @ basis / scales
        head.get_buffer("centres")[:, : len(scales)] = coordinates @ torch.linalg.pinv(root, rtol=1e-3)
        head.get_buffer("shares").copy_(self.sizes / self.sizes.sum())
