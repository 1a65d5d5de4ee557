"""One trial of a tuning, in a worker process: a fit on the training and validation patients, and its score."""

import math
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import torch

from gexbench.benchmark.cells.development import Development
from gexbench.benchmark.cells.jobs import Outcome
from gexbench.benchmark.cells.outcomes import WroteToInputs
from gexbench.benchmark.cells.training import Report
from gexbench.benchmark.cells.validation_panel import ValidationPanel
from gexbench.benchmark.machine.memory import memory_is_short
from gexbench.leaderboards.records.parts import ObjectiveName
from gexbench.models.contract import Budget, Diverged, Generator, Unavailable, budget_asked
from gexbench.models.registry import Entry
from gexbench.models.settings import BudgetName
from gexbench.tasks.cohorts.cohort import Cohort
from gexbench.tasks.cohorts.device_fold import DeviceFold, put_on_device
from gexbench.tasks.cohorts.folds import Fold
from gexbench.tasks.cohorts.split import Split


@dataclass(frozen=True, slots=True)
class TrialJob:
    """A trial to run. It names only training and validation patients, so a trial cannot see any others.

    Attributes:
        place: generator, fold and number of the trial, for progress lines.
        entry: the generator's registry entry.
        settings: its full settings, JSON-able.
        track, index: the fold's place.
        train, validation: sample ids.
        seed: of the training.
    """

    place: str
    entry: Entry
    settings: Mapping[str, Any]
    track: str
    index: int
    train: tuple[str, ...]
    validation: tuple[str, ...]
    seed: int

    @property
    def ids(self) -> tuple[str, ...]:
        """Patients whose expression it may see."""
        return (*self.train, *self.validation)


class Pruned(Exception):
    """The trial is worse than the median of earlier ones at the pruning point."""


class Objective:
    """Runs trials; holds what is told of everyone, and the splits and panel of one fold.

    Args:
        development: folder of the data that trials are given; fingerprint: of the cohort's data.
        budget, device, threads: of every trial.
        objective: the criterion of finished trials.
        pruned: whether to prune a trial with this validation score at the pruning point.
    """

    def __init__(
        self,
        development: Path,
        fingerprint: str,
        budget: str,
        device: str,
        threads: int,
        objective: ObjectiveName,
        pruned: Callable[[float], bool],
    ) -> None:
        torch.set_num_threads(threads)
        self.device = torch.device(device)
        if self.device.type == "cuda":
            torch.use_deterministic_algorithms(True, warn_only=True)
        self.development, self.fingerprint = Development(development), fingerprint
        self.budget = Budget(next(name for name in get_args(BudgetName) if name == budget))
        self.objective, self.pruned = objective, pruned
        self._held: tuple[tuple[str, ...], DeviceFold, int] | None = None
        self._panel_held: tuple[tuple[str, ...], ValidationPanel] | None = None

    def do(self, job: TrialJob, report: Report) -> Outcome:
        """Run a trial; any failure is an outcome, never an exception."""
        try:
            generator = self._fitted(job, report)
            value = kept_validation_score(generator, job.entry.name)
            if self.objective == "overall score":
                report("score", 0, 1, {})
                value = 1 - self._panel(job).overall(generator, bool(job.entry.conditions), job.seed)
        except Pruned:
            return Outcome("pruned")
        except Unavailable as error:
            return Outcome("unavailable", str(error))
        except Diverged as error:
            return Outcome("diverged", str(error))
        except Exception as error:  # a trial's failure costs this trial alone
            if memory_is_short(error):
                return Outcome("out of memory", str(error) or type(error).__name__)
            return Outcome("failed", f"{type(error).__name__}: {error}", traceback.format_exc(limit=-12))
        return Outcome("ok", value=value)

    def _fitted(self, job: TrialJob, report: Report) -> Generator:
        if self._held is None or self._held[0] != _patients(job):
            self._held = self._panel_held = None  # one fold at a time: its patients are tested on the next
            put = device_fold_of(job, self._seen(job), self.fingerprint, self.device)
            self._held = (_patients(job), put, put.checksum())
        _, held, checksum = self._held
        try:
            return fitted(job, held.train, held.validation, self.budget, report, self.pruned)
        finally:
            if held.checksum() != checksum:
                self._held = self._panel_held = None
                raise WroteToInputs(f"{job.entry.name} modified its inputs; copy tensors before changing them")

    def _panel(self, job: TrialJob) -> ValidationPanel:
        patients = _patients(job)
        if self._panel_held is None or self._panel_held[0] != patients:
            fold = Fold(job.track, job.index, job.train, job.validation, (), ())
            made = ValidationPanel.of(self._seen(job), fold, self.device, self.fingerprint)
            self._panel_held = patients, made
        return self._panel_held[1]

    def _seen(self, job: TrialJob) -> Cohort:
        return self.development.seen(job.ids, self.development.everyone())


def _patients(job: TrialJob) -> tuple[str, ...]:
    return (*job.train, "", *job.validation)


def device_fold_of(job: TrialJob, seen: Cohort, fingerprint: str, device: torch.device) -> DeviceFold:
    """Splits of a trial, of the patients that it may see."""
    fold = Fold(job.track, job.index, job.train, job.validation, (), ())
    return put_on_device(seen, fold, device, fingerprint=fingerprint)


def fitted(
    job: TrialJob,
    train: Split,
    validation: Split,
    budget: Budget,
    report: Report,
    pruned: Callable[[float], bool],
) -> Generator:
    """The trial's generator, fitted.

    Args:
        pruned: asked once, with the common validation score at the first checkpoint at or after a third of the steps.

    Raises:
        Pruned: the answer was yes.
        Diverged: the training produced non-finite values or collapsed.
    """
    cls = job.entry.load()
    generator = cls(cls.Settings.model_validate(dict(job.settings), strict=False))
    asked = False

    def progress(step: int, steps: int, **values: float) -> None:
        nonlocal asked
        report("fit", step, steps, values)
        score = values.get("validation_score")
        if score is not None and not asked and steps <= 3 * step < 3 * steps and math.isfinite(score):
            asked = True
            if pruned(score):
                raise Pruned

    generator.fit(train, validation, seed=job.seed, progress=progress, **budget_asked(generator, budget))
    return generator


def kept_validation_score(generator: Generator, name: str) -> float:
    """The common validation score of the checkpoint that a fit kept; lower is better.

    Raises:
        Diverged: a score is not finite.
        ValueError: the generator reports no validation score.
    """
    scores = generator.report.curves.get("validation_score")
    if not scores:
        raise ValueError(f"{name} reports no validation score (report.curves), so it cannot be tuned")
    if not all(map(math.isfinite, scores)):
        raise Diverged("a validation score is not finite")
    return float(generator.report.facts.get("kept_validation_score", min(scores)))
