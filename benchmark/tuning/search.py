"""The search for one generator's settings on one fold: an Optuna study in an SQLite file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
import sqlalchemy.exc
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import FrozenTrial, TrialState

from gexbench.benchmark.sweeps.keys import content_key
from gexbench.benchmark.sweeps.tuned import FoldTuning, Trial
from gexbench.leaderboards.records.parts import ObjectiveName, TrialCounts
from gexbench.models.registry import Entry, resolve_settings
from gexbench.models.settings.search_space import Choice, Dimension, IntRange, SearchSpace
from gexbench.tasks.cohorts.folds import Fold
from gexbench.tasks.errors import InputError
from gexbench.tasks.panel.catalogue import panel_specifications
from gexbench.tasks.panel.protocols import CURRENT
from gexbench.tasks.seeds import derive_seed, generator_seed

RANDOM_TRIALS = 4
"""Trials before the sampler learns from earlier ones, the default settings among them."""

_SAMPLER: Mapping[str, Any] = {"n_startup_trials": RANDOM_TRIALS, "multivariate": True}
"""Stated where Optuna's default differs between its versions."""

TRIALS_BEFORE_PRUNING = 2
SQLITE_TIMEOUT_S = 60
_PRUNING_STEP = 1
_REASON = "reason"
"""Attribute of every failed trial; a failed one without it was interrupted, and does not count."""


@dataclass(frozen=True, slots=True)
class SearchTask:
    """What is searched.

    Attributes:
        entry: the generator's registry entry; version: its declared version.
        fold: the fold whose training and validation patients are used.
        fingerprint: of the cohort's data.
        defaults: the generator's full settings at the budget, JSON-able.
        space: setting → values; holds the defaults.
        budget, threads, device: of every trial.
        objective: what finished trials are judged by.
    """

    entry: Entry
    version: str
    fold: Fold
    fingerprint: str
    defaults: Mapping[str, Any]
    space: SearchSpace
    budget: str
    threads: int
    device: str
    objective: ObjectiveName = "overall score"

    @property
    def place(self) -> str:
        """Generator and fold."""
        return f"{self.entry.name}.{self.fold.track}-{self.fold.index}"

    @property
    def study_name(self) -> str:
        """The place, and a key of everything a trial's score or the next settings depend on.

        Another key is another study; a major version of Optuna may suggest other settings.
        """
        content = {
            "protocol": CURRENT.number,
            "cohort": self.fingerprint,
            "fold": self.fold.hash(),
            "generator": self.entry.name,
            "version": self.version,
            "defaults": self.defaults,
            "space": {name: repr(dimension) for name, dimension in self.space.items()},
            "budget": self.budget,
            "threads": self.threads,
            "device": self.device,
            "sampler": {"tpe": dict(_SAMPLER), "optuna": optuna.__version__.partition(".")[0]},
            "pruner": {"median": TRIALS_BEFORE_PRUNING},
            **self._judged_by(),
        }
        return f"{self.place}.{content_key(content)[:16]}"

    def _judged_by(self) -> dict[str, Any]:
        if self.objective == "validation score":
            return {}
        metrics = panel_specifications("core", plug_ins=False)
        return {"objective": self.objective, "metrics": [[metric.name, metric.version] for metric in metrics]}

    @property
    def seed(self) -> int:
        """Of every trial's training: trials differ in their settings alone, and no row of a table has this seed."""
        return generator_seed(
            cohort=self.fingerprint,
            fold=f"{self.fold.track}/{self.fold.index}",
            generator=self.entry.name,
            purpose="tune",
        )


