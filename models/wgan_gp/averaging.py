"""Averaged weights of the generator, and the best of them by the common validation score."""

from collections.abc import Callable

import torch
from torch import Tensor, nn


class AveragedWeights:
    """Moving average with a warm-up: decay min(`decay`, (1 + t) / (10 + t)) at t; 0 keeps the last weights."""

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self.parameters = list(network.parameters())
        self.average = [parameter.detach().clone() for parameter in self.parameters]
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


class Checkpoints:
    """Scores the averaged weights at even intervals and remembers the best.

    Attributes:
        scores: one per checkpoint; best_step: generator updates at the best one.
    """

    def __init__(self, weights: AveragedWeights, steps: int, times: int, score: Callable[[], float]) -> None:
        self.weights, self.score = weights, score
        self.at = {round(steps * (number + 1) / times) for number in range(times)} - {0}
        self.scores: list[float] = []
        self.best: list[Tensor] = []
        self.best_step = 0

    def __call__(self, done: int) -> None:
        """After `done` generator updates."""
        self.weights.update()
        if done not in self.at:
            return
        self.weights.swap()
        score = self.score()
        self.weights.swap()
        if not self.scores or score < min(self.scores):
            self.best = [average.clone() for average in self.weights.average]
            self.best_step = done
        self.scores.append(score)

    def keep_last(self) -> None:
        """Take the last averaged weights for the best."""
        self.best = [average.clone() for average in self.weights.average]
        self.best_step = self.weights.updates

    @torch.no_grad()
    def restore_best(self) -> None:
        """Put the best averaged weights into the network."""
        for parameter, best in zip(self.weights.parameters, self.best, strict=True):
            parameter.copy_(best)
