"""Tuning generators: searches of several folds side by side, resumable, and the file of what they found."""

import fcntl
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from gexbench.benchmark.cells.development import Development
from gexbench.benchmark.cells.jobs import Outcome
from gexbench.benchmark.cells.objective import TrialJob
from gexbench.benchmark.machine import environment
from gexbench.benchmark.machine.processes import can_fork, capped_workers, memory_share
from gexbench.benchmark.running.pool import Pool
from gexbench.benchmark.running.progress import Display, Placed
from gexbench.benchmark.running.runner import Interrupts
from gexbench.benchmark.running.worker import serve_trials
from gexbench.benchmark.sweeps.tuned import (
    FoldTuning,
    GeneratorTuning,
    TuningFile,
    read_tuning_file,
    to_json,
    tuning_file,
)
from gexbench.benchmark.tuning.search import Search, SearchTask, storage_at
from gexbench.models.registry import resolve_settings
from gexbench.tasks.cohorts.cohort import Cohort
from gexbench.tasks.errors import InputError
from gexbench.tasks.files.atomic import write_text

TRIAL_LIMIT_S = 3600.0
"""Wall-clock seconds after which a trial is killed, and counts as failed."""

AHEAD = 4
"""Trials that a search may be ahead of the others: a worker holds one fold, and prepares the next one's panel anew."""


@dataclass(frozen=True, slots=True)
class TuningSummary:
    """How a tuning ended.

    Attributes:
        found: place (generator and fold) → what was found there, None without a complete trial.
        unavailable: places that cannot be tuned → why.
        stopped: whether it was stopped before all trials had been run.
    """

    found: Mapping[str, FoldTuning | None]
    unavailable: Mapping[str, str]
    stopped: bool


class TrialDisplay(Display):
    """Progress of a tuning."""

    counted = "trials"

    def trial_done(self, job: Placed, outcome: Outcome, best: float | None) -> None:
        """Count a trial and report its end."""
        self._done[outcome.state] = self._done.get(outcome.state, 0) + 1
        value = outcome.value
        how = f"loss {value:.5g}, best {best:.5g}" if value is not None and best is not None else ""
        if how or outcome.reason or not self.console.is_terminal:
            self.say(
                f"{job.place}: {outcome.state}{': ' if how or outcome.reason else ''}{how or outcome.reason or ''}"
            )
        self.jobs.update(self._total, advance=1)


