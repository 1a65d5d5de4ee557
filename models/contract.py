"""The contract of a generator: fit, sample, save, load."""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gexbench.models.settings import BudgetName, GeneratorSettings
from gexbench.tasks.cohorts.conditions import Conditions
from gexbench.tasks.cohorts.split import Split
from gexbench.tasks.cohorts.vocabulary import Condition


class Progress(Protocol):
    """Called by `fit` a few times a second at most; `values` are floats such as losses."""

    def __call__(self, step: int, steps: int, **values: float) -> None: ...


def silent(step: int, steps: int, **values: float) -> None:
    """A progress callback that shows nothing."""


@dataclass(frozen=True, slots=True)
class Budget:
    """How much work a fit may do: `quick` 5 CPU-seconds, `cpu` 240, `full` 10 minutes of one GPU.

    A budget fixes optimiser steps, batch and sizes per family (see `GeneratorSettings.presets`); it never ends a
    training by the clock, or numbers would depend on the machine's load.
    """

    name: BudgetName


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """Synthetic rows in the cohort's unit.

    Attributes:
        expression: (n * draws, genes) float32; the draws of a patient stand together.
        ids: (n * draws,) the id of the condition that made each row.
        genes: gene names, the columns.
    """

    expression: NDArray[np.float32]
    ids: NDArray[np.str_]
    genes: tuple[str, ...]

    @classmethod
    def of(cls, expression: Tensor | NDArray[Any], conditions: Conditions, draws: int, genes: tuple[str, ...]) -> Self:
        """Rows of `draws` draws per condition, patient by patient; masked values become NaN."""
        if isinstance(expression, Tensor):
            expression = expression.detach().cpu().numpy()
        whole = np.ma.filled(expression, np.nan) if isinstance(expression, np.ma.MaskedArray) else expression
        return cls(np.asarray(whole, dtype=np.float32), np.repeat(conditions.ids, draws), genes)


def budget_asked(generator: "Generator", budget: Budget) -> dict[str, Any]:
    """The keyword `budget` for a generator whose `fit` has that parameter, no keyword for any other."""
    wanted = inspect.signature(generator.fit).parameters.values()
    asked = any(each.name == "budget" or each.kind is each.VAR_KEYWORD for each in wanted)
    return {"budget": budget} if asked else {}


class Diverged(Exception):
    """A training left the finite numbers or collapsed; the message says where."""


class Unavailable(Exception):
    """A generator cannot work on this cohort or machine; the message is the reason shown in the table."""


@dataclass(slots=True)
class FitReport:
    """What a fit leaves for the record.

    Attributes:
        curves: name → values over training, for instance the common validation score at each checkpoint.
        log: columns of equal length: `step`, losses, gradient norms, `validation_score`; NaN where not taken.
        facts: JSON-able facts: parameters, steps used, best step, mean draws of patches, fallbacks. `converged`
            False says that the training was stopped too early: the row takes no rank and no tests.
        warnings: sentences shown in the generator's row.
    """

    curves: dict[str, list[float]] = field(default_factory=dict)
    log: dict[str, list[float]] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


class Generator(ABC):
    """A model of p(expression | conditions).

    A subclass sets the class attributes and implements `fit`, `sample`, `state` and `restore`. `gexbench check`
    checks these rules:

    - All randomness comes from the given seeds, integers of 31 bits: the same seeds give the same bits (draw from a
      `torch.Generator` or `numpy.random.default_rng`).
    - Global random state is neither read nor left changed.
    - Inputs are never written to. The tensors behind a split's text and patches are shared by all patients of the
      cohort: read them through the split's own conditions.
    - New tensors are made on the device of the split.
    - Nothing is left behind: no files, processes or threads.
    - A class may have a single training patient.

    Attributes:
        Settings: the settings' model, which also declares the version and the budgets' presets.
        needs: kinds of conditions without which it cannot work.
        deterministic: its rows are a function of the conditions alone: the seed of `sample` has no effect.
        can_be_saved: `state` and `restore` hold a fitted one; without, `gexbench run --keep-models` keeps none of it.
    """

    Settings: ClassVar[type[GeneratorSettings]] = GeneratorSettings
    needs: ClassVar[frozenset[Condition]] = frozenset()
    deterministic: ClassVar[bool] = False
    can_be_saved: ClassVar[bool] = True

    def __init__(self, settings: GeneratorSettings) -> None:
        self.settings = settings
        self.report = FitReport()

    @abstractmethod
    def fit(self, train: Split, validation: Split, *, seed: int, progress: Progress = silent) -> None:
        """Learn from the training patients; the validation patients serve early stopping and checkpoints.

        The budget acts through the settings (`presets`). A `fit` that has a parameter `budget` is given it as well.

        Raises:
            Unavailable: when the cohort lacks what the generator needs.
            Diverged: when the training left the finite numbers or collapsed.
        """

    @abstractmethod
    def sample(self, conditions: Conditions, draws: int = 1, *, seed: int) -> Samples:
        """Rows in the cohort's unit: one float32 row per condition and draw, finite, not below the unit's floor.

        The draws of a patient stand together, and differ unless the class is `deterministic`.
        No conditions give no rows.
        """

    @abstractmethod
    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Everything `sample` needs, as tensors and JSON-able facts."""

    @abstractmethod
    def restore(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any], device: torch.device) -> None:
        """The inverse of `state`, onto a device."""

    @classmethod
    def conditions_used(cls, settings: GeneratorSettings) -> frozenset[Condition]:
        """The kinds of conditions that influence samples under these settings; empty = unconditional.

        Samples react to exactly these, one by one.
        """
        return cls.needs
