"""Conditions of the mini-batches of a training: encoded at each step, or read from tables."""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor, nn

from gexbench.models.conditioning.batch import ConditionReader

_TABLE_DRAWS = 4
_TABLE_CHUNK = 256


class DrawnConditions(Protocol):
    """Conditions of one mini-batch at a time, from one encoder or from several."""

    def draw(self, index: Tensor) -> None:
        """Turn to the patients at `index`, (B,) int64."""

    def condition(self, encoder: int = 0) -> Tensor:
        """(B, c) of the encoder with this number."""


class Encoded:
    """Conditions from encoders that are trained; every use is a pass with its own graph.

    Args:
        reader: conditions of the training patients.
        encoders: they see the same draw of patches.
        random: source of the draws, on the device.
    """

    def __init__(self, reader: ConditionReader, encoders: Sequence[nn.Module], random: torch.Generator) -> None:
        self.reader, self.encoders, self.random = reader, encoders, random

    def draw(self, index: Tensor) -> None:
        """See `DrawnConditions`."""
        self.batch = self.reader.batch(index, self.random)

    def condition(self, encoder: int = 0) -> Tensor:
        """See `DrawnConditions`."""
        encoded: Tensor = self.encoders[encoder](self.batch)
        return encoded


class Tabled:
    """Conditions from tables (draws, n, c), made once by encoders that stay fixed, with dropout off."""

    def __init__(self, reader: ConditionReader, encoders: Sequence[nn.Module], random: torch.Generator) -> None:
        self.random = random
        self.tables = self._encode(reader, encoders, random)

    @staticmethod
    @torch.no_grad()
    def _encode(reader: ConditionReader, encoders: Sequence[nn.Module], random: torch.Generator) -> tuple[Tensor, ...]:
        before = [encoder.training for encoder in encoders]
        for encoder in encoders:
            encoder.eval()
        tables: list[list[Tensor]] = [[] for _ in encoders]
        for _ in range(_TABLE_DRAWS):
            parts: list[list[Tensor]] = [[] for _ in encoders]
            for index in torch.split(torch.arange(len(reader), device=reader.labels.device), _TABLE_CHUNK):
                batch = reader.batch(index, random)
                for part, encoder in zip(parts, encoders, strict=True):
                    part.append(encoder(batch))
            for table, part in zip(tables, parts, strict=True):
                table.append(torch.cat(part))
        for encoder, training in zip(encoders, before, strict=True):
            encoder.train(training)
        return tuple(torch.stack(table) for table in tables)

    def draw(self, index: Tensor) -> None:
        """See `DrawnConditions`."""
        pick = torch.randint(_TABLE_DRAWS, index.shape, generator=self.random, device=self.random.device)
        self.drawn = tuple(table[pick, index] for table in self.tables)

    def condition(self, encoder: int = 0) -> Tensor:
        """See `DrawnConditions`."""
        return self.drawn[encoder]


@torch.no_grad()
def encoded(encoder: nn.Module, reader: ConditionReader) -> Tensor:
    """Conditions (n, c) of all patients of the reader in evaluation mode, each with the first of its patches."""
    was_training = encoder.training
    encoder.eval()
    parts = [
        encoder(reader.batch(index))
        for index in torch.split(torch.arange(len(reader), device=reader.labels.device), _TABLE_CHUNK)
    ]
    encoder.train(was_training)
    return torch.cat(parts) if parts else encoder(reader.batch(torch.arange(0, device=reader.labels.device)))
