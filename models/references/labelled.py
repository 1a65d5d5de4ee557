"""Shared parts of the label-conditioned references: the pools of the finest label, the unit's floor, saving."""

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

from gexbench.models.contract import Generator
from gexbench.models.references.pools import LabelPools
from gexbench.tasks.cohorts.split import Split
from gexbench.tasks.cohorts.vocabulary import Condition


class LabelReference(Generator):
    """A reference that conditions on the finest label column; it has tensors named in `kept`."""

    needs: ClassVar[frozenset[Condition]] = frozenset({"labels"})
    kept: ClassVar[tuple[str, ...]] = ()

    def remember(self, split: Split) -> None:
        """Keep gene names, unit and class pools of the split."""
        conditions = split.conditions
        column = conditions.label_columns[0]
        self.genes = split.genes
        self.floor = split.cohort.unit.floor
        self.pools = LabelPools.of(conditions.finest, column, conditions.classes[column])
        self.report.facts = {"column": column, "classes": int((self.pools.counts > 0).sum()), "parameters": 0}

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """The tensors of `kept`; genes, floor and each row's class."""
        return {name: getattr(self, name) for name in self.kept}, {
            "genes": list(self.genes),
            "floor": self.floor,
            "column": self.pools.column,
            "classes": list(self.pools.classes),
            "codes": self.pools.codes.tolist(),
        }

    def restore(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any], device: torch.device) -> None:
        """The inverse of `state`."""
        for name in self.kept:
            setattr(self, name, tensors[name].to(device))
        self.genes = tuple(facts["genes"])
        self.floor = facts["floor"]
        self.pools = LabelPools.of(facts["codes"], facts["column"], facts["classes"])

    def floored(self, expression: Tensor) -> Tensor:
        """Values below the unit's floor are set to it."""
        return expression if self.floor is None else expression.clamp(min=self.floor)