class Tuner:
    """Runs the trials of several searches; a search's trials run one after the other, searches side by side.

    What a search finds therefore does not depend on the number of workers. `results/tuning/NAME.sqlite` holds the
    studies, `NAME.json` what they found.

    Args:
        tasks: one per generator and fold.
        cohort: their cohort.
        trials: per task, those of earlier runs included.
        results, name: where the files are.
    """

    def __init__(self, tasks: Sequence[SearchTask], cohort: Cohort, trials: int, results: Path, name: str) -> None:
        self.tasks, self.cohort, self.trials = tasks, cohort, trials
        self.store = results / "store"
        self.path = tuning_file(results, name)
        self._jobs: dict[str, Search] = {}
        self._last: Search | None = None

    def run(self, workers: int, display: TrialDisplay, time_limit_s: float | None = None) -> TuningSummary:
        """Run what is missing.

        Args:
            workers: trials side by side, at most one per search.
            display: where progress goes.
            time_limit_s: no trial starts after so many seconds.

        Raises:
            InputError: another process tunes into the same file; the file holds settings of other data.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        deadline = None if time_limit_s is None else time.monotonic() + time_limit_s
        with _alone(self.path), Development.of(self.cohort, self.store / "running") as development:
            held = self._held()
            storage = storage_at(self.path.with_suffix(".sqlite"))
            self.searches = [Search(task, storage) for task in self.tasks]
            todo = sum(max(self.trials - search.finished, 0) for search in self.searches)
            first = self.tasks[0]
            size = capped_workers(workers, len(self.searches), display.say)
            pool: Pool[TrialJob] = Pool(
                lambda job: serve_trials,
                (
                    self.cohort.name,
                    development.folder,
                    first.fingerprint,
                    first.budget,
                    first.device,
                    first.threads,
                    first.objective,
                ),
                size,
                threads=first.threads,
                time_limit_s=TRIAL_LIMIT_S,
                memory_limit=memory_share(size),
                fork=can_fork(first.device, first.threads),
                answer=lambda job, score: self._jobs[job.place].prune(score),
            )

            def next_job() -> TrialJob | None:
                job = self._next()
                if job is not None:
                    development.put(self.cohort, job.ids)
                return job

            def done(job: TrialJob, outcome: Outcome) -> None:
                search = self._last = self._jobs.pop(job.place)
                search.end(
                    outcome.state, outcome.value, environment.scrubbed(outcome.reason) if outcome.reason else None
                )
                found = search.found()
                display.trial_done(job, outcome, found.validation_score if found else None)
                self._write(held)

            def late() -> bool:
                return deadline is not None and time.monotonic() > deadline

            with Interrupts(display, "trials") as interrupts, display.started(todo, 0):
                if todo:
                    pool.run(next_job, done, display.progress, lambda: interrupts.stopping or late())
            self._write(held)
        return TuningSummary(
            {search.task.place: search.found() for search in self.searches},
            {search.task.place: search.unavailable for search in self.searches if search.unavailable},
            any(self._unfinished(search) for search in self.searches),
        )

    def _unfinished(self, search: Search) -> bool:
        return search.finished < self.trials and search.unavailable is None

    def _next(self) -> TrialJob | None:
        """The next trial of the search whose trial ended last, which then meets its fold prepared, else of another.

        No search gets more than `AHEAD` trials ahead of the one with the fewest, among those that are not running.
        """
        ready = [search for search in self.searches if search.running is None and self._unfinished(search)]
        if not ready:
            return None
        search = min(ready, key=lambda search: search.finished)
        if self._last in ready and self._last.finished < search.finished + AHEAD:
            search = self._last
        number = search.finished
        job = _job(search.task, search.next_settings(), number)
        self._jobs[job.place] = search
        return job

    def _held(self) -> TuningFile | None:
        """What the file holds of other searches.

        Raises:
            InputError: settings of other data, another budget, device or number of threads.
        """
        if not self.path.exists():
            return None
        held, task = read_tuning_file(self.path), self.tasks[0]
        theirs = (held.cohort, held.fingerprint, held.budget, held.device, held.threads)
        if theirs != (self.cohort.name, task.fingerprint, task.budget, task.device, task.threads):
            raise InputError(
                f"{self.path}: holds settings of cohort {held.cohort} ({held.fingerprint[:12]}), budget {held.budget}, "
                f"device {held.device}, threads {held.threads}; choose another --name"
            )
        return held

    def _write(self, held: TuningFile | None) -> None:
        generators = dict(held.generators) if held else {}
        for search in self.searches:
            found, task = search.found(), search.task
            if found is None:
                continue
            before = generators.get(task.entry.name)
            folds = before.folds if before and before.version == task.version else {}
            merged = {**folds, task.fold.hash(): found}
            generators[task.entry.name] = GeneratorTuning(version=task.version, folds=merged)
        if not generators:
            return
        task = self.tasks[0]
        content = TuningFile(
            cohort=self.cohort.name,
            fingerprint=task.fingerprint,
            budget=task.budget,
            threads=task.threads,
            device=task.device,
            optuna=version("optuna"),
            generators=generators,
        )
        write_text(self.path, to_json(content))


def _job(task: SearchTask, searched: Mapping[str, Any], number: int) -> TrialJob:
    """A trial's job; settings that contradict each other are left to the trial, which then fails."""
    try:
        settings = resolve_settings(task.entry, task.budget, searched).model_dump(mode="json")
    except InputError:
        settings = {**task.defaults, **searched}
    fold = task.fold
    place = f"{task.place} trial {number}"
    return TrialJob(place, task.entry, settings, fold.track, fold.index, fold.train, fold.validation, task.seed)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold the lock of a tuning file; the system lets go of it when the process dies, however it dies."""
    with path.with_suffix(".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise InputError(f"{path}: in use by another `gexbench tune`; wait, or choose another --name") from None
        yield
