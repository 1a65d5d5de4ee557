"""What the computation of a metric is given: the rows to compare, and the work that metrics share."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

import numpy as np

from gexbench.metrics.shared.arrays import Matrix
from gexbench.tasks.panel.declarations.rows import Prepared, RealRows, SyntheticRows, TrainingRows

T = TypeVar("T")


class NotApplicable(ValueError):
    """The question has no meaning for these rows; a computation finds out on the way."""


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """Real rows prepared for comparison, and what a generator made.

    generated: in the cohort's unit; synthetic_test: all its test rows, standardised by the training mean and sd.
    made: what computations of one cell share, by name; nothing of it depends on training rows.
    """

    prepared: Prepared
    generated: SyntheticRows
    synthetic_test: Matrix
    made: dict[str, Any] = field(default_factory=dict)

    def once(self, name: str, make: Callable[[], T]) -> T:
        """What `make` returns, made by the first computation that asks for it."""
        if name not in self.made:
            self.made[name] = make()
        return cast(T, self.made[name])

    @property
    def rows(self) -> RealRows:
        """The real patients' rows, in the cohort's unit, with ids and labels."""
        return self.prepared.rows

    @property
    def real(self) -> Matrix:
        """Real test rows that set metrics compare, (n, genes), standardised."""
        return self.prepared.real

    @property
    def synthetic(self) -> Matrix:
        """Synthetic rows of the same patients, (n, genes), standardised."""
        return np.asarray(self.synthetic_test[self.rows.set_rows])

    @property
    def labels(self) -> Any:
        """Finest label of the compared rows, (n,)."""
        return self.rows.test_labels[self.rows.set_rows]

    @property
    def synthetic_train(self) -> Matrix:
        """Synthetic rows of the training patients, (n_train, genes), standardised."""
        space = self.prepared.space
        return self.once("train", lambda: space.standardise(self.generated.train, "synthetic train"))

    @property
    def training(self) -> TrainingRows:
        """Real training rows. Raises ValueError for a metric that does not declare that it needs them."""
        if self.prepared.training is None:
            raise ValueError("real training rows are withheld; a metric that reads them declares needs=('training',)")
        return self.prepared.training
