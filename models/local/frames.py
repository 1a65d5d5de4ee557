"""A base class for models that are fitted on a table and return one, as pandas users write them."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from gexbench.models.contract import Generator, Progress, Samples, silent
from gexbench.models.local.seeding import seeded
from gexbench.tasks.cohorts.conditions import Conditions
from gexbench.tasks.cohorts.split import Split
from gexbench.tasks.cohorts.vocabulary import Condition


class FrameGenerator(Generator):
    """A generator whose model knows tables: a row per patient, label columns as text, then one column per gene.

    A subclass implements `fit_frame` and `sample_frame`. Global random state is seeded around both and set back, so
    that libraries which draw from it give the same rows again. Values below the unit's floor are raised to it. The
    fitted model is not saved; a subclass with `state` and `restore` sets `can_be_saved`.
    """

    needs: ClassVar[frozenset[Condition]] = frozenset({"labels"})
    can_be_saved: ClassVar[bool] = False

    @abstractmethod
    def fit_frame(self, frame: pd.DataFrame, labels: list[str], seed: int) -> None:
        """Learn from the training patients.

        Args:
            frame: (patients, label columns + genes), labels as text, genes in the cohort's unit.
            labels: the label columns, finest first; the other columns are the genes.
            seed: for libraries that take one.
        """

    @abstractmethod
    def sample_frame(self, wanted: pd.DataFrame, seed: int) -> pd.DataFrame:
        """A table with one row per row of `wanted`, in its order, and a column per gene; further columns are ignored.

        Args:
            wanted: the label columns of each row that is asked for.
            seed: for libraries that take one.
        """

    def fit(self, train: Split, validation: Split, *, seed: int, progress: Progress = silent) -> None:
        """As the contract has it, through `fit_frame`."""
        self.genes, self.floor = train.genes, train.cohort.unit.floor
        labels = _labels(train.conditions, 1)
        genes = pd.DataFrame(train.expression.cpu().numpy(), columns=list(self.genes))
        with seeded(seed):
            self.fit_frame(pd.concat([labels, genes], axis=1), list(labels.columns), seed)
        progress(1, 1)

    def sample(self, conditions: Conditions, draws: int = 1, *, seed: int) -> Samples:
        """As the contract has it, through `sample_frame`.

        Raises:
            ValueError: a table with another number of rows, or without a gene.
        """
        wanted = _labels(conditions, draws)
        rows = np.empty((0, len(self.genes)))
        if len(wanted):
            with seeded(seed):
                found = self.sample_frame(wanted, seed)
            missing = [gene for gene in self.genes if gene not in found.columns]
            if missing or len(found) != len(wanted):
                raise ValueError(
                    f"sample_frame returned {len(found)} rows for {len(wanted)}, and {len(missing)} genes are missing"
                )
            rows = found[list(self.genes)].to_numpy(dtype=np.float32)
        if self.floor is not None:
            rows = np.maximum(rows, np.float32(self.floor))
        return Samples.of(rows, conditions, draws, self.genes)

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """A table's model is of any library, which has no state that is data alone."""
        raise TypeError(f"{type(self).__name__} cannot be saved; write `state` and `restore`, and set `can_be_saved`")

    def restore(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any], device: torch.device) -> None:
        """As `state`."""
        self.state()


def _labels(conditions: Conditions, draws: int) -> pd.DataFrame:
    """The label columns as text, each patient's row as often as it is drawn."""
    columns = {
        name: np.asarray(conditions.classes[name])[conditions.codes(name).cpu().numpy()].repeat(draws)
        for name in conditions.label_columns
    }
    return pd.DataFrame(columns)