def storage_at(path: Path) -> optuna.storages.RDBStorage:
    """The SQLite file, made when absent; a writer waits for another one.

    Raises:
        InputError: a file that is no such database.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        return optuna.storages.RDBStorage(
            f"sqlite:///{path}", engine_kwargs={"connect_args": {"timeout": SQLITE_TIMEOUT_S}}
        )
    except sqlalchemy.exc.DatabaseError as error:
        if isinstance(error, sqlalchemy.exc.OperationalError):
            raise
        raise InputError(
            f"{path.name}: not a trial database ({error.orig}); move it away to start the search afresh"
        ) from None


class Search:
    """The study of a task: what was tried, what comes next, what was found.

    Only one process writes to a study. Trials that such a process left unfinished are marked as failed when the
    study is opened again, and their settings are tried anew; they do not count.
    """

    def __init__(self, task: SearchTask, storage: optuna.storages.BaseStorage) -> None:
        self.task = task
        pruner = optuna.pruners.MedianPruner(n_startup_trials=TRIALS_BEFORE_PRUNING)
        self.study = optuna.create_study(
            storage=storage, study_name=task.study_name, pruner=pruner, direction="minimize", load_if_exists=True
        )
        self.distributions = {name: _distribution(dimension) for name, dimension in task.space.items()}
        self.running: optuna.Trial | None = None
        self.unavailable: str | None = None
        self._recover()
        self._finished = len(self._counted())

    def _recover(self) -> None:
        for trial in self.study.get_trials(states=(TrialState.RUNNING,)):
            self.study.tell(trial.number, state=TrialState.FAIL)
            if trial.params and _REASON not in trial.user_attrs:
                self._enqueue(trial.params)

    def _enqueue(self, params: Mapping[str, Any]) -> None:
        waiting = self.study.get_trials(deepcopy=False, states=(TrialState.WAITING,))
        if all(trial.system_attrs.get("fixed_params") != params for trial in waiting):
            self.study.enqueue_trial(dict(params))

    def _counted(self) -> list[FrozenTrial]:
        return [trial for trial in self.study.get_trials(deepcopy=False) if _counts(trial)]

    @property
    def finished(self) -> int:
        """Trials that have ended in any way; one that was interrupted does not count."""
        return self._finished

    def next_settings(self) -> dict[str, Any]:
        """Start the next trial: the searched settings. The default settings come first."""
        defaults = {name: self.task.defaults[name] for name in self.task.space}
        if not self._finished:
            self._enqueue(defaults)
        # A sampler of its own per trial: a search that was stopped goes on as it would have.
        seed = derive_seed(study=self.task.study_name, trial=self._finished, purpose="suggest") % 2**32
        self.study.sampler = optuna.samplers.TPESampler(**_SAMPLER, seed=seed)
        self.running = self.study.ask(self.distributions)
        return dict(self.running.params)

    def prune(self, score: float) -> bool:
        """Whether the running trial, with this score at the pruning point, is worse than the median of earlier ones."""
        if self.running is None:
            return False
        self.running.report(score, step=_PRUNING_STEP)
        return self.running.should_prune()

    def end(self, state: str, value: float | None, reason: str | None) -> None:
        """Take note of the running trial's end."""
        if self.running is None:
            raise ValueError(f"{self.task.place}: no trial is running")
        trial, self.running = self.running, None
        if state == "unavailable":
            self.unavailable = reason or "no reason given"
            self.study.tell(trial, state=TrialState.FAIL)
            return
        if state == "ok" and value is not None:
            self.study.tell(trial, value)
        elif state == "pruned":
            self.study.tell(trial, state=TrialState.PRUNED)
        else:
            trial.set_user_attr(_REASON, f"{state}: {reason or 'no reason given'}")
            self.study.tell(trial, state=TrialState.FAIL)
        self._finished += 1

    def found(self) -> FoldTuning | None:
        """What was found so far; None while no trial is complete."""
        trials = self._counted()
        complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
        if not complete:
            return None
        best = min(complete, key=lambda trial: (_value(trial), trial.number))
        defaults = {name: self.task.defaults[name] for name in self.task.space}
        of_default = next((_value(trial) for trial in complete if trial.params == defaults), None)
        count = {state: sum(trial.state == state for trial in trials) for state in TrialState}
        return FoldTuning(
            settings=dict(best.params),
            validation_score=_value(best),
            default_validation_score=of_default,
            trials=TrialCounts(complete=len(complete), pruned=count[TrialState.PRUNED], failed=count[TrialState.FAIL]),
            track=self.task.fold.track,
            index=self.task.fold.index,
            seed=self.task.seed,
            search=tuple(_line(trial) for trial in trials),
            objective=self.task.objective,
        )


def finished_trials(task: SearchTask, path: Path) -> int:
    """Finished trials of a task in an SQLite file; changes nothing."""
    if not path.exists():
        return 0
    try:
        study = optuna.load_study(study_name=task.study_name, storage=storage_at(path))
    except KeyError:
        return 0
    return sum(_counts(trial) for trial in study.get_trials(deepcopy=False))


def _counts(trial: FrozenTrial) -> bool:
    if trial.state == TrialState.FAIL:
        return _REASON in trial.user_attrs
    return trial.state.is_finished()


def _value(trial: FrozenTrial) -> float:
    if trial.value is None:
        raise ValueError(f"trial {trial.number} is complete and has no value")
    return trial.value


def _line(trial: FrozenTrial) -> Trial:
    state = {TrialState.COMPLETE: "complete", TrialState.PRUNED: "pruned"}.get(trial.state, "failed")
    return Trial(
        state=state,  # type: ignore[arg-type]
        settings=dict(trial.params),
        validation_score=trial.value if trial.state == TrialState.COMPLETE else None,
        reason=trial.user_attrs.get(_REASON),
    )


def _distribution(dimension: Dimension) -> BaseDistribution:
    if isinstance(dimension, Choice):
        return CategoricalDistribution(dimension.values)
    if isinstance(dimension, IntRange):
        return IntDistribution(dimension.low, dimension.high, log=dimension.log)
    return FloatDistribution(dimension.low, dimension.high, log=True)


def search_tasks(
    entries: Mapping[str, Entry],
    folds: Sequence[Fold],
    *,
    fingerprint: str,
    budget: str,
    threads: int,
    device: str,
    objective: ObjectiveName = "overall score",
) -> list[SearchTask]:
    """One task per generator and fold, generator by generator.

    A setting that a registry entry fixes is not searched; a default outside of the declared values joins them.

    Raises:
        InputError: generators that cannot be used here or declare no search space, all at once.
    """
    problems: list[str] = []
    tasks: list[SearchTask] = []
    for name, entry in entries.items():
        settings = resolve_settings(entry, budget)
        defaults = settings.model_dump(mode="json")
        declared = {key: values for key, values in settings.search_space.items() if key not in entry.settings}
        if entry.unavailable:
            problems.append(f"generator {name}: {entry.unavailable}")
        elif not declared:
            problems.append(
                f"generator {name} has nothing to tune: {type(settings).__name__} declares no search_space; "
                "name another generator"
            )
        elif strangers := sorted(declared.keys() - defaults.keys()):
            problems.append(f"generator {name}: its search_space names {', '.join(strangers)}, which are not settings")
        else:
            space = {key: values.including(defaults[key]) for key, values in declared.items()}
            tasks += [
                SearchTask(
                    entry, settings.version, fold, fingerprint, defaults, space, budget, threads, device, objective
                )
                for fold in folds
            ]
    if problems:
        raise InputError(problems)
    return tasks
