"""Between the cohort's unit and the counts that a count likelihood needs."""

from dataclasses import dataclass

import torch
from torch import Tensor

from gexbench.models.contract import Unavailable
from gexbench.tasks.cohorts.units import Unit

_COUNTS = frozenset({"", "count", "counts"})
"""Linear units that are counts; empty stands for the unit `counts` itself."""


@dataclass(frozen=True, slots=True)
class CountScale:
    """Counts c of a unit: `counts` itself, or log2(NAME+1) with c = round(2^x − 1).

    Attributes:
        name: NAME of the linear unit, empty for counts.
    """

    name: str

    @classmethod
    def of(cls, unit: Unit) -> "CountScale":
        """The scale of a cohort's unit.

        Raises:
            Unavailable: for a unit that is not count-like.
        """
        if unit.name == "counts":
            return cls("")
        if unit.offset is None:
            raise Unavailable(f"needs counts or log2(NAME+1), but the cohort's unit is {unit.name!r}")
        if unit.offset != 1.0:
            raise Unavailable(
                f"needs counts or log2(NAME+1), but the cohort's unit {unit.name!r} adds a different constant"
            )
        return cls(unit.name.removeprefix("log2(").partition("+")[0])

    @property
    def rounded(self) -> bool:
        """Whether the linear unit is no count, so that counts are its rounded values."""
        return self.name not in _COUNTS

    @property
    def source(self) -> str:
        """Where the counts come from, for the record: `counts`, or for instance `rounded RSEM`."""
        return f"rounded {self.name.upper()}" if self.rounded else "counts"

    def counts(self, rows: Tensor) -> Tensor:
        """Rows (n, genes) in the cohort's unit → counts, whole numbers from 0 in float32."""
        linear = torch.exp2(rows.double()) - 1.0 if self.name else rows.double()
        return linear.round().clamp_min(0.0).float()

    def rows(self, linear: Tensor) -> Tensor:
        """Counts or values of the linear unit (n, genes) → rows in the cohort's unit, float32."""
        return (torch.log2(linear.double() + 1.0) if self.name else linear).float()

    def zero_shares(self, rows: Tensor) -> Tensor:
        """Share (genes,) of rows that are exactly 0 among those whose count is 0; 1 for a gene without such rows."""
        zero, none = rows == 0, self.counts(rows) == 0
        return torch.where(none.any(0), (zero & none).sum(0) / none.sum(0).clamp_min(1), 1.0)

    def dequantised(self, counts: Tensor, zero_shares: Tensor, generator: torch.Generator) -> Tensor:
        """Values of the linear unit that round to these counts, (n, genes) float64; counts stay as they are.

        What rounding removed is uniform (Theis et al. 2016, section 3.1), save that a count of 0 is the value 0 with
        the gene's share of `zero_shares`. The generator is on the CPU.
        """
        linear = counts.double()
        if not self.rounded:
            return linear
        fraction, chance = torch.rand((2, *counts.shape), generator=generator, device="cpu", dtype=torch.float64).to(
            counts.device
        )
        return torch.where(counts > 0, linear + fraction - 0.5, 0.5 * fraction * (chance >= zero_shares))
