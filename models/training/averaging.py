"""Exponential moving average of a network's weights."""

import torch
from torch import Tensor, nn


class AveragedWeights:
    """Moving average with a warm-up: decay min(`decay`, (1 + t) / (10 + t)) at t; 0 keeps the last weights."""

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self.parameters = list(network.parameters())
        self.average = [parameter.detach().clone() for parameter in self.parameters]
        self.best: list[Tensor] = []
        self.updates = 0

    @torch.no_grad()
    def update(self) -> None:
        """Move the average towards the current weights."""
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        self.updates += 1
        torch._foreach_lerp_(self.average, [parameter.data for parameter in self.parameters], 1.0 - decay)

    @torch.no_grad()
    def swap(self) -> None:
        """Exchange the network's weights and the averaged ones; twice is no change."""
        for parameter, average in zip(self.parameters, self.average, strict=True):
            kept = parameter.detach().clone()
            parameter.copy_(average)
            average.copy_(kept)

    def keep(self) -> None:
        """Remember the average as it is now."""
        self.best = [average.clone() for average in self.average]

    @torch.no_grad()
    def restore(self) -> None:
        """Put the remembered average into the network."""
        for parameter, best in zip(self.parameters, self.best, strict=True):
            parameter.copy_(best)
