"""Between a head's z-scores and rows in the cohort's unit."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from gexbench.tasks.cohorts.split import Split, Standardiser


@dataclass(frozen=True, slots=True, eq=False)
class ExpressionScale:
    """Statistics of the z-scores, gene names, and the floor of the unit (None: no floor)."""

    standardiser: Standardiser
    genes: tuple[str, ...]
    floor: float | None

    @classmethod
    def of(cls, split: Split) -> "ExpressionScale":
        """Of the training split; nothing is shared with it."""
        statistics = split.standardiser
        return cls(Standardiser(statistics.mean.clone(), statistics.sd.clone()), split.genes, split.cohort.unit.floor)

    def rows(self, scores: Tensor) -> Tensor:
        """z-scores (n, genes) → rows in the cohort's unit, values below its floor set to it."""
        rows = self.standardiser.inverse(scores)
        return rows if self.floor is None else rows.clamp_min(self.floor)

    def floored(self, scores: Tensor) -> Tensor:
        """z-scores (n, genes) of the rows that `rows` gives."""
        return scores if self.floor is None else self.standardiser.forward(self.rows(scores))

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Tensors and JSON-able facts that `restored` takes."""
        tensors = {"mean": self.standardiser.mean, "sd": self.standardiser.sd}
        return tensors, {"genes": list(self.genes), "floor": self.floor}

    @classmethod
    def restored(cls, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> "ExpressionScale":
        """The inverse of `state`."""
        return cls(Standardiser(tensors["mean"], tensors["sd"]), tuple(facts["genes"]), facts["floor"])
