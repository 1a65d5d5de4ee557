"""The order of a sweep's jobs, and which of them can start."""

from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from gexbench.benchmark.cells.jobs import Job, Outcome
from gexbench.benchmark.storage.store import Store
from gexbench.benchmark.sweeps.cells import Cell, Plan
from gexbench.tasks.cohorts.folds import Fold


@dataclass(slots=True)
class Schedule:
    """Jobs still to do, handed out fold by fold: the real side first, then scores, then trainings.

    Trained families start before the quick references, so that no long job is left for the end. Cells with the same
    train key (a tuned row that kept the default settings) are trained once; `sharing` holds the others. A cell whose
    kept rows turn out to be corrupt is trained again, once.
    """

    plan: Plan
    prepare: deque[Job] = field(default_factory=deque)
    train: deque[Job] = field(default_factory=deque)
    score: deque[Job] = field(default_factory=deque)
    prepared: set[str] = field(default_factory=set)
    sharing: dict[str, list[Cell]] = field(default_factory=dict)
    unprepared: dict[str, Outcome] = field(default_factory=dict)
    trains: bool = True
    trained_again: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, plan: Plan, store: Store, cells: Collection[Cell], train: bool = True) -> "Schedule":
        """The jobs that `cells` need, given what the store holds; without `train` only kept rows are scored."""
        schedule = cls(plan, trains=train)
        for fold in plan.folds:
            of_fold = [cell for cell in cells if cell.fold.index == fold.index]
            if not of_fold:
                continue
            if store.read_json("folds", plan.fold_key(fold)) is None:
                schedule.prepare.append(Job("prepare", fold))
            else:
                schedule.prepared.add(fold.hash())
            for cell in sorted(of_fold, key=lambda cell: cell.entry.is_reference):
                kept = store.has_rows(cell.train_key)
                if kept:
                    schedule.score.append(Job("score", fold, cell))
                elif train and cell.train_key in schedule.sharing:
                    schedule.sharing[cell.train_key].append(cell)
                elif train:
                    schedule.sharing[cell.train_key] = []
                    schedule.train.append(Job("train", fold, cell))
        return schedule

    def next_job(self, takes: Callable[[Job], bool] = lambda job: True) -> Job | None:
        """The next job that can start now, of those that `takes` allows."""
        ready = (job for job in self.score if job.fold.hash() in self.prepared)
        firsts = (next(filter(takes, jobs), None) for jobs in (self.prepare, ready, self.train))
        candidates = [job for job in firsts if job is not None]
        if not candidates:
            return None
        order = {"prepare": 0, "score": 1, "train": 2}
        position = {fold.hash(): number for number, fold in enumerate(self.plan.folds)}
        job: Job = min(candidates, key=lambda job: (position[job.fold.hash()], order[job.kind]))
        {"prepare": self.prepare, "score": self.score, "train": self.train}[job.kind].remove(job)
        return job

    def ended(self, job: Job, outcome: Outcome) -> list[tuple[Cell, Outcome]]:
        """Take note of a job's end; returns the cells that ended with it, with their outcomes."""
        if job.kind == "prepare":
            if outcome.state == "ok":
                self.prepared.add(job.fold.hash())
                return []
            self.unprepared[job.fold.hash()] = outcome
            return self._give_up(job)
        if job.cell is None:
            raise ValueError(f"{job.name}: no cell")
        if job.kind != "train":
            return [] if outcome.lost_rows and self._train_again(job.cell, job.fold) else [(job.cell, outcome)]
        others = self.sharing.pop(job.cell.train_key, [])
        if outcome.state != "ok":
            return [(cell, outcome) for cell in (job.cell, *others)]
        lost = self.unprepared.get(job.fold.hash())
        if lost is not None:
            return [(cell, lost) for cell in (job.cell, *others)]
        self.score += [Job("score", job.fold, cell) for cell in (job.cell, *others)]
        return []

    @property
    def size(self) -> int:
        """Jobs to do, when every one ends well."""
        sharing = sum(len(cells) for cells in self.sharing.values())
        return len(self.prepare) + 2 * len(self.train) + sharing + len(self.score)

    def _train_again(self, cell: Cell, fold: Fold) -> bool:
        """Put a training back whose rows cannot be scored; False when it was done already, or may not be done."""
        if cell.train_key in self.sharing:
            self.sharing[cell.train_key].append(cell)
            return True
        if not self.trains or cell.train_key in self.trained_again:
            return False
        self.trained_again.add(cell.train_key)
        self.sharing[cell.train_key] = []
        self.train.append(Job("train", fold, cell))
        return True

    def _give_up(self, job: Job) -> list[tuple[Cell, Outcome]]:
        lost = [waiting for waiting in self.score if waiting.fold.index == job.fold.index]
        for waiting in lost:
            self.score.remove(waiting)
        outcome = self.unprepared[job.fold.hash()]
        return [(waiting.cell, outcome) for waiting in lost if waiting.cell is not None]
