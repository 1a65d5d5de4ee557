"""The generator under check: its fits on a small simulated cohort, each made once and shared by the checks."""

import traceback
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from types import FrameType
from typing import Any, ClassVar

import torch

from gexbench.benchmark.conformance.observation import Observation, observed
from gexbench.models.contract import Budget, Generator, budget_asked
from gexbench.models.registry import Entry, create
from gexbench.tasks.cohorts.cohort import Cohort
from gexbench.tasks.cohorts.conditions import Conditions
from gexbench.tasks.cohorts.device_fold import DeviceFold, put_on_device
from gexbench.tasks.cohorts.folds import folds
from gexbench.tasks.simulated.cohort import simulated_cohort

SHORT = {"steps": 20, "checkpoints": 2, "warm_start_steps": 5, "head_steps": 10, "patches": 4, "tokens": 8}
"""Settings with these names get these values, to keep fits short."""


def check_cohort() -> Cohort:
    """The simulated cohort that generators are checked on: 240 patients, 40 genes, labels, text and patches."""
    return simulated_cohort(patients=240, genes=40, seed=1, name="check")


def check_fold(device: torch.device | str = "cpu", cohort: Cohort | None = None) -> DeviceFold:
    """The first fold of a cohort, `check_cohort` unless given, on a device."""
    cohort = cohort or check_cohort()
    return put_on_device(cohort, folds(cohort)[0], device)


SEED = 2**31 - 100
"""Seeds of the checks are as large as those of a run."""


class Subject:
    """A registered or local generator on one fold.

    Args:
        entry: the generator.
        data: the fold.
        settings: settings of the fits, over the short ones of `SHORT`.

    Attributes:
        unfit: whether its first fit raised.
        faults: what was found broken → the check that found it; another one does not tell it again.
    """

    FIRST: ClassVar[str] = "fit"
    BUDGET: ClassVar[Budget] = Budget("quick")

    def __init__(self, entry: Entry, data: DeviceFold, settings: Mapping[str, Any] | None = None) -> None:
        self.entry, self.data = entry, data.named() if entry.reads == "ids" else data
        self.given = dict(settings or {})
        self.unfit = False
        self.faults: dict[str, str] = {}

    @property
    def short(self) -> dict[str, Any]:
        """Settings of the short fits."""
        known = self.entry.settings_class().model_fields
        return {**{name: value for name, value in SHORT.items() if name in known}, **self.given}

    @property
    def conditions(self) -> Conditions:
        """Conditions of the fold's test patients."""
        return self.data.test_conditions

    @property
    def cls(self) -> type[Generator]:
        """The generator's class."""
        return self.entry.load()

    def fit(self, seed: int = SEED, data: DeviceFold | None = None, *, short: bool = True, **more: Any) -> Generator:
        """A new generator, fitted at budget quick.

        Args:
            seed: of the fit.
            data: another fold.
            short: False takes the budget's own settings.
            more: further arguments of `fit`.
        """
        data = data or self.data
        generator = create(self.entry, self.BUDGET.name, self.short if short else self.given)
        generator.fit(data.train, data.validation, seed=seed, **more, **budget_asked(generator, self.BUDGET))
        return generator

    @cached_property
    def fitted(self) -> Generator:
        """A generator fitted with `SEED`."""
        try:
            return self.fit()
        except Exception:
            self.unfit = True
            raise

    @cached_property
    def observation(self) -> Observation:
        """Side effects of a second fit with `SEED` and of two draws from it."""

        def work(progress: Any) -> Any:
            return self.fit(progress=progress).sample(self.conditions, 2, seed=SEED)

        return observed(self.data, work, self.is_own)

    def is_own(self, name: str) -> bool:
        """Whether a module of this name is the generator's code, not a library's."""
        module = self.cls.__module__
        return name == module or (self.entry.file is None and name.partition(".")[0] == module.partition(".")[0])

    def said(self, error: BaseException) -> str:
        """The error, with the last line of the generator's own code that it passed through."""
        passed = [step for step in traceback.walk_tb(error.__traceback__) if self.is_own(_module(step[0]))]
        where = f" ({Path(passed[-1][0].f_code.co_filename).name}, line {passed[-1][1]})" if passed else ""
        return f"{type(error).__name__}: {error}{where}"

    def with_few_patients(self) -> DeviceFold:
        """The fold with one training patient of the first class and two of the second."""
        train = self.data.train.conditions
        codes = train.finest.tolist()
        first, second = list(dict.fromkeys(codes))[:2]
        left = {first: 1, second: 2}
        ids = []
        for name, code in zip(train.ids.tolist(), codes, strict=True):
            left[code] = left.get(code, len(codes)) - 1
            if left[code] >= 0:
                ids.append(name)
        return _taken(self.data, ids)

    def without_text_and_patches(self) -> DeviceFold:
        """The fold of a cohort with labels only."""

        def bare(conditions: Conditions) -> Conditions:
            return replace(conditions, text={}, patches=None)

        data = self.data
        return DeviceFold(
            data.fold,
            replace(data.train, conditions=bare(data.train.conditions)),
            replace(data.validation, conditions=bare(data.validation.conditions)),
            bare(data.test_conditions),
            bare(data.train_conditions),
        )


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", ""))


def _taken(data: DeviceFold, train_ids: list[str]) -> DeviceFold:
    """The fold with fewer training patients; z-scores with their statistics."""
    from gexbench.tasks.cohorts.split import Split, Standardiser

    rows = torch.as_tensor(
        [at for at, name in enumerate(data.train.conditions.ids.tolist()) if name in {*train_ids}],
        device=data.train.expression.device,
    )
    expression = data.train.expression[rows]
    standardiser = Standardiser.fit(expression)

    def split(of: Split, values: torch.Tensor, conditions: Conditions, kept: torch.Tensor) -> Split:
        return replace(
            of,
            counts=None if of.counts is None else of.counts.take(kept),
            expression=values,
            standardised=standardiser.forward(values),
            standardiser=standardiser,
            conditions=conditions,
        )

    train = split(data.train, expression, data.train.conditions.take(rows), rows)
    every = torch.arange(len(data.validation), device=rows.device)
    validation = split(data.validation, data.validation.expression, data.validation.conditions, every)
    return DeviceFold(data.fold, train, validation, data.test_conditions, train.conditions)
