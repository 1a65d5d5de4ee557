"""Rows grouped by the finest label, and the draws that references make from the groups."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gexbench.metrics.shared.hashing import hash_order
from gexbench.tasks.cohorts.conditions import Conditions
from gexbench.tasks.cohorts.dealing import FOLD_SEED
from gexbench.tasks.errors import InputError, examples

Index = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class LabelPools:
    """Rows of each class of the finest label.

    Attributes:
        column: the finest label column.
        classes: its class names; a code indexes them.
        rows: (n,) row indices, class by class.
        counts: (classes,) rows of each class.
    """

    column: str
    classes: tuple[str, ...]
    rows: Index
    counts: Index

    @classmethod
    def of(cls, codes: Tensor | Sequence[int], column: str, classes: Sequence[str]) -> "LabelPools":
        """Group rows by their class codes (n,)."""
        values = np.asarray(codes.cpu() if isinstance(codes, Tensor) else codes, dtype=np.int64)
        order = np.argsort(values, kind="stable").astype(np.int64)
        return cls(column, tuple(classes), order, np.bincount(values, minlength=len(classes)).astype(np.int64))

    @property
    def starts(self) -> Index:
        """(classes,) place of each class's first row in `rows`."""
        return np.cumsum(self.counts) - self.counts

    @property
    def filled(self) -> tuple[str, ...]:
        """Classes that have rows, the largest first."""
        return tuple(self.classes[code] for code in np.argsort(-self.counts, kind="stable") if self.counts[code])

    @property
    def codes(self) -> Index:
        """(n,) class code of every row, in the order of the rows."""
        codes = np.empty(len(self.rows), dtype=np.int64)
        codes[self.rows] = np.repeat(np.arange(len(self.counts)), self.counts)
        return codes

    def wanted(self, conditions: Conditions) -> Index:
        """(n,) class codes of the conditions, matched by name.

        Raises:
            InputError: classes without a row here.
        """
        names = conditions.classes[self.column]
        codes = conditions.codes(self.column).cpu().numpy()
        if names != self.classes:
            place = {name: code for code, name in enumerate(self.classes)}
            codes = np.asarray([place.get(name, -1) for name in names], dtype=np.int64)[codes]
            absent = sorted(set(conditions.names(self.column)[codes < 0].tolist()))
        else:
            absent = [self.classes[code] for code in np.unique(codes) if not self.counts[code]]
        absent += [self.classes[code] for code in np.unique(codes[codes >= 0]) if not self.counts[code]]
        if absent:
            raise InputError(
                f"{self.column}: no training patients of {examples(sorted(set(absent)), 10)}; "
                "ask for classes that the training patients have"
            )
        return codes

    def assigned(self, conditions: Conditions, draws: int, rng: np.random.Generator) -> Index:
        """Rows (n, draws) of the conditions' classes, without replacement as far as they go.

        Each class is permuted once; its patients, in hashed order of their ids, take consecutive rows, and each
        further draw starts one row later. So within a draw no row is repeated before the class is exhausted, a
        patient meets no row twice before that, and any number of patients that come first in hashed order
        (`equal_size_rows`) take different rows.
        """
        codes = self.wanted(conditions)
        shuffled = rng.permutation(len(self.rows))
        permuted = LabelPools.of(self.codes[shuffled].tolist(), self.column, self.classes)
        pool = shuffled[permuted.rows]
        order = hash_order(FOLD_SEED, conditions.ids)
        by_class = order[np.argsort(codes[order], kind="stable")]
        asked = np.bincount(codes, minlength=len(self.counts))
        rank = np.empty(len(codes), dtype=np.int64)
        rank[by_class] = np.arange(len(codes)) - np.repeat(np.cumsum(asked) - asked, asked)
        place = (rank[:, None] + np.arange(draws)) % self.counts[codes][:, None]
        return np.asarray(pool[self.starts[codes][:, None] + place], dtype=np.int64)

    def pairs(self, conditions: Conditions, draws: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Two different rows (n * draws,) of the condition's class each; the same row where a class has only one."""
        device = generator.device
        codes = np.repeat(self.wanted(conditions), draws)
        start, count = (torch.as_tensor(values[codes], device=device) for values in (self.starts, self.counts))
        chance = torch.rand((2, len(codes)), generator=generator, device=device, dtype=torch.float64)
        first = (chance[0] * count).long()
        second = (first + 1 + (chance[1] * (count - 1)).long()) % count
        rows = torch.as_tensor(self.rows, device=device)
        return rows[start + first], rows[start + second]
