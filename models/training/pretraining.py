"""A first training of an encoder of text and patches: least squares of expression on its condition."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from gexbench.models.conditioning.batch import ConditionReader
from gexbench.models.conditioning.conditioner import width_of

_COMPONENTS = 64
_RATE = 2e-3


def fit_conditional_mean(
    encoder: nn.Module, rows: Tensor, reader: ConditionReader, *, steps: int, batch: int, random: torch.Generator
) -> None:
    """Train `encoder` so that a linear map of its condition predicts the principal components of expression.

    The map is thrown away: what stays is a condition that carries what text and patches say of the conditional mean,
    from where any head can start. Adam at 2e-3, falling to 0 by a cosine.

    Args:
        encoder: of conditions; left in training mode.
        rows: (n, genes) z-scored training expression; reader: conditions of the same patients.
        steps, batch: mini-batches drawn with replacement, and their size.
        random: source of mini-batches and patch draws, on the device.
    """
    centred = rows - rows.mean(0)
    _, _, basis = torch.linalg.svd(centred, full_matrices=False)
    targets = centred @ basis[:_COMPONENTS].T
    targets = targets / targets.square().mean().sqrt()
    with rows.device:
        readout = nn.Linear(width_of(encoder), targets.shape[1])
    parameters: list[Tensor] = [*encoder.parameters(), *readout.parameters()]
    optimiser = torch.optim.Adam(parameters, lr=_RATE, fused=True)
    encoder.train()
    for step in range(steps):
        optimiser.param_groups[0]["lr"] = _RATE * 0.5 * (1 + math.cos(math.pi * step / steps))
        index = torch.randint(len(rows), (batch,), generator=random, device=random.device)
        loss = functional.mse_loss(readout(encoder(reader.batch(index, random))), targets[index])
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
