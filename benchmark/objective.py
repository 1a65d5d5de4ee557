"""One trial of a tuning, in a worker process: a fit on training and validation patients, and its validation score."""

import math
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
import torch

from gexbench.benchmark.jobs import Outcome
from gexbench.benchmark.training import Report
from gexbench.models.contract import Budget, Diverged, Unavailable
from gexbench.models.registry import Entry
from gexbench.models.settings import BudgetName
from gexbench.tasks.cohort import Cohort
from gexbench.tasks.data_directory import load_cohort
from gexbench.tasks.device_fold import put_on_device, rows_of
from gexbench.tasks.folds import Fold
from gexbench.tasks.split import Split


@dataclass(frozen=True, slots=True)
class TrialJob:
    """A trial to run. It names training and validation patients only, so that no trial can see others.

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


@dataclass(frozen=True, slots=True)
class TrialOutcome(Outcome):
    """How a trial ended: `ok`, `pruned` or a failure; `value` is the validation score of the state that it keeps."""

    value: float | None = None


class Pruned(Exception):
    """The trial is worse than the median of earlier ones at the pruning point."""


class Objective:
    """Runs trials; holds the cohort in memory and the splits of one fold on the device.

    Args:
        cohort, fingerprint: name of the cohort and fingerprint of its data.
        budget, device, threads: of every trial.
        pruned: whether a trial with this validation score at the pruning point is to be given up.
    """

    def __init__(
        self, cohort: str, fingerprint: str, budget: str, device: str, threads: int, pruned: Callable[[float], bool]
    ) -> None:
        torch.set_num_threads(threads)
        self.device = torch.device(device)
        if self.device.type == "cuda":
            torch.use_deterministic_algorithms(True, warn_only=True)
        self.cohort, self.fingerprint = load_cohort(cohort), fingerprint
        self.budget = Budget(next(name for name in get_args(BudgetName) if name == budget))
        self.pruned = pruned
        self._held: tuple[tuple[str, ...], Split, Split] | None = None

    def do(self, job: TrialJob, report: Report) -> Outcome:
        """Run a trial; a failure of any kind is an outcome, never an exception."""
        try:
            train, validation = self._splits(job)
            score = validation_score(job, train, validation, self.budget, report, self.pruned)
        except Pruned:
            return TrialOutcome("pruned")
        except Unavailable as error:
            return TrialOutcome("unavailable", str(error))
        except Diverged as error:
            return TrialOutcome("diverged", str(error))
        except (MemoryError, torch.cuda.OutOfMemoryError) as error:
            return TrialOutcome("out of memory", str(error) or type(error).__name__)
        except Exception as error:  # a trial's failure costs this trial alone
            return TrialOutcome("failed", f"{type(error).__name__}: {error}", traceback.format_exc(limit=-12))
        return TrialOutcome("ok", value=score)

    def _splits(self, job: TrialJob) -> tuple[Split, Split]:
        if self._held is None or self._held[0] != (*job.train, "", *job.validation):
            self._held = None  # one fold at a time: let go of the last one before the next is put there
            splits = splits_of(job, self.cohort, self.fingerprint, self.device)
            self._held = ((*job.train, "", *job.validation), *splits)
        return self._held[1], self._held[2]


def splits_of(job: TrialJob, cohort: Cohort, fingerprint: str, device: torch.device) -> tuple[Split, Split]:
    """Training and validation splits of a trial; expression, labels, text and patches of nobody else are in them."""
    seen = cohort.take(np.sort(rows_of(cohort, job.train + job.validation)))
    fold = Fold(job.track, job.index, job.train, job.validation, ())
    held = put_on_device(seen, fold, device, fingerprint=fingerprint)
    return held.train, held.validation


def validation_score(
    job: TrialJob,
    train: Split,
    validation: Split,
    budget: Budget,
    report: Report,
    pruned: Callable[[float], bool],
) -> float:
    """The common validation score of the state that a fit keeps; lower is better.

    Args:
        pruned: asked once, with the score at the first checkpoint at or after a third of the steps.

    Raises:
        Pruned: the answer was yes.
        Diverged: the score is not finite.
        ValueError: the generator reports no validation score.
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

    generator.fit(train, validation, budget=budget, seed=job.seed, progress=progress)
    scores = generator.report.curves.get("validation_score")
    if not scores:
        raise ValueError(f"{job.entry.name} reports no validation score (report.curves), so it cannot be tuned")
    if not all(map(math.isfinite, scores)):
        raise Diverged("a validation score is not finite")
    return float(generator.report.facts.get("kept_validation_score", min(scores)))
