"""References made of real rows: held-out rows, copies, mixtures and shuffled genes."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from gexbench.models.contract import Generator, Progress, Samples, silent
from gexbench.models.references.labelled import LabelReference
from gexbench.tasks.cohorts.conditions import Conditions
from gexbench.tasks.cohorts.split import Split
from gexbench.tasks.errors import examples


class _RealRows(LabelReference):
    """Gives out real rows of the finest label, without replacement as far as they go (`LabelPools.assigned`)."""

    kept: ClassVar[tuple[str, ...]] = ("rows",)
    rows: Tensor

    def keep(self, split: Split) -> None:
        """Keep the split's rows."""
        self.remember(split)
        self.rows = split.expression.clone()

    def sample(self, conditions: Conditions, draws: int = 1, *, seed: int) -> Samples:
        """Real rows (n * draws, genes) of each condition's finest label.

        Raises:
            InputError: a class without rows.
        """
        chosen = self.pools.assigned(conditions, draws, np.random.default_rng(seed)).reshape(-1)
        rows = self.rows[torch.as_tensor(chosen, device=self.rows.device)]
        return Samples.of(rows, conditions, draws, self.genes)


class RealHoldout(_RealRows):
    """Real audit patients of the same finest label: the real-vs-real point of every set metric.

    Its registry entry says that it is given the audit patients in place of the validation patients. On the equal-size
    rows of a fold (`equal_size_rows`) no row repeats. A class that stays in training has no audit patients; rows of the
    largest class stand for it.
    """

    def fit(self, train: Split, validation: Split, *, seed: int, progress: Progress = silent) -> None:
        """Keep the rows given in the place of validation rows; the seed has no effect."""
        self.keep(validation)
        without = set(train.conditions.names(self.pools.column)) - set(self.pools.filled)
        if without:
            largest = self.pools.filled[0]
            self.report.warnings.append(f"no audit patients of {examples(sorted(without))}: rows of {largest} instead")

    def sample(self, conditions: Conditions, draws: int = 1, *, seed: int) -> Samples:
        """Real rows (n * draws, genes) of each condition's finest label."""
        absent = ~np.isin(conditions.names(self.pools.column), self.pools.filled)
        if absent.any():
            labels = conditions.labels.clone()
            column = conditions.label_columns.index(self.pools.column)
            labels[torch.from_numpy(absent), column] = conditions.classes[self.pools.column].index(self.pools.filled[0])
            conditions = replace(conditions, labels=labels)
        return super().sample(conditions, draws, seed=seed)


class TrainCopy(_RealRows):
    """Training rows permuted within the finest label.

    Sampled for the training patients themselves it is exactly a permutation within each label.
    """

    def fit(self, train: Split, validation: Split, *, seed: int, progress: Progress = silent) -> None:
        """Keep the training rows; the seed has no effect."""
        self.keep(train)


class Mixup(LabelReference):
    """a · x₁ + (1 − a) · x₂ with a ~ U(0, 1) and two different training rows of the finest label.

    A class of one training patient gives that patient's row. Source: Zhang et al. 2018 (mixup), within labels.
    """

    kept: ClassVar[tuple[str, ...]] = ("rows",)
    rows: Tensor

    def fit(self, train: Split, validation: Split, *, seed: int, progress: Progress = silent) -> None:
        """Keep the training rows; the seed has no effect."""
        self.remember(train)
        self.rows = train.expression.clone()

    def sample(self, conditions: Conditions, draws: int = 1, *, seed: int) -> Samples:
        """Mixtures (n * draws, genes) in the cohort's unit.

        Raises:
            InputError: a class without training patients.
        """
        device = self.rows.device
        generator = torch.Generator().manual_seed(seed)
        first, second = (rows.to(device) for rows in self.pools.pairs(conditions, draws, generator))
        weight = torch.rand((len(first), 1), generator=generator, device="cpu").to(device)
        mixed = weight * self.rows[first] + (1 - weight) * self.rows[second]
        return Samples.of(self.floored(mixed), conditions, draws, self.genes)


class GeneShuffle(Generator):
    """Every gene permuted over the training patients, by itself: all marginals right, no structure at all.

    Unconditional. When more rows are asked for than there are training patients, each further block of rows is
    permuted afresh.
    """

    rows: Tensor

    def fit(self, train: Split, validation: Split, *, seed: int, progress: Progress = silent) -> None:
        """Keep the training rows; the seed has no effect."""
        self.rows, self.genes = train.expression.clone(), train.genes
        self.report.facts = {"parameters": 0}

    def sample(self, conditions: Conditions, draws: int = 1, *, seed: int) -> Samples:
        """Shuffled rows (n * draws, genes) in the cohort's unit."""
        generator = torch.Generator().manual_seed(seed)
        total, blocks = len(conditions) * draws, []
        for start in range(0, total, len(self.rows)):
            priority = torch.rand(self.rows.shape, generator=generator, device="cpu")
            order = priority.argsort(dim=0)[: total - start]
            blocks.append(self.rows.gather(0, order.to(self.rows.device)))
        expression = torch.cat(blocks) if blocks else self.rows[:0]
        return Samples.of(expression, conditions, draws, self.genes)

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """The training rows and the genes."""
        return {"rows": self.rows}, {"genes": list(self.genes)}

    def restore(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any], device: torch.device) -> None:
        """The inverse of `state`."""
        self.rows, self.genes = tensors["rows"].to(device), tuple(facts["genes"])
